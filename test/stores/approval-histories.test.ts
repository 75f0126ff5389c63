import { type ApprovalRecord, type ApprovalStore, memoryApprovals } from "@holdpoint/core";
import { postgresApprovals } from "@holdpoint/stores/postgres";
import { redisApprovals } from "@holdpoint/stores/redis";
import { sqliteApprovals } from "@holdpoint/stores/sqlite";
import fc from "fast-check";
import { Redis } from "ioredis";
import { Pool } from "pg";
import { expect, test } from "vitest";

const name = fc.constantFrom("a", "b", "c");
const id = fc.integer({ min: 0, max: 6 }).map(String);
const step = fc.tuple(
  fc.constantFrom(0, 0, 1, 50, 100, 400),
  fc.oneof(
    {
      arbitrary: fc.record({
        do: fc.constant("request" as const),
        name,
        session: name,
        wide: fc.boolean(),
        forMs: fc.constantFrom(100, 500),
      }),
      weight: 3,
    },
    {
      arbitrary: fc.record({ do: fc.constant("answer" as const), id, approved: fc.boolean(), widen: fc.boolean(), edit: fc.boolean() }),
      weight: 3,
    },
    {
      arbitrary: fc.record({ do: fc.constantFrom("consume" as const, "restore" as const, "revoke" as const, "get" as const), id }),
      weight: 3,
    },
    fc.record({ do: fc.constant("find" as const), name }),
    fc.record({ do: fc.constant("list" as const), session: fc.option(name, { nil: undefined }) }),
  ),
);
const history = fc.array(step, { maxLength: 30 });
type Steps = typeof history extends fc.Arbitrary<infer Value> ? Value : never;

test("a SQLite store of approvals answers every history as the one in memory does", async () => {
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      const store = sqliteApprovals({ file: ":memory:" });
      expect(await play(store, steps)).toEqual(await play(memoryApprovals(), steps));
      store.close();
    }),
  );
});

test.skipIf(!process.env["REDIS_URL"])("a Redis store of approvals answers every history as the one in memory does", async () => {
  const client = new Redis(process.env["REDIS_URL"] ?? "");
  const prefix = `test-${crypto.randomUUID()}`;
  let histories = 0;
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      histories += 1;
      const store = redisApprovals({ client, prefix: `${prefix}-${histories}`, clock: "caller" });
      expect(await play(store, steps)).toEqual(await play(memoryApprovals(), steps));
    }),
    { numRuns: 60 },
  );
  for (const key of await client.keys(`{${prefix}*`)) await client.del(key);
  await client.quit();
});

test.skipIf(!process.env["DATABASE_URL"])("a PostgreSQL store of approvals answers every history as the one in memory does", async () => {
  const pool = new Pool({ connectionString: process.env["DATABASE_URL"], max: 2 });
  const schema = `test_${crypto.randomUUID().slice(0, 8)}`;
  const store = postgresApprovals({ pool, schema, clock: "caller", timeoutMs: 60_000 });
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      await store.get("none", 0);
      await pool.query(`TRUNCATE ${schema}.approvals; UPDATE ${schema}.state SET seen = 0`);
      expect(await play(store, steps)).toEqual(await play(memoryApprovals(), steps));
    }),
    { numRuns: 40 },
  );
  await pool.query(`DROP SCHEMA ${schema} CASCADE`);
  await pool.end();
});

async function play(store: ApprovalStore, steps: Steps): Promise<unknown[]> {
  const answers: unknown[] = [];
  let now = Date.parse("2028-02-26T21:37:40.123Z");
  let filed = 0;
  const taken = new Map<string, ApprovalRecord>();
  for (const [stepMs, step] of steps) {
    // No two records are of one millisecond: which of two equal ones is found first is nobody's promise.
    now += stepMs + 1;
    switch (step.do) {
      case "request": {
        const draft: ApprovalRecord = {
          id: String(filed),
          status: "pending",
          binding: `binding ${step.name}`,
          ...(step.wide ? { wide: { to: "session" as const, binding: `wide ${step.name}`, forMs: 300, uses: 2 } } : {}),
          server: "stripe",
          tool: "pay",
          arguments: { filed },
          context: { session: step.session },
          rules: [],
          reasons: [],
          requestedAt: now,
          expiresAt: now + step.forMs,
          usesLeft: 1,
        };
        const answer = await store.request(draft, { session: step.session, maxPending: 2 }, now);
        if (answer !== "full" && !answer.joined) filed += 1;
        answers.push(answer === "full" ? answer : [answer.joined, seen(answer.record)]);
        break;
      }
      case "answer": {
        const { id, approved, widen, edit } = step;
        const answer = { approved, widen, by: "mia", ...(edit ? { edited: { less: 1 } } : {}) };
        answers.push(seen(await store.answer(id, answer, now)));
        break;
      }
      case "revoke":
        answers.push(await store.revoke(step.id, "ops", now));
        break;
      case "get":
        answers.push(seen(await store.get(step.id, now)));
        break;
      case "find":
        answers.push(seen(await store.find({ binding: `binding ${step.name}`, wide: [`wide ${step.name}`] }, now)));
        break;
      case "list":
        answers.push((await store.list({ session: step.session }, now)).map(seen).sort());
        break;
      case "consume": {
        const used = await store.consume(step.id, now);
        if (used) taken.set(step.id, used);
        answers.push(seen(used));
        break;
      }
      case "restore": {
        const used = taken.get(step.id);
        if (used) await store.restore(used, now);
        break;
      }
    }
  }
  return answers;
}

/** What a record says, in an order of its own. */
function seen(record: ApprovalRecord | undefined): string {
  if (record === undefined) return "none";
  const { arguments: made, edited, ...rest } = record;
  return JSON.stringify([
    Object.entries(rest)
      .filter(([, value]) => value !== undefined)
      .sort(),
    [made, edited],
  ]);
}
