import { canonicalJson } from "../arguments/canonical-json.ts";
import { hmacSha256 } from "../arguments/hashing.ts";
import type { JsonObject } from "../arguments/json-snapshot.ts";
import { recordedValues } from "../arguments/redact.ts";
import type { Plan } from "../decision/decide.ts";
import type { Refusal } from "../decision/refusal.ts";
import type { Definition } from "../guard/definitions.ts";
import type { CallRequest } from "../guard/passage.ts";
import type { MaybePromise } from "../limits/counter-store.ts";
import { auditedFields, type CompiledPolicy, toolsOf } from "../policy/compile-policy.ts";
import { type AuditSink, type AuditTrail, isPromise, type Written } from "./audit.ts";
import type { ApprovalEvent, AuditEvent, DecisionEvent, Outcome } from "./audit-event.ts";
import { clipped, clippedTexts, fits } from "./clipped.ts";

/** What the decision of a call was made of, as far as it got. */
export interface Judgement {
  readonly policy?: CompiledPolicy | undefined;
  /** What enforcement would have refused or held. */
  readonly observed?: Plan["observed"] | undefined;
  readonly arguments?: JsonObject | undefined;
  readonly definition?: Definition | undefined;
  readonly approvals?: readonly string[] | undefined;
  readonly room?: DecisionEvent["room"];
  readonly failedOpen?: readonly string[] | undefined;
}

export interface Recorder {
  /** Opens the record of a call that has arrived. */
  open(request: CallRequest, server: string): CallRecord;
  /** An event that is about no single call. */
  note(event: DistributiveOmit<AuditEvent, "v" | "id" | "time" | "guard">): MaybePromise<void>;
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** Events owed to a required sink that could not take them. Beyond this many, the oldest are counted instead of kept. */
const mostOwed = 10_000;

export interface RecorderOptions {
  readonly trail: AuditTrail;
  readonly guard: string;
  readonly mode: "enforce" | "observe";
  readonly key: Uint8Array;
  now(): number;
}

/** Builds the events of a guard and sees to it that none is lost: what a required sink could not take is owed, and nothing leaves until it is paid. */
export function createRecorder(options: RecorderOptions): Recorder {
  const ledger = new Ledger(options);
  let calls = 0;
  return {
    note: (event) => ledger.write({ ...ledger.stamp(), ...clippedTexts(event) } as AuditEvent),
    open: (request, server) => new CallRecord(ledger, request, server, `${options.guard}-c${++calls}`),
  };
}

/** The guard's events on their way to the sinks. */
class Ledger {
  readonly options: RecorderOptions;
  readonly mac: (text: string) => string;
  readonly #owed: { readonly event: AuditEvent; to: readonly AuditSink[] | undefined }[] = [];
  #paying: Promise<string | undefined> | undefined;
  #dropped = 0;
  #events = 0;
  #stampedAt = Number.NaN;
  #time = "";

  constructor(options: RecorderOptions) {
    this.options = options;
    this.mac = hmacSha256(options.key);
  }

