import { canonicalJson } from "../arguments/canonical-json.ts";
import type { JsonObject } from "../arguments/json-snapshot.ts";
import type { MaybePromise } from "../limits/counter-store.ts";

export type ApprovalStatus = "pending" | "approved" | "refused" | "expired" | "used" | "revoked";

/** A request for a person's yes, and what became of it. Plain JSON, so that it can outlive the process that asked. */
export interface ApprovalRecord {
  readonly id: string;
  readonly status: ApprovalStatus;
  /** Hash of all that the yes is bound to: namespace, server, definition, tool, canonical arguments, identity and the content of every rule that asked. */
  readonly binding: string;
  /** Hash of the same without the arguments, for a yes that reaches further; present only where every rule offers it. */
  readonly wide?:
    | { readonly to: "session" | "matching"; readonly binding: string; readonly forMs: number; readonly uses: number }
    | undefined;
  readonly server: string;
  readonly tool: string;
  /** The snapshot to run after the yes. Dropped when the request ends, also by its last use, then the binding stands for it alone. */
  readonly arguments?: JsonObject | undefined;
  /** What the approver made of the arguments; a call under this yes is made with these. */
  readonly edited?: JsonObject | undefined;
  /** Paths of the arguments that no person is shown. */
  readonly secret?: readonly string[] | undefined;
  readonly context: JsonObject;
  /** Every rule that asked: its id for people, its content hash for the binding. */
  readonly rules: readonly { readonly id: string; readonly hash: string }[];
  readonly reasons: readonly string[];
  /** Milliseconds since the epoch. */
  readonly requestedAt: number;
  readonly expiresAt: number;
  readonly decidedAt?: number | undefined;
  /** Who answered, as the approver says it. */
  readonly by?: string | undefined;
  readonly refusal?: string | undefined;
  /** How many calls the yes still covers. */
  readonly usesLeft: number;
  /** True once the yes was widened by the approver: `wide.binding` then matches too. */
  readonly widened?: boolean | undefined;
}

/**
 * Whose pending requests a request is counted among: the session by its name; one without a name by its grant, or by its whole identity where it has more,
 * the run left out. A caller who fills that number keeps nobody else from asking.
 */
export function approvalSession(context: JsonObject): string {
  const { session, run: _run, ...identity } = context;
  if (typeof session === "string") return session;
  const { grant, ...more } = identity;
  return typeof grant === "string" && Object.keys(more).length === 0 ? grant : canonicalJson(identity);
}

/** A person's answer, as it is stored. */
export interface ApprovalAnswer {
  readonly approved: boolean;
  readonly by?: string | undefined;
  readonly reason?: string | undefined;
  readonly edited?: JsonObject | undefined;
  /** Use the width that the rule offers. */
  readonly widen?: boolean | undefined;
}

/**
 * Where approvals live. Every method is atomic; `now` is milliseconds since the epoch, and a store with a server uses the server's clock instead.
 * A record whose `expiresAt` has passed reads as `expired`, whatever is stored (silence is no). Arguments are dropped when a record ends.
 */
export interface ApprovalStore {
  readonly durability: "process" | "machine" | "shared";
  /** Files a pending request, or joins the equal one (same binding, still pending). `full` when the session already has `maxPending` others. */
  request(
    draft: ApprovalRecord,
    bounds: { readonly session: string; readonly maxPending: number },
    now: number,
  ): MaybePromise<{ readonly record: ApprovalRecord; readonly joined: boolean } | "full">;
  /** Answers a pending request. `undefined` when there is none, it has ended, or somebody answered first. */
  answer(id: string, answer: ApprovalAnswer, now: number): MaybePromise<ApprovalRecord | undefined>;
  /** The approved, unexpired, unused record for this binding, or a widened one for one of `wide`. Takes nothing. */
  find(query: { readonly binding: string; readonly wide: readonly string[] }, now: number): MaybePromise<ApprovalRecord | undefined>;
  /**
   * Takes one use, and answers the record as it was before; the last use ends it, and its arguments are dropped. `undefined` when another process was first,
   * or the record ended. Exactly one caller gets the last use.
   */
  consume(id: string, now: number): MaybePromise<ApprovalRecord | undefined>;
  /** Puts one use back, for a call that provably did not leave. `taken` is what `consume` answered: a record that had ended by it gets its arguments back. */
  restore(taken: ApprovalRecord, now: number): MaybePromise<void>;
  get(id: string, now: number): MaybePromise<ApprovalRecord | undefined>;
  list(
    filter: { readonly status?: ApprovalStatus | undefined; readonly session?: string | undefined },
    now: number,
  ): MaybePromise<readonly ApprovalRecord[]>;
  /** Ends a pending or approved record. False when there was none; a use that a call has then is not put back any more. */
  revoke(id: string, by: string | undefined, now: number): MaybePromise<boolean>;
}
