import type { ApprovalRequest, Approver } from "../approvals/approval-request.ts";
import type { ApprovalRecord, ApprovalStore } from "../approvals/approval-store.ts";
import type { JsonObject, SnapshotBounds } from "../arguments/json-snapshot.ts";
import type { Outcome } from "../audit/audit-event.ts";
import type { CallRecord, Judgement, Recorder } from "../audit/recorder.ts";
import type { Path } from "../conditions/path.ts";
import type { Call } from "../decision/decide.ts";
import type { Refusal, Refusing } from "../decision/refusal.ts";
import { refusalFor } from "../decision/refused-error.ts";
import type { CounterStore, MaybePromise } from "../limits/counter-store.ts";
import { auditedFields, type CompiledPolicy } from "../policy/compile-policy.ts";
import type { Catalog, Definition } from "./definitions.ts";
import { type OpenCall, type Resumption, type Session, type SessionState, stateOf } from "./session.ts";

/** One call as an adapter presents it. */
export interface CallRequest {
  readonly session: Session;
  /** The server's name in `policies`; may be left out where there is one policy. */
  readonly server?: string | undefined;
  readonly tool: string;
  /** What the model or the host gave; a snapshot is taken once. `undefined` counts as `{}`. */
  readonly arguments: unknown;
  /** The host's name for the call, such as the AI SDK's `toolCallId`. */
  readonly callId?: string | undefined;
  /** Where the tool's definition is found. Absent: the session's catalog for this server, else none is needed. */
  readonly catalog?: Catalog | undefined;
  /** The host's own tool, which no server lists: where the catalog lacks it, no definition is needed. Ignored at the transport. */
  readonly local?: boolean | undefined;
  /** Aborted when the caller no longer waits: a call that is held then never leaves. */
  readonly signal?: AbortSignal | undefined;
  /** Asks in the host's own way; replaces the guard's approver for this call. May throw `suspend(cause)`. */
  readonly approve?: Approver | undefined;
  /**
   * The host delivers answers by running the call again from its start (LangGraph): `approve` is then asked about this `callId` alone, and asked again, in
   * the same order, about what stands answered already, so that a host which counts its questions keeps its place.
   */
  readonly replays?: boolean | undefined;
  /**
   * This is one more attempt of a call that was admitted, with its very arguments: decided and charged again, and nobody is asked again for what was
   * approved for it. An admission of another call is ignored. `guard.preview` then says what a person would be asked besides.
   */
  readonly attemptOf?: Admission | undefined;
  /** The id of the request that `guard.answer` answered for this very call. It covers nothing that was not asked there. */
  readonly approval?: string | undefined;
  /** The longest that this call may wait for a person, in milliseconds. */
  readonly waitMs?: number | undefined;
  /**
   * `tool` (the default) issues a token; `client` redeems that of an equal call of a tool, and else issues one; `transport` redeems that of an equal call of
   * either.
   */
  readonly seam?: "tool" | "client" | "transport" | undefined;
}

/** The call may leave, once, with these arguments and no others. */
export interface Admission {
  readonly outcome: "allow";
  readonly arguments: JsonObject;
  /** JSON Pointers of the arguments that a person changed; the model is told. */
  readonly edited: readonly string[];
  /** The call's name in the audit trail. */
  readonly call: string;
  /** Says how it ended. Call it exactly once; a call never settled stands as sent. */
  settle(outcome: Outcome): MaybePromise<void>;
}

/** What would be decided now. */
export type Preview =
  | { readonly outcome: "allow" }
  /** A person would be asked; `reasons` is what the person would be told, `fingerprint` what the yes would be bound to. */
  | {
      readonly outcome: "hold";
      readonly reasons: readonly string[];
      readonly rules: readonly string[];
      readonly binding: string;
      /** What the person may be shown, without secret fields; there where the request has been filed (`guard.ask`). */
      readonly request?: ApprovalRequest | undefined;
      readonly arguments: JsonObject;
    }
  | Refusal;

/** The host's control flow (an interrupt) took over while asking; nothing was decided. */
export interface Suspension {
  readonly outcome: "suspended";
  readonly cause: unknown;
}

/** What an approver throws to hand control back to its host, such as LangGraph's interrupt. */
export function suspend(cause: unknown): unknown {
  const thrown = { cause };
  suspensions.add(thrown);
  return thrown;
}
const suspensions = new WeakSet<object>();

export function causeOfSuspension(error: unknown): Suspension | undefined {
  if (error === null || typeof error !== "object" || !suspensions.has(error)) return undefined;
  return { outcome: "suspended", cause: (error as { cause: unknown }).cause };
}

