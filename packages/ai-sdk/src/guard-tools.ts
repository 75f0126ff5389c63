import { guardOf, HoldpointError, type Session } from "@holdpoint/core";
import { type Execute, guardedExecute } from "./guarded-execute.ts";
import { isObject, modelOutput, type ToModelOutput } from "./model-output.ts";
import { type ExecuteOptions, type SeatOptions, type ToolSeat, toolSeat } from "./tool-seat.ts";

export interface GuardToolsOptions extends SeatOptions {
  /** The name under which a tool stands in the policy. Default: the name that the MCP server gave it, else its key in the tool set. */
  readonly nameOf?: ((key: string, tool: object) => string) | undefined;
}

/**
 * Guards every tool of an AI SDK tool set: MCP tools, local tools, dynamic tools. Answers a tool set of the same type, in which each `execute` is decided by
 * the policy first and then runs with the arguments that were checked. Tools that the policy hides are left out.
 *
 * A refusal is an output of the call: the model sees the SDK's `execution-denied` with the reason. Where the policy says `require_approval` and the guard
 * has no approver, the SDK's own approval flow asks; what comes back is checked again on execution.
 *
 * Throws `HoldpointError` (`configuration`) for a tool that it cannot guard: one that a provider executes, one without `execute`, or AI SDK 7's `toolSearch`.
 *
 * @example
 * const tools = guardTools({ weather, ...(await mcp.tools()) }, guard.session({ user: "ann" }));
 * const { text } = await generateText({ model, tools, prompt: "Is it raining in Bern?" });
 */
export function guardTools<TOOLS extends Readonly<Record<string, object>>>(
  tools: TOOLS,
  session: Session,
  options: GuardToolsOptions = {},
): TOOLS {
  const guard = guardOf(session);
  const guarded: Record<string, object> = Object.create(null);
  for (const key of Object.keys(tools)) {
    const tool = unguarded(tools[key] as object, guard);
    const served = servedName(tool);
    const name = options.nameOf ? options.nameOf(key, tool) : (served ?? key);
    if (!guard.shows(options.server, name)) continue;
    guarded[key] = guardTool(key, tool, toolSeat({ key, name, local: served === undefined }, session, options));
  }
  return Object.defineProperties({}, Object.getOwnPropertyDescriptors(guarded)) as TOOLS;
}

/** Every guarded `execute`, which a spread of the tool keeps. */
const seats = new WeakMap<
  object,
  { readonly seat: ToolSeat; readonly original: object; readonly replaced: ReadonlyMap<string, unknown> }
>();

/** Where a tool meets its guard; `undefined` for a tool that is not guarded. */
export function seatOf(tool: unknown): ToolSeat | undefined {
  return guardedPart(tool)?.seat;
}

/** The tool's own `needsApproval`, without ours. */
export function ownNeedsApproval(tool: unknown): unknown {
  const known = guardedPart(tool);
  return known && isObject(tool) && tool["needsApproval"] === known.replaced.get("needsApproval")
    ? (known.original as Fields)["needsApproval"]
    : (tool as Fields | undefined)?.["needsApproval"];
}

type Fields = Readonly<Record<string, unknown>>;

function guardedPart(tool: unknown) {
  const execute = isObject(tool) ? tool["execute"] : undefined;
  return typeof execute === "function" ? seats.get(execute) : undefined;
}

/** Guards one tool, also one that the policy hides. */
export function guardTool(key: string, tool: object, seat: ToolSeat): object {
  const { execute, toModelOutput, needsApproval, onInputAvailable, experimental_toolCaller: caller } = tool as Fields;
  const replaced = new Map<string, unknown>();
  if (typeof execute === "function" && !isProviderExecuted(tool) && !isToolSearch(tool)) {
    replaced.set("execute", guardedExecute(tool, execute as Execute, seat));
    replaced.set("toModelOutput", modelOutput(tool, toModelOutput as ToModelOutput | undefined));
    if (seat.native) replaced.set("needsApproval", asksFirst(tool, needsApproval, seat));
    if (typeof onInputAvailable === "function") {
      replaced.set("onInputAvailable", onlyWhereItPasses(tool, onInputAvailable as OnInputAvailable, seat));
    }
  } else if (!isLocalCaller(caller)) {
    throw cannotGuard(key, tool);
  }
  if (isLocalCaller(caller)) {
    const bind = (tools: object) => guardTool(key, unguarded(caller.bind(tools), seat.guard), seat);
    replaced.set("experimental_toolCaller", { ...caller, bind });
  }

  // Descriptors, not values: the SDK keeps what makes a tool a caller of others in a property that a spread would lose.
  const descriptors = Object.getOwnPropertyDescriptors(tool) as Record<string, PropertyDescriptor>;
  for (const [field, value] of replaced) {
    descriptors[field] = { value, enumerable: descriptors[field]?.enumerable ?? true, writable: true, configurable: true };
  }
  const guarded = Object.create(Object.getPrototypeOf(tool), descriptors) as object;
  const seated = replaced.get("execute");
  if (seated) seats.set(seated as object, { seat, original: tool, replaced });
  return guarded;
}

