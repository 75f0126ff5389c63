import {
  type ApprovalRecord,
  type AuditEvent,
  CounterStoreError,
  createGuard,
  type Debit,
  definePolicy,
  type Guard,
} from "@holdpoint/core";
import { migratePostgres, postgresApprovals, postgresStore } from "@holdpoint/stores/postgres";
import { redisApprovals, redisStore } from "@holdpoint/stores/redis";
import { sqliteStore } from "@holdpoint/stores/sqlite";
import { Redis } from "ioredis";
import { Pool } from "pg";
import { createClient } from "redis";
import { expect, onTestFinished, test, vi } from "vitest";
import { cutLine } from "./cut-line.ts";
import { refundRequest } from "./refund-request.ts";

const redisUrl = process.env["REDIS_URL"] ?? "";
const databaseUrl = process.env["DATABASE_URL"] ?? "";
const unit = 1_000_000;
const fresh = () => `test_${crypto.randomUUID().slice(0, 8)}`;

/** A store behind a line that can be cut, by each client. */
const places = {
  "Redis by ioredis": {
    url: redisUrl,
    async open(port: number, name: string) {
      const client = new Redis(port, "127.0.0.1");
      client.on("error", () => undefined);
      return {
        store: redisStore({ client, prefix: name }),
        async close() {
          const keys = await client.keys(`{${name}}*`);
          if (keys.length > 0) await client.del(...keys);
          client.disconnect();
        },
      };
    },
  },
  "Redis by redis": {
    url: redisUrl,
    async open(port: number, name: string) {
      const client = createClient({ url: `redis://127.0.0.1:${port}` });
      client.on("error", () => undefined);
      await client.connect();
      return {
        store: redisStore({ client, prefix: name }),
        async close() {
          const keys = await client.keys(`{${name}}*`);
          if (keys.length > 0) await client.del(keys);
          client.destroy();
        },
      };
    },
  },
  PostgreSQL: {
    url: databaseUrl,
    async open(port: number, name: string) {
      const { username, password, pathname } = new URL(databaseUrl);
      const pool = new Pool({ connectionString: `postgres://${username}:${password}@127.0.0.1:${port}${pathname}`, max: 3 });
      pool.on("error", () => undefined);
      return {
        store: postgresStore({ pool, schema: name, timeoutMs: 60_000 }),
        async close() {
          await pool.query(`DROP SCHEMA IF EXISTS ${name} CASCADE`);
          await pool.end();
        },
      };
    },
  },
};

const policy = definePolicy()({
  version: "1",
  default: "deny",
  tools: { pay: { limits: [{ counter: "payments", window: "month", max: 5, scope: "global" }] } },
});

for (const [name, place] of Object.entries(places)) {
  test
    .skipIf(!place.url)
    .concurrent(
      `[fail-closed] ${name} hangs: the call is denied within the bound, open only where that was chosen, and all is well again after`,
      async ({ expect, onTestFinished }) => {
        const line = await cutLine(place.url);
        onTestFinished(() => line.close());
        const { store, close } = await place.open(line.port, fresh());
        onTestFinished(close);
        const events: AuditEvent[] = [];
        const audit = (event: AuditEvent) => void events.push(event);
        const options = { policy, store, audit, namespace: "test" };
        const call = (guard: Guard) => guard.admit({ session: guard.session({}), tool: "pay", arguments: {} });
        // Only where the server hangs is the bound tight: a busy machine may take its time to connect and to answer.
        const patient = createGuard({ ...options, storeTimeoutMs: 60_000 });
        const closed = createGuard({ ...options, storeTimeoutMs: 100 });
        const open = createGuard({ ...options, storeTimeoutMs: 100, failMode: { store: "open" } });

        expect((await call(patient)).outcome).toBe("allow");
        line.hang();
        // The server never answers: that there is an answer at all is the bound.
        expect(await call(closed)).toMatchObject({
          outcome: "deny",
          code: "store_unavailable",
          detail: expect.stringContaining("no answer within 100 ms"),
        });
        events.length = 0;
        expect((await call(open)).outcome).toBe("allow");
        expect(events.find(({ type }) => type === "decision")).toMatchObject({ failedOpen: ["store"] });

        // What hung is lost with its connection; the next one passes.
        line.cut();
        line.release();
        await expect.poll(async () => (await call(patient)).outcome).toBe("allow");
      },
    );

  test
    .skipIf(!place.url)
    .concurrent(
      `[no-over-admission] ${name}, its connection cut in mid-reserve again and again: never more than the limit is granted`,
      async ({ expect, onTestFinished }) => {
        const line = await cutLine(place.url);
        onTestFinished(() => line.close());
        const { store, close } = await place.open(line.port, fresh());
        onTestFinished(close);
        const debit: Debit = { key: "calls", window: { kind: "lifetime" }, amount: unit, max: 6 * unit };
        const connected = () => expect.poll(async () => store.look([debit], Date.now())).toHaveLength(1);
        await connected();
        let granted = 0;
        let lost = 0;
        for (let attempt = 0; ; attempt += 1) {
          if (attempt % 2 === 0) line.cutNextAnswer();
          try {
            if ((await store.reserve([debit], Date.now())).granted) granted += 1;
            else break;
          } catch (error) {
            expect(CounterStoreError.is(error)).toBe(true);
            lost += 1;
            await connected();
          }
        }
        // A reservation whose answer was lost stays counted.
        expect(await store.look([debit], Date.now())).toEqual([{ remaining: 0 }]);
        expect(granted).toBeLessThan(6);
        expect(granted + lost).toBeGreaterThan(0);
      },
    );
}

