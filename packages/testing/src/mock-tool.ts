import { compileInputSchema, type Json, type JsonObject, type Judge } from "@holdpoint/core";
import { type Duration, durationMs } from "./fake-clock.ts";

/** What a handler is told besides the arguments. */
export interface MockToolContext {
  /** Aborted when the client cancels, or the connection ends. */
  readonly signal: AbortSignal;
  /** 1 for the first call of this tool, then 2, 3, … */
  readonly call: number;
  /** `_meta` of the request. */
  readonly meta: JsonObject | undefined;
  /** Sends `notifications/progress`, where the client asked for it. */
  progress(progress: number, total?: number, message?: string): void;
}

/**
 * Answers a call. A text becomes one text block; a result with `content`, `structuredContent` or `isError` is sent as it is; any other object becomes
 * structured content, with its JSON as text; nothing becomes no content. What it throws becomes an `isError` result with the error's message, as the MCP
 * SDK's server makes of it. `toolError`, `protocolError`, `lostConnection` and `noAnswer` make the other ends.
 */
// biome-ignore lint/suspicious/noExplicitAny: a handler may declare the arguments that it takes, and is then called with whatever came.
export type MockHandler<Args = any> = (args: Args, context: MockToolContext) => unknown;

// biome-ignore lint/suspicious/noExplicitAny: as above.
export interface MockTool<Args = any> {
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  /** A JSON Schema. Arguments that it refuses get an `isError` result, and the handler is not called. Default: any object. */
  readonly inputSchema?: JsonObject | undefined;
  /** A JSON Schema for the structured content, which it then must have. */
  readonly outputSchema?: JsonObject | undefined;
  readonly annotations?: JsonObject | undefined;
  readonly _meta?: JsonObject | undefined;
  /** Waits before the handler is called. The timer is a real one. */
  readonly delay?: Duration | undefined;
  /** `false` lists the schemas and does not judge by them. Default `true`. */
  readonly judged?: boolean | undefined;
  readonly handle: MockHandler<Args>;
}

/** The tools of a mock upstream by name: each one with its definition, or its handler alone. */
export type MockTools = { readonly [name: string]: MockTool | MockHandler };

/** The major of the MCP SDK whose server a mock is like. They differ in how they refuse. */
export type ServerMajor = "1.x" | "2.x";

/** How a call ends. */
export type MockEnd =
  | { readonly kind: "result"; readonly result: JsonObject }
  | { readonly kind: "error"; readonly error: { readonly code: number; readonly message: string; readonly data?: Json | undefined } }
  | { readonly kind: "lost" }
  | { readonly kind: "silent" }
  | { readonly kind: "unexpected"; readonly problem: string };

const ends = new WeakMap<object, MockEnd>();

function end(of: MockEnd): object {
  const marker = Object.freeze({});
  ends.set(marker, of);
  return marker;
}

/** A result with `isError: true` and this text; return it from a handler. */
export function toolError(text: string): object {
  return end({ kind: "result", result: errorResult(text) });
}

/** A JSON-RPC error instead of a result, such as `protocolError(-32603, "out of memory")`; return it from a handler. */
export function protocolError(code: number, message: string, data?: Json): object {
  return end({ kind: "error", error: { code, message, ...(data !== undefined && { data }) } });
}

/** The connection is lost, and the call is never answered; return it from a handler. */
export function lostConnection(): object {
  return end({ kind: "lost" });
}

/** The call is never answered, and the connection stays; return it from a handler. */
export function noAnswer(): object {
  return end({ kind: "silent" });
}

/** The call should not have been made: the mock upstream tells of it when it closes; return it from a handler. */
export function unexpectedCall(problem: string): object {
  return end({ kind: "unexpected", problem });
}

/** A tool that is ready to be listed and called. */
export interface RunningTool {
  readonly definition: JsonObject;
  run(args: JsonObject, context: MockToolContext): Promise<MockEnd>;
}

const anyObject: JsonObject = { type: "object", properties: {} };

/** Throws a `TypeError` for a schema that cannot be used: a mock with a wrong schema would test nothing. */
export function startTool(name: string, given: MockTool | MockHandler, like: ServerMajor): RunningTool {
  const { handle, delay, judged = true, ...described } = typeof given === "function" ? ({ handle: given } as MockTool) : given;
  const definition = withoutUndefined({ name, inputSchema: anyObject, ...described });
  const input = judged ? judge(name, "inputSchema", described.inputSchema) : undefined;
  const output = judged ? judge(name, "outputSchema", described.outputSchema) : undefined;
  const delayMs = delay === undefined ? 0 : durationMs(delay);
  return {
    definition,
    async run(args, context) {
      const refused = input?.(args) ?? [];
      if (refused.length > 0) return invalid(like, `Input validation error: Invalid arguments for tool ${name}: ${problemText(refused)}`);
      try {
        if (delayMs > 0) await sleep(delayMs, context.signal);
        return checkOutput(like, name, endOf(await handle(args, context)), output);
      } catch (error) {
        return { kind: "result", result: errorResult(error instanceof Error ? error.message : String(error)) };
      }
    },
  };
}

/** The SDK's server answers what it refuses itself with a result, too; in 1.x its text begins with the JSON-RPC code (−32602, invalid params). */
export function invalid(like: ServerMajor, message: string): MockEnd {
  return { kind: "result", result: errorResult(like === "1.x" ? `MCP error -32602: ${message}` : message) };
}

function errorResult(text: string): JsonObject {
  return { content: [{ type: "text", text }], isError: true };
}

function judge(name: string, key: string, schema: JsonObject | undefined): Judge | undefined {
  if (schema === undefined) return undefined;
  const compiled = compileInputSchema(schema);
  if (!compiled.ok) throw new TypeError(`mock tool \`${name}\`: \`${key}\` cannot be used: ${compiled.problem}`);
  return compiled.judge;
}

function endOf(answer: unknown): MockEnd {
  const marked = answer !== null && typeof answer === "object" ? ends.get(answer) : undefined;
  return marked ?? { kind: "result", result: resultOf(answer) };
}

function resultOf(answer: unknown): JsonObject {
  if (answer === undefined) return { content: [] };
  if (typeof answer === "string") return textResult(answer);
  if (answer === null || typeof answer !== "object" || Array.isArray(answer)) return textResult(JSON.stringify(answer));
  if ("content" in answer || "structuredContent" in answer || "isError" in answer) return { content: [], ...answer } as JsonObject;
  return { ...textResult(JSON.stringify(answer)), structuredContent: answer as JsonObject };
}

function textResult(text: string): JsonObject {
  return { content: [{ type: "text", text }] };
}

function checkOutput(like: ServerMajor, name: string, ended: MockEnd, output: Judge | undefined): MockEnd {
  if (output === undefined || ended.kind !== "result" || ended.result.isError === true) return ended;
  const structured = ended.result.structuredContent;
  if (structured === undefined)
    return invalid(like, `Output validation error: Tool ${name} has an output schema but no structured content was provided`);
  const problems = output(structured as JsonObject);
  return problems.length > 0
    ? invalid(like, `Output validation error: Invalid structured content for tool ${name}: ${problemText(problems)}`)
    : ended;
}

function problemText(problems: readonly { readonly pointer: string; readonly message: string }[]): string {
  return problems.map(({ pointer, message }) => `${pointer || "/"}: ${message}`).join("; ");
}

function withoutUndefined(definition: object): JsonObject {
  return Object.fromEntries(Object.entries(definition).filter(([, value]) => value !== undefined));
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
