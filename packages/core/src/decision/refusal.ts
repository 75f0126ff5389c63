import type { ApprovalRecord } from "../approvals/approval-store.ts";
import { reasonOf } from "../audit/audit.ts";
import type { LimitRefusal } from "../limits/limits.ts";
import type { Denial } from "./decide.ts";
import { describeBounds } from "./would-pass.ts";

/** Why a call did not leave, for programs. */
export type RefusalCode =
  | "no_policy"
  | "hidden"
  | "default_deny"
  | "definition_unknown"
  | "definition_unusable"
  | "definition_changed"
  | "definition_unpinned"
  | "not_json"
  | "too_large"
  | "arguments_invalid"
  | "require"
  | "deny_if"
  | "limit"
  | "limit_scope"
  | "limit_amount"
  | "no_approver"
  | "approval_refused"
  | "approval_expired"
  | "approval_pending"
  | "approval_failed"
  | "too_many_approvals"
  | "store_unavailable"
  | "audit_unavailable"
  | "cancelled"
  | "canary"
  | "malformed"
  | "batch"
  | "egress"
  | "internal_error";

/** The call did not leave and will not. `message` is for the model, `detail` for the operator. */
export interface Refusal {
  readonly outcome: "deny";
  readonly rule: string;
  readonly code: RefusalCode;
  readonly message: string;
  readonly detail: string;
  readonly retryAfterMs?: number | undefined;
  /** False where the wait tells what others do (limits of a tenant, a server or everyone): then it is for the operator alone. */
  readonly waitIsOwn?: boolean | undefined;
  /** The request that a person can still answer. */
  readonly approval?: { readonly id: string; readonly expiresAt: number } | undefined;
  readonly denial?: Denial | undefined;
}

/** Hidden, unlisted and unknown tools read the same, so that a refusal tells the model nothing about what exists. */
export function notAvailable(tool: string): string {
  return `Tool \`${printable(tool)}\` is not available.`;
}

/** A refusal as it is made, before it is written to the record. */
export type Refusing = Omit<Refusal, "outcome">;

/** Names under this prefix are denied by a built-in rule in every mode, so that `assertEnforced` can try every path without a real tool. */
export const canaryPrefix = "holdpoint.canary.";

export const notPermitted = "This call is not permitted by policy.";

const longestName = 120;

/** The model's own text, safe to show to a person: control, bidi and zero-width characters escaped, and nothing elided without a count. */
export function printable(text: string, longest: number = longestName): string {
  const escaped = text.replace(unsafeToShow, (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`);
  if (escaped.length <= longest) return escaped;
  return `${escaped.slice(0, longest).toWellFormed()}… (${escaped.length - longest} more)`;
}

// Cc, Cf (bidi controls, zero-width, soft hyphen, tags), Zl, Zp, lone surrogates, and what shows nothing by default: variation selectors, joiners, fillers.
const unsafeToShow = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;

export const canaryRefusal: Refusing = {
  rule: "(canary)",
  code: "canary",
  message: "This tool does not exist: it shows that calls are checked.",
  detail: "a canary was called, and did not leave",
};

export const cancelled: Refusing = {
  rule: "(cancelled)",
  code: "cancelled",
  message: "The call was cancelled.",
  detail: "the caller cancelled, or the session ended, before the call left",
};

export function deniedBy(denial: Denial): Refusing {
  const { rule, code, detail, retryAfterMs } = denial;
  const taught = denial.explains ? denial.wouldPass : undefined;
  const message = taught ? `${denial.message} ${describeBounds(taught)}` : denial.message;
  return { rule, code, message, detail, retryAfterMs, denial };
}

export function failed(reason: string): Refusing {
  return { rule: "(error)", code: "internal_error", message: notPermitted, detail: `deciding failed: ${reason}` };
}

export function unfit({ code, pointer, problem }: { code: "not_json" | "too_large"; pointer: string; problem: string }): Refusing {
  const place = pointer === "" ? "the arguments" : `the argument at \`${printable(pointer)}\``;
  return { rule: "(arguments)", code, message: `This call cannot be made: ${place}: ${problem}.`, detail: `${place}: ${problem}` };
}

export function overLimit(limit: LimitRefusal): Refusing {
  const { rule, code, message, detail, retryAfterMs, waitIsOwn } = limit;
  return { rule, code, message, detail, retryAfterMs, waitIsOwn };
}

export function storeDown(error: unknown): Refusing {
  return {
    rule: "(store)",
    code: "store_unavailable",
    message: `${notPermitted} Its limits cannot be checked now.`,
    detail: `the counter store failed: ${reasonOf(error)}`,
  };
}

export function auditDown(reason: string): Refusing {
  return { rule: "(audit)", code: "audit_unavailable", message: notPermitted, detail: `the decision could not be recorded: ${reason}` };
}

export function noApprover(asking: readonly { readonly id: string; readonly onDeny: string | undefined }[]): Refusing {
  const text = "requires approval, and no approver is configured";
  return {
    rule: asking[0]?.id ?? "",
    code: "no_approver",
    message: asking[0]?.onDeny ?? `This call ${text}.`,
    detail: `the call ${text}: give the guard \`approve\` or \`approvals\``,
  };
}

export function refusedByPerson(record: ApprovalRecord): Refusing {
  const why = record.refusal === undefined ? "" : `: ${record.refusal}`;
  const who = record.by === undefined ? "a person" : `\`${record.by}\``;
  return {
    rule: ruleOf(record),
    code: "approval_refused",
    message: `A person was asked and refused this call${why}.`,
    detail: `${who} refused${why}`,
  };
}

export function stillPending(record: ApprovalRecord): Refusing {
  return {
    rule: ruleOf(record),
    code: "approval_pending",
    message: `This call is waiting for a person's approval, id \`${record.id}\`. Make the same call again once it is approved.`,
    detail: `request \`${record.id}\` is waiting for an answer`,
    approval: { id: record.id, expiresAt: record.expiresAt },
  };
}

export function unanswered(record: ApprovalRecord): Refusing {
  return {
    rule: ruleOf(record),
    code: "approval_expired",
    message: "A person was asked to approve this call and did not answer in time.",
    detail: `request \`${record.id}\` was not answered in time`,
    approval: { id: record.id, expiresAt: record.expiresAt },
  };
}

export function approvalGone(record: ApprovalRecord): Refusing {
  return {
    rule: ruleOf(record),
    code: "approval_failed",
    message: "This call cannot go on: its approval has ended meanwhile.",
    detail: `the approval \`${record.id}\`, for which the call was resumed, was used, taken back or over by its release`,
  };
}

export const tooManyPending: Refusing = {
  rule: "(approvals)",
  code: "too_many_approvals",
  message: "Too many calls are waiting for a person's approval. Wait for their answers first.",
  detail: "the session has as many pending requests for approval as it may",
};

function ruleOf(record: ApprovalRecord): string {
  return record.rules[0]?.id ?? "";
}
