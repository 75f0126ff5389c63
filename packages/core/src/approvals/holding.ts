import type { JsonObject } from "../arguments/json-snapshot.ts";
import { changedPointers, restoreSecrets } from "../arguments/redact.ts";
import { isPromise, reasonOf } from "../audit/audit.ts";
import type { Plan } from "../decision/decide.ts";
import { cancelled, noApprover, type Refusing, refusedByPerson, stillPending, tooManyPending, unanswered } from "../decision/refusal.ts";
import { asCall, causeOfSuspension, isCancelled, type Passage, type Question, secretPaths, type Yes } from "../guard/passage.ts";
import { lookAtLimits } from "../guard/release.ts";
import { digestOf } from "../guard/session.ts";
import { type CompiledApproval, toolsOf } from "../policy/compile-policy.ts";
import {
  type ApprovalRequest,
  type Approver,
  aboutApproval,
  type Binding,
  bind,
  draftRecord,
  forOneCall,
  readVerdict,
  requestOf,
  secretsOf,
  type Verdict,
} from "./approval-request.ts";
import { type ApprovalRecord, approvalSession } from "./approval-store.ts";

/** Forgets each yes that was given for another definition, or for a function that may have changed with the policy. */
export function dropStaleYeses(call: Passage): void {
  const { policy, request } = call;
  if (call.yeses.length === 0 || policy === undefined) return;
  const definition = digestOf(call.definition);
  const holdsFunction = toolsOf(policy, request.tool).some(({ approvals }) => approvals.some((rule) => rule.holdsFunction));
  setAside(call, (yes) => yes.definition !== definition || (holdsFunction && yes.policy !== policy.digest));
}

/** Takes from a call the yeses that cover it no more. One that was widened is found again where it covers; any other has been used once the call leaves. */
function setAside(call: Passage, isOver: (yes: Yes) => boolean): void {
  call.spent = [...call.spent, ...call.yeses.filter((yes) => isOver(yes) && !yes.record.widened)];
  call.yeses = call.yeses.filter((yes) => !isOver(yes));
}

/**
 * Gets one more yes for the call, or the reason why there is none. Nothing is reserved while a person thinks; that there is room now is looked at
 * first, so that nobody is asked in vain.
 */
export async function hold(call: Passage, plan: Plan, asking: readonly CompiledApproval[]): Promise<Refusing | undefined> {
  const { guard, request, record } = call;
  const short = await lookAtLimits(call, plan.debits);
  if (short) return short;
  const binding = request.replays ? forOneCall(bindingOf(call, asking), request.callId) : bindingOf(call, asking);
  const now = guard.now();
  const earlier =
    resumedFor(call, binding) ??
    (await approvedInHostFlow(call, binding)) ??
    (await guard.approvals.find({ binding: binding.binding, wide: binding.wideBindings }, now));
  if (earlier) {
    // What the approver says now is not looked at: the answer that stands is the one that was recorded.
    if (request.replays && request.approve && earlier.binding === binding.binding)
      await verdictOf(call, request.approve, requestOf(earlier, secretPaths(call), call.state.ending.signal));
    return accept(call, earlier);
  }

  const approve = request.approve ?? guard.approve;
  if (!approve && !guard.approvalsOutlive) return noApprover(asking);
  const pending = await file(call, asking, binding);
  if (!pending) return tooManyPending;
  const answered = approve && (await ask(call, approve, pending));
  if (isCancelled(call)) return cancelled;
  if (answered?.status === "approved") return accept(call, answered);
  if (answered?.status === "refused") return refusedByPerson(answered);
  if (guard.approvalsOutlive && guard.now() < pending.expiresAt) return stillPending(pending);
  await record.approval({ type: "approval.expired", ...aboutApproval(pending) });
  return unanswered(pending);
}

/**
 * Makes a resumed call what its approver made of it, where no rule asks any more. True where that was to be done: the edited call is then decided again, and
 * a rule that holds it asks anew.
 */
