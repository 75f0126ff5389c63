import { CounterStoreError, HoldpointError } from "@holdpoint/core";

/**
 * What a counter store throws when its database failed. The message names the store and the reason's code, and nothing that may hold an address or a
 * password; the driver's own error is the `cause`.
 */
export function storeFailure(store: string, error: unknown): Error {
  if (HoldpointError.is(error)) return error;
  const reason = reasonOf(error);
  return new CounterStoreError(`${store} failed: ${reason}`, { cause: error, full: fullReasons.has(reason) });
}

/** What the databases say when they work and have no room: Redis; SQLite; PostgreSQL's disk, memory and, for its locks, shared memory. */
const fullReasons: ReadonlySet<string> = new Set(["OOM", "database or disk is full", "53100", "53200"]);

/** Runs one operation of a counter store, and says of any failure which store it was. */
export async function failingAs<Result>(store: string, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    throw storeFailure(store, error);
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "no reason was given";
  const { code, errstr } = error as { code?: unknown; errstr?: unknown };
  if (typeof errstr === "string") return errstr;
  if (typeof code === "string") return code;
  // Redis begins its errors with a word of capitals, such as `OOM`, `READONLY` or `CLUSTERDOWN`.
  const [word] = /^[A-Z]{2,}(?= )/.exec(error.message) ?? [];
  return word ?? error.name;
}
