import { readFileSync } from "node:fs";
import { join } from "node:path";
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
/** A server that others use too may take its time. */
const patience = { timeoutMs: 60_000 };

afterAll(async () => {
  if (url) {
    const { rows } = await pool.query("SELECT nspname AS name FROM pg_namespace WHERE starts_with(nspname, $1)", [schema]);
    for (const { name } of rows) await pool.query(`DROP SCHEMA ${name} CASCADE`);
  }
  await pool.end();
});

let schemas = 0;
const freshSchema = () => `${schema}_${++schemas}`;

counterStoreContract(
  "postgres",
  () => ({ store: postgresStore({ pool, schema, ...patience }), second: postgresStore({ pool, schema, ...patience }) }),
  {
    test: postgresTest.concurrent,
    expect,
    clock: "server",
  },
);

counterStoreContract(
  "postgres, time moved",
  () => ({ store: postgresStore({ pool, schema: freshSchema(), clock: "caller", ...patience }) }),
  {
    test: postgresTest,
    expect,
  },
);

approvalStoreContract(
  "postgres",
  () => ({ store: postgresApprovals({ pool, schema, ...patience }), second: postgresApprovals({ pool, schema, ...patience }) }),
  {
    test: postgresTest.concurrent,
    expect,
    clock: "server",
  },
);

approvalStoreContract(
  "postgres, time moved",
  () => ({ store: postgresApprovals({ pool, schema: freshSchema(), clock: "caller", ...patience }) }),
  {
    test: postgresTest,
    expect,
  },
);

postgresTest("a PostgreSQL store answers every history as the one in memory does", async () => {
  const schema = freshSchema();
  const store = postgresStore({ pool, schema, leaseMs: 1e12, clock: "caller", ...patience });
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
  const store = postgresStore({ pool, schema, clock: "caller", ...patience });
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
  const store = postgresStore({ pool: strict, schema: freshSchema(), ...patience });
  const debit = { key: "calls", window: { kind: "lifetime" }, amount: 1, max: 1 } as const;
  await expect(Promise.resolve(store.reserve([debit], 0))).rejects.toThrow(
    "set the role's `default_transaction_isolation` to `read committed`",
  );
  await strict.end();
});

postgresTest("a schema that another role makes is waited for, and a later version is refused", async () => {
  const schema = freshSchema();
  const store = postgresStore({ pool, schema, migrate: false, ...patience });
  const debit = { key: "calls", window: { kind: "lifetime" }, amount: 1, max: 1 } as const;
  const reserve = async () => (await store.reserve([debit], 0)).granted;
  await expect(reserve()).rejects.toThrow("run `migratePostgres` on it");
  await Promise.all(Array.from({ length: 5 }, () => migratePostgres({ pool, schema })));
  expect(await reserve()).toBe(true);
  await pool.query(`UPDATE ${schema}.state SET version = 99`);
  await expect(migratePostgres({ pool, schema })).rejects.toThrow("is of version 99");
});

postgresTest("a schema that is dropped while it is in use is made anew, or said to be missing until it is there again", async () => {
  const schema = freshSchema();
  const store = postgresStore({ pool, schema, ...patience });
  const approvals = postgresApprovals({ pool, schema, ...patience });
  const waiting = postgresStore({ pool, schema, migrate: false, ...patience });
  const debit = { key: "calls", window: { kind: "lifetime" }, amount: 1, max: 1 } as const;
  expect((await store.reserve([debit], 0)).granted).toBe(true);
  expect(await approvals.list({}, 0)).toEqual([]);
  expect(await waiting.look([debit], 0)).toEqual([{ remaining: 0 }]);

  await pool.query(`DROP SCHEMA ${schema} CASCADE`);
  await expect(Promise.resolve(waiting.look([debit], 0))).rejects.toThrow("run `migratePostgres` on it");
  const again = await Promise.all(Array.from({ length: 5 }, () => store.reserve([debit], 0)));
  expect(again.filter(({ granted }) => granted)).toHaveLength(1);
  expect(await waiting.look([debit], 0)).toEqual([{ remaining: 0 }]);
  await pool.query(`DROP SCHEMA ${schema} CASCADE`);
  expect(await approvals.list({}, 0)).toEqual([]);

  await pool.query(`DROP TABLE ${schema}.counters`);
  await expect(Promise.resolve(store.reserve([debit], 0))).rejects.toThrow("PostgreSQL failed: 42P01: a part of the schema is missing");
});

