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
for (const [name, client] of Object.entries(clients)) {
  const open = (clock: "server" | "caller") => () => {
    const options = { client, prefix: `${prefix}-${name}-${clock}-${crypto.randomUUID()}`, clock };
    return { store: redisStore(options), second: redisStore(options) };
  };
  counterStoreContract(`redis by ${name}`, open("server"), { test: redisTest.concurrent, expect, clock: "server" });
  const approvals = (clock: "server" | "caller") => () => {
    const options = { client, prefix: `${prefix}-${name}-${clock}-${crypto.randomUUID()}`, clock };
    return { store: redisApprovals(options), second: redisApprovals(options) };
  };
  approvalStoreContract(`redis by ${name}`, approvals("server"), { test: redisTest.concurrent, expect, clock: "server" });
  approvalStoreContract(`redis by ${name}, time moved`, approvals("caller"), { test: redisTest, expect });
  counterStoreContract(`redis by ${name}, time moved`, open("caller"), { test: redisTest, expect });
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
