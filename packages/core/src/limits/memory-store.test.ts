import fc from "fast-check";
import { expect, test } from "vitest";
import { CounterStoreError } from "../holdpoint-error.ts";
import type { Debit, Reservation, Window } from "./counter-store.ts";
import { type MemoryStore, memoryStore } from "./memory-store.ts";
import { type FixedWindow, windowBounds } from "./window.ts";

const unit = 1_000_000;
const start = Date.parse("2026-11-30T23:59:30.000Z");
const calls = (given: Partial<Debit> = {}): Debit => ({
  key: "calls",
  window: { kind: "calendar", unit: "minute" },
  amount: unit,
  max: unit,
  ...given,
});

function take(store: MemoryStore, debits: readonly Debit[], now: number): Reservation {
  const answer = store.reserve(debits, now);
  if (!answer.granted) throw new Error("a reservation that fits was refused");
  return answer.reservation;
}

const windows: readonly (readonly [string, Window])[] = [
  ...(["minute", "hour", "day", "week", "month"] as const).map((unit) => [unit, { kind: "calendar", unit }] as const),
  ["7 seconds", { kind: "seconds", seconds: 7 }],
  ["sliding", { kind: "sliding", ms: 10_000 }],
  ["lifetime", { kind: "lifetime" }],
  ["expiring lifetime", { kind: "lifetime", expiresMs: 5_000 }],
  ["concurrent", { kind: "concurrent" }],
];

/** What one call took, at the store's time, and has not given back. */
interface Taken {
  readonly at: number;
  readonly amount: number;
  readonly reservation: Reservation;
}

/** The most that stood in one window of a history, worked out from the definition of the window, without the store. */
function fullest(window: Window, taken: readonly Taken[]): number {
  const sumOf = (some: readonly Taken[]) => some.reduce((sum, { amount }) => sum + amount, 0);
  if (window.kind === "calendar" || window.kind === "seconds") {
    const startOf = (at: number) => windowBounds(window as FixedWindow, at).start;
    return Math.max(0, ...taken.map(({ at }) => sumOf(taken.filter((other) => startOf(other.at) === startOf(at)))));
  }
  if (window.kind === "sliding") {
    return Math.max(0, ...taken.map(({ at }) => sumOf(taken.filter((other) => other.at <= at && other.at > at - window.ms))));
  }
  if (window.kind === "lifetime" && window.expiresMs !== undefined) {
    let used = 0;
    let most = 0;
    for (const [index, { at, amount }] of taken.entries()) {
      const untouched = at - (taken[index - 1]?.at ?? at);
      used = untouched >= window.expiresMs ? amount : used + amount;
      most = Math.max(most, used);
    }
    return most;
  }
  return sumOf(taken);
}

test.each(windows)("[no-over-admission] no %s ever holds more than its max, whatever the order of calls and clocks", (_, window) => {
  const concurrent = window.kind === "concurrent";
  const step = fc.oneof(
    fc.constantFrom(0, 1, 999, 1000, 4_999, 5_000, 9_999, 10_000, 30_000, -1, -10_000, -4_000_000),
    fc.integer({ min: -100_000, max: 100_000 }),
    fc.integer({ min: 0, max: 20 * 86_400_000 }),
  );
  const attempt = fc.record({
    step,
    amount: concurrent ? fc.constant(unit) : fc.integer({ min: 1, max: 2 * unit }),
    settles: fc.option(fc.nat(10), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(attempt, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (attempts, count) => {
      const store = memoryStore();
      const max = count * unit;
      const taken: Taken[] = [];
      let now = start;
      for (const { step, amount, settles } of attempts) {
        now += step;
        const answer = store.reserve([calls({ window, amount, max })], now);
        if (answer.granted) taken.push({ at: answer.reservation.at, amount, reservation: answer.reservation });
        expect(fullest(window, taken)).toBeLessThanOrEqual(max);
        const settled = settles === undefined ? undefined : taken[settles];
        // A lifetime is counted above from the times of all its calls, given back or not, so that only the others settle here.
        if (settled !== undefined && window.kind !== "lifetime") {
          store.settle(settled.reservation, [0], now);
          taken.splice(taken.indexOf(settled), 1);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test.each(windows)("a call that is refused in a %s would not have fitted", (_, window) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 12_000 }), { maxLength: 40 }), (steps) => {
      const store = memoryStore();
      const taken: Taken[] = [];
      let now = start;
      for (const step of steps) {
        now += step;
        const answer = store.reserve([calls({ window, max: 2 * unit })], now);
        if (answer.granted) taken.push({ at: now, amount: unit, reservation: answer.reservation });
        else expect(fullest(window, [...taken, { at: now, amount: unit, reservation: { id: "", at: now, debits: [] } }])).toBe(3 * unit);
      }
    }),
  );
});

test.each(windows)("the wait that a %s tells is exact: a millisecond earlier nothing fits, then it does", (_, window) => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(fc.integer({ min: 0, max: 4_000 }), fc.oneof(fc.constantFrom(unit, 2 * unit), fc.integer({ min: 1, max: 2 * unit }))),
        { minLength: 1, maxLength: 40 },
      ),
      (attempts) => {
        const store = memoryStore();
        let now = start;
        for (const [step, amount] of attempts) {
          now += step;
          const debit = calls({ window, amount, max: 3 * unit });
          const answer = store.reserve([debit], now);
          const wait = answer.granted ? undefined : answer.room[0]?.retryAfterMs;
          if (wait === undefined) continue;
          expect(wait).toBeGreaterThan(0);
          expect(store.reserve([debit], now + wait - 1).granted).toBe(false);
          expect(store.reserve([debit], now + wait).granted).toBe(true);
          now += wait;
        }
      },
    ),
  );
});

