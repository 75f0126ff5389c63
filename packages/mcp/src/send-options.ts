/** The options as they are now, so that headers cannot change between the check and the send. */
export function copyOptions(options: unknown): Record<string, unknown> | undefined {
  return options !== null && typeof options === "object" ? { ...options } : undefined;
}

/**
 * Acts when the caller gives up, or at once where it has: `requestSignal` is what 2.x says it with, `signal` what the AI SDK does. A signal may come from
 * another realm, so that its class tells nothing.
 */
export function onAbort(options: unknown, act: () => void): () => void {
  const { requestSignal, signal } = (options ?? {}) as { readonly requestSignal?: unknown; readonly signal?: unknown };
  if (requestSignal === undefined && signal === undefined) return () => undefined;
  const listened = [requestSignal, signal].filter(isSignal);
  if (listened.some(({ aborted }) => aborted)) {
    act();
    return () => undefined;
  }
  for (const each of listened) each.addEventListener("abort", act, { once: true });
  return () => {
    for (const each of listened) each.removeEventListener("abort", act);
  };
}

function isSignal(value: unknown): value is AbortSignal {
  return typeof (value as Partial<AbortSignal> | undefined)?.addEventListener === "function";
}
