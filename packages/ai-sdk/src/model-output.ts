import { editedText, type JsonObject, markRefusal, type Refusal, refusalDecision, refusalText } from "@holdpoint/core";

/** What a tool's output becomes in the next prompt, as the AI SDK has it (`ToolResultOutput`). */
type ToolResultOutput = { readonly type: string; readonly value?: unknown; readonly reason?: string };
export type ToModelOutput = (options: { toolCallId: string; input: unknown; output: unknown }) => unknown;

const decisionKey = "holdpoint/decision";
const editedKey = "holdpoint/edited";

/** The output of a refused call: plain JSON, so that it is known again in messages that went through a database or a browser. */
export function refusalOutput(refusal: Refusal): JsonObject {
  return markRefusal({ [decisionKey]: refusalDecision(refusal), message: refusalText(refusal) }, refusal);
}

/** The output of a call whose arguments a person changed, with what was changed: the model reads it before the result. */
export function editedOutput(edited: readonly string[], output: unknown): object {
  return { [editedKey]: edited, output };
}

/** A tool's output without what only Holdpoint writes, so that no server can pass its text off as a refusal of ours. */
export function withoutOwnMarks(output: unknown): unknown {
  if (!isObject(output) || !(decisionKey in output || editedKey in output)) return output;
  const { [decisionKey]: _decision, [editedKey]: _edited, ...rest } = output;
  return rest;
}

/**
 * Wraps a tool's `toModelOutput` (or stands for the SDK's default): a refusal becomes the SDK's own `execution-denied` with the reason, and an MCP result
 * with `isError` an error, which `@ai-sdk/mcp` itself hands on as ordinary content.
 */
export function modelOutput(tool: object, original: ToModelOutput | undefined): ToModelOutput {
  const convert: ToModelOutput = (options) => {
    const { output } = options;
    if (isObject(output) && isObject(output[decisionKey])) return { type: "execution-denied", reason: String(output["message"]) };
    if (isObject(output) && Array.isArray(output[editedKey])) return convertEdited(options, output[editedKey], output["output"]);
    if (isToolError(output)) return errorOutput(output.content);
    return original ? Reflect.apply(original, tool, [options]) : defaultOutput(output);
  };
  async function convertEdited(
    options: Parameters<ToModelOutput>[0],
    edited: readonly unknown[],
    output: unknown,
  ): Promise<ToolResultOutput> {
    const note = editedText(edited.map(String));
    return withNote(note, (await convert({ ...options, output })) as ToolResultOutput);
  }
  return convert;
}

export interface McpToolError {
  readonly isError: true;
  readonly content: readonly unknown[];
}

/** An MCP `CallToolResult` that says the tool failed. */
export function isToolError(output: unknown): output is McpToolError {
  return isObject(output) && output["isError"] === true && Array.isArray(output["content"]);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** `error-text` and `error-json` are the two forms of the SDK that tell the model of a failure. */
function errorOutput(content: readonly unknown[]): ToolResultOutput {
  const texts = content.map((part) =>
    isObject(part) && part["type"] === "text" && typeof part["text"] === "string" ? part["text"] : undefined,
  );
  if (texts.every((text) => text !== undefined)) return { type: "error-text", value: texts.join("\n") };
  return { type: "error-json", value: plainJson(content) };
}

function defaultOutput(output: unknown): ToolResultOutput {
  return typeof output === "string" ? { type: "text", value: output } : { type: "json", value: plainJson(output) };
}

/** What the SDK makes of an output without a `toModelOutput`: `toJSON` applied, `undefined` dropped, nothing at all as `null`. */
function plainJson(value: unknown): unknown {
  const text = JSON.stringify(value);
  return text === undefined ? null : JSON.parse(text);
}

function withNote(note: string, output: ToolResultOutput): ToolResultOutput {
  if (output.type === "text" || output.type === "error-text") return { ...output, value: `${note}\n${String(output.value)}` };
  const parts =
    output.type === "content" && Array.isArray(output.value)
      ? output.value
      : [{ type: "text", text: JSON.stringify(output.value ?? null) }];
  return { type: "content", value: [{ type: "text", text: note }, ...parts] };
}
