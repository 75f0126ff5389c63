// This file is the whole public surface of `@holdpoint/core`: what is added here becomes API. Named exports only.

export type { ApprovalRequest, Approver, Verdict } from "./approvals/approval-request.ts";
export { shortFingerprint, withoutSecrets } from "./approvals/approval-request.ts";
export {
  type ApprovalAnswer,
  type ApprovalRecord,
  type ApprovalStatus,
  type ApprovalStore,
  approvalSession,
} from "./approvals/approval-store.ts";
export type { Approvals } from "./approvals/approvals.ts";
export type { HostAnswer } from "./approvals/host-flow.ts";
export { memoryApprovals } from "./approvals/memory-approvals.ts";
export { verifyWebhookSignature, type WebhookBody, type WebhookOptions, webhook } from "./approvals/webhook.ts";
export { canonicalJson, contentHash } from "./arguments/canonical-json.ts";
export { compileInputSchema, type Judge } from "./arguments/input-schema.ts";
export { type Json, type JsonObject, type Snapshot, type SnapshotBounds, takeSnapshot } from "./arguments/json-snapshot.ts";
export { redact, secretMark } from "./arguments/redact.ts";
export { type AuditSink, type AuditSinks, memoryAudit } from "./audit/audit.ts";
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
} from "./audit/audit-event.ts";
export { conditionText } from "./conditions/condition.ts";
export type { Explanation } from "./conditions/explain-condition.ts";
export { formatPath, isPathError, type Path, parsePath } from "./conditions/path.ts";
export { type Call, type DecisionFacts, type Denial, decide, type Plan } from "./decision/decide.ts";
export type { Evaluated } from "./decision/evidence.ts";
export { canaryPrefix, printable, type Refusal, type RefusalCode } from "./decision/refusal.ts";
export { editedText, refusalDecision, refusalText } from "./decision/refusal-text.ts";
export { isRefusal, isRefusalOf, markRefusal, RefusedError, refusalOf } from "./decision/refused-error.ts";
export { type Bound, type Bounds, describeBounds } from "./decision/would-pass.ts";
export type { Catalog, CatalogChange, Definition } from "./guard/definitions.ts";
export { type Answer, createGuard, type Guard, type GuardOptions } from "./guard/guard.ts";
export { type Admission, type CallRequest, type Preview, type Suspension, suspend } from "./guard/passage.ts";
export { changedParts, type Pin, type Pins, parsePins, pinTools, type ToolDefinition } from "./guard/pins.ts";
export type { Route } from "./guard/resume.ts";
export { guardOf, type Identity, type Session } from "./guard/session.ts";
export { CounterStoreError, HoldpointError } from "./holdpoint-error.ts";
export type { CounterStore, Debit, MaybePromise, Reservation, Reserved, Room, Window } from "./limits/counter-store.ts";
export { memoryStore } from "./limits/memory-store.ts";
export { type CompiledPolicy, type CompileOptions, compilePolicy } from "./policy/compile-policy.ts";
export { definePolicy, type Policy } from "./policy/define-policy.ts";
export { type RepeatedKey, repeatedKeys } from "./policy/json-text.ts";
export { loadPolicy, parsePolicy, policyDigest } from "./policy/load-policy.ts";
export { type MergedPolicy, mergePolicies } from "./policy/merge-policies.ts";
export { PolicyError, type PolicyIssue } from "./policy/policy-error.ts";
export type { Condition, Entry, Limit, Operator, PolicyDocument, Scope, ToolRules } from "./policy/policy-schema.ts";
export { predicate } from "./policy/predicate.ts";
