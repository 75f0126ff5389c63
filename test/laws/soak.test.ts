import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createGuard, memoryStore, type PolicyDocument, type Verdict } from "@holdpoint/core";
import { expect, onTestFinished, test, vi } from "vitest";
import { cases } from "../model/effort.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function heapAfterCollection(): number {
  for (let round = 0; round < 3; round++) collect();
  return process.memoryUsage().heapUsed;
}

const hourMs = 3_600_000;

const policy: PolicyDocument = {
  version: "1",
  default: "deny",
  tools: {
    pay: {
      require_approval: [{ path: "args.amount", op: "gt", value: 98, timeout: "1m" }],
      limits: [
        { counter: "calls", window: "minute", max: 1_000 },
        { counter: "slid", window: { sliding: "5m" }, max: 100_000 },
        { counter: "mine", window: "lifetime", max: 1_000, scope: ["session"] },
        { counter: "idle", window: "lifetime", expires: "10m", max: 1_000, scope: "user" },
        { counter: "open", concurrent: 50, scope: "global" },
        { counter: "spent", window: "hour", max: 9_000_000, increment_from: "args.amount", unit: "none", count: "sent" },
      ],
    },
  },
};

test("a day of calls by ever new callers leaves the heap as it was at noon", async () => {
  const calls = Math.min(1_000_000, cases(100_000));
  let now = Date.UTC(2026, 0, 1);
  const guard = createGuard({
    policy,
    store: memoryStore({ durability: "process" }),
    clock: () => now,
    approve: ({ arguments: { amount } }) => ({ approved: amount === 99 }),
    audit: () => {},
  });
  let session = guard.session({ user: "0", session: "0" });
  let half = 0;
  let refused = 0;
  for (let call = 0; call < calls; call++) {
    now += (24 * hourMs) / calls;
    if (call % 100 === 0) {
      await session.end();
      session = guard.session({ user: String(call), session: String(call) });
    }
    const result = await guard.run({ session, tool: "pay", arguments: { amount: call % 101 } }, () => ({
      value: call,
      outcome: { kind: "success" },
    }));
    if ("code" in result) refused++;
    if (call === calls / 2) half = heapAfterCollection();
  }
  expect(refused).toBe(Math.floor(calls / 101));
  const growth = heapAfterCollection() - half;
  expect(growth).toBeLessThan(2 * 1024 * 1024);
});

test("a thousand calls at once, held, cancelled and timed out, leave no timer, listener, reservation or promise", async () => {
  // They pass when the test says so: which call is cancelled, answered or over first does not hang on the machine.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
  onTestFinished(() => void vi.useRealTimers());
  const store = memoryStore();
  let now = 0;
  const wide: PolicyDocument = {
    ...policy,
    tools: {
      pay: {
        require_approval: [{ path: "args.amount", op: "gt", value: 0, timeout: "1m" }],
        limits: [
          { counter: "open", concurrent: 2_000, scope: "global" },
          { counter: "sent", window: "hour", max: 2_000, scope: "global" },
        ],
      },
    },
  };
  const guard = createGuard({
    policy: wide,
    store,
    clock: () => now,
    approvalWaitMs: 40,
    maxPendingApprovals: 2_000,
    approve: ({ arguments: { amount } }) =>
      new Promise<Verdict>((resolve) => {
        if ((amount as number) % 4 !== 0) setTimeout(() => resolve({ approved: (amount as number) % 4 !== 1 }), 10);
      }),
  });
  const session = guard.session({ user: "ann" });
  let sent = 0;
  let over = 0;
  const held: WeakRef<object>[] = [];

  async function call(index: number): Promise<string> {
    const cancel = new AbortController();
    const args = { amount: index + 1, padding: "x" };
    held.push(new WeakRef(args), new WeakRef(cancel));
    if (index % 7 === 0) setTimeout(() => cancel.abort(), index % 30);
    const result = await guard.run({ session, tool: "pay", arguments: args, signal: cancel.signal }, async () => {
      sent++;
      await new Promise((resolve) => setTimeout(resolve, index % 5));
      return { value: "done", outcome: { kind: "success" } };
    });
    expect(getEventListeners(cancel.signal, "abort")).toHaveLength(0);
    over++;
    return "code" in result ? result.code : "sent";
  }
  const calls = Promise.all(Array.from({ length: 1_000 }, (_, index) => call(index)));
  await vi.advanceTimersByTimeAsync(39);
  // Those that wait for a person have a timer each, and nothing else has any.
  expect(vi.getTimerCount()).toBe(1_000 - over);
  await vi.advanceTimersByTimeAsync(1);
  expect(new Set(await calls)).toEqual(new Set(["sent", "approval_refused", "approval_expired", "cancelled"]));
  expect(vi.getTimerCount()).toBe(0);
  const key = (counter: string, window: string) => JSON.stringify(["", "default", counter, window]);
  const [open, hour] = store.look(
    [
      { key: key("open", "concurrent"), window: { kind: "concurrent" }, amount: 1_000_000, max: 2_000_000_000 },
      { key: key("sent", "hour"), window: { kind: "calendar", unit: "hour" }, amount: 1_000_000, max: 2_000_000_000 },
    ],
    0,
  );
  expect([open?.remaining, hour?.remaining]).toEqual([2_000_000_000, 2_000_000_000 - sent * 1_000_000]);
  // Requests that nobody has answered end with their time; the next one finds them.
  now += 61_000;
  const last = call(1_000);
  await vi.advanceTimersByTimeAsync(10);
  expect(await last).toBe("approval_refused");
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  const alive = held.filter((reference) => reference.deref() !== undefined).length;
  // The runtime itself may keep the last call; a promise that never settles would keep each.
  expect(alive).toBeLessThan(8);
});