export function editResumed(call: Passage): boolean {
  const { resumes } = call;
  if (!resumes?.record.edited || resumes.edited) return false;
  edit(call, resumes.record, resumes.record.edited);
  return true;
}

/** The yes of the request that is resumed, where it covers the call as it is now. */
function resumedFor(call: Passage, { binding, wideBindings }: Binding): ApprovalRecord | undefined {
  const record = call.resumes?.record;
  if (record?.binding === binding) return record;
  return record?.widened && record.wide && wideBindings.includes(record.wide.binding) ? record : undefined;
}

/** Files the request with the store, or joins the equal one, and tells of a new one. `undefined` where the session has as many as it may. */
export async function file(call: Passage, asking: readonly CompiledApproval[], binding: Binding): Promise<ApprovalRecord | undefined> {
  const { guard, record } = call;
  const now = guard.now();
  const bounds = { session: sessionKey(call), maxPending: guard.maxPendingApprovals };
  const draft = draftRecord(guard.newId(), asCall(call), asking, binding, secretPaths(call), now);
  const filed = await guard.approvals.request(draft, bounds, now);
  if (filed === "full") return undefined;
  if (!filed.joined) {
    await record.approval({ type: "approval.requested", ...aboutApproval(filed.record) });
    notify(call, filed.record);
  }
  return filed.record;
}

/** The yes that the host's own flow brought for this very call, where that is what was asked there. */
async function approvedInHostFlow(call: Passage, binding: Binding): Promise<ApprovalRecord | undefined> {
  const { guard, request } = call;
  if (request.approval === undefined) return undefined;
  const record = await guard.approvals.get(request.approval, guard.now());
  return record?.status === "approved" && record.binding === forOneCall(binding, request.callId).binding ? record : undefined;
}

export function bindingOf(call: Passage, asking: readonly CompiledApproval[]): Binding {
  const around = {
    namespace: call.guard.namespace,
    session: call.request.session.id,
    definition: digestOf(call.definition),
    policy: call.policy?.digest ?? "",
  };
  return bind(asCall(call), asking, around);
}

/** What a session's pending requests are counted by; the record's context holds the same. */
export function sessionKey(call: Passage): string {
  return approvalSession(call.request.session.context);
}

function accept(call: Passage, record: ApprovalRecord): undefined {
  if (record.edited) edit(call, record, record.edited);
  call.yeses = [...call.yeses, { record, definition: digestOf(call.definition), policy: call.policy?.digest }];
}

function edit(call: Passage, record: ApprovalRecord, edited: JsonObject): void {
  // The marks are those that the editor was shown, whatever the policy keeps secret by now.
  call.arguments = restoreSecrets(edited, call.arguments, secretsOf(record) ?? secretPaths(call));
  // The editor's yes is for the edited call; what others said of the call before it covers no more.
  setAside(call, () => true);
  if (call.resumes?.record.id === record.id) call.resumes.edited = true;
}

/** Asks in place. Equal calls that wait for one request share its answer; the store sees to it that only one of them uses it. */
async function ask(call: Passage, approve: Approver, pending: ApprovalRecord): Promise<ApprovalRecord | undefined> {
  const { guard, request } = call;
  const question = guard.asking.get(pending.id) ?? put(call, approve, pending);
  question.waiting++;
  const waitMs = Math.min(pending.expiresAt - guard.now(), request.waitMs ?? guard.approvalWaitMs);
  const signals = [call.state.ending.signal, ...(request.signal ? [request.signal] : [])];
  try {
    return await firstOf(question.answer, waitMs, signals);
  } finally {
    // Whoever has only run out of time leaves the question open: a late yes is for the same call made again.
    if (isCancelled(call) && --question.waiting === 0) withdraw(call, pending.id, question);
  }
}

