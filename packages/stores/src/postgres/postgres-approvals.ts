import type { ApprovalStore } from "@holdpoint/core";
import { failingAs } from "../store-failure.ts";
import { approvalsOver, defaultKeepMs, optimisticTable, type StoredRecord, sessionIndex } from "../stored-approvals.ts";
import { checkSchema, type PostgresOptions, schemaFunctions } from "./pool.ts";
import { makeSchema, requireSchema } from "./schema.ts";

export interface PostgresApprovalsOptions extends PostgresOptions {
  /** Milliseconds for which a record can be read after its time is over. Default a day. Its arguments go with the next change of any approval. */
  readonly keepMs?: number | undefined;
  /** Whose clock decides. `caller` is for tests that move time. Default `server`. */
  readonly clock?: "server" | "caller" | undefined;
}

interface ReadAnswer {
  readonly version: string;
  readonly now: number;
  readonly rows: readonly StoredRecord[];
}

/**
 * Approvals in PostgreSQL: whoever answers may sit at another machine, and the call may be made again on a third. Times are judged by the server's clock. What
 * was answered is as durable as the server's commits.
 *
 * @throws TypeError if an option has no meaning.
 *
 * @example
 * const approvals = postgresApprovals({ pool: new Pool({ connectionString: process.env.DATABASE_URL }) });
 */
export function postgresApprovals(options: PostgresApprovalsOptions): ApprovalStore {
  const keepMs = options.keepMs ?? defaultKeepMs;
  const schema = checkSchema(options.schema ?? "holdpoint");
  const callFunction = schemaFunctions(options, schema, options.migrate === false ? requireSchema : makeSchema);
  const time = (now: number) => (options.clock === "caller" ? Math.floor(now) : undefined);

  return approvalsOver(
    optimisticTable({
      read: (query, now) =>
        failingAs("PostgreSQL", async () => {
          const indexed = "session" in query && query.session !== undefined ? { ...query, session: sessionIndex(query.session) } : query;
          return (await callFunction("approvals_read", { now: time(now), bindings: [], ...indexed })) as ReadAnswer;
        }),
      write: (version, row, now) =>
        failingAs("PostgreSQL", async () => (await callFunction("approvals_write", { now: time(now), version, row, keepMs })) === true),
    }),
  );
}
