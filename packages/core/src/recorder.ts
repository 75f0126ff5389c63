import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import type { CallRequest } from "./passage.ts";
import { type AuditTrail, isPromise, type Written } from "./audit.ts";
import type { ApprovalEvent, AuditEvent, DecisionEvent, Outcome } from "./audit-event.ts";
import { canonicalJson } from "./canonical-json.ts";
import { auditedFields, type CompiledPolicy } from "./compile-policy.ts";
import type { MaybePromise } from "./counter-store.ts";
import type { Plan } from "./decide.ts";
import type { Definition } from "./definitions.ts";
import type { JsonObject } from "./json-snapshot.ts";
import { recordedValues } from "./redact.ts";
import type { Refusal } from "./refusal.ts";

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

/** The trail of one call: one final decision, and for an admitted call at most one outcome (law `one-decision-one-record`). */
export interface CallRecord {
  readonly call: string;
  /** Continues another call's record as its next attempt. */
  attemptOf(call: string, attempt: number): void;
  deny(refusal: Omit<Refusal, "outcome">, judgement: Judgement): MaybePromise<void>;
  /** Resolves to the reason why the call may not leave, or `undefined` once every required sink has taken the decision. */
  allow(judgement: Judgement): MaybePromise<string | undefined>;
  outcome(outcome: Outcome): MaybePromise<void>;
  approval(event: Pick<ApprovalEvent, "type" | "approval" | "binding" | "rules"> & Partial<ApprovalEvent>): MaybePromise<void>;
}

export interface Recorder {
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
export function createRecorder({ trail, guard, mode, key, now }: RecorderOptions): Recorder {
  let events = 0;
  let calls = 0;
  let stampedAt = Number.NaN;
  let stamp = "";
  const owed: AuditEvent[] = [];
  let dropped = 0;

  function base() {
    const at = now();
    if (at !== stampedAt) {
      stampedAt = at;
      stamp = new Date(at).toISOString();
    }
    return { v: 1 as const, id: `${guard}-e${(++events).toString(36)}`, time: stamp, guard };
  }
  function write(event: AuditEvent): MaybePromise<Written> {
    const written = trail.write(event);
    if (!isPromise(written)) return noted(event, written);
    return (written as Promise<Written>).then((settled) => noted(event, settled));
  }
  function noted(event: AuditEvent, written: Written): Written {
    if (written.failure === undefined) return written;
    if (owed.length >= mostOwed) {
      owed.shift();
      dropped++;
    }
    owed.push(event);
    return written;
  }
  /** Pays what is owed, oldest first; the reason where it still cannot be paid. */
  async function pay(): Promise<string | undefined> {
    while (owed.length > 0) {
      const event = owed[0] as AuditEvent;
      const { failure } = await trail.write(event);
      if (failure !== undefined) return failure;
      if (owed[0] === event) owed.shift();
    }
    if (dropped > 0) {
      const { failure } = await trail.write({ ...base(), type: "anomaly", server: "", problem: `${dropped} events could not be kept while the audit was down` });
      if (failure !== undefined) return failure;
      dropped = 0;
    }
    return undefined;
  }
  function ignore(written: MaybePromise<Written>): MaybePromise<void> {
    return isPromise(written) ? (written as Promise<Written>).then(() => undefined) : undefined;
  }

  return {
    note: (event) => ignore(write({ ...base(), ...event } as AuditEvent)),
    open(request, server) {
      const arrived = now();
      let decidedAt = arrived;
      let call = `${guard}-c${(++calls).toString(36)}`;
      let attempt = 1;
      const { session } = request;
      function about() {
        const { v, id, time } = base();
        return { v, id, time, guard, call, attempt, session: session.id, server, tool: request.tool, identity: session.context, callId: request.callId };
      }
      function decision(fields: Pick<DecisionEvent, "outcome" | "rule" | "code" | "detail" | "retryAfterMs">, judgement: Judgement): DecisionEvent {
        decidedAt = now();
        const { v, id, time } = base();
        const { argumentKeys, otherKeys } = keysOf(judgement);
        return {
          v,
          id,
          time,
          guard,
          call,
          attempt,
          session: session.id,
          server,
          tool: request.tool,
          identity: session.context,
          callId: request.callId,
          type: "decision",
          outcome: fields.outcome,
          rule: fields.rule,
          code: fields.code,
          detail: fields.detail,
          retryAfterMs: fields.retryAfterMs,
          policy: judgement.policy?.digest,
          mode,
          observed: unlessEmpty(judgement.observed)?.map(observedRule),
          failedOpen: unlessEmpty(judgement.failedOpen),
          approvals: unlessEmpty(judgement.approvals),
          room: unlessEmpty(judgement.room),
          argumentKeys,
          otherKeys,
          recorded: valuesOf(judgement, request.tool),
          mac: trail.wantsMac && judgement.arguments ? mac(key, judgement.arguments) : undefined,
          latencyMs: decidedAt - arrived,
        };
      }
      return {
        get call() {
          return call;
        },
        attemptOf(other, nth) {
          call = other;
          attempt = nth;
        },
        deny(refusal, judgement) {
          const { rule, code, detail, retryAfterMs } = refusal;
          return ignore(write(decision({ outcome: "deny", rule, code, detail, retryAfterMs }, judgement)));
        },
        allow(judgement) {
          // INVARIANT (one-decision-one-record): nothing leaves while an earlier event is owed, or before this one is taken.
          if (owed.length > 0 || dropped > 0) return pay().then((failure) => failure ?? release());
          return release();
          function release(): MaybePromise<string | undefined> {
            const event = decision({ outcome: "allow", rule: "", code: "allowed" }, judgement);
            const written = trail.write(event);
            const verdict = ({ failure, recorded }: Written) =>
              failure ?? (event.failedOpen && !recorded ? "what failed open could not be recorded" : undefined);
            return isPromise(written) ? (written as Promise<Written>).then(verdict) : verdict(written);
          }
        },
        outcome(outcome) {
          const { kind, ...rest } = outcome;
          return ignore(write({ ...about(), type: "outcome", outcome: kind, ...rest, latencyMs: now() - decidedAt }));
        },
        approval: (event) => ignore(write({ ...about(), ...event })),
      };
    },
  };
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
  const { record, secret } = auditedFields(policy, tool);
  return recordedValues(args, record, secret);
}

function mac(key: Uint8Array, args: JsonObject): string {
  return bytesToHex(hmac(sha256, key, utf8ToBytes(canonicalJson(args))));
}
