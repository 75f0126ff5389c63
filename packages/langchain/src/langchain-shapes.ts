/** LangChain and LangGraph as this adapter sees them: structural, so that no user is tied to one version of their types. */

/** A tool of any kind that LangChain runs: made by `tool(…)`, a class of one's own, or loaded from an MCP server. */
export interface ToolLike {
  readonly name: string;
  invoke(input: never, config?: never): Promise<unknown>;
}

/** A model's tool call, as LangChain hands it to middleware and tools. */
export interface ToolCallLike {
  readonly name: string;
  readonly args: unknown;
  readonly id?: string | undefined;
}

/** What LangChain tells a tool, and a middleware (`runtime`), about the run around it. */
export interface HostContext {
  /** The context that the host gave the run. */
  readonly context?: unknown;
  readonly configurable?: Readonly<Record<string, unknown>> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** LangGraph's `interrupt`. */
  readonly interrupt?: unknown;
}

/** The configuration of one tool run. `toolCall` is there when a model made the call. */
export interface ToolConfig extends HostContext {
  readonly toolCall?: { readonly id?: string | undefined } | undefined;
}

/** The members of a `StructuredTool` that run it, under all its entry points. */
export interface StructuredToolLike extends ToolLike {
  readonly responseFormat?: string;
  readonly lc_kwargs?: Readonly<Record<string, unknown>>;
  _call(input: unknown, runManager?: unknown, config?: unknown): unknown;
  readonly func?: (input: unknown, runManager?: unknown, config?: unknown) => unknown;
}

/** Whether all entry points of a tool meet in its `_call`, as those of every `StructuredTool` do. */
export function isStructuredTool(tool: unknown): tool is StructuredToolLike {
  return isObject(tool) && typeof tool["_call"] === "function" && typeof tool["name"] === "string";
}

/** A tool that the model's provider runs on its own servers: a description without anything to call. */
export function isProviderTool(tool: unknown): boolean {
  return isObject(tool) && typeof tool["invoke"] !== "function";
}

/** Interrupts and the other control flow of LangGraph: never an error, and never to be caught. */
export function isGraphControl(error: unknown): boolean {
  return isObject(error) && error["is_bubble_up"] === true;
}

/** An interrupt: LangGraph will run the task again from its start. */
export function isInterrupt(error: unknown): boolean {
  return isGraphControl(error) && Array.isArray((error as { interrupts?: unknown }).interrupts);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
