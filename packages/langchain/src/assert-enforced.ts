import { canaryPrefix, HoldpointError, isRefusal, type JsonObject } from "@holdpoint/core";
import type { EnforcementReport } from "@holdpoint/mcp";
import { AIMessage, type ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { guardedBehind, guardTool } from "./guard-tools.ts";
import { isObject, isProviderTool, type StructuredToolLike, type ToolLike } from "./langchain-shapes.ts";
import { seatOf } from "./middleware.ts";
import type { Seat } from "./seat.ts";

/** An agent that `createAgent` made. */
export interface AgentLike {
  readonly options: { readonly tools?: readonly unknown[] | undefined; readonly middleware?: readonly unknown[] | undefined };
  readonly graph: unknown;
}

/**
 * Shows at start-up that no call gets round the guard: a reserved tool name, which the guard denies in every mode, is called on every path that the installed
 * LangChain has. Real tools are known by their brand and never called.
 *
 * Takes the tools that `guardTools` answered, or an agent with `holdpointMiddleware`. Throws `HoldpointError` (`not_enforced`) for a tool that is not guarded,
 * an agent without the middleware or with another one around tools after it, and a path on which a canary ran.
 *
 * @example
 * const { tested, untested } = await assertEnforced(agent);
 */
export async function assertEnforced(target: readonly ToolLike[] | AgentLike): Promise<EnforcementReport> {
  return "options" in target ? assertAgent(target) : assertTools(target);
}

async function assertTools(tools: readonly ToolLike[]): Promise<EnforcementReport> {
  const unguarded = tools.filter((each) => !guardedBehind(each)).map(nameOf);
  if (unguarded.length > 0) throw notEnforced(`${unguarded.join(", ")}: not guarded: put the tools through \`guardTools\``);
  const seats = new Set(tools.flatMap((each) => guardedBehind(each)?.seat ?? []));
  const tested = new Set<string>();
  for (const seat of seats) for (const path of await tryToolPaths(seat)) tested.add(path);
  return {
    tested: [...tested],
    untested: [{ path: "the original tools", reason: "whoever holds a tool from before `guardTools` can call it" }],
  };
}

async function assertAgent({ options, graph }: AgentLike): Promise<EnforcementReport> {
  const around = (options.middleware ?? []).filter((each) => isObject(each) && typeof each["wrapToolCall"] === "function");
  const seat = around.map(seatOf).find((each) => each !== undefined);
  if (!seat) throw notEnforced("the agent has no `holdpointMiddleware`");
  const after = around.slice(around.findIndex((each) => seatOf(each)) + 1).filter((each) => !seatOf(each));
  if (after.length > 0)
    throw notEnforced(`${after.map(nameOf).join(", ")}: may change a call that has been checked: put \`holdpointMiddleware\` last`);

  const node = toolNodeOf(graph);
  const untested = [...outOfReach];
  const tested = (await tryToolPaths(seat)).map((path) => `wrapToolCall, ${path}`);
  if (node) {
    await tryToolNode(node);
    tested.push("the agent's tool node");
  } else untested.push({ path: "the agent's tool node", reason: "the agent has no tools, or this version keeps them elsewhere" });
  const raw = (options.tools ?? []).filter((each) => !isProviderTool(each) && !guardedBehind(each)).map(nameOf);
  if (raw.length > 0)
    untested.push({
      path: raw.join(", "),
      reason: "guarded when the agent calls them: put them through `guardTools` where other code or other tools call them too",
    });
  const provided = (options.tools ?? []).filter(isProviderTool).map(nameOf);
  if (provided.length > 0) untested.push({ path: provided.join(", "), reason: "run by the model's provider" });
  return { tested, untested };
}

const outOfReach: readonly EnforcementReport["untested"][number][] = [
  { path: "other agents", reason: "an agent that is made without the middleware is not under this guard" },
];

/** Calls a canary by every entry point of a tool. */
async function tryToolPaths(seat: Seat): Promise<readonly string[]> {
  const leaked: string[] = [];
  const tested: string[] = [];
  for (const [path, send] of Object.entries(toolPaths)) {
    let ran = false;
    const name = `${canaryPrefix}${crypto.randomUUID()}`;
    const schema = { type: "object", properties: {} } as const;
    const canary = tool(
      () => {
        ran = true;
        return "";
      },
      { name, description: "", schema },
    );
    try {
      await send(guardTool(canary, seat) as unknown as Canary);
    } catch {}
    (ran ? leaked : tested).push(path);
  }
  if (leaked.length > 0) throw notEnforced(`a call gets round the guard through ${leaked.map((path) => `\`${path}\``).join(", ")}`);
  return tested;
}

type Canary = StructuredToolLike & Record<"invoke" | "call" | "batch" | "stream" | "withConfig" | "pipe", (...given: unknown[]) => never>;

const toolPaths: Readonly<Record<string, (canary: Canary) => unknown>> = {
  invoke: (canary) => canary.invoke({}),
  "invoke with a tool call": (canary) => canary.invoke({ type: "tool_call", id: "canary", name: canary.name, args: {} }),
  call: (canary) => canary.call({}),
  _call: (canary) => canary._call({}),
  func: (canary) => canary.func?.({}),
  batch: (canary) => canary.batch([{}]),
  stream: async (canary) => drain(await (canary.stream({}) as Promise<AsyncIterable<unknown>>)),
  withConfig: (canary) => (canary.withConfig({}) as ToolLike).invoke({} as never),
  "the constructor's arguments": (canary) => (canary.lc_kwargs as JsonObject & { func?: (input: unknown) => unknown }).func?.({}),
  "a prototype's invoke": (canary) => Reflect.apply(Object.getPrototypeOf(Object.getPrototypeOf(canary)).invoke, canary, [{}]),
  "a prototype's _call": (canary) => Reflect.apply(Object.getPrototypeOf(canary)._call, canary, [{}]),
};

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _chunk of stream);
}

/** Has the agent's own tool node, with all its middleware, make a call that only the guard answers as a refusal. */
async function tryToolNode(node: Invokable): Promise<void> {
  const call = { type: "tool_call" as const, id: "canary", name: `${canaryPrefix}${crypto.randomUUID()}`, args: {} };
  let answer: unknown;
  try {
    const { messages } = (await node.invoke({ messages: [new AIMessage({ content: "", tool_calls: [call] })] })) as {
      messages: ToolMessage[];
    };
    answer = messages[0];
  } catch (error) {
    answer = isObject(error) && "cause" in error ? (isRefusal(error) ? error : error.cause) : error;
  }
  if (!isRefusal(answer)) throw notEnforced("a call of the agent's tool node did not reach the guard");
}

interface Invokable {
  invoke(input: unknown): Promise<unknown>;
}

function toolNodeOf(graph: unknown): Invokable | undefined {
  const nodes = isObject(graph) ? graph["nodes"] : undefined;
  const node = isObject(nodes) ? nodes["tools"] : undefined;
  const bound = isObject(node) ? node["bound"] : undefined;
  return isObject(bound) && typeof bound["invoke"] === "function" ? (bound as unknown as Invokable) : undefined;
}

function nameOf(value: unknown): string {
  const { name, type } = (value ?? {}) as { readonly name?: unknown; readonly type?: unknown };
  return `\`${String(name ?? type ?? "?")}\``;
}

function notEnforced(problem: string): HoldpointError {
  return new HoldpointError("not_enforced", problem);
}
