import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
