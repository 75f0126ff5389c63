import { HoldpointError } from "@holdpoint/core";
import { ToolInputParsingException } from "@langchain/core/tools";
import { isGraphControl, isObject, type ToolLike } from "./langchain-shapes.ts";

const brandKey = "~brand";
const brand = "ToolInvocationError";

/**
 * The tool, with its errors as LangChain's tool node hands them to the model where no middleware stands around the tools. With one, the node lets every error
 * end the run, except a `ToolInvocationError`, whose message becomes the tool's answer: so an error takes that brand and the node's wording.
 *
 * It is thrown by the tool, not by the middleware, since what a middleware throws is wrapped: one outside of this one then knows the error by its class.
 */
export function withWordedErrors<T extends ToolLike>(tool: T, signal: AbortSignal | undefined): T {
  async function invoke(input: never, config?: never): Promise<unknown> {
    try {
      return await Reflect.apply(tool.invoke, tool, [input, config]);
    } catch (error) {
      throw endsTheRun(error, signal) ? error : wordedError(error);
    }
  }
  return new Proxy(tool, { get: (inner, key) => (key === "invoke" ? invoke : Reflect.get(inner, key)) });
}

/** Control flow, an abort, and what is wrong with the guard's set-up or said by `onDeny: "throw"`, are no answers to the model. */
export function endsTheRun(error: unknown, signal: AbortSignal | undefined): boolean {
  return isGraphControl(error) || HoldpointError.is(error) || signal?.aborted === true;
}

/** A copy of the error that the tool node makes an answer of: of the same class, with the original as its `cause`. */
export function wordedError(thrown: unknown): unknown {
  if (isObject(thrown) && thrown[brandKey] === brand) return thrown;
  const original = thrown instanceof Error ? thrown : new Error(String(thrown));
  // The node words schema errors itself, with their stack trace: paths of the host's files that are no business of the model.
  if (original instanceof ToolInputParsingException) return Object.create(original, hidden({ stack: String(original) }));
  return Object.create(original, hidden({ message: `${thrown}\n Please fix your mistakes.`, cause: thrown, [brandKey]: brand }));
}

function hidden(values: Readonly<Record<string, unknown>>): PropertyDescriptorMap {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, { value, configurable: true, writable: true }]));
}
