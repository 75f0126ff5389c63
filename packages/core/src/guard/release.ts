import { aboutApproval } from "../approvals/approval-request.ts";
import type { ApprovalRecord } from "../approvals/approval-store.ts";
import { changedPointers } from "../arguments/redact.ts";
import { isPromise, within } from "../audit/audit.ts";
import type { DecisionEvent, Outcome } from "../audit/audit-event.ts";
import type { Obstacle } from "../audit/recorder.ts";
import type { Plan } from "../decision/decide.ts";
import { auditDown, cancelled, overLimit, type Refusal, type Refusing, storeDown } from "../decision/refusal.ts";
import { refusalFor } from "../decision/refused-error.ts";
import { CounterStoreError } from "../holdpoint-error.ts";
import { formatAmount } from "../limits/amount.ts";
import type { MaybePromise, Reservation, Reserved, Room } from "../limits/counter-store.ts";
import { type LimitDebit, lackOfRoom, settleIndices } from "../limits/limits.ts";
import { isCovered, openToken, restsOnEarlierYes } from "./open-calls.ts";
import { type Admission, catalogOf, isCancelled, leaveToNext, type Passage, refuse, secretPaths } from "./passage.ts";
import { digestOf } from "./session.ts";

/** What a call has taken and would give back if it does not leave. */
interface Taken {
  readonly reservations: { readonly debits: readonly LimitDebit[]; readonly reservation: Reservation; readonly room: readonly Room[] }[];
  readonly approvals: ApprovalRecord[];
}

/**
 * Reserves the debits, uses up the approvals and writes the decision, in this order. `"again"` where something that the plan rests on has changed
 * meanwhile: the policy, the definition, or an approval that an equal call was first to use or that has gone back.
 *
 * INVARIANT (refused-spends-nothing): every way out but the last undoes what was taken.
 */
export async function release(call: Passage, plan: Plan): Promise<Admission | Refusal | "again"> {
  const taken: Taken = { reservations: [], approvals: [] };
  try {
    const reserving = reserve(call, plan.debits, taken);
    const reserved = isPromise(reserving) ? await (reserving as Promise<Reserving>) : reserving;
    if (reserved.refusal) return await refuse(call, reserved.refusal, { observed: plan.observed });
    const observed = plan.observed.length > 0 || plan.observedDebits.length === 0 ? plan.observed : await chargeObserved(call, plan, taken);
    if (
      ((call.yeses.length > 0 || call.spent.length > 0 || call.resumes) && !(await useApprovals(call, taken))) ||
      isStale(call) ||
      !plan.approvals.every((rule) => isCovered(call, rule))
    ) {
      await undo(call, taken, unsent);
      return "again";
    }
    if (call.within && plan.approvals.some((rule) => restsOnEarlierYes(call, rule))) call.within.approvedMore = true;
    if (isCancelled(call)) {
      await undo(call, taken, unsent);
      return await refuse(call, cancelled, { observed });
    }
    const recording = call.record.allow({
      policy: call.policy,
      arguments: call.arguments,
      definition: call.definition,
      observed,
      failedOpen: plan.failedOpen.length + reserved.failedOpen.length > 0 ? [...plan.failedOpen, ...reserved.failedOpen] : undefined,
      approvals: taken.approvals.map((yes) => yes.id),
      room: roomLeft(taken),
    });
    const obstacle = isPromise(recording) ? await (recording as Promise<Obstacle | undefined>) : recording;
    if (obstacle?.decided) return await withdraw(call, taken, auditDown(obstacle.reason));
    if (obstacle !== undefined) {
      await undo(call, taken, unsent);
      return await refuse(call, auditDown(obstacle.reason), { observed });
    }
    if (taken.approvals.length > 0) await recordUses(call, taken);
    if (isCancelled(call)) return await withdraw(call, taken, cancelled);
    return admission(call, plan, taken);
  } catch (error) {
    await undo(call, taken, unsent);
    throw error;
  }
}

const unsent: Outcome = { kind: "unsent" };

/** The decision is on record, wherever a sink has taken it: a call that does not leave after all gets its outcome, not another decision. */
async function withdraw(call: Passage, taken: Taken, refusal: Refusing): Promise<Refusal> {
  await undo(call, taken, unsent);
  leaveToNext(call);
  await call.record.outcome({ kind: "unsent", reason: refusal.code });
  return refusalFor(refusal, { tool: call.request.tool, arguments: call.arguments });
}

