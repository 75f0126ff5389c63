import { isObject, type ToolCallLike } from "./langchain-shapes.ts";

const brandKey = "~brand";
const brand = "ToolInvocationError";
const worded = new WeakSet<object>();

/**
 * A tool's error as LangChain's tool node hands it to the model where no middleware stands around the tools. With one, the node lets every error end the
 * run, except a `ToolInvocationError`, whose message becomes the tool's answer: so the error takes that brand and the node's wording, and stays the same
 * object, of the same class, for a middleware outside of this one that retries or handles it.
 *
 * The node's wording of a schema error holds a stack trace with the paths of the host's files; here it does not.
 */
export function toolError(thrown: unknown, call: ToolCallLike): unknown {
  if (isObject(thrown) && worded.has(thrown)) return thrown;
  const error = thrown instanceof Error && Object.isExtensible(thrown) ? thrown : new Error(String(thrown), { cause: thrown });
  const message = isSchemaError(thrown)
    ? `Error invoking tool '${call.name}' with kwargs ${JSON.stringify(call.args)} with error: ${thrown.toolError}\n Please fix the error and try again.`
    : `${thrown}\n Please fix your mistakes.`;
  try {
    Object.defineProperty(error, "message", { value: message, configurable: true, writable: true });
    Object.defineProperty(error, brandKey, { value: brand, configurable: true });
  } catch {
    return toolError(new Error(String(thrown), { cause: thrown }), call);
  }
  worded.add(error);
  return error;
}

/** What the tool node makes of arguments that do not fit the tool's schema. */
function isSchemaError(error: unknown): error is { readonly toolError: unknown } {
  return isObject(error) && error[brandKey] === brand && "toolError" in error;
}
