import type { JsonObject } from "../arguments/json-snapshot.ts";
import type { RefusalCode } from "../decision/refusal.ts";

/** How an admitted call ended, as far as the guard can know. `unknown`: no answer came (timeout, abort, lost connection), so it may have happened. */
export type Outcome =
  | { readonly kind: "success" }
  | { readonly kind: "tool_error" }
  | { readonly kind: "protocol_error"; readonly code?: number | undefined }
  | { readonly kind: "unknown"; readonly reason?: string | undefined }
  /** The call provably did not leave. */
  | { readonly kind: "unsent"; readonly reason?: string | undefined };

interface EventBase {
  /** The version of this shape. */
  readonly v: 1;
  readonly id: string;
  /** ISO 8601, UTC, by the guard's clock. */
  readonly time: string;
  /** Names one guard in one process. */
  readonly guard: string;
}

/** What an event about one call says of it. Argument values appear only in `recorded`, for fields that the policy opted in (law `one-decision-one-record`). */
interface CallBase extends EventBase {
  readonly call: string;
  /** 1 for the first send of a call, then 2, 3, … for its resends. */
  readonly attempt: number;
  readonly session: string;
  readonly server: string;
  readonly tool: string;
  readonly identity: JsonObject;
  /** The host's name for the call, such as the AI SDK's `toolCallId`. */
  readonly callId?: string | undefined;
}

export interface DecisionEvent extends CallBase {
  readonly type: "decision";
  readonly outcome: "allow" | "deny";
  readonly rule: string;
  readonly code: RefusalCode | "allowed";
  /** For the operator: paths, types and policy literals. */
  readonly detail?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  /** SHA-256 of the policy that decided. */
  readonly policy?: string | undefined;
  readonly mode: "enforce" | "observe";
  /** Under `observe`: what enforcement would have refused or held. */
  readonly observed?: readonly { readonly rule: string; readonly code: string }[] | undefined;
  /** Weaknesses that the host chose (`failMode`) and that this call used. */
  readonly failedOpen?: readonly string[] | undefined;
  readonly approvals?: readonly string[] | undefined;
  /** Declared top-level argument names, sorted; the others are only counted, since keys are the model's text too. */
  readonly argumentKeys: readonly string[];
  readonly otherKeys: number;
  /** HMAC-SHA-256 of the canonical arguments under the guard's audit key, in hex; for sinks that ask. Absent where the arguments were never read. */
  readonly mac?: string | undefined;
  readonly recorded?: JsonObject | undefined;
  /** Milliseconds from the call's arrival to the decision, the wait for a person included. */
  readonly latencyMs: number;
  /** Room left in each counter that was charged. */
  readonly room?: readonly { readonly limit: string; readonly remaining: string }[] | undefined;
}

export interface OutcomeEvent extends CallBase {
  readonly type: "outcome";
  readonly outcome: Outcome["kind"];
  readonly code?: number | undefined;
  readonly reason?: string | undefined;
  /** Milliseconds from the decision to the answer. */
  readonly latencyMs: number;
}

export interface ApprovalEvent extends CallBase {
  readonly type: "approval.requested" | "approval.granted" | "approval.refused" | "approval.expired" | "approval.used" | "approval.revoked";
  readonly approval: string;
  readonly binding: string;
  readonly rules: readonly string[];
  readonly by?: string | undefined;
  /** The person's reason, or why nobody was asked. */
  readonly reason?: string | undefined;
  readonly edited?: readonly string[] | undefined;
  readonly unverified?: boolean | undefined;
}

export interface PolicyEvent extends EventBase {
  readonly type: "policy.loaded" | "policy.rejected";
  readonly server: string;
  readonly policy?: string | undefined;
  readonly mode: "enforce" | "observe";
  /** Names the key of `mac`; the key itself appears nowhere. */
  readonly auditKey?: string | undefined;
  readonly issues?: readonly string[] | undefined;
}

export interface ToolsEvent extends EventBase {
  readonly type: "tools.changed";
  readonly server: string;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

export interface CanaryEvent extends EventBase {
  readonly type: "canary";
  readonly server: string;
  readonly tool: string;
}

/** Something reached the guard that no open call explains: an answer to a held call, a second answer, a send that was not admitted. */
export interface AnomalyEvent extends EventBase {
  readonly type: "anomaly";
  readonly server: string;
  readonly problem: string;
}

export type AuditEvent = DecisionEvent | OutcomeEvent | ApprovalEvent | PolicyEvent | ToolsEvent | CanaryEvent | AnomalyEvent;
