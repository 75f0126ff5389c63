import { canonicalJson } from "../arguments/canonical-json.ts";
import type { Outcome } from "../audit/audit-event.ts";
import type { CompiledApproval } from "../policy/compile-policy.ts";
import { type Admission, catalogOf, type Passage } from "./passage.ts";
import { actsFor, digestOf, type OpenCall, stateOf } from "./session.ts";

/**
 * INVARIANT (decided-once): a tool seam's admission opens the call, and one equal call of the client and one equal send at the transport redeem it. The
 * token is the entry in the session's own map: it is on no wire, names identity, server, tool, arguments and definition, and is spent by `entries` and
 * `sends`.
 */
export function redeemToken(call: Passage): Admission | undefined {
  const { request, state } = call;
  const spends = request.seam === "transport" ? "sends" : request.seam === "client" ? "entries" : undefined;
  if (spends === undefined || state.openCalls.size === 0) return undefined;
  const open = equalOpenCalls(call);
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
        if (spends === "sends") token.seenAtTransport = outcome;
        else token.seenAtClient = outcome;
      },
    };
    if (token.approved.size > 0) standFor(token, admission);
    return admission;
  }
  // A resend is an attempt of its own: decided and charged again, but not asked again inside the same open call.
  call.within = token;
  return undefined;
}

function equalOpenCalls(call: Passage): readonly OpenCall[] | undefined {
  const { request, state, server } = call;
  const known = catalogOf(call)?.definition(request.tool) ?? { state: "not_needed" };
  // The host's own tool needs no definition; a server's tool of that name does.
  if (known.state !== "known" && known.state !== "not_needed") return undefined;
  const definition = digestOf(known);
  const sent = canonicalJson(call.arguments);
  return state.openCalls
    .get(request.tool)
    ?.filter(
      (other) =>
        other.server === server &&
        other.definition === definition &&
        canonicalJson(other.arguments) === sent &&
        actsFor(other.session, request.session),
    );
}

/** Whether this may be the send of a call that a client has let through already. */
export function mayBeSendOfClient(call: Passage): boolean {
  return call.request.seam === "transport" && equalOpenCalls(call)?.some(({ entries, sends }) => entries > 0 && sends === 0) === true;
}

/** Goes on with the call of an earlier admission. */
export function continueCall(call: Passage): void {
  const open = earlierCall(call);
  if (!open) return;
  open.attempt++;
  call.record.attemptOf(open.callId, open.attempt);
  call.within = open;
}

/** What `attemptOf` names, where this is that call again: the same identity, server, tool, definition and admitted arguments. */
export function earlierCall(call: Passage): OpenCall | undefined {
  const { request, state, server } = call;
  const named: Standing | undefined = request.attemptOf;
  const standing = named?.[standsFor];
  if (!standing || standing.admission !== named) return undefined;
  const { open } = standing;
  if (stateOf(open.session) !== state || open.server !== server || open.tool !== request.tool) return undefined;
  const definition = digestOf(catalogOf(call)?.definition(request.tool) ?? { state: "not_needed" });
  if (open.definition !== definition || canonicalJson(open.arguments) !== canonicalJson(call.arguments)) return undefined;
  return actsFor(open.session, request.session) ? open : undefined;
}

/**
 * Where an admission keeps the call that a later attempt may go on with, together with itself: a copy of it stands for nothing. A weak map would cost
 * the collector more than the decision costs.
 */
const standsFor = Symbol("stands for");

interface Standing extends Admission {
  [standsFor]?: { readonly open: OpenCall; readonly admission: Admission };
}

function standFor(open: OpenCall, admission: Standing): void {
  admission[standsFor] = { open, admission };
}

interface Token {
  /** No seam redeems it any more. Answers how the call ended, where the tool seam takes it to have ended as `told`. */
  close(told: Outcome): Outcome;
  /** No further attempt may rest on what was approved. False where one already does. */
  takeYesBack(): boolean;
  /** A later attempt may name this admission as the call that it goes on with. */
  standsFor(admission: Admission): void;
}

export function openToken(call: Passage, approved: readonly CompiledApproval[]): Token | undefined {
  const { request, server } = call;
  const { openCalls } = call.state;
  const redeemable = request.seam !== "transport";
  if (!redeemable && approved.length === 0) return undefined;
  const token: OpenCall = {
    callId: call.record.call,
    server,
    tool: request.tool,
    arguments: call.arguments,
    definition: digestOf(call.definition),
    session: request.session,
    policy: call.policy?.digest,
    approved: approved.length === 0 ? nothingApproved : new Set(approved.map((rule) => rule.hash)),
    approvedMore: false,
    entries: request.seam === "client" ? 1 : 0,
    sends: 0,
    attempt: call.within?.attempt ?? 1,
    seenAtTransport: undefined,
    seenAtClient: undefined,
  };
  if (redeemable) {
    const others = openCalls.get(request.tool);
    if (others) others.push(token);
    else openCalls.set(request.tool, [token]);
  }
  return {
    close(told) {
      const opened = openCalls.get(request.tool) ?? [];
      const index = opened.indexOf(token);
      if (index !== -1) opened.splice(index, 1);
      if (opened.length === 0) openCalls.delete(request.tool);
      return endOf(token, told);
    },
    takeYesBack() {
      if (!token.approvedMore) token.approved = nothingApproved;
      return !token.approvedMore;
    },
    standsFor: (admission) => standFor(token, admission),
  };
}

function endOf({ seenAtTransport, seenAtClient, sends }: OpenCall, told: Outcome): Outcome {
  if (seenAtTransport) return seenAtTransport;
  const believed = seenAtClient ?? told;
  // A send without an outcome may have left, whatever those who wait for it believe.
  return believed.kind === "unsent" && sends > 0 ? { ...believed, kind: "unknown" } : believed;
}

const nothingApproved: ReadonlySet<string> = new Set();

/** Whether a person has already said yes to this rule for this call, or for the open call that it goes on with. */
export function isCovered(call: Passage, rule: CompiledApproval): boolean {
  const { within } = call;
  if (within?.definition === digestOf(call.definition) && restsOnEarlierYes(call, rule)) {
    if (!rule.holdsFunction || within?.policy === call.policy?.digest) return true;
  }
  return call.yeses.some(({ record }) => record.rules.some(({ hash }) => hash === rule.hash));
}

/** Whether a yes to this rule was given for the open call with these very arguments: one that a person has edited since is another call. */
export function restsOnEarlierYes({ within, original, arguments: now }: Passage, rule: CompiledApproval): boolean {
  if (!within?.approved.has(rule.hash)) return false;
  return now === original || canonicalJson(now) === canonicalJson(within.arguments);
}
