import {
  type Admission,
  editedText,
  type Guard,
  HoldpointError,
  type Outcome,
  printable,
  type Refusal,
  type Session,
} from "@holdpoint/core";
import { ToolMessage } from "@langchain/core/messages";
import { DynamicStructuredTool, DynamicTool } from "@langchain/core/tools";
import { isObject, isProviderTool, isStructuredTool, type StructuredToolLike, type ToolConfig, type ToolLike } from "./langchain-shapes.ts";
import { refusalMessage, withNote } from "./refusal-message.ts";
import { answerRefusal, createSeat, type GuardOptions, type Passed, type Renaming, type Seat } from "./seat.ts";
import type { Placed } from "./tool-names.ts";

interface Guarded {
  readonly target: StructuredToolLike;
  readonly seat: Seat;
}

const guardedTools = new WeakMap<object, Guarded>();

/**
 * The tools, each of which is decided about, held and recorded however it is run: `invoke`, `call`, `_call`, `func`, `batch`, `stream`, `withConfig`, by a
 * prototype's method or by another tool. For tools that are used by hand, bound to a model, or put into a `ToolNode`. The originals are left as they are:
 * hand out the guarded ones only.
 *
 * What is judged is what the tool's own schema has made of the arguments: with its defaults, and without what it strips. A tool that takes a text has the
 * arguments `{ input: text }`. Hidden tools are left out of the list. A tool that this guard guards already is guarded anew, for this session.
 *
 * Throws `HoldpointError` (`configuration`) for what cannot be held: tools that the model's provider runs, and runnables made with `asTool`.
 *
 * @example
 * const tools = guardTools(await loadMcpTools("files", client), guard.session({ user: "ann" }));
 */
export function guardTools<T extends ToolLike>(tools: readonly T[], session: Session, options: GuardOptions = {}): T[] {
  const seat = createSeat(session, options);
  return tools.map((tool) => guardTool(tool, seat)).filter((tool) => seat.shows(tool.name));
}

/** The guarded tool's seat and the tool behind it; `undefined` for a tool that is not guarded. */
export function guardedBehind(tool: unknown): Guarded | undefined {
  return isObject(tool) ? guardedTools.get(tool) : undefined;
}

/** Where a guarded tool stands by the seat that it was guarded under; `undefined` for one that this guard does not guard. */
export function placeOf(tool: unknown, guard: Guard): Placed | undefined {
  const known = guardedBehind(tool);
  return known && known.seat.guard === guard ? known.seat.place(known.target.name) : undefined;
}

/** One tool under a seat; `at` says where it stands, if that is known better than by its name. */
export function guardTool<T extends ToolLike>(tool: T, seat: Seat, at?: Placed): T {
  const known = guardedBehind(tool);
  // Under another guard it stays guarded by that one too.
  const target = known && known.seat.guard === seat.guard ? known.target : tool;
  checkHoldable(target);

  const enter = (own: "_call" | "func") => (input: unknown, runManager?: unknown, config?: unknown) => {
    const run = target[own] as NonNullable<StructuredToolLike["func"]>;
    return hold(seat, target, at, input, config as ToolConfig | undefined, (args) =>
      Reflect.apply(run, target, [args, runManager, config]),
    );
  };
  const held: Record<string, unknown> = { _call: enter("_call") };
  if (typeof target.func === "function") held.func = enter("func");
  // The arguments of the constructor hold the function once more.
  if (isObject(target.lc_kwargs) && "func" in target.lc_kwargs) held.lc_kwargs = { ...target.lc_kwargs, func: held.func };

  const guarded = new Proxy(target, {
    get: (inner, key) => (typeof key === "string" && Object.hasOwn(held, key) ? held[key] : Reflect.get(inner, key)),
    getOwnPropertyDescriptor(inner, key) {
      const property = Reflect.getOwnPropertyDescriptor(inner, key);
      return property && typeof key === "string" && Object.hasOwn(held, key) ? { ...property, value: held[key] } : property;
    },
  });
  guardedTools.set(guarded, { target, seat });
  return guarded as unknown as T;
}

const entryPoints = ["invoke", "call", "batch", "stream", "transform", "_streamIterator", "streamEvents"];
const ownClasses = new Set(["StructuredTool", "Tool", "DynamicTool", "DynamicStructuredTool", "BaseLangChain", "Runnable", "Serializable"]);
const ownPrototypes = new Set(prototypesOf(DynamicTool.prototype).concat(prototypesOf(DynamicStructuredTool.prototype)));

