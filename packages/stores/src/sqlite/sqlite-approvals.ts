import type { ApprovalStore } from "@holdpoint/core";
import {
  type ApprovalQuery,
  approvalsOver,
  defaultKeepMs,
  recordsOf,
  rowOf,
  type StoredRecord,
  sessionIndex,
} from "../stored-approvals.ts";
import { type Database, openDatabase, type SqliteOptions } from "./database.ts";

export interface SqliteApprovalsOptions extends SqliteOptions {
  /** Milliseconds for which a record can be read after its time is over. Default a day. Its arguments go as soon as the next request is filed. */
  readonly keepMs?: number | undefined;
}

/**
 * Approvals in a SQLite file, which may be the counters' own: a person may answer days later, to another process of the machine. What was answered is as
 * durable as `synchronous` says. Every operation is one transaction, and blocks the thread; it throws where another process holds the file for longer
 * than `busyTimeoutMs`.
 *
 * @throws CounterStoreError if the file cannot be opened.
 *
 * @example
 * const guard = createGuard({ policy, approvals: sqliteApprovals({ file: "holdpoint.db" }) });
 */
export function sqliteApprovals(options: SqliteApprovalsOptions): ApprovalStore & { close(): void } {
  const keepMs = options.keepMs ?? defaultKeepMs;
  const database = openDatabase(options);
  const run = statements(database);
  let lastSeen = Number.NEGATIVE_INFINITY;

  function tick(now: number): number {
    const { seen } = run.state.get() as { seen: number };
    lastSeen = Math.max(lastSeen, Math.floor(now), seen);
    return lastSeen;
  }
  function select(query: ApprovalQuery): readonly StoredRecord[] {
    const rows = () => {
      switch (query.by) {
        case "id":
          return run.byId.all(query.id);
        case "request":
          return run.byRequest.all(sessionIndex(query.session), query.binding);
        case "binding": {
          const bindings = JSON.stringify(query.bindings);
          return run.byBinding.all(bindings, bindings);
        }
        case "session":
          return query.session === undefined ? run.all.all() : run.bySession.all(sessionIndex(query.session));
      }
    };
    return rows() as unknown as readonly StoredRecord[];
  }

  const store = approvalsOver({
    durability: "machine",
    change: (query, now, decide) =>
      database.write(() => {
        const at = tick(now);
        const { result, write } = decide(recordsOf(select(query), at), at);
        if (write === undefined) return result;
        const { id, status, session, binding, wideBinding, expiresAt, record, secrets } = rowOf(write);
        run.put.run(id, status, session, binding, wideBinding, expiresAt, record, secrets);
        run.seen.run(at);
        run.dropSecrets.run(at);
        run.dropEnded.run(at - keepMs);
        return result;
      }),
  });
  return { ...store, close: database.close };
}

function statements({ handle }: Database) {
  const select = "SELECT record, secrets FROM holdpoint_approvals";
  return {
    state: handle.prepare("SELECT seen FROM holdpoint_state"),
    seen: handle.prepare("UPDATE holdpoint_state SET seen = ?"),
    byId: handle.prepare(`${select} WHERE id = ?`),
    byRequest: handle.prepare(`${select} WHERE status = 'pending' AND (session = ? OR binding = ?)`),
    byBinding: handle.prepare(
      `${select} WHERE status = 'approved' AND (binding IN (SELECT value FROM json_each(?)) OR wide_binding IN (SELECT value FROM json_each(?)))`,
    ),
    bySession: handle.prepare(`${select} WHERE session = ?`),
    all: handle.prepare(select),
    put: handle.prepare("INSERT OR REPLACE INTO holdpoint_approvals VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
    dropSecrets: handle.prepare("UPDATE holdpoint_approvals SET secrets = NULL WHERE secrets IS NOT NULL AND expires_at <= ?"),
    dropEnded: handle.prepare("DELETE FROM holdpoint_approvals WHERE expires_at <= ?"),
  };
}
