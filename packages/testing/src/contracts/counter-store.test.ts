import assert from "node:assert/strict";
import { type CounterStore, memoryStore } from "@holdpoint/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { counterStoreCases, counterStoreContract, runCounterStoreCase } from "./counter-store.ts";
import { counterStoreHistory, runHistory } from "./counter-store-history.ts";

counterStoreContract("memory", () => ({ store: memoryStore() }), { test, expect });

/** The store in memory behind another clock, as a store with a server is. */
function onServerClock(): CounterStore {
  const store = memoryStore();
  return {
    durability: "process",
    reserve: async (debits) => store.reserve(debits, Date.now()),
    settle: async (reservation, giveBack) => store.settle(reservation, giveBack, Date.now()),
    look: async (debits) => store.look(debits, Date.now()),
    forget: async (keys) => store.forget(keys),
  };
}
counterStoreContract("server clock", () => ({ store: onServerClock() }), { test: test.concurrent, expect, clock: "server" });

test("the cases run on `node:assert` as well", async () => {
  for (const one of counterStoreCases) await runCounterStoreCase(one, () => ({ store: memoryStore() }), assert);
});

test("a case closes its store also when it fails", async () => {
  const [first] = counterStoreCases;
  const broken: CounterStore = { ...memoryStore(), reserve: () => Promise.reject(new Error("down")) };
  let closed = 0;
  const close = () => {
    closed += 1;
  };
  if (first) await expect(runCounterStoreCase(first, () => ({ store: broken, close }), assert)).rejects.toThrow("down");
  expect(closed).toBe(1);
});

/** Ways in which stores have been wrong; each must fail some case and some history, or the contract proves nothing. */
const defects: Record<string, (store: CounterStore) => CounterStore> = {
  "a refused reservation keeps what fitted": (store) => ({
    ...store,
    async reserve(debits, now) {
      const answer = await store.reserve(debits, now);
      if (!answer.granted)
        for (const [index, debit] of debits.entries()) if (!answer.short.includes(index)) await store.reserve([debit], now);
      return answer;
    },
  }),
  "looking takes": (store) => ({
    ...store,
    async look(debits, now) {
      const room = await store.look(debits, now);
      await store.reserve(debits, now);
      return room;
    },
  }),
  "settling gives everything back": (store) => ({
    ...store,
    settle: (reservation, _, now) => store.settle(reservation, [...reservation.debits.keys()], now),
  }),
  "settling gives nothing back": (store) => ({ ...store, settle: (reservation, _, now) => store.settle(reservation, [], now) }),
  "forgetting does nothing": (store) => ({ ...store, forget: () => undefined }),
  "the wait is a second too long": (store) => ({
    ...store,
    async reserve(debits, now) {
      const answer = await store.reserve(debits, now);
      const room = answer.room.map(({ remaining, retryAfterMs }) => ({
        remaining,
        ...(retryAfterMs === undefined ? {} : { retryAfterMs: retryAfterMs + 1000 }),
      }));
      return { ...answer, room };
    },
  }),
};

test.each(Object.entries(defects))("the contract and the histories find a store where %s", async (_, spoil) => {
  const failures = await Promise.allSettled(
    counterStoreCases.map((one) => runCounterStoreCase(one, () => ({ store: spoil(memoryStore()) }), assert)),
  );
  expect(failures.filter(({ status }) => status === "rejected")).not.toHaveLength(0);
  const found = await fc.check(
    fc.asyncProperty(counterStoreHistory(fc), async (history) => {
      assert.deepEqual(await runHistory(spoil(memoryStore()), history), await runHistory(memoryStore(), history));
    }),
    { numRuns: 300, endOnFailure: true },
  );
  expect(found.failed).toBe(true);
});

test("two stores in memory answer every history alike, whatever prefix sets the keys apart", async () => {
  await fc.assert(
    fc.asyncProperty(counterStoreHistory(fc), async (history) => {
      expect(await runHistory(memoryStore(), history, "a/")).toEqual(await runHistory(memoryStore(), history));
    }),
  );
});
