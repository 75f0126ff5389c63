import { CounterStoreError } from "@holdpoint/core";

/** What is used of a `pg` pool, of version 8. Each call is one statement in a transaction of its own, so a pooler between may share connections by transaction. */
export interface PostgresPool {
  query(query: { text: string; values?: unknown[]; query_timeout?: number }): Promise<{ rows: Record<string, unknown>[] }>;
}

export interface PostgresOptions {
  /**
   * A pool of `pg`. It stays the host's to end. Give it a `connectionTimeoutMillis`: without one, a connection that a hung server never completes takes up a
   * place for ever. Not a client inside a transaction: its locks would be held until that ends.
   */
  readonly pool: PostgresPool;
  /** The schema that holds the tables and functions, `holdpoint` where absent. */
  readonly schema?: string | undefined;
  /**
   * Whether the first call makes what is not there yet. Default true. Where the application's role may not, set it to false and run `migratePostgres` with
   * one that may.
   */
  readonly migrate?: boolean | undefined;
  /**
   * Milliseconds after which a query without an answer is given up, and its connection with it: the pool would lend out one that hangs for ever. Default 3,000,
   * more than a guard waits, which gives back what is granted too late for it.
   */
  readonly timeoutMs?: number | undefined;
}

/** @throws TypeError if the name would need quoting: it is written into statements. */
export function checkSchema(schema: string): string {
  if (/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) return schema;
  throw new TypeError("`schema` is made of lower-case letters, digits and `_`, 63 at most");
}

/** Runs one function of the schema, with JSON in and out, so that the host's own parsing of types changes nothing. */
export type CallFunction = (name: string, argument: unknown) => Promise<unknown>;

/** The functions of a schema, which is made or brought up to date before the first call, or seen to be of this version. */
export function schemaFunctions(
  { pool, timeoutMs = 3000 }: PostgresOptions,
  schema: string,
  prepare: (pool: PostgresPool, schema: string) => Promise<void>,
): CallFunction {
  const bounded: PostgresPool = { query: (query) => pool.query({ query_timeout: timeoutMs, ...query }) };
  let prepared: Promise<void> | undefined;

  function ready(): Promise<void> {
    if (prepared !== undefined) return prepared;
    const preparing = prepare(bounded, schema);
    preparing.catch(() => forget(preparing));
    prepared = preparing;
    return preparing;
  }
  function forget(preparing: Promise<void>): void {
    if (prepared === preparing) prepared = undefined;
  }
  async function call(name: string, argument: unknown): Promise<unknown> {
    const text = `SELECT ${schema}.${name}($1::json)::text AS answer`;
    const { rows } = await bounded.query({ text, values: [JSON.stringify(argument)] });
    const answer = rows[0]?.["answer"];
    if (typeof answer !== "string") throw new CounterStoreError(`PostgreSQL failed: \`${schema}.${name}\` gave no answer`);
    return JSON.parse(answer) as unknown;
  }

  return async function callFunction(name, argument) {
    const seen = ready();
    await seen;
    try {
      return await call(name, argument);
    } catch (error) {
      // The schema was dropped, or is being restored, and the call did nothing: it is made or seen anew, as for a process that starts now.
      if (!missing.has((error as { code?: string }).code ?? "")) throw error;
      forget(seen);
      await ready();
      return call(name, argument);
    }
  };
}

/** No such schema, function or table. */
const missing: ReadonlySet<string> = new Set(["3F000", "42883", "42P01"]);
