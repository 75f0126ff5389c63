// One of the two agents: pays until nothing fits the shared budget, and tells its parent of each call in a line of JSON. After its first payment it waits
// until its parent closes its input.

import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { createGuard } from "@holdpoint/core";
import { redisStore } from "@holdpoint/stores/redis";
import { Redis } from "ioredis";
import { policy } from "./policy.ts";

const [url = "", prefix = "", agent = ""] = process.argv.slice(2);
const client = new Redis(url);
// Who would rather wait for a busy Redis than be refused has more patience than the two seconds that a guard has by default.
const guard = createGuard({ policy, store: redisStore({ client, prefix }), namespace: "shared-budget", storeTimeoutMs: 60_000 });
const session = guard.session({ tenant: "acme", agent });

const goOn = text(process.stdin);

let amount = 37;
while (amount >= 1) {
  const payment = await guard.run({ session, tool: "pay", arguments: { amount, currency: "usd" } }, async (call) => {
    await sleep(5 + Math.random() * 20);
    return { value: Number(call.amount), outcome: { kind: "success" } };
  });
  if ("value" in payment) {
    console.log(JSON.stringify({ agent, paid: payment.value }));
    await goOn;
  } else {
    console.log(JSON.stringify({ agent, refused: amount, code: payment.outcome === "deny" ? payment.code : payment.outcome }));
    // What is left of the budget is spent in smaller amounts, down to the last dollar.
    amount = Math.floor(amount / 2);
  }
}
await client.quit();