/** A tool that this guard has guarded before, as it was: a call crosses one tool seam of a guard, not two. What the host has put in place since stays. */
function unguarded(tool: object, guard: ToolSeat["guard"]): object {
  const known = guardedPart(tool);
  if (known?.seat.guard !== guard) return tool;
  const descriptors = Object.getOwnPropertyDescriptors(tool) as Record<string, PropertyDescriptor>;
  for (const [field, value] of known.replaced) {
    if (descriptors[field]?.value !== value) continue;
    const own = Object.getOwnPropertyDescriptor(known.original, field);
    if (own) descriptors[field] = own;
    else delete descriptors[field];
  }
  return Object.create(Object.getPrototypeOf(tool), descriptors) as object;
}

/** `needsApproval` of 6, which 7 still reads where no `toolApproval` is given. What the tool's author asks for stays. */
function asksFirst(tool: object, own: unknown, seat: ToolSeat) {
  return async (input: unknown, options: ExecuteOptions): Promise<boolean> => {
    if (await asksNatively(seat, input, options)) return true;
    return typeof own === "function" ? Boolean(await Reflect.apply(own, tool, [input, options])) : own === true;
  };
}

/** What a person would be told, or `undefined`. A question that fails is none: the call is then refused on execution, where the model gets a result. */
export async function asksNatively(seat: ToolSeat, input: unknown, options: ExecuteOptions): Promise<readonly string[] | undefined> {
  try {
    return await seat.ask(input, options);
  } catch {
    return undefined;
  }
}

type OnInputAvailable = (options: unknown) => unknown;

/** The SDK tells a tool of its input before anything is decided; a call that does not pass by itself is not told. */
function onlyWhereItPasses(tool: object, onInputAvailable: OnInputAvailable, seat: ToolSeat) {
  return async (options: ExecuteOptions & { readonly input?: unknown }): Promise<void> => {
    if (await seat.wouldPass(options.input, options)) await Reflect.apply(onInputAvailable, tool, [options]);
  };
}

interface LocalCaller {
  readonly type: "local";
  bind(tools: object): object;
}

/** A tool that runs other tools from code (`experimental_toolCaller`): what is executed is what `bind` makes of it. */
function isLocalCaller(caller: unknown): caller is LocalCaller {
  return isObject(caller) && caller["type"] === "local" && typeof caller["bind"] === "function";
}

function isProviderExecuted(tool: object): boolean {
  const { type, isProviderExecuted: byProvider, execute } = tool as Fields;
  return type === "provider" && (byProvider === true || execute === undefined);
}

/** AI SDK 7 runs its `toolSearch` with an `execute` that it makes for each generation, in place of the tool's, which would be ours. */
function isToolSearch(tool: object): boolean {
  return (tool as { readonly [toolSearchMark]?: unknown })[toolSearchMark] === true;
}
const toolSearchMark: unique symbol = Symbol.for("vercel.ai.toolSearch") as never;

function cannotGuard(key: string, tool: object): HoldpointError {
  const why = isToolSearch(tool)
    ? "the AI SDK runs a `toolSearch` with a function of its own"
    : isProviderExecuted(tool)
      ? "the model's provider executes it on its own servers, so no call of it comes by here"
      : "it has no `execute`, so its calls are made elsewhere, such as in the browser";
  return new HoldpointError(
    "configuration",
    `tool \`${key}\` cannot be guarded: ${why}: leave it out of \`guardTools\` and add it to the tool set beside, unguarded`,
  );
}

/** The name that an MCP server gave the tool. `@ai-sdk/mcp` keeps it in the tool's metadata, whatever key the host gives the tool. */
function servedName(tool: object): string | undefined {
  const { metadata } = tool as Fields;
  if (!isObject(metadata) || typeof metadata["clientName"] !== "string") return undefined;
  return typeof metadata["toolName"] === "string" ? metadata["toolName"] : undefined;
}
