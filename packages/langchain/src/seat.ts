import {
  type Admission,
  type ApprovalRequest,
  type CallRequest,
  canaryPrefix,
  canonicalJson,
  type Guard,
  guardOf,
  type Identity,
  type Outcome,
  type Refusal,
  RefusedError,
  type Session,
  takeSnapshot,
} from "@holdpoint/core";
import { createTasks, type Question, type TaskRun } from "./graph-task.ts";
import { decisionsOf, type Renamed, readReviewQuestion, reviewer, reviewQuestion } from "./human-review.ts";
import { type HostContext, isInterrupt } from "./langchain-shapes.ts";
import { type NameOptions, type Placed, placing } from "./tool-names.ts";

export interface GuardOptions extends NameOptions {
  /**
   * More identity for one call, from what the host gave the run: such as the user in `context`, or `configurable.thread_id`. It must answer alike when a call
   * is interrupted and when it is resumed. What it throws ends the run.
   */
  readonly identify?: ((host: HostContext) => Identity) | undefined;
  /**
   * Where people are asked. `interrupt`: by LangGraph's interrupt, where the graph has a checkpointer, else as `in_place`. `in_place`: by the guard's approver
   * or approval store. Default `interrupt`.
   */
  readonly approval?: "interrupt" | "in_place" | undefined;
}

/** Where the calls of one middleware or tool set meet the guard. */
export interface Seat {
  readonly guard: Guard;
  readonly session: Session;
  place(name: string): Placed;
  /** Whether the tool may stand in a list that the model sees. */
  shows(name: string, at?: Placed): boolean;
  /** What the guard would say of a call by its name alone: the refusal, where no arguments could change it. */
  refusedByName(call: SeatCall): Promise<Refusal | undefined>;
  /** Records that a call was refused which no policy decides. */
  refuse(call: SeatCall, refusal: Omit<Refusal, "outcome">): Promise<Refusal>;
  /**
   * Puts all calls of one turn that need a person before that person at once, in one interrupt, before any of them is made. Whatever is not asked here, and
   * what an edit leads to, is asked when the call is made.
   */
  askTogether(calls: readonly SeatCall[], host: HostContext): Promise<void>;
  /** Decides a call, makes it with `forward`, and settles it. Throws what interrupts the graph, what `forward` throws, and the reason of an abort. */
  pass<T>(
    call: SeatCall,
    forward: (admission: Admission, edited: readonly string[]) => Promise<Passed<T>>,
  ): Promise<Made<T> | Refusal | Renaming>;
}

export interface SeatCall {
  readonly name: string;
  readonly args: unknown;
  readonly id: string | undefined;
  readonly host: HostContext;
  /** Where the tool stands, if it is known better than by its name. */
  readonly at?: Placed | undefined;
}

export interface Passed<T> {
  readonly value: T;
  /** Absent where the end is yet to come: `forward` then settles the admission itself. */
  readonly outcome: Outcome | undefined;
}

interface Made<T> {
  readonly outcome: "made";
  readonly value: T;
}

/** A person made another call of it: that one is to be made in its place. */
export interface Renaming extends Renamed {
  readonly outcome: "renamed";
}

const mostDecided = 1_000;

/** Stands for the calls of a task that have no id of their own, and so cannot be known again. */
const nameless = "";

// No arguments could make these pass.
const byName = new Set(["no_policy", "hidden", "default_deny"]);

