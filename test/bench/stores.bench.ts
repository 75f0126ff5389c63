// What a reservation of three counters, all or nothing, costs on each store, by one caller and by fifty at once. Goals: Redis within 1.7 × of its own PING
// for one caller, at most 1.3 × one call of rate-limiter-flexible with one counter, and faster than three of them.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CounterStore, type Debit, memoryStore } from "@holdpoint/core";
import { postgresStore } from "@holdpoint/stores/postgres";
import { redisStore } from "@holdpoint/stores/redis";
import { sqliteStore } from "@holdpoint/stores/sqlite";
import { Redis } from "ioredis";
import { Pool } from "pg";
import { RateLimiterMemory, RateLimiterPostgres, RateLimiterRedis } from "rate-limiter-flexible";
import { bench, type Candidate, measure, report } from "./measure.ts";

const unit = 1_000_000;
const max = 9_000_000_000 * unit;
const name = `bench_${crypto.randomUUID().slice(0, 8)}`;
const limiterOptions = { points: 9_000_000_000, duration: 3600, keyPrefix: name };

let caller = 0;

/** Three counters of one caller, as a policy has them: per minute, per day, and an amount. */
function debits(): readonly Debit[] {
  caller = (caller + 1) % 50;
  return [
    { key: `["app","stripe","calls","minute","user","${caller}"]`, window: { kind: "calendar", unit: "minute" }, amount: unit, max },
    { key: `["app","stripe","calls","day","user","${caller}"]`, window: { kind: "calendar", unit: "day" }, amount: unit, max },
    { key: `["app","stripe","refunded","month","user","${caller}"]`, window: { kind: "calendar", unit: "month" }, amount: 20 * unit, max },
  ];
}

function reserving(store: CounterStore): Candidate {
  return {
    name: "reserve, 3 counters",
    awaited: true,
    async run() {
      const reserved = await store.reserve(debits(), Date.now());
      if (!reserved.granted) throw new Error("a reservation that fits was refused");
    },
  };
}

function limiting({ consume }: { consume(key: string): Promise<unknown> }): readonly Candidate[] {
  return [
    { name: "rate-limiter-flexible, 1 counter", awaited: true, run: () => consume(`${caller}`) },
    {
      name: "rate-limiter-flexible, 3 calls",
      awaited: true,
      async run() {
        for (const counter of ["a", "b", "c"]) await consume(counter + caller);
      },
    },
  ];
}

/** The same, by so many callers at once. */
function atOnce({ name, run }: Candidate, callers: number): Candidate {
  return { name, awaited: true, run: () => Promise.all(Array.from({ length: callers }, () => run())) };
}

async function compare(title: string, candidates: readonly Candidate[], base: string): Promise<void> {
  report(`${title}, one caller`, await measure(candidates), base);
  report(`${title}, fifty callers at once, for all of them`, await measure(candidates.map((one) => atOnce(one, 50))), base);
}

await bench("memory", async () => {
  const limiter = new RateLimiterMemory(limiterOptions);
  await compare("memory", [reserving(memoryStore()), ...limiting({ consume: (key) => limiter.consume(key) })], "reserve, 3 counters");
});

await bench("SQLite, on this machine's disk", async () => {
  const folder = mkdtempSync(join(tmpdir(), "holdpoint-bench-"));
  const full = sqliteStore({ file: join(folder, "full.db") });
  const normal = sqliteStore({ file: join(folder, "normal.db"), synchronous: "normal" });
  const candidates = [
    { ...reserving(full), name: "reserve, 3 counters, synchronous full" },
    { ...reserving(normal), name: "reserve, 3 counters, synchronous normal" },
  ];
  report("SQLite, one caller", await measure(candidates), "reserve, 3 counters, synchronous normal");
  full.close();
  normal.close();
  rmSync(folder, { recursive: true });
});

const redisUrl = process.env["REDIS_URL"];
if (redisUrl === undefined) console.log("\nleft out: Redis (`REDIS_URL` is not set)");
else {
  await bench("Redis, by ioredis", async () => {
    const client = new Redis(redisUrl);
    const limiter = new RateLimiterRedis({ ...limiterOptions, storeClient: client });
    const candidates = [
      { name: "PING", awaited: true, run: () => client.ping() },
      reserving(redisStore({ client, prefix: name })),
      ...limiting({ consume: (key) => limiter.consume(key) }),
    ];
    await compare("Redis", candidates, "PING");
    const keys = [...(await client.keys(`{${name}}*`)), ...(await client.keys(`${name}:*`))];
    if (keys.length > 0) await client.del(...keys);
    await client.quit();
  });
}

const databaseUrl = process.env["DATABASE_URL"];
if (databaseUrl === undefined) console.log("\nleft out: PostgreSQL (`DATABASE_URL` is not set)");
else {
  await bench("PostgreSQL, each reservation durable", async () => {
    const pool = new Pool({ connectionString: databaseUrl, max: 10 });
    const limiter = await new Promise<RateLimiterPostgres>((resolve, reject) => {
      const made: RateLimiterPostgres = new RateLimiterPostgres({ ...limiterOptions, storeClient: pool, tableName: name }, (error) =>
        error ? reject(error) : resolve(made),
      );
    });
    const candidates = [
      { name: "SELECT 1", awaited: true, run: () => pool.query("SELECT 1") },
      reserving(postgresStore({ pool, schema: name })),
      ...limiting({ consume: (key) => limiter.consume(key) }),
    ];
    await compare("PostgreSQL", candidates, "SELECT 1");
    await pool.query(`DROP SCHEMA ${name} CASCADE; DROP TABLE ${name}`);
    await pool.end();
  });
}