test
  .skipIf(!databaseUrl)
  .concurrent(
    "a query that hangs is given up with its connection: a pool of one has room for the next, from the first call on",
    async ({ expect, onTestFinished }) => {
      const line = await cutLine(databaseUrl);
      onTestFinished(() => line.close());
      const { username, password, pathname } = new URL(databaseUrl);
      const pool = new Pool({ connectionString: `postgres://${username}:${password}@127.0.0.1:${line.port}${pathname}`, max: 1 });
      const schema = fresh();
      onTestFinished(async () => {
        await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
        await pool.end();
      });
      await migratePostgres({ pool, schema });
      const store = postgresStore({ pool, schema, timeoutMs: 300 });
      const debit: Debit = { key: "calls", window: { kind: "lifetime" }, amount: unit, max: 6 * unit };
      const { rows } = await pool.query("SELECT pg_backend_pid() AS pid");
      line.hang();
      await expect(Promise.resolve(store.reserve([debit], 0))).rejects.toThrow("PostgreSQL failed");
      line.release();
      await expect.poll(async () => (await store.reserve([debit], 0)).granted).toBe(true);
      expect((await pool.query("SELECT pg_backend_pid() AS pid")).rows).not.toEqual(rows);
    },
  );

test.skipIf(!redisUrl)(
  "[decided-once] a use of a yes that a client puts back twice over a cut connection is put back once",
  async ({ onTestFinished }) => {
    const line = await cutLine(redisUrl);
    onTestFinished(() => line.close());
    const client = new Redis({ host: "127.0.0.1", port: line.port });
    client.on("error", () => undefined);
    const prefix = fresh();
    onTestFinished(async () => {
      await client.del(...(await client.keys(`{${prefix}}*`)));
      await client.quit();
    });
    const approvals = redisApprovals({ client, prefix });
    const now = Date.now();
    const wide = { to: "session", binding: "wide", forMs: 60_000, uses: 3 } as const;
    await approvals.request({ ...refundRequest(now), wide }, { session: "one", maxPending: 1 }, now);
    await approvals.answer("refund", { approved: true, widen: true }, now);
    for (let use = 0; use < 2; use += 1) expect(await approvals.consume("refund", now)).toBeDefined();
    const last = await approvals.consume("refund", now);

    // What is put back is read, then written: it is the answer to the write that is lost.
    const evalsha = client.evalsha.bind(client) as (...parameters: unknown[]) => Promise<unknown>;
    let sent = 0;
    client.evalsha = ((...parameters: unknown[]) => {
      sent += 1;
      if (sent === 2) line.cutNextAnswer();
      return evalsha(...parameters);
    }) as typeof client.evalsha;
    await approvals.restore(last as ApprovalRecord, now);
    expect(await approvals.get("refund", now)).toMatchObject({ status: "approved", usesLeft: 1 });
  },
);

