import { randomUUID } from "node:crypto";
import type { ApprovalStore } from "@holdpoint/core";
import { failingAs } from "../store-failure.ts";
import { type ApprovalQuery, approvalsOver, defaultKeepMs, optimisticTable, sessionIndex } from "../stored-approvals.ts";
import { readScript, writeScript } from "./approval-scripts.ts";
import { type RedisClient, scriptRunner, taggedPrefix } from "./client.ts";

export interface RedisApprovalsOptions {
  /** A connected client of `ioredis` or `redis`, Cluster clients included. It stays the host's to close. */
  readonly client: RedisClient;
  /** Begins every key, `holdpoint` where absent; it may be the counters' own. */
  readonly prefix?: string | undefined;
  /** Milliseconds for which a record can be read after its time is over. Default a day. Its arguments are gone a minute after that time. */
  readonly keepMs?: number | undefined;
  /** Whose clock decides. `caller` is for tests that move time. Default `server`. */
  readonly clock?: "server" | "caller" | undefined;
}

/**
 * Approvals in Redis, of version 5 or later: whoever answers may sit at another machine, and the call may be made again on a third. Times are judged by the
 * server's clock. A yes that the server loses, with its process or in a failover, has to be given again; a use that it loses can be used again, so keep
 * approvals of consequence where writes are durable (`appendfsync always`, or another store).
 *
 * @throws TypeError if the client is of neither library, or the prefix has no meaning.
 *
 * @example
 * const approvals = redisApprovals({ client: new Redis(process.env.REDIS_URL), prefix: "billing" });
 */
export function redisApprovals(options: RedisApprovalsOptions): ApprovalStore {
  const keepMs = options.keepMs ?? defaultKeepMs;
  const prefix = taggedPrefix(options.prefix ?? "holdpoint");
  const clockKey = `${prefix}:clock`;
  const run = scriptRunner(options.client, prefix);
  const time = (now: number) => (options.clock === "caller" ? String(Math.floor(now)) : "");

  const all = `${prefix}:approvals`;
  const ofSession = (index: string) => `${prefix}:approvals-session:${index}`;
  const pendingOf = (index: string) => `${prefix}:approvals-pending:${index}`;
  const ofBinding = (binding: string) => `${prefix}:approvals-binding:${binding}`;

  function setsOf(query: ApprovalQuery): string[] {
    switch (query.by) {
      case "id":
        return [];
      case "request":
        return [pendingOf(sessionIndex(query.session)), ofBinding(query.binding)];
      case "binding":
        return query.bindings.map(ofBinding);
      case "session":
        return [query.session === undefined ? all : ofSession(sessionIndex(query.session))];
    }
  }

  return approvalsOver(
    optimisticTable({
      read: (query, now) =>
        failingAs("Redis", async () => {
          const id = query.by === "id" ? [query.id] : [];
          const [version = "", at = "", ...texts] = (
            (await run(readScript, [clockKey, ...setsOf(query)], [time(now), ...id])) as unknown[]
          ).map(String);
          const rows = [];
          for (let index = 0; index < texts.length; index += 2)
            rows.push({ record: texts[index] ?? "", secrets: texts[index + 1] || null });
          return { version, now: Number(at), rows };
        }),
      write: (version, row, now) =>
        failingAs("Redis", async () => {
          const bindings = row.wideBinding === null ? [row.binding] : [row.binding, row.wideBinding];
          const keys = [clockKey, all, ofSession(row.session), pendingOf(row.session), ...bindings.map(ofBinding)];
          const { id, status, record, secrets, expiresAt } = row;
          const parameters = [version, id, status, record, secrets ?? "", String(expiresAt), String(expiresAt + keepMs), randomUUID()];
          return Number(await run(writeScript, keys, [time(now), ...parameters])) === 1;
        }),
    }),
  );
}