  stamp() {
    const { guard, now } = this.options;
    const at = now();
    if (at !== this.#stampedAt) {
      this.#stampedAt = at;
      this.#time = new Date(at).toISOString();
    }
    return { v: 1 as const, id: `${guard}-e${++this.#events}`, time: this.#time, guard };
  }

  /** Hands an event to the sinks; one that a required sink cannot take is owed. */
  write(event: AuditEvent): MaybePromise<void> {
    const written = this.options.trail.write(event);
    if (isPromise(written)) return (written as Promise<Written>).then((late) => this.#note(event, late));
    this.#note(event, written);
  }

  #note(event: AuditEvent, { failure, owedTo }: Written): void {
    if (failure !== undefined) this.#owe(event, owedTo);
  }

  /** Hands over the decision to let a call leave. Answers why it may not, or `undefined` once every required sink has taken it. */
  release(decide: () => DecisionEvent): MaybePromise<Obstacle | undefined> {
    // INVARIANT (one-decision-one-record): nothing leaves while an earlier event is owed, or before this one is taken.
    if (this.#owed.length === 0 && this.#dropped === 0) return this.#release(decide());
    return this.#pay().then((reason) => (reason === undefined ? this.#release(decide()) : { reason, decided: false }));
  }

  #release(event: DecisionEvent): MaybePromise<Obstacle | undefined> {
    const written = this.options.trail.write(event);
    return isPromise(written) ? (written as Promise<Written>).then((late) => this.#obstacle(event, late)) : this.#obstacle(event, written);
  }

  #obstacle(event: DecisionEvent, written: Written): Obstacle | undefined {
    this.#note(event, written);
    const { failure, recorded } = written;
    const reason = failure ?? (event.failedOpen && !recorded ? "what failed open could not be recorded" : undefined);
    return reason === undefined ? undefined : { reason, decided: true };
  }

  #owe(event: AuditEvent, to: readonly AuditSink[] | undefined): void {
    if (this.#owed.length >= mostOwed) {
      this.#owed.shift();
      this.#dropped++;
    }
    this.#owed.push({ event, to });
  }

  /** Pays what is owed, once for all calls that wait for it; the reason where it still cannot be paid. */
  #pay(): Promise<string | undefined> {
    this.#paying ??= this.#payAll().finally(() => {
      this.#paying = undefined;
    });
    return this.#paying;
  }

  /** Oldest first, and to those sinks alone that have not taken it. */
  async #payAll(): Promise<string | undefined> {
    const { trail } = this.options;
    for (let [oldest] = this.#owed; oldest; [oldest] = this.#owed) {
      const { failure, owedTo } = await trail.write(oldest.event, oldest.to);
      oldest.to = owedTo;
      if (failure !== undefined) return failure;
      if (this.#owed[0] === oldest) this.#owed.shift();
    }
    if (this.#dropped === 0) return undefined;
    const problem = `${this.#dropped} events could not be kept while the audit was down`;
    const { failure } = await trail.write({ ...this.stamp(), type: "anomaly", server: "", problem });
    if (failure === undefined) this.#dropped = 0;
    return failure;
  }
}

/** Why a call may not leave after all. `decided` where sinks already have the decision to let it: then it gets an outcome, and no other decision. */
export interface Obstacle {
  readonly reason: string;
  readonly decided: boolean;
}

/** Literals of a policy may be long lists. */
const longestDetail = 10_000;

type Decided = Pick<DecisionEvent, "outcome" | "rule" | "code" | "detail" | "retryAfterMs">;

/** The record of one call: one final decision, and for an admitted call at most one outcome (law `one-decision-one-record`). */
export class CallRecord {
  /** The call's name in the trail. */
  call: string;
  #attempt = 1;
  readonly #ledger: Ledger;
  readonly #request: CallRequest;
  readonly #tool: string;
  readonly #callId: string | undefined;
  readonly #server: string;
  readonly #arrived: number;
  #decidedAt: number;

  constructor(ledger: Ledger, request: CallRequest, server: string, call: string) {
    this.#ledger = ledger;
    this.#request = request;
    this.#tool = clipped(request.tool);
    this.#callId = request.callId === undefined ? undefined : clipped(request.callId);
    this.#server = server;
    this.call = call;
    this.#arrived = this.#decidedAt = ledger.options.now();
  }

  /** Continues another call's record as its next attempt. */
  attemptOf(call: string, attempt: number): void {
    this.call = call;
    this.#attempt = attempt;
  }