test("[refused-spends-nothing] a refused call leaves every counter as it was", () => {
  const kinds = windows.map(([name, window]) => calls({ key: name, window, max: 4 * unit }));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(20_000), fc.subarray(kinds, { minLength: 1 })), { maxLength: 30 }), (attempts) => {
      const store = memoryStore();
      let now = start;
      for (const [step, debits] of attempts) {
        now += step;
        const before = store.look(kinds, now);
        const answer = store.reserve(debits, now);
        if (!answer.granted) expect(store.look(kinds, now)).toEqual(before);
      }
    }),
  );
});

test("a give-back after the window has passed does not free the next one", () => {
  const store = memoryStore();
  const old = take(store, [calls()], start);
  take(store, [calls()], start + 60_000);
  store.settle(old, [0], start + 60_001);
  expect(store.reserve([calls()], start + 60_002).granted).toBe(false);
});

test("a give-back after a debit has left a sliding window frees none that came after", () => {
  const store = memoryStore();
  const rolling = calls({ window: { kind: "sliding", ms: 1_000 }, max: 2 * unit });
  const old = take(store, [rolling], start);
  for (const at of [999, 1_000]) take(store, [rolling], start + at);
  store.settle(old, [0], start + 1_000);
  expect(store.reserve([rolling], start + 1_000).granted).toBe(false);
});

test("a give-back after a session was forgotten does not free the next one, also within one millisecond", () => {
  const store = memoryStore();
  const budget = calls({ window: { kind: "lifetime" } });
  const old = take(store, [budget], start);
  store.forget([budget.key]);
  take(store, [budget], start);
  store.settle(old, [0], start);
  expect(store.reserve([budget], start).granted).toBe(false);
});

test("a slot is freed once, however often its call is settled", () => {
  const store = memoryStore();
  const slot = calls({ window: { kind: "concurrent" }, max: 2 * unit });
  const first = take(store, [slot], start);
  take(store, [slot], start);
  store.settle(first, [], start);
  store.settle(first, [], start);
  expect(store.look([slot], start)).toEqual([{ remaining: unit }]);
});

test("a reservation of another store frees nothing here", () => {
  const store = memoryStore();
  take(store, [calls()], start);
  store.settle(take(memoryStore(), [calls()], start), [0], start);
  expect(store.reserve([calls()], start).granted).toBe(false);
});

test("the clock of the store never goes back, and a reservation says the store's time", () => {
  const store = memoryStore();
  store.look([calls()], start + 60_000);
  expect(take(store, [calls()], start).at).toBe(start + 60_000);
  expect(take(store, [calls({ key: "other" })], start + 60_000.75).at).toBe(start + 60_000);
  store.settle(take(memoryStore(), [calls()], start), [0], start + 90_000);
  expect(take(store, [calls({ key: "after an answer" })], start).at).toBe(start + 90_000);
});

test("[fail-closed] a time that is no number is no time", () => {
  const store = memoryStore();
  for (const now of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e16])
    expect(() => store.reserve([calls()], now)).toThrow(
      new CounterStoreError("the time of a call is no number of milliseconds that a date can hold"),
    );
  for (const now of [-8.64e15, start, 8.64e15])
    expect(store.reserve([calls({ window: { kind: "lifetime", expiresMs: 1 } })], now).granted).toBe(true);
});

