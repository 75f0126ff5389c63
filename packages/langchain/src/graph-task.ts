import { type Admission, HoldpointError, type Refusal } from "@holdpoint/core";
import { type HostContext, isGraphControl, isObject } from "./langchain-shapes.ts";

/**
 * One run of a task of a LangGraph graph. LangGraph delivers the answer to an interrupt by running the interrupted task again from its start, and hands
 * out the answers by the order in which they are asked for; so what a task has asked and done must be known when it runs again.
 *
 * INVARIANT: an answer counts for a question that was asked, and for no other. Of what another process asked, the checkpoint tells the last question, whose
 * answer is the last one; for anything else the person is asked anew.
 */
export interface TaskRun {
  /** Whether a question can be put to a person through this graph: it has a checkpointer to wait with. */
  readonly canInterrupt: boolean;
  /** True where the task has been run before and was interrupted. */
  readonly resumed: boolean;
  /** Puts a question to the person behind the graph, or gives the answer. Throws LangGraph's interrupt while there is none. */
  ask(question: Question): Promise<unknown>;
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

export interface Question {
  /** Names what the person is shown: equal questions have one answer. */
  readonly id: string;
  /** What the host's approval screen is shown, and the checkpoint keeps. */
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

/** A question by its place among the answers of its task; `undefined` for one that is not known here. */
type Placed = (Question & { readonly asked: boolean }) | undefined;

interface Task {
  readonly questions: Placed[];
  answered: number;
  readonly kept: Map<string, Kept>;
  readonly calls: Set<string>;
  readonly asked: Set<string>;
  readonly interrupted: Set<string>;
  running: number;
}

/** An answer that came after its question had expired. */
export const lateAnswer = Symbol("an answer that came too late");
/** An answer that LangGraph delivers to each of several interrupted tasks, since the host did not say which it was for. */
export const sharedAnswer = Symbol("an answer that names none of several questions");

const mostTasks = 1_000;

/** Reads what a task was interrupted with as a question of ours; `undefined` where it is none. */
export type ReadQuestion = (value: unknown) => Question | undefined;

/** Keeps the interrupted tasks of one middleware or tool set: the newest 1,000, in this process. */
export function createTasks(readQuestion: ReadQuestion): (host: HostContext) => TaskRun | undefined {
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
        place,
        readQuestion,
        () => tasks.set(place.id, task),
        () => tasks.delete(place.id),
      );
      runs.set(place.scratchpad, run);
    }
    return run;
  };
}

