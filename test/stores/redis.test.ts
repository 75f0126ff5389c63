import { memoryStore } from "@holdpoint/core";
import { type RedisClient, redisApprovals, redisStore } from "@holdpoint/stores/redis";
import { approvalStoreContract, counterStoreContract, counterStoreHistory, runHistory } from "@holdpoint/testing/contracts";
import fc from "fast-check";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { afterAll, expect, test } from "vitest";

const url = process.env["REDIS_URL"];
const redisTest = test.skipIf(!url);
const prefix = `test-${crypto.randomUUID()}`;

const ioredis = new Redis(url ?? "", { lazyConnect: true });
const nodeRedis = createClient({ url: url ?? "" });
if (url) await nodeRedis.connect();

afterAll(async () => {
  if (!url) return;
  const keys = await ioredis.keys(`{${prefix}*`);
  if (keys.length > 0) await ioredis.del(...keys);
  await ioredis.quit();
  await nodeRedis.quit();
});

const clients: Record<string, RedisClient> = { ioredis, redis: nodeRedis };
// The cases that wait for the server's clock first, all together.
for (const clock of ["server", "caller"] as const) {
  const runner = { test: clock === "server" ? redisTest.concurrent : redisTest, expect, clock };
  for (const [name, client] of Object.entries(clients)) {
    const title = clock === "server" ? `redis by ${name}` : `redis by ${name}, time moved`;
    const options = () => ({ client, prefix: `${prefix}-${name}-${clock}-${crypto.randomUUID()}`, clock });
    const twice = <Store>(open: (given: ReturnType<typeof options>) => Store) => {
      const given = options();
      return { store: open(given), second: open(given) };
    };
    counterStoreContract(title, () => twice(redisStore), runner);
    approvalStoreContract(title, () => twice(redisApprovals), runner);
  }
}

redisTest("a Redis store answers every history as the one in memory does", async () => {
  let histories = 0;
  await fc.assert(
    fc.asyncProperty(counterStoreHistory(fc), async (history) => {
      histories += 1;
      const store = redisStore({ client: ioredis, prefix: `${prefix}-history-${histories}`, leaseMs: 1e12, clock: "caller" });
      expect(await runHistory(store, history)).toEqual(await runHistory(memoryStore(), history));
    }),
    { numRuns: 200 },
  );
});
