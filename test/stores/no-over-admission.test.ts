import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Debit } from "@holdpoint/core";
import { Redis } from "ioredis";
import { Pool } from "pg";
import { afterAll, type TestContext, test } from "vitest";
import type { HammerOrders } from "./hammer-worker.ts";
import { openStore, type StorePlace } from "./open-store.ts";

/** `HAMMER_ROUNDS=20` looks for longer. */
const rounds = Number(process.env["HAMMER_ROUNDS"] ?? 1);
const kills = 3;
/** Long enough for a process that lives and has to wait for its turn on a busy machine. */
const leaseMs = 6000;
/** Many processes start at once, on a machine that may be busy with more. */
const patience = { timeout: 300_000 * rounds };
const unit = 1_000_000;

const folder = mkdtempSync(join(tmpdir(), "holdpoint-hammer-"));
afterAll(() => rmSync(folder, { recursive: true }));

test.concurrent(
  "[no-over-admission] four processes on one SQLite file, some killed between reserve and settle",
  patience,
  async (hammered) => {
    for (let round = 0; round < rounds; round += 1) {
      await hammer(hammered, { kind: "sqlite", file: join(folder, `${round}.db`), leaseMs }, 4);
    }
  },
);

const redisUrl = process.env["REDIS_URL"] ?? "";
test
  .skipIf(!redisUrl)
  .concurrent(
    "[no-over-admission] eight processes on one Redis, one an hour late, some killed between reserve and settle",
    patience,
    async (hammered) => {
      const prefix = `test-${crypto.randomUUID()}`;
      hammered.onTestFinished(async () => {
        const client = new Redis(redisUrl);
        for (const key of await client.keys(`{${prefix}*`)) await client.del(key);
        await client.quit();
      });
      for (let round = 0; round < rounds; round += 1)
        await hammer(hammered, { kind: "redis", url: redisUrl, prefix: `${prefix}-${round}`, leaseMs }, 8);
    },
  );

const databaseUrl = process.env["DATABASE_URL"] ?? "";
test
  .skipIf(!databaseUrl)
  .concurrent(
    "[no-over-admission] eight processes on one PostgreSQL, one an hour late, some killed between reserve and settle",
    patience,
    async (hammered) => {
      const schema = `hammer_${crypto.randomUUID().slice(0, 8)}`;
      hammered.onTestFinished(async () => {
        const pool = new Pool({ connectionString: databaseUrl, max: 1 });
        for (let round = 0; round < rounds; round += 1) await pool.query(`DROP SCHEMA IF EXISTS ${schema}_${round} CASCADE`);
        await pool.end();
      });
      for (let round = 0; round < rounds; round += 1) {
        await hammer(hammered, { kind: "postgres", url: databaseUrl, schema: `${schema}_${round}`, leaseMs }, 8);
      }
    },
  );

/** Processes call until a limit of 80 calls and one of 120 in amounts are used up, over fewer slots than processes, while some are killed and others take their place. */
async function hammer({ expect, onTestFinished }: TestContext, place: StorePlace, processes: number): Promise<void> {
  const atOnce = processes / 2 + 1;
  // One window from the epoch into the year 2065.
  const count: Debit = { key: "calls", window: { kind: "seconds", seconds: 3_000_000_000 }, amount: unit, max: 80 * unit };
  const amount: Debit = { key: "spent", window: { kind: "sliding", ms: 3_600_000 }, amount: unit, max: 120 * unit };
  const slots: Debit = { key: "in flight", window: { kind: "concurrent" }, amount: unit, max: atOnce * unit };
  const arrivals = join(folder, crypto.randomUUID());
  writeFileSync(arrivals, "");

  const killed = new Set<number>();
  const start = (index: number) => {
    const orders: HammerOrders = {
      place,
      arrivals,
      clockOffsetMs: index === 0 && place.kind !== "sqlite" ? -3_600_000 : 0,
      count,
      amount,
      slots,
    };
    const worker = join(import.meta.dirname, "hammer-worker.ts");
    const child = spawn(process.execPath, ["--conditions=@holdpoint/source", worker, JSON.stringify(orders)], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    return child;
  };
  const running = Array.from({ length: processes }, (_, index) => finished(start(index), killed));
  for (let kill = 0; kill < kills; kill += 1) {
    await someArrival(arrivals, 10 * (kill + 1));
    const pids = [...new Set(linesOf(arrivals).map(([pid]) => Number(pid)))].filter((pid) => !killed.has(pid) && lives(pid));
    const pid = pids[Math.floor(Math.random() * pids.length)];
    if (pid === undefined) continue;
    killed.add(pid);
    process.kill(pid, "SIGKILL");
    running.push(finished(start(1), killed));
  }
  await Promise.all(running);

  // Counted reservations stay, whoever died: both limits are used up to the last unit, and no more than that has arrived.
  const { store, close } = await openStore(place);
  const arrived = (key: string) =>
    linesOf(arrivals).reduce((sum, [, what, of, size]) => (what === "in" && of === key ? sum + Number(size) : sum), 0);
  const room = await store.look([count, amount], Date.now());
  expect(room.map(({ remaining }) => remaining)).toEqual([0, 0]);
  expect(arrived("calls")).toBeLessThanOrEqual(80);
  expect(arrived("spent")).toBeLessThanOrEqual(120);
  // A process that is killed takes at most the one call along that it was making.
  expect(80 - arrived("calls") + (120 - arrived("spent")) / 3).toBeLessThanOrEqual(kills);

  expect(mostAtOnce(linesOf(arrivals), killed)).toBeLessThanOrEqual(atOnce);
  const free = async () => store.look([slots], Date.now());
  await expect.poll(free, { interval: 100 }).toEqual([{ remaining: atOnce * unit }]);
  await close();
}

/** A process may have found the limits used up, and ended, before its turn to be killed. */
function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function finished(worker: ChildProcess, killed: ReadonlySet<number>): Promise<void> {
  let said = "";
  worker.stderr?.on("data", (data) => {
    said += data;
  });
  const [code] = await once(worker, "close");
  if (code !== 0 && !killed.has(worker.pid ?? 0)) throw new Error(`a process that was not killed ended with ${code}: ${said}`);
}

async function someArrival(arrivals: string, least: number): Promise<void> {
  while (linesOf(arrivals).length < least) await sleep(20);
}

function linesOf(arrivals: string): string[][] {
  return readFileSync(arrivals, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => line.split(" "));
}

/** Calls of a killed process that never came out are over with it. */
function mostAtOnce(lines: readonly (readonly string[])[], killed: ReadonlySet<number>): number {
  const lastLine = new Map(lines.map(([pid], index) => [pid, index]));
  let inFlight = 0;
  let most = 0;
  for (const [index, [pid, what]] of lines.entries()) {
    if (what === "in" && killed.has(Number(pid)) && lastLine.get(pid) === index) continue;
    inFlight += what === "in" ? 1 : -1;
    most = Math.max(most, inFlight);
  }
  return most;
}
