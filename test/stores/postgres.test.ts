import { memoryStore } from "@holdpoint/core";
import { migratePostgres, postgresApprovals, postgresStore } from "@holdpoint/stores/postgres";
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

postgresTest("a call that opens a counter waits for no other that is taking a dead one anew", async ({ onTestFinished }) => {
  const schema = freshSchema();
  const store = postgresStore({ pool, schema, clock: "caller", timeoutMs: 5000 });
  const debit = (key: string) => ({ key, window: { kind: "sliding", ms: 1000 }, amount: 1, max: 1 }) as const;
  await store.reserve([debit("dead")], 0);
  await store.look([], 10_000);

  // Another call, as far as it has come when it drops what is free of its counter.
  const other = await pool.connect();
  onTestFinished(async () => {
    await other.query("ROLLBACK");
    other.release();
  });
  await other.query("BEGIN");
  await other.query(`SELECT ${schema}.lock_counters(ARRAY['sliding:dead'])`);
  await other.query(`DELETE FROM ${schema}.entries WHERE key = 'sliding:dead'`);

  expect((await store.reserve([debit("new")], 10_000)).granted).toBe(true);
});

postgresTest("[fail-closed] an isolation level under which a call would not see what another has taken is refused", async () => {
  const strict = new Pool({ connectionString: url, max: 1, options: "-c default_transaction_isolation=repeatable\\ read" });
  const store = postgresStore({ pool: strict, schema: freshSchema() });
  const debit = { key: "calls", window: { kind: "lifetime" }, amount: 1, max: 1 } as const;
  await expect(Promise.resolve(store.reserve([debit], 0))).rejects.toThrow("PostgreSQL failed: 55000");
  await strict.end();
});

postgresTest("a schema that another role makes is waited for, and a later version is refused", async () => {
  const schema = freshSchema();
  const store = postgresStore({ pool, schema, migrate: false });
  const debit = { key: "calls", window: { kind: "lifetime" }, amount: 1, max: 1 } as const;
  const reserve = async () => (await store.reserve([debit], 0)).granted;
  await expect(reserve()).rejects.toThrow("run `migratePostgres` on it");
  await Promise.all(Array.from({ length: 5 }, () => migratePostgres({ pool, schema })));
  expect(await reserve()).toBe(true);
  await pool.query(`UPDATE ${schema}.state SET version = 99`);
  await expect(migratePostgres({ pool, schema })).rejects.toThrow("is of version 99");
});