test.skipIf(!redisUrl)("a give-back that a client sends twice over a cut connection is given back once", async () => {
  const line = await cutLine(redisUrl);
  const name = fresh();
  // This client sends again what had no answer when its connection was cut.
  const client = new Redis(line.port, "127.0.0.1");
  const store = redisStore({ client, prefix: name });
  const debit: Debit = { key: "calls", window: { kind: "lifetime" }, amount: unit, max: 6 * unit };
  const first = await store.reserve([debit], Date.now());
  for (let call = 0; call < 5; call += 1) await store.reserve([debit], Date.now());
  line.cutNextAnswer();
  if (first.granted) await store.settle(first.reservation, [0], Date.now());
  expect(await store.look([debit], Date.now())).toEqual([{ remaining: unit }]);
  await client.del(...(await client.keys(`{${name}}*`)));
  client.disconnect();
  line.close();
});

for (const [name, open] of Object.entries({
  ioredis: async (port: number) => {
    const client = new Redis({ port, host: "127.0.0.1", socketTimeout: 500 });
    client.on("error", () => undefined);
    return { client, close: () => client.disconnect() };
  },
  redis: async (port: number) => {
    const client = createClient({ url: `redis://127.0.0.1:${port}`, socket: { socketTimeout: 500, reconnectStrategy: () => 50 } });
    client.on("error", () => undefined);
    await client.connect();
    return { client, close: () => client.destroy() };
  },
})) {
  test
    .skipIf(!redisUrl)
    .concurrent(
      `a connection of ${name} whose packets are dropped is replaced, by the client's \`socketTimeout\`, while calls go on being made`,
      async ({ expect, onTestFinished }) => {
        const line = await cutLine(redisUrl);
        onTestFinished(() => line.close());
        const { client, close } = await open(line.port);
        const prefix = fresh();
        const direct = new Redis(redisUrl);
        onTestFinished(async () => {
          close();
          await direct.del(...(await direct.keys(`{${prefix}}*`)));
          await direct.quit();
        });
        const store = redisStore({ client, prefix });
        const debit: Debit = { key: "calls", window: { kind: "lifetime" }, amount: unit, max: 1e6 * unit };
        const granted = () => Promise.resolve(store.reserve([debit], 0)).then(({ granted }) => granted);
        expect(await granted()).toBe(true);
        line.strand();
        let again = false;
        const call = () => {
          granted().then(
            (answer) => {
              again ||= answer;
            },
            () => undefined,
          );
          return again;
        };
        await expect.poll(call, { timeout: 60_000, interval: 50 }).toBe(true);
      },
    );
}

test("[fail-closed] nobody listens: every store says so at once, and names no address", async () => {
  const client = new Redis(1, "127.0.0.1", { lazyConnect: true, retryStrategy: () => null });
  client.on("error", () => undefined);
  const pool = new Pool({ connectionString: "postgres://user:secret@127.0.0.1:1/test" });
  const debit: Debit = { key: "calls", window: { kind: "lifetime" }, amount: unit, max: unit };
  for (const store of [redisStore({ client }), postgresStore({ pool })]) {
    const error = await Promise.resolve(store.reserve([debit], 0)).catch((error: unknown) => error);
    expect(CounterStoreError.is(error)).toBe(true);
    expect(String(error)).toMatch(/^CounterStoreError: (Redis|PostgreSQL) failed: /);
    expect(String(error)).not.toMatch(/secret|127\.0\.0\.1/);
  }
  for (const approvals of [redisApprovals({ client }), postgresApprovals({ pool })]) {
    await expect(Promise.resolve(approvals.consume("id", 0))).rejects.toThrow(/^(Redis|PostgreSQL) failed: /);
  }
  expect(() => sqliteStore({ file: "/nowhere/at/all.db" })).toThrow(
    /^SQLite failed: unable to open database file: the folder must be there/,
  );
  await pool.end();
});

