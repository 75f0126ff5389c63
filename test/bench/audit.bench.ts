// A chained audit line against a bare pino line of the same event, written to a file.
// Goal: a chained line, its flush included, within 2 × of pino's synchronous line; and what a sync costs when 50 calls share it.

import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DecisionEvent } from "@holdpoint/core";
import { jsonlAudit, verifyAudit } from "@holdpoint/core/node";
import pino from "pino";
import { bench, measure, report } from "./measure.ts";

const directory = mkdtempSync(join(tmpdir(), "holdpoint-bench-"));
const event: DecisionEvent = {
  v: 1,
  id: "7f0c1d2e3f405162738495a6-e1z",
  time: "2026-01-01T00:00:00.000Z",
  guard: "7f0c1d2e3f405162738495a6",
  call: "7f0c1d2e3f405162738495a6-c1z",
  attempt: 1,
  session: "7f0c1d2e3f405162738495a6-s1",
  server: "stripe",
  tool: "create_refund",
  identity: { user: "ann", tenant: "acme", grant: "default" },
  type: "decision",
  outcome: "allow",
  rule: "",
  code: "allowed",
  policy: "0".repeat(64),
  mode: "enforce",
  argumentKeys: ["amount", "currency", "reason"],
  otherKeys: 0,
  latencyMs: 1,
};
/** Lines in one turn, so that the flush at its end is shared as it is under load. */
const lines = 500;

await bench("a line of audit", async () => {
  const bare = pino(pino.destination({ dest: join(directory, "pino-sync.log"), sync: true }));
  const deferring = pino.destination({ dest: join(directory, "pino-async.log"), sync: false, minLength: 4096 });
  const deferred = pino(deferring);
  const audit = jsonlAudit(join(directory, "optional"), { fsync: "never" });
  const text = JSON.stringify(event);
  const plain = openSync(join(directory, "plain.log"), "a");
  report(
    `${lines} lines and their flush`,
    await measure([
      {
        name: "pino, synchronous",
        awaited: true,
        run: async () => repeat(() => bare.info({ holdpoint: event }, "allowed stripe/create_refund")),
      },
      {
        name: "pino, deferred",
        awaited: true,
        run: async () => {
          repeat(() => deferred.info({ holdpoint: event }, "allowed stripe/create_refund"));
          await new Promise((resolve) => deferring.flush(resolve));
        },
      },
      { name: "a ready text, written as it is", awaited: true, run: async () => repeat(() => writeSync(plain, `${text}\n`)) },
      { name: "jsonlAudit, chained", awaited: true, run: () => written(audit) },
    ]),
    "pino, synchronous",
  );
  closeSync(plain);
  await audit.close();
});

await bench("a line that is on the device", async () => {
  const required = jsonlAudit(join(directory, "required"), { required: true });
  const plain = openSync(join(directory, "synced.log"), "a");
  const synced = () => {
    writeSync(plain, "x".repeat(700));
    fdatasyncSync(plain);
  };
  report(
    "50 lines",
    await measure(
      [
        { name: "50 writes, 50 syncs", awaited: true, run: async () => repeat(synced, 50) },
        {
          name: "required, 50 calls at once",
          awaited: true,
          run: () => Promise.all(Array.from({ length: 50 }, () => required.write(event))),
        },
        { name: "required, one call", awaited: true, run: async () => required.write(event) },
      ],
      { rounds: 7 },
    ),
    "required, one call",
  );
  closeSync(plain);
  await required.close();
});

await bench("verifying", async () => {
  const audit = jsonlAudit(join(directory, "verified"), { maxQueued: 200_000 });
  repeat(() => audit.write(event), 100_000);
  await audit.close();
  const started = performance.now();
  const { ok, records } = await verifyAudit(join(directory, "verified"));
  console.log(`\n  ${records} records, ok: ${ok}, ${(((performance.now() - started) * 1000) / records).toFixed(2)} µs each`);
});

rmSync(directory, { recursive: true });

function repeat(run: () => unknown, times = lines): void {
  for (let turn = 0; turn < times; turn++) run();
}

async function written(audit: ReturnType<typeof jsonlAudit>): Promise<void> {
  repeat(() => audit.write(event));
  await audit.flush();
}