function startRun(
  task: Task,
  { interrupt, scratchpad, configurable }: Place,
  readQuestion: ReadQuestion,
  remember: () => void,
  forget: () => void,
): TaskRun {
  const answers: unknown[] = [];
  let thrown: { readonly error: unknown } | undefined;
  let recalling: Promise<void> | undefined;
  /** Where the answer stands that was given for no interrupt by name; and whether several wait for one. */
  let unnamed = -1;
  let severalWait = false;

  function takeAnswer(value: unknown): void {
    if (!interrupt) throw new HoldpointError("configuration", "a graph without a checkpointer cannot wait for a person");
    const before = scratchpad["nullResume"];
    answers.push(interrupt(value));
    if (before !== undefined && scratchpad["nullResume"] === undefined) unnamed = answers.length - 1;
  }

  function answerTo(index: number): unknown {
    while (answers.length <= index) {
      // One question at a time: a second one asked now would be given the answer to the first.
      if (thrown) throw thrown.error;
      try {
        takeAnswer(task.questions[answers.length]?.value);
      } catch (error) {
        thrown = { error };
        throw error;
      }
    }
    task.answered = Math.max(task.answered, answers.length);
    return answers[index];
  }

  /** Reads what waits for an answer. From a process that has asked before it takes over: all the answers, of which the last is for the question that waits. */
  async function recall(): Promise<void> {
    const waiting = await waitingInterrupts(configurable);
    severalWait = new Set(waiting.map(({ id }) => id)).size > 1;
    const own = waiting.filter((each) => each.task === configurable["__pregel_task_id"]);
    const question = own.length === 1 ? readQuestion(own[0]?.value) : undefined;
    if (!question || task.questions.length > 0) return;
    try {
      for (;;) takeAnswer(question.value);
    } catch (error) {
      if (!isGraphControl(error)) throw error;
    }
    if (answers.length > 0) task.questions.push(...Array(answers.length - 1).fill(undefined), { ...question, asked: true });
    task.answered = answers.length;
  }

  return {
    canInterrupt: interrupt !== undefined,
    resumed: task.interrupted.size > 0,
    attempts: new Map(),
    async ask(question) {
      recalling ??= recall();
      await recalling;
      for (;;) {
        let index = task.questions.findIndex((other) => other?.id === question.id);
        if (index < 0) index = task.questions.push({ ...question, asked: false }) - 1;
        const known = task.questions[index];
        let answer: unknown;
        try {
          answer = answerTo(index);
        } catch (error) {
          if (answers.length === index) task.questions[index] = { ...question, asked: true };
          throw error;
        }
        if (known?.asked && index === unnamed && severalWait) return sharedAnswer;
        if (known?.asked) return question.askedAt >= known.expiresAt ? lateAnswer : answer;
        task.questions.splice(index, 0, undefined);
      }
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

interface Place {
  /** Of the thread, the graph and the task. */
  readonly id: string;
  readonly configurable: Readonly<Record<string, unknown>>;
  readonly scratchpad: Readonly<Record<string, unknown>>;
  readonly interrupt: ((value: unknown) => unknown) | undefined;
}

/** LangGraph's names for these are its own, and the same since 1.0: without them a call is held, or refused, as outside of a graph. */
function placeOf({ configurable, interrupt }: HostContext): Place | undefined {
  const scratchpad = configurable?.["__pregel_scratchpad"];
  if (!configurable || !isObject(scratchpad)) return undefined;
  const { thread_id, checkpoint_ns } = configurable;
  const waits = configurable["__pregel_checkpointer"] !== undefined && typeof interrupt === "function";
  return {
    id: JSON.stringify([thread_id, checkpoint_ns]),
    configurable,
    scratchpad,
    interrupt: waits ? (interrupt as (value: unknown) => unknown) : undefined,
  };
}

interface Waiting {
  readonly task: string;
  /** LangGraph's name for the interrupt, which the graphs around it repeat. */
  readonly id: unknown;
  readonly value: unknown;
}

/** The interrupts that wait for an answer, of this task, its graph and the graphs around it, by their checkpoints. */
async function waitingInterrupts(configurable: Readonly<Record<string, unknown>>): Promise<readonly Waiting[]> {
  const { thread_id, checkpoint_map: graphs, __pregel_checkpointer: saver } = configurable;
  if (!isObject(saver) || typeof saver["getTuple"] !== "function" || !isObject(graphs)) return [];
  const waiting: Waiting[] = [];
  for (const [checkpoint_ns, checkpoint_id] of Object.entries(graphs)) {
    const tuple: unknown = await saver["getTuple"]({ configurable: { thread_id, checkpoint_ns, checkpoint_id } });
    const writes = (isObject(tuple) ? tuple["pendingWrites"] : undefined) ?? [];
    const all = writes as readonly (readonly [task: string, channel: string, value: unknown])[];
    // Whatever else a task has written is its result: it waits no more.
    const over = new Set(all.filter(([, channel]) => channel !== "__interrupt__" && channel !== "__resume__").map(([task]) => task));
    for (const [task, channel, value] of all) {
      if (channel !== "__interrupt__" || over.has(task)) continue;
      for (const interrupted of [value].flat()) {
        if (isObject(interrupted)) waiting.push({ task, id: interrupted["id"] ?? task, value: interrupted["value"] });
      }
    }
  }
  return waiting;
}
