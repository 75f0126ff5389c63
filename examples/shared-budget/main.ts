// Two processes, one budget of $1,000 on Redis: each pays on its own, neither knows of the other, and together they spend it to the last dollar and not one
// more. Checks itself, and exits with 1 on any surprise. `REDIS_URL` says where Redis is, `redis://127.0.0.1:6379` where it is not set.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { styleText } from "node:util";
import { Redis } from "ioredis";

const budget = 1000;
const url = process.env["REDIS_URL"] ?? "redis://127.0.0.1:6379";
const prefix = `shared-budget-${crypto.randomUUID()}`;

const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
client.on("error", () => undefined);
try {
  await client.connect();
} catch {
  console.log("left out: no Redis answers, set `REDIS_URL` to where one does");
  process.exit(0);
}

let spent = 0;
const paid = { ann: 0, bob: 0 };
const refusals: string[] = [];
// Neither goes on before the other has paid once, however long the machine takes to start a process: one that came late would find the budget spent.
const bothHavePaid = Promise.withResolvers<void>();

await Promise.all([runAgent("ann", "cyan"), runAgent("bob", "magenta")]);

console.log(`\nann paid $${paid.ann}, bob paid $${paid.bob}: $${spent} of $${budget}, after ${refusals.length} refusals`);
assert.equal(spent, budget);
assert(paid.ann > 0 && paid.bob > 0, "both agents paid from the one budget");
assert(refusals.every((code) => code === "limit") && refusals.length > 0);

const keys = await client.keys(`{${prefix}}*`);
await client.del(...keys);
await client.quit();

async function runAgent(agent: keyof typeof paid, color: "cyan" | "magenta"): Promise<void> {
  const file = join(import.meta.dirname, "agent.ts");
  const child = spawn(process.execPath, ["--conditions=@holdpoint/source", file, url, prefix, agent], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  void bothHavePaid.promise.then(() => child.stdin.end());
  const closed = once(child, "close");
  for await (const line of createInterface({ input: child.stdout })) {
    const told = JSON.parse(line) as { paid: number } | { refused: number; code: string };
    if ("paid" in told) {
      paid[agent] += told.paid;
      spent += told.paid;
      say(agent, color, `paid $${told.paid}`.padEnd(14));
      if (paid.ann > 0 && paid.bob > 0) bothHavePaid.resolve();
    } else {
      refusals.push(told.code);
      say(agent, color, styleText("red", `$${told.refused} refused`.padEnd(14)));
    }
  }
  const [code] = await closed;
  assert.equal(code, 0, `${agent} ended with ${code}`);
}

function say(agent: string, color: "cyan" | "magenta", text: string): void {
  const filled = Math.round((spent / budget) * 40);
  const bar = "█".repeat(filled) + "░".repeat(40 - filled);
  console.log(`${styleText(color, agent)}  ${text}  ${bar}  $${String(spent).padStart(4)} of $${budget}`);
}