  deny(refusal: Omit<Refusal, "outcome">, judgement: Judgement): MaybePromise<void> {
    const { rule, code, detail, retryAfterMs } = refusal;
    const recorded = valuesOf(judgement, this.#request.tool);
    const decided: Decided = { outcome: "deny", rule, code, detail: clipped(detail, longestDetail), retryAfterMs };
    return this.#ledger.write(this.#decision(decided, judgement, fits(recorded) ? recorded : undefined));
  }

  /** Answers the reason why the call may not leave, or `undefined` once every required sink has taken the decision. */
  allow(judgement: Judgement): MaybePromise<Obstacle | undefined> {
    const recorded = valuesOf(judgement, this.#request.tool);
    if (!fits(recorded)) return { reason: "the argument values that the policy records are too large to be recorded", decided: false };
    return this.#ledger.release(() => this.#decision({ outcome: "allow", rule: "", code: "allowed" }, judgement, recorded));
  }

  outcome(outcome: Outcome): MaybePromise<void> {
    const { kind, ...rest } = outcome;
    const latencyMs = this.#ledger.options.now() - this.#decidedAt;
    return this.#ledger.write({ ...this.#about(), type: "outcome", outcome: kind, ...clippedTexts(rest), latencyMs });
  }

  approval(event: Pick<ApprovalEvent, "type" | "approval" | "binding" | "rules"> & Partial<ApprovalEvent>): MaybePromise<void> {
    return this.#ledger.write({ ...this.#about(), ...clippedTexts(event) });
  }

  #about() {
    const { v, id, time, guard } = this.#ledger.stamp();
    const { session } = this.#request;
    return {
      v,
      id,
      time,
      guard,
      call: this.call,
      attempt: this.#attempt,
      session: session.id,
      server: this.#server,
      tool: this.#tool,
      identity: session.context,
      callId: this.#callId,
    };
  }

  #decision(decided: Decided, judgement: Judgement, recorded: JsonObject | undefined): DecisionEvent {
    const { now, mode, trail } = this.#ledger.options;
    const { session } = this.#request;
    const { v, id, time, guard } = this.#ledger.stamp();
    const { argumentKeys, otherKeys } = keysOf(judgement);
    this.#decidedAt = now();
    // Written out: spreads would cost every call more than its decision.
    return {
      v,
      id,
      time,
      guard,
      call: this.call,
      attempt: this.#attempt,
      session: session.id,
      server: this.#server,
      tool: this.#tool,
      identity: session.context,
      callId: this.#callId,
      type: "decision",
      outcome: decided.outcome,
      rule: decided.rule,
      code: decided.code,
      detail: decided.detail,
      retryAfterMs: decided.retryAfterMs,
      policy: judgement.policy?.digest,
      mode,
      observed: unlessEmpty(judgement.observed)?.map(observedRule),
      failedOpen: unlessEmpty(judgement.failedOpen),
      approvals: unlessEmpty(judgement.approvals),
      room: unlessEmpty(judgement.room),
      argumentKeys,
      otherKeys,
      recorded,
      mac: trail.wantsMac && judgement.arguments ? this.#ledger.mac(canonicalJson(judgement.arguments)) : undefined,
      latencyMs: this.#decidedAt - this.#arrived,
    };
  }
}

function unlessEmpty<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list && list.length > 0 ? list : undefined;
}

function observedRule(found: Plan["observed"][number]): { rule: string; code: string } {
  return "outcome" in found ? { rule: found.rule, code: found.code } : { rule: found.id, code: "approval_required" };
}

function keysOf({ arguments: args, definition }: Judgement): Pick<DecisionEvent, "argumentKeys" | "otherKeys"> {
  if (!args) return { argumentKeys: [], otherKeys: 0 };
  const keys = Object.keys(args);
  if (definition?.state !== "known") return { argumentKeys: [], otherKeys: keys.length };
  const argumentKeys = keys.filter((name) => definition.declared.has(name)).sort();
  return { argumentKeys, otherKeys: keys.length - argumentKeys.length };
}

function valuesOf({ policy, arguments: args }: Judgement, tool: string): JsonObject | undefined {
  if (!policy || !args) return undefined;
  // Few policies record values; the fields of those that do are worked out anew for each call.
  if (toolsOf(policy, tool).some(({ record }) => record.length === 0)) return undefined;
  const { record, secret } = auditedFields(policy, tool);
  return recordedValues(args, record, secret);
}