/** Nobody is asked about a call that has no room: `undefined` where every debit would fit now. */
export async function lookAtLimits(call: Passage, debits: readonly LimitDebit[]): Promise<Refusing | undefined> {
  if (debits.length === 0) return undefined;
  try {
    const looking = call.guard.store.look(debits.map(debitOf), call.guard.now());
    const room = isPromise(looking) ? await within(call.guard.storeTimeoutMs, looking as Promise<readonly Room[]>) : looking;
    const short = debits.flatMap(({ debit }, index) => ((room[index]?.remaining ?? 0) < debit.amount ? [index] : []));
    return short.length > 0 ? overLimit(lackOfRoom(debits, short, room)) : undefined;
  } catch (error) {
    // Under `failMode: "open"` it is the reservation at release that fails open, and is recorded there.
    return call.guard.failOpen.store && !isFull(error) ? undefined : storeDown(error);
  }
}

function isFull(error: unknown): boolean {
  return CounterStoreError.is(error) && error.full;
}

function debitOf({ debit }: LimitDebit) {
  return debit;
}

type Reserving = { readonly refusal: Refusing } | { readonly refusal?: undefined; readonly failedOpen: readonly string[] };

const nothingFailed: Reserving = { failedOpen: [] };

function reserve(call: Passage, debits: readonly LimitDebit[], taken: Taken): MaybePromise<Reserving> {
  if (debits.length === 0) return nothingFailed;
  const failed = (error: unknown): Reserving =>
    call.guard.failOpen.store && !isFull(error) ? { failedOpen: ["store"] } : { refusal: storeDown(error) };
  try {
    const reserving = call.guard.store.reserve(debits.map(debitOf), call.guard.now());
    if (!isPromise(reserving)) return take(call, debits, reserving as Reserved, taken);
    return inTime(call, reserving as Promise<Reserved>).then((reserved) => take(call, debits, reserved, taken), failed);
  } catch (error) {
    return failed(error);
  }
}

function take(call: Passage, debits: readonly LimitDebit[], reserved: Reserved, taken: Taken): Reserving {
  if (!reserved.granted) return { refusal: overLimit(lackOfRoom(debits, reserved.short, reserved.room)) };
  taken.reservations.push({ debits, reservation: reserved.reservation, room: reserved.room });
  for (const { limit, debit } of debits) if (limit.endsWithSession) call.state.lifetimeKeys.add(debit.key);
  return nothingFailed;
}

/** A reservation that is granted after the guard has given up on it belongs to no call, and is given back. */
async function inTime({ guard }: Passage, reserving: Promise<Reserved>): Promise<Reserved> {
  try {
    return await within(guard.storeTimeoutMs, reserving);
  } catch (error) {
    const giveBack = (late: Reserved) =>
      late.granted ? guard.store.settle(late.reservation, [...late.reservation.debits.keys()], guard.now()) : undefined;
    reserving.then(giveBack).catch(() => undefined);
    throw error;
  }
}

/** Observed limits are charged where enforcement would have let the call pass; where they lack room, that is what it would have refused. */
async function chargeObserved(call: Passage, plan: Plan, taken: Taken): Promise<Plan["observed"]> {
  const { refusal } = await reserve(call, plan.observedDebits, taken);
  return refusal ? [{ outcome: "deny", ...refusal, evaluated: [], explains: false }] : [];
}

/** Takes one use of every yes, and of the one that is resumed. False where one is gone that the call rests on: it covers nothing any more. */
async function useApprovals(call: Passage, taken: Taken): Promise<boolean> {
  const { resumes } = call;
  const needed = new Set([...(resumes ? [resumes.record.id] : []), ...call.yeses.map(({ record }) => record.id)]);
  for (const id of new Set([...needed, ...call.spent.map(({ record }) => record.id)])) {
    const used = await call.guard.approvals.consume(id, call.guard.now());
    if (used) taken.approvals.push(used);
    else if (needed.has(id)) {
      call.yeses = call.yeses.filter(({ record }) => record.id !== id);
      if (resumes?.record.id === id) resumes.gone = true;
      return false;
    }
  }
  return true;
}

