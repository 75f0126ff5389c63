import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { memoryStore } from "@holdpoint/core";
import { sqliteApprovals, sqliteStore } from "@holdpoint/stores/sqlite";
import { approvalStoreContract, counterStoreContract, counterStoreHistory, runHistory } from "@holdpoint/testing/contracts";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "holdpoint-sqlite-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
const freshFile = () => join(folder, `${++files}.db`);

counterStoreContract(
  "sqlite",
  () => {
    const file = freshFile();
    const store = sqliteStore({ file });
    const second = sqliteStore({ file });
    return {
      store,
      second,
      close() {
        store.close();
        second.close();
      },
    };
  },
  { test, expect },
);

approvalStoreContract(
  "sqlite",
  () => {
    const file = freshFile();
    const store = sqliteApprovals({ file });
    const second = sqliteApprovals({ file });
    return {
      store,
      second,
      close() {
        store.close();
        second.close();
      },
    };
  },
  { test, expect },
);

test("a SQLite store answers every history as the one in memory does", async () => {
  await fc.assert(
    fc.asyncProperty(counterStoreHistory(fc), async (history) => {
      const store = sqliteStore({ file: ":memory:", leaseMs: 1e12 });
      expect(await runHistory(store, history)).toEqual(await runHistory(memoryStore(), history));
      store.close();
    }),
    { numRuns: 200 },
  );
});

test("[no-over-admission] a file that is deleted or replaced counts no more for those who have it open, and they deny", async () => {
  const debit = { key: "calls", window: { kind: "lifetime" }, amount: 1, max: 2 } as const;
  for (const replaced of [false, true]) {
    const file = freshFile();
    const store = sqliteStore({ file });
    const database = new DatabaseSync(file);
    const handedIn = sqliteStore({ database });
    const approvals = sqliteApprovals({ file });
    expect(store.reserve([debit], 0).granted).toBe(true);
    expect(handedIn.reserve([debit], 0).granted).toBe(true);
    for (const end of ["", "-wal", "-shm"]) rmSync(file + end, { force: true });
    const others = replaced ? sqliteStore({ file }) : undefined;
    const gone = "the file was deleted or replaced while it was open";
    expect(() => store.reserve([debit], 0)).toThrow(gone);
    expect(() => handedIn.look([debit], 0)).toThrow(gone);
    expect(() => approvals.list({}, 0)).toThrow(gone);
    if (others) expect(others.reserve([debit], 0).granted).toBe(true);
    for (const open of [store, approvals, database, others]) open?.close();
  }
});

test("a file that is no database is refused at once, however long another process would be waited for", { timeout: 60_000 }, () => {
  const file = freshFile();
  writeFileSync(file, "no database ".repeat(100));
  expect(() => sqliteStore({ file, busyTimeoutMs: 600_000 })).toThrow("SQLite failed: file is not a database");
});

test("on a runtime without SQLite the package loads, and a store says what it needs", () => {
  const script = `
    const { sqliteStore } = await import("@holdpoint/stores/sqlite");
    try { sqliteStore({ file: ":memory:" }); } catch (error) { console.log(error.name, error.message); }`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--no-experimental-sqlite", "--conditions=@holdpoint/source", "--input-type=module", "--eval", script],
    { cwd: import.meta.dirname, encoding: "utf8" },
  );
  expect(stdout + stderr).toBe("CounterStoreError SQLite is not there: this runtime has no `node:sqlite`, use Node 22.13 or newer\n");
});

test("[fail-closed] a file that another process holds denies after the bound, says so, and counts on when it is free", () => {
  const debit = { key: "calls", window: { kind: "lifetime" }, amount: 1, max: 2 } as const;
  const file = freshFile();
  const store = sqliteStore({ file, busyTimeoutMs: 1 });
  const other = new DatabaseSync(file);
  expect(store.reserve([debit], 0).granted).toBe(true);
  other.exec("BEGIN IMMEDIATE");
  const held = "SQLite failed: database is locked: another process held the file for longer than `busyTimeoutMs`";
  expect(() => store.reserve([debit], 0)).toThrow(held);
  expect(() => sqliteStore({ file, busyTimeoutMs: 1 })).toThrow(held);
  expect(store.look([debit], 0)).toEqual([{ remaining: 1 }]);
  other.exec("ROLLBACK");
  expect(store.reserve([debit], 0).granted).toBe(true);
  store.close();
  other.close();
});

test("[refused-spends-nothing] a file that has no room denies, charges nothing, and counts on when there is room", () => {
  const debit = { key: "calls", window: { kind: "lifetime" }, amount: 1, max: 1000 } as const;
  const database = new DatabaseSync(freshFile());
  const store = sqliteStore({ database });
  database.exec("PRAGMA max_page_count = 1");
  const large = (index: number) => ({ ...debit, key: `${index}`.padStart(200, "x") });
  let granted = 0;
  let failure: unknown;
  while (failure === undefined) {
    try {
      store.reserve([debit, large(granted)], 0);
      granted += 1;
    } catch (error) {
      failure = error;
    }
  }
  expect(failure).toMatchObject({ full: true, message: "SQLite failed: database or disk is full" });
  expect(store.look([debit], 0)).toEqual([{ remaining: 1000 - granted }]);
  database.exec("PRAGMA max_page_count = 100000");
  expect(store.reserve([debit, large(granted)], 0).granted).toBe(true);
  database.close();
});
