import { existsSync } from "node:fs";
import type { ApprovalStore } from "@holdpoint/core";
import { exitCodes, Failure, reasonOf } from "./failure.ts";

export interface OpenedApprovals {
  readonly store: ApprovalStore;
  close(): Promise<void>;
}

export interface StoreOptions {
  /** Of Redis keys; the store's default where absent. */
  readonly prefix?: string | undefined;
  /** Of PostgreSQL tables; the store's default where absent. */
  readonly schema?: string | undefined;
}

/**
 * Opens the approvals of a store by its URL: `sqlite:approvals.db` or a path, `redis://…`, `postgres://…`. The client library of a server is the
 * project's own.
 *
 * @throws {Failure} where the URL has no meaning, the file is missing, or the library is not installed.
 */
export async function openApprovals(url: string, { prefix, schema }: StoreOptions = {}): Promise<OpenedApprovals> {
  if (/^rediss?:\/\//.test(url)) {
    const { Redis } = await library("ioredis", () => import("ioredis"));
    const { redisApprovals } = await import("@holdpoint/stores/redis");
    const client = connecting(url, () => new Redis(url, { maxRetriesPerRequest: 1, retryStrategy: () => null }));
    // Each command reports the failure; without a listener it would be printed as well.
    client.on("error", () => undefined);
    return { store: redisApprovals({ client, prefix }), close: async () => client.disconnect() };
  }
  if (/^postgres(?:ql)?:\/\//.test(url)) {
    const { Pool } = (await library("pg", () => import("pg"))).default;
    const { postgresApprovals } = await import("@holdpoint/stores/postgres");
    const pool = new Pool({ connectionString: url, connectionTimeoutMillis: 5_000 });
    return { store: postgresApprovals({ pool, schema, migrate: false }), close: () => pool.end() };
  }
  if (/^[a-z]{2,}:\/\//i.test(url) && !url.startsWith("sqlite://"))
    throw new Failure(`--store ${withoutPassword(url)}: this is no \`sqlite:\`, \`redis:\` or \`postgres:\` URL`);
  const file = url.replace(/^sqlite:(?:\/\/)?/, "");
  // The store would make a file that is missing, and every list would be empty.
  if (!existsSync(file)) throw new Failure(`${file}: there is no such file`);
  const { sqliteApprovals } = await import("@holdpoint/stores/sqlite");
  try {
    const store = sqliteApprovals({ file });
    return { store, close: async () => store.close() };
  } catch (error) {
    throw new Failure(`${file}: ${reasonOf(error)}`, { cause: error });
  }
}

function connecting<Client>(url: string, connect: () => Client): Client {
  try {
    return connect();
  } catch (error) {
    throw new Failure(`--store ${withoutPassword(url)}: ${reasonOf(error)}`, { cause: error });
  }
}

async function library<Module>(name: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (error) {
    throw new Failure(`\`${name}\` cannot be loaded: ${reasonOf(error)}: install it beside \`@holdpoint/cli\``, { cause: error });
  }
}

/** What a store answers, or a failure that says that it did not. */
export async function asking<Answer>(url: string, ask: () => Answer | Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    throw new Failure(`the store at ${withoutPassword(url)} does not answer: ${reasonOf(error)}`, {
      exitCode: exitCodes.unreachable,
      cause: error,
    });
  }
}

/** A password may hold what should have been escaped in it: all that stands before the last `@` is left out. */
function withoutPassword(url: string): string {
  return url.replace(/\/\/.*@/s, "//…@");
}
