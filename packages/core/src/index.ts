// This file is the whole public surface of `@holdpoint/core`: what is added here becomes API. Named exports only.

export type { ApprovalRequest, Approver, Verdict } from "./approval-request.ts";
export { shortFingerprint, withoutSecrets } from "./approval-request.ts";
export { type ApprovalAnswer, type ApprovalRecord, type ApprovalStatus, type ApprovalStore, approvalSession } from "./approval-store.ts";
export type { Approvals } from "./approvals.ts";
export { type AuditSink, type AuditSinks, memoryAudit } from "./audit.ts";
export type {
  AnomalyEvent,
  ApprovalEvent,
  AuditEvent,
  CanaryEvent,
  DecisionEvent,
  Outcome,
  OutcomeEvent,
  PolicyEvent,
  ToolsEvent,
} from "./audit-event.ts";
export { canonicalJson, contentHash } from "./canonical-json.ts";
export { type CompiledPolicy, type CompileOptions, compilePolicy } from "./compile-policy.ts";
export { conditionText } from "./condition.ts";
export type { CounterStore, Debit, MaybePromise, Reservation, Reserved, Room, Window } from "./counter-store.ts";
export { type Call, type DecisionFacts, type Denial, decide, type Plan } from "./decide.ts";
export { definePolicy, type Policy } from "./define-policy.ts";
export type { Catalog, CatalogChange, Definition } from "./definitions.ts";
export type { Evaluated } from "./evidence.ts";
export type { Explanation } from "./explain-condition.ts";
export { type Answer, createGuard, type Guard, type GuardOptions } from "./guard.ts";
export { CounterStoreError, HoldpointError } from "./holdpoint-error.ts";
export type { HostAnswer } from "./host-flow.ts";
export { compileInputSchema, type Judge } from "./input-schema.ts";
export { type Json, type JsonObject, type Snapshot, type SnapshotBounds, takeSnapshot } from "./json-snapshot.ts";
export { loadPolicy, parsePolicy, policyDigest } from "./load-policy.ts";
export { memoryApprovals } from "./memory-approvals.ts";
export { memoryStore } from "./memory-store.ts";
export { type MergedPolicy, mergePolicies } from "./merge-policies.ts";
export { type Admission, type CallRequest, type Preview, type Suspension, suspend } from "./passage.ts";
export { formatPath, isPathError, type Path, parsePath } from "./path.ts";
export { changedParts, type Pin, type Pins, parsePins, pinTools, type ToolDefinition } from "./pins.ts";
export { PolicyError, type PolicyIssue } from "./policy-error.ts";
export type { Condition, Entry, Limit, Operator, PolicyDocument, Scope, ToolRules } from "./policy-schema.ts";
export { predicate } from "./predicate.ts";
export { redact, secretMark } from "./redact.ts";
export { canaryPrefix, printable, type Refusal, type RefusalCode } from "./refusal.ts";
export { editedText, refusalDecision, refusalText } from "./refusal-text.ts";
export { isRefusal, markRefusal, RefusedError, refusalOf } from "./refused-error.ts";
export type { Route } from "./resume.ts";
export { guardOf, type Identity, type Session } from "./session.ts";
export { verifyWebhookSignature, type WebhookBody, type WebhookOptions, webhook } from "./webhook.ts";
export { type Bound, type Bounds, describeBounds } from "./would-pass.ts";