test("[fail-closed] what stopped a script is found in the script's own error, as Redis writes it before version 7", async () => {
  let words = "";
  const client = {
    status: "ready",
    eval: async () => "maxmemory_policy:noeviction\r\n",
    async evalsha() {
      throw new Error(`ERR Error running script (call to f_5e7f): @user_script:84: @user_script: 84: ${words}`);
    },
  };
  const store = redisStore({ client });
  const failure = () =>
    Promise.resolve(store.reserve([{ key: "calls", window: { kind: "lifetime" }, amount: unit, max: unit }], 0)).catch(
      (error: unknown) => error,
    );
  words = "-OOM command not allowed when used memory > 'maxmemory'.";
  // A store that is full denies under every `failMode`.
  expect(await failure()).toMatchObject({ full: true, message: expect.stringMatching(/^Redis failed: OOM: /) });
  words = "-READONLY You can't write against a read only replica.";
  expect(await failure()).toMatchObject({ full: false, message: expect.stringMatching(/^Redis failed: READONLY: /) });
  words = "The user executing the script can't run this command or subcommand";
  expect(await failure()).toMatchObject({ message: expect.stringMatching(/^Redis failed: NOPERM: /) });
});

test("[fail-closed] Redis is refused while it may evict keys, and taken once it may not", async () => {
  let policy = "allkeys-lru";
  const scripts: string[] = [];
  const client = {
    status: "ready",
    async eval(source: string) {
      if (source.includes("INFO")) return `# Memory\r\nmaxmemory_policy:${policy}\r\n`;
      scripts.push(source);
      return [1, 0];
    },
    async evalsha() {
      throw new Error("NOSCRIPT No matching script.");
    },
  };
  const store = redisStore({ client });
  const reserve = async () => store.reserve([{ key: "calls", window: { kind: "lifetime" }, amount: unit, max: unit }], 0);
  await expect(reserve()).rejects.toThrow("`maxmemory-policy` is `allkeys-lru`");
  expect(scripts).toEqual([]);
  policy = "noeviction";
  expect((await reserve()).granted).toBe(true);
});

test("[fail-closed] Redis that is set to evict keys while it runs is refused from within a minute, without a question for each call", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  let info: () => string = () => "maxmemory_policy:noeviction\r\n";
  let questions = 0;
  const client = {
    status: "ready",
    async eval() {
      questions += 1;
      return info();
    },
    evalsha: async () => [1, 0],
  };
  const store = redisStore({ client });
  const reserve = async () => store.reserve([{ key: "calls", window: { kind: "lifetime" }, amount: unit, max: unit }], 0);
  const answered = () => new Promise((resolve) => setImmediate(resolve));
  for (let call = 0; call < 5; call += 1) expect((await reserve()).granted).toBe(true);
  expect(questions).toBe(1);

  info = () => "maxmemory_policy:allkeys-lru\r\n";
  vi.advanceTimersByTime(59_999);
  expect((await reserve()).granted).toBe(true);
  expect(questions).toBe(1);
  vi.advanceTimersByTime(1);
  // Asked beside the call, which does not wait for it.
  expect((await reserve()).granted).toBe(true);
  await answered();
  for (let call = 0; call < 2; call += 1) await expect(reserve()).rejects.toThrow("`maxmemory-policy` is `allkeys-lru`");

  info = () => "maxmemory_policy:noeviction\r\n";
  expect((await reserve()).granted).toBe(true);
  // A server that cannot be asked is asked anew before the next call.
  info = () => {
    throw new Error("read ECONNRESET");
  };
  vi.advanceTimersByTime(60_000);
  expect((await reserve()).granted).toBe(true);
  await answered();
  await expect(reserve()).rejects.toThrow("Redis failed");
});

test("what is no client is refused, and so are options without meaning", () => {
  expect(() => redisStore({ client: {} as never })).toThrow("a client of `ioredis` or of `redis`");
  const client = { status: "ready", eval: async () => null, evalsha: async () => null };
  expect(() => redisStore({ client, prefix: "a{b}" })).toThrow("`prefix`");
  expect(() => redisStore({ client, leaseMs: 0 })).toThrow("`leaseMs`");
  const pool = { query: async () => ({ rows: [] }) };
  expect(() => postgresStore({ pool, schema: 'a"; DROP TABLE users' })).toThrow("`schema`");
  expect(() => sqliteStore({})).toThrow("either `file` or `database`");
});
