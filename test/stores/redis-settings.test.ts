import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CounterStoreError, type Debit } from "@holdpoint/core";
import { redisApprovals, redisStore } from "@holdpoint/stores/redis";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { expect, onTestFinished, test } from "vitest";
import { ownRedis, ownRedisVersion } from "./own-redis.ts";
import { refundRequest } from "./refund-request.ts";

const unit = 1_000_000;
const debits: readonly Debit[] = [
  { key: "calls", window: { kind: "calendar", unit: "day" }, amount: unit, max: 5 * unit },
  { key: "ever", window: { kind: "lifetime" }, amount: unit, max: 5 * unit },
  { key: "recent", window: { kind: "sliding", ms: 60_000 }, amount: unit, max: 5 * unit },
  { key: "in flight", window: { kind: "concurrent" }, amount: unit, max: 5 * unit },
];

/** What the page tells an administrator to run, split into its words. */
function documentedUser(): readonly string[] {
  const page = readFileSync(join(import.meta.dirname, "../../docs/stores.md"), "utf8");
  const [, command = ""] = /^```\n(ACL SETUSER [^`]*)```$/m.exec(page) ?? [];
  return command.trim().split(/\s+/).slice(1);
}

async function open(...settings: readonly string[]) {
  const server = await ownRedis(...settings);
  onTestFinished(() => server.close());
  const as = (credentials: object) => {
    const client = new Redis({ port: server.port, host: "127.0.0.1", ...credentials });
    client.on("error", () => undefined);
    onTestFinished(() => client.disconnect());
    return client;
  };
  return { ...server, as };
}

const user = { username: "app", password: "secret" };

test.skipIf(ownRedisVersion < 6)("a user with the rights that the page lists can do all that the stores do", async () => {
  const { admin, as, port } = await open();
  await admin.call("ACL", ...documentedUser());
  const nodeRedis = createClient({ url: `redis://127.0.0.1:${port}`, ...user, RESP: 3 });
  await nodeRedis.connect();
  onTestFinished(() => nodeRedis.destroy());
  for (const client of [as(user), nodeRedis]) {
    await admin.call("SCRIPT", "FLUSH");
    const store = redisStore({ client, prefix: "billing" });
    const first = await store.reserve(debits, Date.now());
    const second = await store.reserve(debits, Date.now());
    if (!first.granted || !second.granted) throw new Error("not granted");
    await store.renew(first.reservation, Date.now());
    for (const { reservation } of [first, second]) await store.settle(reservation, [0, 1, 2], Date.now());
    await store.forget(["ever"]);
    expect(await store.look(debits, Date.now())).toEqual(debits.map(() => ({ remaining: 5 * unit })));

    const approvals = redisApprovals({ client, prefix: "billing" });
    const now = Date.now();
    await approvals.request(refundRequest(now), { session: "one", maxPending: 1 }, now);
    await approvals.answer("refund", { approved: true }, now);
    expect(await approvals.find({ binding: "refund of 20", wide: [] }, now)).toMatchObject({ id: "refund" });
    expect(await approvals.consume("refund", now)).toMatchObject({ id: "refund" });
    expect(await approvals.list({ session: "one" }, now)).toHaveLength(1);
    await admin.flushall();
  }
});

test.skipIf(ownRedisVersion < 6)(
  "[refused-spends-nothing] a user whose ACL lacks one command is refused before anything is charged, and the error names the command",
  async () => {
    const { admin, as } = await open();
    const [setuser = "", ...rules] = documentedUser();
    await admin.call("ACL", setuser, ...rules);
    const commands = rules.filter((rule) => rule.startsWith("+")).map((rule) => rule.slice(1));
    for (const lacking of commands.filter((command) => command !== "info")) {
      await admin.call("ACL", "SETUSER", "app", `-${lacking}`);
      const store = redisStore({ client: as(user), prefix: "billing" });
      const error = await Promise.resolve(store.reserve(debits, Date.now())).catch((error: unknown) => error);
      expect(CounterStoreError.is(error), lacking).toBe(true);
      expect(String(error)).toMatch(
        /^eval/.test(lacking)
          ? "the user's ACL forbids a command"
          : `Redis refuses \`${lacking.toUpperCase()}\` on keys that begin with \`{billing}:\``,
      );
      expect(await admin.keys("{billing}:counter*")).toEqual([]);
      await admin.call("ACL", "SETUSER", "app", `+${lacking}`);
      // The same store, once the right is there.
      expect((await store.reserve(debits, Date.now())).granted).toBe(true);
      await admin.flushall();
    }
  },
);

test.skipIf(ownRedisVersion < 6)(
  "[fail-closed] a server that is full, a replica, or one of a cluster denies, charges nothing, and says what to do",
  async () => {
    const { admin, as, port } = await open("--maxmemory-policy", "noeviction");
    const store = redisStore({ client: as({}), prefix: "billing" });
    await store.reserve(debits, Date.now());
    const left = debits.map(() => ({ remaining: 4 * unit }));

    await admin.config("SET", "maxmemory", "1");
    const full = await Promise.resolve(store.reserve(debits, Date.now())).catch((error: unknown) => error);
    expect(full).toMatchObject({ full: true, message: "Redis failed: OOM: the server has reached its `maxmemory`: raise it" });
    await admin.config("SET", "maxmemory", "0");
    expect(await store.look(debits, Date.now())).toEqual(left);

    await admin.replicaof("127.0.0.1", port);
    await expect(Promise.resolve(store.reserve(debits, Date.now()))).rejects.toThrow(
      "Redis failed: READONLY: the client is connected to a replica",
    );
    await admin.replicaof("NO", "ONE");
    expect(await store.look(debits, Date.now())).toEqual(left);

    const cluster = await open("--cluster-enabled", "yes");
    await cluster.admin.cluster("ADDSLOTS", 0);
    const lost = redisStore({ client: cluster.as({}), prefix: "billing" });
    await expect(Promise.resolve(lost.reserve(debits, Date.now()))).rejects.toThrow(
      "Redis failed: CLUSTERDOWN: the cluster has no primary",
    );
  },
);
