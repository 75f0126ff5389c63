import { reasonOf } from "../audit/audit.ts";
import { failed, printable, tooManyPending } from "../decision/refusal.ts";
import { look } from "../guard/admission.ts";
import { type CallRequest, type GuardParts, openPassage, type Preview, secretPaths } from "../guard/passage.ts";
import { lookAtLimits } from "../guard/release.ts";
import { aboutApproval, forOneCall, reasonFor, requestOf } from "./approval-request.ts";
import type { ApprovalRecord } from "./approval-store.ts";
import { bindingOf, file, sessionKey } from "./holding.ts";

/** What a person answered in the host's own flow. */
export interface HostAnswer {
  readonly approved: boolean;
  readonly by?: string | undefined;
  readonly reason?: string | undefined;
}

/**
 * Files the request that the host puts before a person in a flow of its own, such as a chat's approval buttons. What comes back through that flow, a
 * message history for one, is the client's word: only a request that was filed here, for the very same call, can be answered with `answer`.
 */
export async function ask(request: CallRequest, server: string, guard: GuardParts): Promise<Preview> {
  const call = openPassage(request, server, guard);
  try {
    const verdict = await look(call);
    if (verdict.outcome === "deny") return verdict;
    if (verdict.approvals.length === 0) return { outcome: "allow" };
    const binding = bindingOf(call, verdict.approvals);
    if (await guard.approvals.find({ binding: binding.binding, wide: binding.wideBindings }, guard.now())) return { outcome: "allow" };
    const short = await lookAtLimits(call, verdict.debits);
    if (short) return { outcome: "deny", ...short };
    const own = forOneCall(binding, request.callId);
    const filed = await file(call, verdict.approvals, own);
    if (!filed) return { outcome: "deny", ...tooManyPending };
    return {
      outcome: "hold",
      rules: verdict.approvals.map((rule) => rule.id),
      reasons: verdict.approvals.map(reasonFor),
      binding: own.binding,
      arguments: call.arguments,
      request: requestOf(filed, secretPaths(call), call.state.ending.signal),
    };
  } catch (error) {
    return { outcome: "deny", ...failed(reasonOf(error)) };
  }
}

/** Brings the host's answer to the request that was filed for exactly this call: its id, arguments, definition, identity and the rules that ask. */
export async function answer(
  request: CallRequest,
  server: string,
  guard: GuardParts,
  given: HostAnswer,
): Promise<ApprovalRecord | undefined> {
  const call = openPassage(request, server, guard);
  const verdict = await look(call);
  if (verdict.outcome === "deny" || verdict.approvals.length === 0) return undefined;
  const { binding } = forOneCall(bindingOf(call, verdict.approvals), request.callId);
  const asked = await find("pending");
  const answered = asked && (await guard.approvals.answer(asked.id, given, guard.now()));
  if (answered) {
    const type = given.approved ? "approval.granted" : "approval.refused";
    await call.record.approval({ type, ...aboutApproval(answered), reason: answered.refusal });
    return answered;
  }
  if (!given.approved) return undefined;
  // The same history sent twice brings the same yes: it is good until the call has used it.
  const standing = await find("approved");
  if (!standing) {
    const problem = `an approval came back for a call of \`${printable(request.tool)}\` that nobody was asked about, or that was made already`;
    await guard.recorder.note({ type: "anomaly", server, problem });
  }
  return standing;

  async function find(status: "pending" | "approved"): Promise<ApprovalRecord | undefined> {
    const records = await guard.approvals.list({ status, session: sessionKey(call) }, guard.now());
    return records.find((record) => record.binding === binding);
  }
}
