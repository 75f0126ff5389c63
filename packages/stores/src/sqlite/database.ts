import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { CounterStoreError } from "@holdpoint/core";
import { storeFailure } from "../store-failure.ts";

export interface SqliteOptions {
  /** The database's file, made where there is none. Several processes of one machine may share it; a network file system may not hold it. */
  readonly file?: string | undefined;
  /** A database that the host opened, in place of `file`. It stays the host's to close, and must not be inside a transaction during a call. */
  readonly database?: DatabaseSync | undefined;
  /**
   * `full` (the default): what was granted survives a power loss. `normal`: faster, survives a crash of the process but may lose the last grants with
   * the power, which are then admitted again. Set on `file` only; a handed-in database keeps its own.
   */
  readonly synchronous?: "full" | "normal" | undefined;
  /** Milliseconds to wait for another process's transaction before the call is denied. Default 1,000. The thread is blocked meanwhile. Set on `file` only. */
  readonly busyTimeoutMs?: number | undefined;
}

/** A database of this store's schema. */
export interface Database {
  readonly handle: DatabaseSync;
  /** Runs work in one transaction that no other process's overlaps, and takes it back if it throws. */
  write<Result>(work: () => Result): Result;
  /** Runs reads on one state of the database. */
  read<Result>(work: () => Result): Result;
  close(): void;
}

/**
 * Opens a database and brings it to the schema, in the write-ahead mode in which readers and the one writer do not block each other.
 *
 * @throws CounterStoreError if the file cannot be opened or was made by a later version, or the runtime has no `node:sqlite` (Node before 22.13).
 * @throws TypeError if not exactly one of `file` and `database` is given.
 */
export function openDatabase(options: SqliteOptions): Database {
  const { file, database: given, synchronous = "full", busyTimeoutMs = 1000 } = options;
  if ((file === undefined) === (given === undefined)) throw new TypeError("give the SQLite store either `file` or `database`");
  try {
    const handle = given ?? open(file ?? "");
    if (given === undefined) {
      // An option of `DatabaseSync` only since Node 22.16.
      handle.exec(`PRAGMA busy_timeout = ${Math.trunc(busyTimeoutMs)}`);
      inWriteAheadMode(handle, busyTimeoutMs);
      handle.exec(`PRAGMA synchronous = ${synchronous === "full" ? "FULL" : "NORMAL"}`);
    }
    migrate(handle);
    return opened(handle, fileOf(handle), given === undefined);
  } catch (error) {
    throw storeFailure("SQLite", error);
  }
}

/** Asked for here, and not imported: where the runtime has no SQLite, the package still loads, and says what is missing when a database is opened. */
function open(file: string): DatabaseSync {
  const sqlite = process.getBuiltinModule("node:sqlite");
  if (!sqlite) throw new CounterStoreError("SQLite is not there: this runtime has no `node:sqlite`, use Node 22.13 or newer");
  return new sqlite.DatabaseSync(file);
}

/** Where the database lies; empty where it is in memory. `location()` is not there before Node 22.16. */
function fileOf(handle: DatabaseSync): string {
  const databases = handle.prepare("PRAGMA database_list").all() as unknown as readonly { name: string; file: string | null }[];
  return databases.find(({ name }) => name === "main")?.file ?? "";
}

/** The switch of a new file is refused at once, whatever the timeout, while another process makes the same switch. */
function inWriteAheadMode(handle: DatabaseSync, patienceMs: number): void {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    try {
      handle.exec("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      if ((error as { errcode?: unknown }).errcode !== busy || Date.now() > deadline) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
}

/** `SQLITE_BUSY`. */
const busy = 5;

const schemaVersion = 1;

/**
 * `counters`: what is on each counter, and until when; `born` is the reservation that opened it. `entries`: what single reservations took from sliding
 * windows and concurrent limits, each until `free_at`. A counter's `used` counts its entries, those included that are free but not yet dropped. An
 * approval's `secrets` are what the call was made with.
 */
const schema = `
CREATE TABLE IF NOT EXISTS holdpoint_state (
  only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL, epoch TEXT NOT NULL, seen INTEGER NOT NULL, sequence INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS holdpoint_counters (
  key TEXT PRIMARY KEY, used INTEGER NOT NULL, ends INTEGER, born INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS holdpoint_counters_ends ON holdpoint_counters (ends) WHERE ends IS NOT NULL;
CREATE TABLE IF NOT EXISTS holdpoint_entries (
  key TEXT NOT NULL, free_at INTEGER NOT NULL, sequence INTEGER NOT NULL, amount INTEGER NOT NULL, PRIMARY KEY (key, free_at, sequence)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holdpoint_approvals (
  id TEXT PRIMARY KEY, status TEXT NOT NULL, session TEXT NOT NULL, binding TEXT NOT NULL, wide_binding TEXT, expires_at INTEGER NOT NULL,
  record TEXT NOT NULL, secrets TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS holdpoint_approvals_session ON holdpoint_approvals (session);
CREATE INDEX IF NOT EXISTS holdpoint_approvals_binding ON holdpoint_approvals (binding);
CREATE INDEX IF NOT EXISTS holdpoint_approvals_wide ON holdpoint_approvals (wide_binding) WHERE wide_binding IS NOT NULL;
CREATE INDEX IF NOT EXISTS holdpoint_approvals_expires ON holdpoint_approvals (expires_at);
CREATE INDEX IF NOT EXISTS holdpoint_approvals_secrets ON holdpoint_approvals (expires_at) WHERE secrets IS NOT NULL;
`;

function migrate(handle: DatabaseSync): void {
  transaction(handle, "BEGIN IMMEDIATE", () => {
    handle.exec(schema);
    handle
      .prepare("INSERT INTO holdpoint_state VALUES (1, ?, ?, ?, 0) ON CONFLICT DO NOTHING")
      .run(schemaVersion, crypto.randomUUID(), Number.MIN_SAFE_INTEGER);
    const { version } = handle.prepare("SELECT version FROM holdpoint_state").get() as { version: number };
    if (version !== schemaVersion) {
      throw new CounterStoreError(
        `the SQLite file has schema ${version}, and this version of \`@holdpoint/stores\` reads ${schemaVersion}`,
      );
    }
  });
}

function opened(handle: DatabaseSync, path: string, ours: boolean): Database {
  const place = placeOf(path);
  /** A file that was deleted or replaced can be written on, and only this process would see what is counted there. */
  function refuseGhost(): void {
    if (place === undefined || placeOf(path) === place) return;
    throw new CounterStoreError("SQLite failed: the file was deleted or replaced while it was open: open the store anew");
  }
  const inside = (begin: string) =>
    function run<Result>(work: () => Result): Result {
      return guarded(() =>
        transaction(handle, begin, () => {
          refuseGhost();
          return work();
        }),
      );
    };
  return {
    handle,
    write: inside("BEGIN IMMEDIATE"),
    read: inside("BEGIN"),
    close() {
      if (ours) handle.close();
    },
  };
}

/** What tells a file from every other of the machine; `undefined` where there is none, as for a database in memory. */
function placeOf(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found && `${found.dev} ${found.ino}`;
}

function guarded<Result>(run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    throw storeFailure("SQLite", error);
  }
}

function transaction<Result>(handle: DatabaseSync, begin: string, work: () => Result): Result {
  handle.exec(begin);
  try {
    const result = work();
    handle.exec("COMMIT");
    return result;
  } catch (error) {
    try {
      handle.exec("ROLLBACK");
    } catch {
      // After some errors SQLite has ended the transaction by itself, and before 22.16 Node does not tell.
    }
    throw error;
  }
}
