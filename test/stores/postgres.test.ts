import { memoryStore } from "@holdpoint/core";
import { postgresApprovals, postgresStore } from "@holdpoint/stores/postgres";
import { approvalStoreContract, counterStoreContract, counterStoreHistory, runHistory } from "@holdpoint/testing/contracts";
import fc from "fast-check";
import { Pool } from "pg";
import { afterAll, expect, test } from "vitest";

const url = process.env["DATABASE_URL"];
const postgresTest = test.skipIf(!url);
const schema = `test_${crypto.randomUUID().replaceAll("-", "").slice(0, 12)}`;
const pool = new Pool({ connectionString: url, max: 10 });

afterAll(async () => {
  if (url) {
    const { rows } = await pool.query("SELECT nspname AS name FROM pg_namespace WHERE starts_with(nspname, $1)", [schema]);
    for (const { name } of rows) await pool.query(`DROP SCHEMA ${name} CASCADE`);
  }
  await pool.end();
});

let schemas = 0;
const freshSchema = () => `${schema}_${++schemas}`;

counterStoreContract("postgres", () => ({ store: postgresStore({ pool, schema }), second: postgresStore({ pool, schema }) }), {
  test: postgresTest.concurrent,
  expect,
  clock: "server",
});

counterStoreContract("postgres, time moved", () => ({ store: postgresStore({ pool, schema: freshSchema(), clock: "caller" }) }), {
  test: postgresTest,
  expect,
});

approvalStoreContract("postgres", () => ({ store: postgresApprovals({ pool, schema }), second: postgresApprovals({ pool, schema }) }), {
  test: postgresTest.concurrent,
  expect,
  clock: "server",
});

approvalStoreContract("postgres, time moved", () => ({ store: postgresApprovals({ pool, schema: freshSchema(), clock: "caller" }) }), {
  test: postgresTest,
  expect,
});

postgresTest("a PostgreSQL store answers every history as the one in memory does", async () => {
  const schema = freshSchema();
  const store = postgresStore({ pool, schema, leaseMs: 1e12, clock: "caller" });
  await fc.assert(
    fc.asyncProperty(counterStoreHistory(fc), async (history) => {
      await store.look([], 0);
      await pool.query(`TRUNCATE ${schema}.counters, ${schema}.entries; UPDATE ${schema}.state SET seen = 0`);
      expect(await runHistory(store, history)).toEqual(await runHistory(memoryStore(), history));
    }),
    { numRuns: 60 },
  );
});