/** Puts the question to the approver, once for all calls that wait for its answer. */
function put(call: Passage, approve: Approver, pending: ApprovalRecord): Question {
  const { asking, now } = call.guard;
  // An approver that never answers would hold its question, and all that waited for it, for ever.
  for (const [id, former] of asking) if (former.expiresAt <= now()) withdraw(call, id, former);
  const nobodyWaits = new AbortController();
  const question: Question = {
    answer: answerOf(call, approve, pending, nobodyWaits.signal),
    nobodyWaits,
    expiresAt: pending.expiresAt,
    waiting: 0,
  };
  asking.set(pending.id, question);
  const forget = () => {
    if (asking.get(pending.id) === question) asking.delete(pending.id);
  };
  question.answer.then(forget, forget);
  return question;
}

/** Tells the approver that its answer is no longer needed. The same call made again is asked anew. */
function withdraw(call: Passage, id: string, question: Question): void {
  call.guard.asking.delete(id);
  question.nobodyWaits.abort();
}

async function answerOf(
  call: Passage,
  approve: Approver,
  pending: ApprovalRecord,
  signal: AbortSignal,
): Promise<ApprovalRecord | undefined> {
  const { guard, record } = call;
  const verdict = await verdictOf(call, approve, requestOf(pending, secretPaths(call), signal));
  // The request stays open: the same call made again is asked anew.
  if (signal.aborted) return undefined;
  const edited =
    verdict.approved && verdict.arguments ? restoreSecrets(verdict.arguments, pending.arguments ?? {}, secretPaths(call)) : undefined;
  const answered = await guard.approvals.answer(
    pending.id,
    verdict.approved
      ? { approved: true, by: verdict.by, edited, widen: verdict.widen }
      : { approved: false, by: verdict.by, reason: verdict.reason },
    guard.now(),
  );
  if (!answered) return guard.approvals.get(pending.id, guard.now());
  await record.approval({
    type: answered.status === "approved" ? "approval.granted" : "approval.refused",
    ...aboutApproval(answered),
    reason: answered.refusal,
    ...(edited ? { edited: changedPointers(pending.arguments ?? {}, edited, secretPaths(call)) } : undefined),
    ...(verdict.approved && verdict.unverified ? { unverified: true } : undefined),
  });
  return answered;
}

async function verdictOf(call: Passage, approve: Approver, asked: ApprovalRequest): Promise<Verdict> {
  try {
    return readVerdict(await approve(asked));
  } catch (error) {
    if (causeOfSuspension(error)) throw error;
    // The model reads a refusal's reason; what an approver throws (an address, a token) is for the operator.
    const problem = `the approver failed on request \`${asked.id}\`: ${reasonOf(error)}`;
    await call.guard.recorder.note({ type: "anomaly", server: call.server, problem });
    return { approved: false, reason: "the approver failed" };
  }
}

/** The answer, or `undefined` once the wait is over or a signal says to stop. Leaves no timer and no listener behind. */
function firstOf<T>(promise: Promise<T>, waitMs: number, signals: readonly AbortSignal[]): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener("abort", giveUp);
      settle();
    };
    const giveUp = () => end(() => resolve(undefined));
    // A timer holds at most 2^31 − 1 ms; a longer wait has none, and ends by its answer or a signal.
    const timer = waitMs < 2 ** 31 ? setTimeout(giveUp, Math.max(0, waitMs)) : undefined;
    for (const signal of signals) signal.addEventListener("abort", giveUp);
    promise.then(
      (value) => end(() => resolve(value)),
      (error) => end(() => reject(error)),
    );
    if (signals.some((signal) => signal.aborted)) giveUp();
  });
}

/** The host is told of a request, not waited for: who cannot be reached will not answer, and silence is no. That it was not told is recorded. */
function notify(call: Passage, pending: ApprovalRecord): void {
  const failed = (error: unknown) => {
    const problem = `the notice of request \`${pending.id}\` failed: ${reasonOf(error)}`;
    void call.guard.recorder.note({ type: "anomaly", server: call.server, problem });
  };
  try {
    const told = call.guard.notify?.(requestOf(pending, secretPaths(call), call.state.ending.signal));
    if (isPromise(told)) told.then(undefined, failed);
  } catch (error) {
    failed(error);
  }
}