test.each([
  [[calls({ amount: -1 })], "a debit is no whole number of millionths"],
  [[calls({ amount: 0.5 })], "a debit is no whole number of millionths"],
  [[calls({ amount: Number.NaN })], "a debit is no whole number of millionths"],
  [[calls({ max: Number.POSITIVE_INFINITY })], "a debit is no whole number of millionths"],
  [[calls({ amount: 0, max: -1 })], "a debit is no whole number of millionths"],
  [[calls(), calls()], "two debits of one reservation share a key"],
])("[fail-closed] debits that would count wrongly are refused: %#", (debits, message) => {
  const store = memoryStore();
  expect(() => store.reserve(debits, start)).toThrow(message);
  expect(store.size).toBe(0);
});

test("a maximum of zero lets nothing through that counts", () => {
  const store = memoryStore();
  expect(store.reserve([calls({ max: 0 })], start).granted).toBe(false);
  expect(store.reserve([calls({ max: 0, amount: 0 })], start).granted).toBe(true);
});

test("a refusal names the debits that lack room, and no wait where none would help", () => {
  const store = memoryStore();
  const rolling = { key: "rolling", window: { kind: "sliding", ms: 1_000 }, max: 3 * unit } as const;
  const slot = calls({ key: "slot", window: { kind: "concurrent" } });
  take(store, [calls({ ...rolling, amount: 2 * unit }), slot], start);
  take(store, [calls(rolling)], start + 400);
  const full = calls({ ...rolling, amount: 2 * unit });
  expect(store.reserve([calls(), full, slot], start + 500)).toEqual({
    granted: false,
    short: [1, 2],
    room: [{ remaining: unit }, { remaining: 0, retryAfterMs: 500 }, { remaining: 0 }],
  });
  expect(store.look([calls({ ...rolling, amount: 3 * unit })], start + 500)).toEqual([{ remaining: 0, retryAfterMs: 900 }]);
  take(store, [calls({ max: 2 * unit })], start);
  expect(store.look([calls({ max: 2 * unit })], start)).toEqual([{ remaining: unit }]);
  expect(store.look([calls({ max: 2 * unit, amount: 3 * unit })], start)).toEqual([{ remaining: unit }]);
});

test("[fail-closed] a key is counted in one kind of window", () => {
  const store = memoryStore();
  take(store, [calls()], start);
  expect(() => store.reserve([calls({ window: { kind: "concurrent" } })], start)).toThrow("one key is counted in two kinds of window");
});

test("[fail-closed] a full store refuses a new counter, keeps every live one, and takes new ones as soon as one has ended", () => {
  const store = memoryStore({ maxKeys: 3 });
  const keyed = (key: string, window: Window) => calls({ key, window, max: 9 * unit });
  take(store, [keyed("minute", { kind: "calendar", unit: "minute" }), keyed("day", { kind: "calendar", unit: "day" })], start);
  take(store, [keyed("lifetime", { kind: "lifetime" })], start);
  const refused = () =>
    store.reserve([keyed("day", { kind: "calendar", unit: "day" }), keyed("new", { kind: "lifetime" })], start + 29_999);
  expect(refused).toThrow(CounterStoreError);
  expect(refused).toThrow("the memory store is full: it holds `maxKeys` (3) live counters");
  expect(store.look([keyed("day", { kind: "calendar", unit: "day" })], start)).toEqual([{ remaining: 8 * unit }]);
  expect(store.reserve([keyed("lifetime", { kind: "lifetime" })], start + 29_999).granted).toBe(true);
  expect(store.reserve([keyed("new", { kind: "lifetime" })], start + 30_000).granted).toBe(true);
  expect(store.look([keyed("lifetime", { kind: "lifetime" })], start)).toEqual([{ remaining: 7 * unit }]);
  expect(store.size).toBe(2);
});

test("a full store finds each counter that has ended, one after another", () => {
  const store = memoryStore({ maxKeys: 3 });
  const ending = (key: string, expiresMs: number | undefined) => calls({ key, window: { kind: "lifetime", expiresMs } });
  take(store, [ending("first", 10), ending("second", 20), ending("last", undefined)], start);
  expect(store.reserve([ending("third", undefined)], start + 10).granted).toBe(true);
  expect(() => store.reserve([ending("fourth", undefined)], start + 19)).toThrow("full");
  expect(store.reserve([ending("fourth", undefined)], start + 20).granted).toBe(true);
});

