import type { Admission, Refusal } from "@holdpoint/core";
import { type HostContext, isObject } from "./langchain-shapes.ts";

/**
 * One run of a task of a LangGraph graph. LangGraph delivers the answer to an interrupt by running the interrupted task again from its start, and hands
 * out the answers by the order in which they are asked for; so what a task has asked and done must be known when it runs again.
 */
export interface TaskRun {
  /** Whether a question can be put to a person through this graph: it has a checkpointer to wait with. */
  readonly canInterrupt: boolean;
  /** True where the task has been run before and was interrupted. */
  readonly resumed: boolean;
  /** Puts a question to the person behind the graph, or gives the answer. Throws LangGraph's interrupt while there is none. */
  ask(question: Question): unknown;
  /** Takes the answers that this task has had before, in their order, so that a tool which interrupts by itself gets its own. */
  takeAnswers(): void;
  /** What is known of a call since an earlier run of the task. */
  kept(call: string): Kept | undefined;
  keep(call: string, kept: Kept): void;
  /** A person was asked about this call: its result is kept while the task can run again, so that one yes never makes two calls. */
  keepsResult(call: string): void;
  /** The newest attempt at each call that has failed in this run. */
  readonly attempts: Map<string, { readonly admission: Admission; readonly edited: readonly string[] }>;
  begin(call: string): void;
  /** `interrupted`: the task will run again. */
  end(call: string, interrupted: boolean): void;
}

interface Question {
  readonly id: string;
  /** What the host's approval screen is shown. */
  readonly value: unknown;
  /** Milliseconds since the epoch, by the guard's clock. */
  readonly askedAt: number;
  readonly expiresAt: number;
}

type Kept =
  /** The call was admitted, and its tool interrupted the graph: it goes on under the same admission. */
  | { readonly kind: "open"; readonly admission: Admission }
  /** The call is over, or was refused; another call of the same task interrupted it. */
  | { readonly kind: "over"; readonly result: unknown }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** A person made another call of it. */
  | { readonly kind: "renamed"; readonly name: string; readonly args: unknown };

interface Task {
  readonly questions: Question[];
  answered: number;
  readonly kept: Map<string, Kept>;
  readonly calls: Set<string>;
  readonly asked: Set<string>;
  readonly interrupted: Set<string>;
  running: number;
}

/** An answer that came after its question had expired. */
export const lateAnswer = Symbol("an answer that came too late");

const mostTasks = 1_000;

/** Keeps the interrupted tasks of one middleware or tool set: the newest 1,000, in this process. */
export function createTasks(): (host: HostContext) => TaskRun | undefined {
  const tasks = new Map<string, Task>();
  const runs = new WeakMap<object, TaskRun>();

  function taskOf(id: string): Task {
    const known = tasks.get(id);
    if (known) return known;
    const task: Task = {
      questions: [],
      answered: 0,
      kept: new Map(),
      calls: new Set(),
      asked: new Set(),
      interrupted: new Set(),
      running: 0,
    };
    tasks.set(id, task);
    if (tasks.size > mostTasks) forgetOldest();
    return task;
  }
  function forgetOldest(): void {
    const [id, task] = tasks.entries().next().value as [string, Task];
    tasks.delete(id);
    for (const kept of task.kept.values()) {
      if (kept.kind === "open") void kept.admission.settle({ kind: "unknown", reason: "interrupted, and not resumed here" });
    }
  }

  return (host) => {
    const place = placeOf(host);
    if (!place) return undefined;
    let run = runs.get(place.scratchpad);
    if (!run) {
      const task = taskOf(place.id);
      run = startRun(
        task,
        place.interrupt,
        () => tasks.set(place.id, task),
        () => tasks.delete(place.id),
      );
      runs.set(place.scratchpad, run);
    }
    return run;
  };
}

function startRun(task: Task, interrupt: ((value: unknown) => unknown) | undefined, remember: () => void, forget: () => void): TaskRun {
  const answers: unknown[] = [];
  let thrown: { readonly error: unknown } | undefined;

  function answerTo(index: number): unknown {
    while (answers.length <= index) {
      // One question at a time: a second one asked now would be given the answer to the first.
      if (thrown) throw thrown.error;
      try {
        answers.push(interrupt?.(task.questions[answers.length]?.value));
      } catch (error) {
        thrown = { error };
        throw error;
      }
    }
    task.answered = Math.max(task.answered, answers.length);
    return answers[index];
  }

  return {
    canInterrupt: interrupt !== undefined,
    resumed: task.interrupted.size > 0,
    attempts: new Map(),
    ask(question) {
      let index = task.questions.findIndex(({ id }) => id === question.id);
      if (index < 0) index = task.questions.push(question) - 1;
      const answer = answerTo(index);
      return question.askedAt >= (task.questions[index]?.expiresAt ?? 0) ? lateAnswer : answer;
    },
    takeAnswers() {
      if (task.answered > 0) answerTo(task.answered - 1);
    },
    kept: (call) => task.kept.get(call),
    keep(call, kept) {
      // A call that nobody was asked about, and that shares the task with no other, ends it.
      const isOver = kept.kind === "over" || kept.kind === "refused";
      if (!isOver || task.calls.size > 1 || task.asked.has(call)) task.kept.set(call, kept);
    },
    keepsResult: (call) => void task.asked.add(call),
    begin(call) {
      remember();
      task.calls.add(call);
      task.running++;
    },
    end(call, interrupted) {
      task.running--;
      if (interrupted) task.interrupted.add(call);
      else task.interrupted.delete(call);
      if (task.running === 0 && task.interrupted.size === 0) forget();
    },
  };
}

/** LangGraph's names for these are its own, and the same since 1.0: without them a call is held, or refused, as outside of a graph. */
function placeOf({ configurable, interrupt }: HostContext) {
  const scratchpad = configurable?.["__pregel_scratchpad"];
  if (!configurable || !isObject(scratchpad)) return undefined;
  const { thread_id, checkpoint_ns } = configurable;
  const waits = configurable["__pregel_checkpointer"] !== undefined && typeof interrupt === "function";
  return {
    id: JSON.stringify([thread_id, checkpoint_ns]),
    scratchpad,
    interrupt: waits ? (interrupt as (value: unknown) => unknown) : undefined,
  };
}