/** LangChain's own entry points all end in `_call`; a class with others may run without it. */
function checkHoldable(tool: ToolLike): asserts tool is StructuredToolLike {
  const name = typeof tool.name === "string" ? tool.name : "?";
  if (isProviderTool(tool)) throw cannotHold(`\`${name}\` runs at the model's provider, where no call can be held: leave it out`);
  if (!isStructuredTool(tool))
    throw cannotHold(`\`${name}\` is a runnable, whose entry points cannot all be held: make it a tool with \`tool(…)\``);
  const chain: readonly object[] = [tool, ...prototypesOf(tool)];
  for (const entry of entryPoints) {
    const owner: object | undefined = chain.find((each) => Object.hasOwn(each, entry));
    if (!owner || ownPrototypes.has(owner) || (owner !== tool && ownClasses.has(owner.constructor.name))) continue;
    throw cannotHold(
      `\`${name}\` has an \`${entry}\` of its own, which may run it without being checked: keep LangChain's, and do the work in \`_call\``,
    );
  }
}

function cannotHold(problem: string): HoldpointError {
  return new HoldpointError("configuration", problem);
}

function prototypesOf(value: object): object[] {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || prototype === Object.prototype ? [] : [prototype, ...prototypesOf(prototype)];
}

async function hold(
  seat: Seat,
  tool: StructuredToolLike,
  at: Placed | undefined,
  input: unknown,
  config: ToolConfig = {},
  run: (input: unknown) => unknown,
): Promise<unknown> {
  const call = {
    name: tool.name,
    args: isObject(input) ? input : input === undefined ? {} : { input },
    id: config.toolCall?.id,
    host: config,
    at,
  };
  const passed = await seat.pass(call, async (admission, edited): Promise<Passed<unknown>> => {
    const args = isObject(input) ? structuredClone(admission.arguments) : admission.arguments.input;
    const output = await run(args);
    if (isAsyncGenerator(output)) return { value: streamed(output, admission, edited, tool), outcome: undefined };
    const failed = ToolMessage.isInstance(output) && output.status === "error";
    return { value: noteEdit(output, edited, tool), outcome: { kind: failed ? "tool_error" : "success" } };
  });
  if (passed.outcome === "made") return passed.value;
  if (passed.outcome === "renamed") {
    const message = refusalMessage(renamedRefusal(passed.name), call);
    renamings.set(message, passed);
    return refusedOutput(message, call.id, tool);
  }
  return answerRefusal(seat.guard, passed, (refusal) => refusedOutput(refusalMessage(refusal, call), call.id, tool));
}

/** A refusal as the tool's output: of the shape that LangChain demands of it, and as a message where a model made the call. */
function refusedOutput(message: ToolMessage, id: string | undefined, tool: StructuredToolLike): unknown {
  const output = id === undefined ? message.content : message;
  return tool.responseFormat === "content_and_artifact" ? [output, undefined] : output;
}

const renamings = new WeakMap<object, Renaming>();

/** The call that a person made of the one that this message answers. */
export function renamingOf(message: unknown): Renaming | undefined {
  return message !== null && typeof message === "object" ? renamings.get(message) : undefined;
}

function renamedRefusal(name: string): Refusal {
  const reason = `a person made it into a call of \`${printable(name)}\``;
  return { outcome: "deny", rule: "", code: "approval_refused", message: `This call was not made: ${reason}.`, detail: reason };
}

function noteEdit(output: unknown, edited: readonly string[], tool: StructuredToolLike): unknown {
  if (edited.length === 0) return output;
  const note = editedText(edited);
  if (tool.responseFormat === "content_and_artifact" && Array.isArray(output)) return [withNote(note, output[0]), ...output.slice(1)];
  return withNote(note, output);
}

/** A tool that streams is over when its last chunk has been taken. */
async function* streamed(
  output: AsyncGenerator,
  admission: Admission,
  edited: readonly string[],
  tool: StructuredToolLike,
): AsyncGenerator {
  let outcome: Outcome = { kind: "unknown", reason: "the tool threw, or nobody took its output" };
  try {
    const last = yield* output;
    outcome = { kind: "success" };
    return noteEdit(last, edited, tool);
  } finally {
    await admission.settle(outcome);
  }
}

function isAsyncGenerator(value: unknown): value is AsyncGenerator {
  return isObject(value) && typeof value["next"] === "function" && Symbol.asyncIterator in value;
}