function isStale(call: Passage): boolean {
  if (call.guard.policy(call.server) !== call.policy) return true;
  const definition = catalogOf(call)?.definition(call.request.tool);
  return definition !== undefined && digestOf(definition) !== digestOf(call.definition);
}

async function recordUses(call: Passage, taken: Taken): Promise<void> {
  for (const yes of taken.approvals) await call.record.approval({ type: "approval.used", ...aboutApproval(yes) });
}

function roomLeft(taken: Taken): DecisionEvent["room"] {
  const left: { limit: string; remaining: string }[] = [];
  for (const { debits, room } of taken.reservations) {
    for (let index = 0; index < debits.length; index++) {
      const { limit } = debits[index] as LimitDebit;
      left.push({ limit: limit.id, remaining: formatAmount(room[index]?.remaining ?? 0) });
    }
  }
  return left;
}

function admission(call: Passage, plan: Plan, taken: Taken): Admission {
  const token = openToken(call, plan.approvals);
  const stopRenewing = keepSlots(call, taken);
  let settled = false;
  const admitted: Admission = {
    outcome: "allow",
    arguments: call.arguments,
    edited: call.arguments === call.original ? [] : changedPointers(call.original, call.arguments, secretPaths(call)),
    call: call.record.call,
    settle(told) {
      if (settled) return;
      settled = true;
      const outcome = token?.close(told) ?? told;
      // One yes is for one call: it goes back only where no attempt has left on it.
      if (outcome.kind === "unsent" && token?.takeYesBack() === false) taken.approvals.length = 0;
      else if (outcome.kind === "unsent") leaveToNext(call);
      stopRenewing();
      const undoing = undo(call, taken, outcome);
      return undoing === undefined ? call.record.outcome(outcome) : undoing.then(() => call.record.outcome(outcome));
    },
  };
  token?.standsFor(admitted);
  return admitted;
}

/** Settles what was taken: each limit's `count` says what is given back for this outcome; approvals are restored only if the call never left. */
function undo(call: Passage, taken: Taken, outcome: Outcome): Promise<void> | undefined {
  const { guard } = call;
  const waiting: Promise<unknown>[] = [];
  for (const { debits, reservation } of taken.reservations.splice(0)) {
    const giveBack = settleIndices(debits, outcome);
    if (giveBack.length > 0 || debits.some(holdsSlot)) {
      once(waiting, guard.storeTimeoutMs, () => guard.store.settle(reservation, giveBack, guard.now()));
    }
  }
  if (outcome.kind === "unsent") {
    for (const yes of taken.approvals.splice(0)) once(waiting, guard.storeTimeoutMs, () => guard.approvals.restore(yes, guard.now()));
  }
  return waiting.length > 0 ? Promise.all(waiting).then(() => undefined) : undefined;
}

/**
 * A give-back that fails, or is not answered in time, leaves a counter fuller than it need be. It is not repeated: giving back twice would admit too
 * much; nor waited for without end: the answer of a call does not hang on it.
 */
function once(waiting: Promise<unknown>[], timeoutMs: number, settle: () => MaybePromise<unknown>): void {
  try {
    const settling = settle();
    if (isPromise(settling)) waiting.push(within(timeoutMs, settling).catch(() => undefined));
  } catch {}
}

/** Keeps the concurrent slots of a call in flight from running out of their lease. */
function keepSlots({ guard }: Passage, taken: Taken): () => void {
  const { store } = guard;
  if (!store.renew || store.renewEveryMs === undefined) return noSlots;
  const slots = taken.reservations.filter(({ debits }) => debits.some(holdsSlot));
  if (slots.length === 0) return noSlots;
  const timer = setInterval(() => {
    for (const { reservation } of slots) once([], guard.storeTimeoutMs, () => store.renew?.(reservation, guard.now()));
  }, store.renewEveryMs);
  // A call that nobody settles must not keep its process alive.
  (timer as { unref?: () => void }).unref?.();
  return () => clearInterval(timer);
}
const noSlots = () => undefined;

function holdsSlot({ debit }: LimitDebit): boolean {
  return debit.window.kind === "concurrent";
}
