import { reasonFor } from "../approvals/approval-request.ts";
import { bindingOf, dropStaleYeses, editResumed, hold } from "../approvals/holding.ts";
import { type JsonObject, takeSnapshot } from "../arguments/json-snapshot.ts";
import { publicPointer } from "../arguments/redact.ts";
import { reasonOf } from "../audit/audit.ts";
import { type Denial, decide, type Plan } from "../decision/decide.ts";
import {
  approvalGone,
  canaryPrefix,
  canaryRefusal,
  cancelled,
  deniedBy,
  failed,
  type Refusal,
  type Refusing,
  unfit,
} from "../decision/refusal.ts";
import { continueCall, earlierCall, isCovered, redeemToken } from "./open-calls.ts";
import {
  type Admission,
  asCall,
  type CallRequest,
  catalogOf,
  causeOfSuspension,
  definitionOf,
  type GuardParts,
  isCancelled,
  openPassage,
  type Passage,
  type Preview,
  refuse,
  type Suspension,
  secretPaths,
} from "./passage.ts";
import { release } from "./release.ts";
import { takeResumption } from "./resume.ts";

/**
 * The path of every call: snapshot, decide, ask whoever must be asked, decide again, release.
 *
 * INVARIANT (fail-closed): whatever throws on the way becomes a refusal in this one `catch`, and an admission is made in one place, at the end of
 * `release`, or for the token of a call that was released before.
 */
export async function admit(request: CallRequest, server: string, guard: GuardParts): Promise<Admission | Refusal | Suspension> {
  const call = openPassage(request, server, guard);
  try {
    if (request.tool.startsWith(canaryPrefix)) {
      await guard.recorder.note({ type: "canary", server: call.server, tool: request.tool });
      return await refuse(call, canaryRefusal);
    }
    const unreadable = readArguments(call);
    if (unreadable) return await refuse(call, unreadable);
    const listing = catalogOf(call)?.ready();
    if (listing !== undefined) await listed(listing);
    call.resumes = takeResumption(call);
    // A call that is resumed is a call of its own, whatever equal one is open beside it.
    const redeemed = call.resumes || isCancelled(call) ? undefined : redeemToken(call);
    if (redeemed) return redeemed;
    continueCall(call);

    // Each turn decides anew, by the policy and the definition of that moment, and ends in a verdict or with one more yes.
    for (let turn = 0; turn < mostTurns; turn++) {
      if (isCancelled(call)) return await refuse(call, cancelled);
      const verdict = judge(call);
      if (verdict.outcome === "deny") return await refuse(call, deniedBy(verdict));
      dropStaleYeses(call);
      const asking = verdict.approvals.filter((rule) => !isCovered(call, rule));
      if (asking.length > 0) {
        const refusal = await hold(call, verdict, asking);
        if (refusal) return await refuse(call, refusal, { observed: verdict.observed });
      } else if (!editResumed(call)) {
        const released = await release(call, verdict);
        if (released !== "again") return released;
        if (call.resumes?.gone) return await refuse(call, approvalGone(call.resumes.record));
      }
      await listed(catalogOf(call)?.ready());
    }
    return await refuse(call, failed(`what the decision rests on changed ${mostTurns} times while it was made`));
  } catch (error) {
    return causeOfSuspension(error) ?? refuse(call, failed(reasonOf(error)));
  }
}

/** A store that offers a yes which it then does not let be used, or a policy that changes without end, must not keep a call on its way for ever. */
const mostTurns = 100;

/** What `admit` would decide now. Nothing is asked, charged or recorded, and limits are not looked at. */
export async function preview(request: CallRequest, server: string, guard: GuardParts): Promise<Preview> {
  const call = openPassage(request, server, guard);
  try {
    if (isCancelled(call)) return { outcome: "deny", ...cancelled };
    const verdict = await look(call);
    if (verdict.outcome === "deny") return verdict;
    call.within = earlierCall(call);
    const asking = verdict.approvals.filter((rule) => !isCovered(call, rule));
    if (asking.length === 0) return { outcome: "allow" };
    const { binding } = bindingOf(call, asking);
    return { outcome: "hold", rules: asking.map(({ id }) => id), reasons: asking.map(reasonFor), binding, arguments: call.arguments };
  } catch (error) {
    return { outcome: "deny", ...failed(reasonOf(error)) };
  }
}

/** Decides once, by the policy and the definition of this moment. */
export async function look(call: Passage): Promise<Refusal | Plan> {
  const unreadable = readArguments(call);
  if (unreadable) return { outcome: "deny", ...unreadable };
  await listed(catalogOf(call)?.ready());
  const verdict = judge(call);
  return verdict.outcome === "deny" ? { outcome: "deny", ...deniedBy(verdict) } : verdict;
}

/** INVARIANT (sent-is-checked): the arguments are read once, here; all that comes after sees this snapshot. */
function readArguments(call: Passage): Refusing | undefined {
  const snapshot = takeSnapshot(call.request.arguments ?? {}, call.guard.bounds);
  if (!snapshot.ok) return unfit({ ...snapshot, pointer: publicPointer(snapshot.pointer, undefined, secretPaths(call)) });
  const { value } = snapshot;
  if (value === null || typeof value !== "object" || Array.isArray(value))
    return unfit({ code: "not_json", pointer: "", problem: "no object" });
  call.original = call.arguments = value as JsonObject;
  return undefined;
}

/** Waits for the server's newest list. One that cannot be had leaves the definition unknown, and the decision says so. */
async function listed(listing: Promise<void> | undefined): Promise<void> {
  try {
    await listing;
  } catch {}
}

function judge(call: Passage): Denial | Plan {
  const { guard, server } = call;
  call.policy = guard.policy(server);
  call.definition = definitionOf(call);
  return decide(call.policy, asCall(call), {
    now: guard.now(),
    namespace: guard.namespace,
    definition: call.definition,
    mode: guard.mode,
    failOpen: guard.failOpen,
  });
}
