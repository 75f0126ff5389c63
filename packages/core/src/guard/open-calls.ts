import { canonicalJson } from "../arguments/canonical-json.ts";
import type { Outcome } from "../audit/audit-event.ts";
import type { CompiledApproval } from "../policy/compile-policy.ts";
import { type Admission, catalogOf, type Passage } from "./passage.ts";
import { actsFor, digestOf, type OpenCall, type SessionState } from "./session.ts";

/**
 * INVARIANT (decided-once): a tool seam's admission opens the call, and one equal call of the client and one equal send at the transport redeem it. The
 * token is the entry in the session's own map: it is on no wire, names identity, server, tool, arguments and definition, and is spent by `entries` and
 * `sends`.
 */
export function redeemToken(call: Passage): Admission | undefined {
  const { request, state, server } = call;
  const spends = request.seam === "transport" ? "sends" : request.seam === "client" ? "entries" : undefined;
  if (spends === undefined || state.openCalls.size === 0) return undefined;
  const known = catalogOf(call)?.definition(request.tool) ?? { state: "not_needed" };
  // The host's own tool needs no definition; a server's tool of that name does.
  if (known.state !== "known" && known.state !== "not_needed") return undefined;
  const definition = digestOf(known);
  const sent = canonicalJson(call.arguments);
  const open = state.openCalls
    .get(keyOf(server, request.tool))
    ?.filter(
      (other) => other.definition === definition && canonicalJson(other.arguments) === sent && actsFor(other.session, request.session),
    );
  const fresh = open?.find((other) => other[spends] === 0);
  const token = fresh ?? open?.at(-1);
  if (!token) return undefined;
  token[spends]++;
  if (!fresh) token.attempt++;
  call.record.attemptOf(token.callId, token.attempt);
  if (fresh) {
    const admission: Admission = {
      outcome: "allow",
      arguments: call.arguments,
      edited: [],
      call: token.callId,
      settle(outcome) {
        // The transport is closer to the truth than the client.
        if (spends === "sends") token.outcome = outcome;
        else token.outcome ??= outcome;
      },
    };
    if (token.approved.size > 0) admittedAs.set(admission, { open: token, state, key: keyOf(server, request.tool) });
    return admission;
  }
  // A resend is an attempt of its own: decided and charged again, but not asked again inside the same open call.
  call.within = token;
  return undefined;
}

/** Goes on with the call of an earlier admission. */
export function continueCall(call: Passage): void {
  const earlier = earlierCall(call);
  if (!earlier) return;
  earlier.open.attempt++;
  call.record.attemptOf(earlier.open.callId, earlier.open.attempt);
  call.within = earlier.open;
}

interface AdmittedCall {
  readonly open: OpenCall;
  readonly state: SessionState;
  readonly key: string;
}

/** What `attemptOf` names, where this is that call again: the same identity, server, tool, definition and admitted arguments. */
export function earlierCall(call: Passage): AdmittedCall | undefined {
  const { request, state, server } = call;
  const earlier = request.attemptOf && admittedAs.get(request.attemptOf);
  if (!earlier || earlier.state !== state || earlier.key !== keyOf(server, request.tool)) return undefined;
  const definition = digestOf(catalogOf(call)?.definition(request.tool) ?? { state: "not_needed" });
  const { open } = earlier;
  if (open.definition !== definition || canonicalJson(open.arguments) !== canonicalJson(call.arguments)) return undefined;
  return actsFor(open.session, request.session) ? earlier : undefined;
}

const admittedAs = new WeakMap<Admission, AdmittedCall>();

interface Token {
  /** What the transport saw of the call. */
  seen(): Outcome | undefined;
  close(): void;
  /** No further attempt may rest on what was approved. False where one already does. */
  takeYesBack(): boolean;
  /** A later attempt may name this admission as the call that it goes on with. */
  standsFor(admission: Admission): void;
}

export function openToken(call: Passage, approved: readonly CompiledApproval[]): Token | undefined {
  const { request, state, server } = call;
  const redeemable = request.seam !== "transport";
  if (!redeemable && approved.length === 0) return undefined;
  const key = keyOf(server, request.tool);
  const token: OpenCall = {
    callId: call.record.call,
    arguments: call.arguments,
    definition: digestOf(call.definition),
    session: request.session,
    policy: call.policy?.digest,
    approved: new Set(approved.map((rule) => rule.hash)),
    approvedMore: false,
    entries: request.seam === "client" ? 1 : 0,
    sends: 0,
    attempt: call.within?.attempt ?? 1,
    outcome: undefined,
  };
  if (redeemable) {
    const equal = state.openCalls.get(key);
    if (equal) equal.push(token);
    else state.openCalls.set(key, [token]);
  }
  return {
    seen: () => token.outcome,
    close() {
      const left = (state.openCalls.get(key) ?? []).filter((other) => other !== token);
      if (left.length > 0) state.openCalls.set(key, left);
      else state.openCalls.delete(key);
    },
    takeYesBack() {
      if (!token.approvedMore) token.approved = new Set();
      return !token.approvedMore;
    },
    standsFor: (admission) => void admittedAs.set(admission, { open: token, state, key }),
  };
}

/** Whether a person has already said yes to this rule for this call, or for the open call that it goes on with. */
export function isCovered(call: Passage, rule: CompiledApproval): boolean {
  const { within } = call;
  if (within?.approved.has(rule.hash) && within.definition === digestOf(call.definition)) {
    if (!rule.holdsFunction || within.policy === call.policy?.digest) return true;
  }
  return call.yeses.some(({ record }) => record.rules.some(({ hash }) => hash === rule.hash));
}

function keyOf(server: string, tool: string): string {
  return JSON.stringify([server, tool]);
}
