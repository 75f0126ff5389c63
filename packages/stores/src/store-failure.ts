import { CounterStoreError, HoldpointError } from "@holdpoint/core";

/**
 * What a counter store throws when its database failed. The message names the store, the reason and, where one is known, the remedy, and nothing that may
 * hold an address or a password; the driver's own error is the `cause`.
 */
export function storeFailure(store: string, error: unknown): Error {
  if (HoldpointError.is(error)) return error;
  const reason = reasonOf(error);
  const remedy = remedies.get(reason);
  const message = `${store} failed: ${remedy === undefined ? reason : `${reason}: ${remedy}`}`;
  return new CounterStoreError(message, { cause: error, full: fullReasons.has(reason) });
}

/** Runs one operation of a counter store, and says of any failure which store it was. */
export async function failingAs<Result>(store: string, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    throw storeFailure(store, error);
  }
}

/** What the databases say when they work and have no room: Redis; SQLite; PostgreSQL's disk, memory and, for its locks, shared memory. */
const fullReasons: ReadonlySet<string> = new Set(["OOM", "database or disk is full", "53100", "53200"]);

/** The reason's code, or words of a driver that are known to name no address. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "no reason was given";
  const { message, name } = error;
  const { code, errstr } = error as { code?: unknown; errstr?: unknown };
  if (message === isolation) return message;
  if (typeof errstr === "string") return errstr;
  if (typeof code === "string") return code;
  if (driverWords.has(message)) return message;
  if (message.startsWith(redirections)) return redirections;
  return redisWord(message) ?? (name === "Error" ? error.constructor.name : name);
}

/**
 * Redis begins its errors with a word of capitals, such as `OOM`, `READONLY` or `CLUSTERDOWN`. Before version 7 what stopped a script stands inside the
 * script's own error, and in every version a script is told in words what its user may not do.
 */
function redisWord(message: string): string | undefined {
  const [word] = /^[A-Z]{2,}(?= )/.exec(message) ?? [];
  if (word !== "ERR") return word;
  if (/ACL failure in script|The user executing the script can't/.test(message)) return "NOPERM";
  if (message.includes("attempted to access a non local key")) return "TRYAGAIN";
  return / -([A-Z]{2,}) /.exec(message)?.[1] ?? word;
}

/** What the functions of the PostgreSQL store say of their own. */
const isolation = "holdpoint needs the isolation level READ COMMITTED";

/** What `ioredis` says before it quotes the last answer, which names an address. */
const redirections = "Too many Cluster redirections";

/** Errors of `pg` and `ioredis` that have no code. */
const driverWords: ReadonlySet<string> = new Set([
  "Query read timeout",
  "timeout exceeded when trying to connect",
  "Connection terminated unexpectedly",
  "Connection terminated due to connection timeout",
  "Cannot use a pool after calling end on the pool",
  "Command timed out",
  "Connection is closed.",
]);

const missingPart = "a part of the schema is missing: drop the schema, and let the next call or `migratePostgres` make it anew";
const unknownRole = "the server refuses the role or its password";
const unserved = "the cluster has no primary for the keys of this prefix, is choosing one, or moves the keys";
const notServing = "the server is starting or stopping";

/** What an operator does about a reason that does not say so itself. */
const remedies: ReadonlyMap<string, string> = new Map([
  // PostgreSQL (https://www.postgresql.org/docs/current/errcodes-appendix.html)
  ["08P01", "the server, or the pooler before it, could not serve the connection"],
  ["25006", "the server or the role is read-only, as a replica is: connect to the primary, with `default_transaction_read_only` off"],
  ["28000", unknownRole],
  ["28P01", unknownRole],
  ["3D000", "there is no such database"],
  ["3F000", missingPart],
  ["40001", "the role's `default_transaction_isolation` must be `read committed`"],
  [isolation, "set the role's `default_transaction_isolation` to `read committed`"],
  ["42501", "the role lacks a right: run `migratePostgres` as a role that may make the schema, and grant this one its use"],
  ["42883", missingPart],
  ["42P01", missingPart],
  ["53300", "the server has no connection left: raise its or the role's limit, or make the pools smaller"],
  ["55P03", "another transaction held the counter for too long"],
  ["57014", "the server stopped the statement: set the role's `statement_timeout` above 2 s"],
  ["57P01", notServing],
  ["57P02", notServing],
  ["57P03", notServing],
  ["Query read timeout", "the server, or the pooler before it, gave no answer within `timeoutMs`"],
  [
    "timeout exceeded when trying to connect",
    "the pool had no connection to lend: raise its `max`, or see whether the server takes connections",
  ],
  ["Cannot use a pool after calling end on the pool", "the host ended the pool while the store was in use"],
  // Redis
  ["CLUSTERDOWN", unserved],
  [redirections, unserved],
  ["LOADING", "the server is starting, and loads its data"],
  ["MASTERDOWN", "the client is connected to a replica that has lost its primary: connect it to the primary"],
  ["MISCONF", "the server takes no writes, since it could not save its data: its own log says why"],
  ["MOVED", "the server is one of a cluster: give the store the library's client for clusters"],
  ["NOAUTH", "the server asks for a password"],
  ["NOPERM", "the user's ACL forbids a command or a key that the store needs"],
  ["NOREPLICAS", "the server takes no writes, since fewer replicas follow than `min-replicas-to-write`"],
  ["OOM", "the server has reached its `maxmemory`: raise it"],
  ["READONLY", "the client is connected to a replica: connect it to the primary, by Sentinel or the cluster where there is one"],
  ["TRYAGAIN", "the cluster moves the keys of this prefix"],
  ["WRONGPASS", "the server refuses the user or its password"],
  // SQLite
  ["attempt to write a readonly database", "let the process write the file and its folder"],
  ["database is locked", "another process held the file for longer than `busyTimeoutMs`"],
  ["unable to open database file", "the folder must be there, and the process must be able to write in it"],
]);