postgresTest(
  "[fail-closed] a role that may make no schema is denied, is told what it lacks, and has enough with the rights that the page lists",
  async (context) => {
    const mayMakeRoles = "SELECT FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolcreaterole)";
    if ((await pool.query(mayMakeRoles)).rows.length === 0) return context.skip();
    const schema = freshSchema();
    const role = `${schema}_app`;
    await pool.query(`CREATE ROLE ${role}; GRANT ${role} TO CURRENT_USER`);
    const application = new Pool({ connectionString: url, max: 3, options: `-c role=${role}` });
    context.onTestFinished(async () => {
      await application.end();
      await pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    });
    const store = postgresStore({ pool: application, schema, ...patience });
    const debits = [
      { key: "calls", window: { kind: "lifetime" }, amount: 1, max: 5 },
      { key: "recent", window: { kind: "sliding", ms: 60_000 }, amount: 1, max: 5 },
      { key: "in flight", window: { kind: "concurrent" }, amount: 1, max: 5 },
    ] as const;
    const lacking = "PostgreSQL failed: 42501: the role lacks a right: run `migratePostgres`";
    await expect(Promise.resolve(store.reserve(debits, 0))).rejects.toThrow(lacking);
    await migratePostgres({ pool, schema });
    await expect(Promise.resolve(store.reserve(debits, 0))).rejects.toThrow(lacking);

    const page = readFileSync(join(import.meta.dirname, "../../docs/stores.md"), "utf8");
    const [, grants = ""] = /^```sql\n(GRANT [^`]*)```$/m.exec(page) ?? [];
    // Functions may be everybody's or, where an administrator took that back, the role's alone.
    await pool.query(`REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA ${schema} FROM PUBLIC`);
    await pool.query(grants.replaceAll("holdpoint", schema).replaceAll(" app;", ` ${role};`));
    const reserved = await store.reserve(debits, 0);
    if (!reserved.granted) throw new Error("not granted");
    await store.renew(reserved.reservation, 0);
    await store.settle(reserved.reservation, [0, 1], 0);
    await store.forget(["calls"]);
    expect(await store.look(debits, 0)).toEqual(debits.map(() => ({ remaining: 5 })));
    expect(await postgresApprovals({ pool: application, schema, migrate: false, ...patience }).list({}, 0)).toEqual([]);
  },
);

postgresTest(
  "[fail-closed] a server that takes no writes, or stops the statement, denies, charges nothing, and says what to do",
  async ({ onTestFinished }) => {
    const schema = freshSchema();
    const debit = { key: "calls", window: { kind: "lifetime" }, amount: 1, max: 1 } as const;
    await migratePostgres({ pool, schema });
    const open = () => {
      // What is set holds for the one connection, which is kept.
      const pool = new Pool({ connectionString: url, max: 1, idleTimeoutMillis: 0 });
      onTestFinished(() => pool.end());
      return { pool, store: postgresStore({ pool, schema, ...patience }) };
    };
    const readOnly = open();
    await readOnly.pool.query("SET default_transaction_read_only = on");
    await expect(Promise.resolve(readOnly.store.reserve([debit], 0))).rejects.toThrow(
      "PostgreSQL failed: 25006: the server or the role is read-only",
    );

    const impatient = open();
    await impatient.store.look([debit], 0);
    const other = await pool.connect();
    onTestFinished(() => other.release());
    await other.query("BEGIN");
    await other.query(`SELECT ${schema}.lock_counters(ARRAY['lifetime:calls'])`);
    // Only the statement that waits for the lock is in a hurry.
    await impatient.pool.query("SET statement_timeout = 100");
    await expect(Promise.resolve(impatient.store.reserve([debit], 0))).rejects.toThrow(
      "PostgreSQL failed: 57014: the server stopped the statement",
    );
    await other.query("ROLLBACK");
    // Lent to another, a pool has no connection for the store.
    const small = new Pool({ connectionString: url, max: 1 });
    const lent = await small.connect();
    small.options.connectionTimeoutMillis = 50;
    await expect(Promise.resolve(postgresStore({ pool: small, schema, ...patience }).look([debit], 0))).rejects.toThrow(
      "the pool had no connection to lend",
    );
    lent.release();
    await small.end();

    expect(await impatient.store.look([debit], 0)).toEqual([{ remaining: 1 }]);
  },
);