test("[fail-closed] a store that is full says so, so that no guard takes it for one that is down", () => {
  const keys = memoryStore({ maxKeys: 1 });
  take(keys, [calls()], start);
  expect(() => keys.reserve([calls({ key: "other" })], start)).toThrow(expect.objectContaining({ full: true }));
  const entries = memoryStore({ maxEntriesPerKey: 1 });
  const rolling = calls({ window: { kind: "sliding", ms: 10 }, max: 100 * unit });
  take(entries, [rolling], start);
  expect(() => entries.reserve([rolling], start + 1)).toThrow(expect.objectContaining({ full: true }));
});

test("a full store finds a counter that ended sooner than those it met before", () => {
  const store = memoryStore({ maxKeys: 2 });
  const slot = take(store, [calls({ key: "slot", window: { kind: "concurrent" } })], start);
  take(store, [calls({ key: "month", window: { kind: "lifetime", expiresMs: 1_000_000 } })], start);
  expect(() => store.reserve([calls({ key: "third" })], start)).toThrow("full");
  store.settle(slot, [], start);
  take(store, [calls({ key: "short", window: { kind: "lifetime", expiresMs: 10 } })], start);
  expect(() => store.reserve([calls({ key: "third" })], start + 9)).toThrow("full");
  expect(store.reserve([calls({ key: "third" })], start + 10).granted).toBe(true);
});

test("[fail-closed] a sliding window refuses what its log cannot hold, and frees as entries leave", () => {
  const store = memoryStore({ maxEntriesPerKey: 3 });
  const rolling = calls({ window: { kind: "sliding", ms: 10 }, max: 100 * unit });
  for (const at of [0, 0, 1, 2, 2]) take(store, [rolling], start + at);
  expect(() => store.reserve([rolling], start + 3)).toThrow("`maxEntriesPerKey` (3)");
  expect(store.reserve([rolling], start + 10).granted).toBe(true);
});

test("what counts nothing fills no sliding window, and keeps none", () => {
  const store = memoryStore({ maxEntriesPerKey: 2 });
  const rolling = calls({ window: { kind: "sliding", ms: 10 }, max: 100 * unit });
  take(store, [rolling], start);
  take(store, [{ ...rolling, amount: 0 }], start + 5);
  take(store, [rolling], start + 6);
  expect(store.look([{ ...rolling, amount: 100 * unit }], start + 6)).toEqual([{ remaining: 98 * unit, retryAfterMs: 10 }]);
});

test("[no-over-admission] only lifetime counters are forgotten", () => {
  const store = memoryStore();
  const minute = calls();
  const ever = calls({ key: "ever", window: { kind: "lifetime" } });
  take(store, [minute, ever], start);
  store.forget([minute.key, ever.key, "unknown"]);
  expect([store.reserve([minute], start).granted, store.reserve([ever], start).granted]).toEqual([false, true]);
});

test("no dead counters are kept: what callers leave behind is dropped as new ones come", () => {
  const store = memoryStore();
  for (let caller = 0; caller < 1_000; caller += 1) take(store, [calls({ key: `first ${caller}` })], start);
  expect(store.size).toBe(1_000);
  for (let caller = 0; caller < 1_000; caller += 1) take(store, [calls({ key: `second ${caller}` })], start + 60_000);
  expect(store.size).toBe(1_000);
});

test("a counter with nothing left on it is not kept", () => {
  const store = memoryStore();
  const debits = windows.map(([key, window]) => calls({ key, window }));
  const reservation = take(store, debits, start);
  expect(store.size).toBe(debits.length);
  store.settle(reservation, [...debits.keys()], start);
  expect(store.size).toBe(0);
  take(
    store,
    debits.map((debit) => ({ ...debit, amount: 0 })),
    start,
  );
  expect(store.size).toBe(0);
});

test("long counts in memory are accepted only when it is said out loud", () => {
  expect(memoryStore().acceptsLongWindows).toBe(false);
  expect(memoryStore({ durability: "process" }).acceptsLongWindows).toBe(true);
  expect(() => memoryStore({ maxKeys: 0 })).toThrow("`maxKeys` is a whole number above zero");
  expect(() => memoryStore({ maxEntriesPerKey: 1.5 })).toThrow("`maxEntriesPerKey` is a whole number above zero");
});