export function createSeat(session: Session, options: GuardOptions): Seat {
  const guard = guardOf(session);
  const place = placing(guard, options);
  const runOf = createTasks(readReviewQuestion);
  /** Decisions that were given for several calls at once, by the id of the request; the newest 1,000. */
  const decided = new Map<string, unknown>();

  function requestFor({ name, args, id, host, at }: SeatCall): CallRequest & { readonly server: string } {
    const identity = options.identify?.(host);
    return {
      session: identity ? session.with(identity) : session,
      ...(at ?? place(name)),
      arguments: args,
      callId: id,
      signal: host.signal,
      seam: "tool",
    };
  }

  async function admit(
    call: SeatCall,
    request: CallRequest,
    run: TaskRun | undefined,
    key: string | undefined,
  ): Promise<Admission | Refusal | Renaming> {
    const earlier = key === undefined ? undefined : run?.attempts.get(key)?.admission;
    const review = run?.canInterrupt && options.approval !== "in_place" ? reviewer(call.name, run, decided) : undefined;
    const admitted = await guard.admit({
      ...request,
      ...(earlier ? { arguments: earlier.arguments, attemptOf: earlier } : undefined),
      ...(review ? { approve: review.approve, replays: true } : undefined),
    });
    if (admitted.outcome === "suspended") throw admitted.cause;
    if (review?.asked && key !== undefined) run?.keepsResult(key);
    const { renamed } = review ?? {};
    if (!renamed) return admitted;
    if (key !== undefined) run?.keep(key, { kind: "renamed", ...renamed });
    return { outcome: "renamed", ...renamed };
  }

  /** Files the request for a call that is held. A call that cannot be known again is asked about when it is made. */
  async function file(call: SeatCall): Promise<{ readonly name: string; readonly asked: ApprovalRequest } | undefined> {
    if (call.id === undefined) return undefined;
    const request = requestFor(call);
    const would = await guard.ask(request);
    return would.outcome === "hold" && would.request ? { name: call.name, asked: would.request } : undefined;
  }

  /** The admission under which a tool that has interrupted the graph goes on. Where the policy now asks for more, what goes on is an attempt of its own. */
  async function reopen(
    call: SeatCall,
    admission: Admission,
    request: CallRequest,
    run: TaskRun,
    key: string,
  ): Promise<Admission | Refusal | Renaming> {
    const now = await guard.preview({ ...request, arguments: admission.arguments, attemptOf: admission });
    if (now.outcome === "allow") {
      run.takeAnswers();
      return admission;
    }
    await admission.settle({ kind: "unknown", reason: "decided anew when it was resumed" });
    if (now.outcome === "hold") {
      run.attempts.set(key, { admission, edited: admission.edited });
      return admit(call, request, run, key);
    }
    const { outcome: _outcome, ...refusal } = now;
    return guard.refuse(request, refusal);
  }

  return {
    guard,
    session,
    place,
    shows(name, at = place(name)) {
      const { server, tool } = at;
      return guard.shows(server, tool);
    },
    async refusedByName(call) {
      const request = requestFor(call);
      if (request.tool.startsWith(canaryPrefix)) {
        const answer = await guard.admit(request);
        return answer.outcome === "deny" ? answer : undefined;
      }
      const would = await guard.preview(request);
      if (would.outcome !== "deny" || !byName.has(would.code)) return undefined;
      const { outcome: _outcome, ...refusal } = would;
      return guard.refuse(request, refusal);
    },
    refuse: (call, refusal) => guard.refuse(requestFor(call), refusal),
    async askTogether(calls, host) {
      const run = runOf(host);
      if (!run?.canInterrupt || options.approval === "in_place") return;
      const held = (await Promise.all(calls.map(file))).filter((each) => each !== undefined);
      if (held.length === 0) return;
      const answer = await answerOf(run, reviewQuestion(held));
      const decisions = decisionsOf(answer, held.length);
      for (const [index, { asked }] of held.entries()) decided.set(asked.id, decisions[index]);
      while (decided.size > mostDecided) decided.delete(decided.keys().next().value as string);
    },
    async pass(call, forward) {
      const request = requestFor(call);
      const run = runOf(call.host);
      const key = run && keyOf(call, request);
      const kept = key !== undefined && run?.resumed ? run.kept(key) : undefined;
      if (kept?.kind === "refused") return kept.refusal;
      if (kept?.kind === "over") return { outcome: "made", value: kept.result as never };
      if (kept?.kind === "renamed") {
        run?.takeAnswers();
        return { outcome: "renamed", name: kept.name, args: kept.args };
      }
      run?.begin(key ?? nameless);
      let interrupted = false;
      try {
        const admitted =
          kept && run && key !== undefined ? await reopen(call, kept.admission, request, run, key) : await admit(call, request, run, key);
        if (admitted.outcome !== "allow") {
          if (admitted.outcome === "deny") {
            if (admitted.code === "cancelled" && request.signal?.aborted) throw request.signal.reason;
            if (key !== undefined) run?.keep(key, { kind: "refused", refusal: admitted });
          }
          return admitted;
        }
        // A further attempt is made with what a person edited for the first.
        const edited = (key === undefined ? undefined : run?.attempts.get(key)?.edited) ?? admitted.edited;
        const passed = await settled(
          admitted,
          () => forward(admitted, edited),
          () => keepOpen(admitted),
          // Only what has failed may be tried again on the same yes: an equal call that comes beside it is a call of its own.
          () => key !== undefined && run?.attempts.set(key, { admission: admitted, edited }),
        );
        if (key !== undefined && passed.outcome) run?.keep(key, { kind: "over", result: passed.value });
        return { outcome: "made", value: passed.value };
      } catch (error) {
        interrupted = isInterrupt(error);
        throw error;
      } finally {
        run?.end(key ?? nameless, interrupted);
      }

      function keepOpen(admission: Admission): boolean {
        if (key === undefined || !run?.canInterrupt) return false;
        run.keep(key, { kind: "open", admission });
        return true;
      }
    },
  };
}

/** Asks as a step of its own, which is over with the answer. */
async function answerOf(run: TaskRun, question: Question): Promise<unknown> {
  run.begin(nameless);
  let interrupted = false;
  try {
    return await run.ask(question);
  } catch (error) {
    interrupted = isInterrupt(error);
    throw error;
  } finally {
    run.end(nameless, interrupted);
  }
}

async function settled<T>(
  admission: Admission,
  forward: () => Promise<Passed<T>>,
  keepOpen: () => boolean,
  failed: () => unknown,
): Promise<Passed<T>> {
  try {
    const passed = await forward();
    if (passed.outcome) await admission.settle(passed.outcome);
    return passed;
  } catch (error) {
    // A tool that interrupts the graph is run again by it, as the same call.
    if (isInterrupt(error) && keepOpen()) throw error;
    await admission.settle({ kind: "unknown", reason: "the tool threw" });
    failed();
    throw error;
  }
}

/** Names one call of one task. Without an id of its own a call cannot be known again. */
function keyOf({ name, args, id }: SeatCall, { server }: CallRequest): string | undefined {
  if (id === undefined) return undefined;
  const snapshot = takeSnapshot(args);
  return snapshot.ok ? canonicalJson([server ?? "", name, id, snapshot.value]) : undefined;
}

/** What an adapter answers in place of a refused call, or throws where the guard says so. */
export function answerRefusal<T>(guard: Guard, refusal: Refusal, form: (refusal: Refusal) => T): T {
  if (guard.onDeny === "throw") throw new RefusedError(refusal);
  return form(refusal);
}