/** A question that an approver has before it. Equal calls share it; it is withdrawn when each of them has been cancelled. */
export interface Question {
  readonly answer: Promise<ApprovalRecord | undefined>;
  readonly nobodyWaits: AbortController;
  /** Milliseconds since the epoch: an answer after it is none. */
  readonly expiresAt: number;
  waiting: number;
}

/** What the pipeline needs of the guard. Everything is read anew at each step, so that an update holds from the next one on. */
export interface GuardParts {
  readonly namespace: string;
  readonly store: CounterStore;
  readonly approvals: ApprovalStore;
  /** True where the host gave a store of its own: then a request may wait there after the call has been answered. */
  readonly approvalsOutlive: boolean;
  readonly approve: Approver | undefined;
  readonly notify: ((request: ApprovalRequest) => MaybePromise<void>) | undefined;
  readonly approvalWaitMs: number;
  readonly maxPendingApprovals: number;
  readonly storeTimeoutMs: number;
  readonly failOpen: { readonly store: boolean; readonly inputSchema: boolean };
  readonly mode: "enforce" | "observe";
  readonly bounds: SnapshotBounds;
  readonly recorder: Recorder;
  /** Questions that an approver of this process has before it, by the id of their request. */
  readonly asking: Map<string, Question>;
  now(): number;
  policy(server: string): CompiledPolicy | undefined;
  newId(): string;
}

/** A person's yes, and what it was given for besides the arguments: where that has changed, it covers nothing. */
export interface Yes {
  readonly record: ApprovalRecord;
  readonly definition: string | undefined;
  readonly policy: string | undefined;
}

/** One call on its way. `arguments` changes only when a person edits them. */
export interface Passage {
  readonly request: CallRequest;
  readonly server: string;
  readonly guard: GuardParts;
  readonly state: SessionState;
  readonly record: CallRecord;
  original: JsonObject;
  arguments: JsonObject;
  definition: Definition;
  policy: CompiledPolicy | undefined;
  /** What persons have approved for this call so far. Used up together, at release. */
  yeses: readonly Yes[];
  /** What persons have approved of the call as it was before: it covers nothing any more, and is used up with the call all the same. */
  spent: readonly Yes[];
  /** The open call of a tool seam whose further sends this is: what was approved there is not asked again. */
  within: OpenCall | undefined;
  /** The approved request that this call is made for: its yes is used up with it, also where nobody is asked any more. */
  resumes: Resumption | undefined;
}

/** Stands for arguments that were never read, since they are no JSON or nobody asked for them: the record says nothing of what they held. */
const unread: JsonObject = {};

export function openPassage(request: CallRequest, server: string, guard: GuardParts): Passage {
  const state = stateOf(request.session);
  return {
    request,
    server,
    guard,
    state,
    record: guard.recorder.open(request, server),
    original: unread,
    arguments: unread,
    definition: { state: "not_needed" },
    policy: undefined,
    yeses: [],
    spent: [],
    within: undefined,
    resumes: undefined,
  };
}

export function asCall(call: Passage): Call {
  return { server: call.server, tool: call.request.tool, arguments: call.arguments, context: call.request.session.context };
}

export function catalogOf(call: Passage): Catalog | undefined {
  return call.request.catalog ?? call.state.catalogs.get(call.server);
}

/** The definition of this moment, as far as the call needs one. */
export function definitionOf(call: Passage): Definition {
  const { request } = call;
  const definition = catalogOf(call)?.definition(request.tool) ?? notNeeded;
  return request.local && request.seam !== "transport" && definition.state === "unknown" ? notNeeded : definition;
}
const notNeeded: Definition = { state: "not_needed" };

/** What of the arguments is shown to nobody. */
export function secretPaths(call: Passage): readonly Path[] {
  const policy = call.policy ?? call.guard.policy(call.server);
  return policy ? auditedFields(policy, call.request.tool).secret : [];
}

/** The caller no longer waits, or the session has ended. */
export function isCancelled(call: Passage): boolean {
  return call.request.signal?.aborted === true || call.state.ending.signal.aborted;
}

/** The call does not leave: where it was to be that of an approved request, the next equal one is. */
export function leaveToNext({ resumes }: Passage): void {
  if (resumes) resumes.taken = resumes.gone;
}

/** Writes the decision, and refuses. */
export async function refuse(call: Passage, refusal: Refusing, judgement?: Judgement): Promise<Refusal> {
  leaveToNext(call);
  await call.record.deny(refusal, { ...judgementOf(call), ...judgement });
  return refusalFor(refusal, { tool: call.request.tool, arguments: call.arguments });
}

/** What the record of a decision is made of, as far as the call has got. */
function judgementOf(call: Passage): Judgement {
  return { policy: call.policy, arguments: call.arguments === unread ? undefined : call.arguments, definition: call.definition };
}
