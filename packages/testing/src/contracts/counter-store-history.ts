import type { CounterStore, Debit, Reservation, Room, Window } from "@holdpoint/core";
import type fastCheck from "fast-check";
import type { Arbitrary } from "fast-check";

/** One thing done to a store, `stepMs` after the one before; a negative step is a clock that was set back. */
export type HistoryStep =
  | { readonly do: "reserve" | "look"; readonly stepMs: number; readonly debits: readonly Debit[] }
  /** Settles the open reservation at `which`, counted round, giving back its debits with the same positions in `giveBack`. */
  | { readonly do: "settle"; readonly stepMs: number; readonly which: number; readonly giveBack: readonly boolean[] }
  | { readonly do: "forget"; readonly stepMs: number; readonly keys: readonly string[] };

export type CounterStoreHistory = readonly HistoryStep[];

/** What the store answered to one step: everything but the reservation's id. */
export type HistoryAnswer =
  | { readonly granted: true; readonly at: number; readonly room: readonly Room[] }
  | { readonly granted: false; readonly short: readonly number[]; readonly room: readonly Room[] }
  | { readonly looked: readonly Room[] }
  | null;

const unit = 1_000_000;

const counters: readonly (readonly [string, Window])[] = [
  ["minute", { kind: "calendar", unit: "minute" }],
  ["month", { kind: "calendar", unit: "month" }],
  ["seconds", { kind: "seconds", seconds: 7 }],
  ["sliding", { kind: "sliding", ms: 1000 }],
  ["rolling", { kind: "sliding", ms: 60_000 }],
  ["lifetime", { kind: "lifetime" }],
  ["expiring", { kind: "lifetime", expiresMs: 5000 }],
  ["in flight", { kind: "concurrent" }],
];

/**
 * Histories that a store must answer as the one in memory does, over every kind of window, with steps that meet boundaries and go back in time.
 * Takes fast-check itself, so that this package does not need it.
 *
 * @example
 * await fc.assert(fc.asyncProperty(counterStoreHistory(fc), async (history) => {
 *   expect(await runHistory(open(), history)).toEqual(await runHistory(memoryStore(), history));
 * }));
 */
export function counterStoreHistory(fc: typeof fastCheck): Arbitrary<CounterStoreHistory> {
  const amount = fc.oneof(
    { arbitrary: fc.integer({ min: 0, max: 3 }).map((count) => count * unit), weight: 3 },
    fc.integer({ min: 0, max: 3 * unit }),
  );
  const debit = ([key, window]: readonly [string, Window]) =>
    fc.record({
      key: fc.constant(key),
      window: fc.constant(window),
      amount: window.kind === "concurrent" ? fc.constant(unit) : amount,
      max: fc.integer({ min: 0, max: 4 }).map((count) => count * unit),
    });
  const debits = fc.subarray([...counters], { minLength: 1 }).chain((some) => fc.tuple(...some.map(debit)));
  const stepMs = fc.oneof(
    fc.constantFrom(0, 0, 1, 500, 999, 1000, 5000, 7000, 60_000, -1, -1000, -100_000),
    fc.integer({ min: 0, max: 90_000 }),
  );
  const keys = fc.subarray(counters.map(([key]) => key));
  return fc.array(
    fc.oneof(
      { arbitrary: fc.record({ do: fc.constant("reserve" as const), stepMs, debits }), weight: 6 },
      { arbitrary: fc.record({ do: fc.constant("look" as const), stepMs, debits }), weight: 1 },
      {
        arbitrary: fc.record({
          do: fc.constant("settle" as const),
          stepMs,
          which: fc.nat(20),
          giveBack: fc.array(fc.boolean(), { maxLength: 8 }),
        }),
        weight: 3,
      },
      { arbitrary: fc.record({ do: fc.constant("forget" as const), stepMs, keys }), weight: 1 },
    ),
    { maxLength: 40 },
  );
}

/** Where a history's clock starts: in the last minute of a month. */
const historyStart = Date.parse("2026-11-30T23:59:30.000Z");

/** Plays a history on an empty store that goes by the caller's clock, and answers what it said at each step. `prefix` sets its keys apart. */
export async function runHistory(store: CounterStore, history: CounterStoreHistory, prefix = ""): Promise<readonly HistoryAnswer[]> {
  const answers: HistoryAnswer[] = [];
  const open: Reservation[] = [];
  let now = historyStart;
  for (const step of history) {
    now += step.stepMs;
    answers.push(await playStep(store, step, now, open, prefix));
  }
  return answers;
}

async function playStep(store: CounterStore, step: HistoryStep, now: number, open: Reservation[], prefix: string): Promise<HistoryAnswer> {
  switch (step.do) {
    case "reserve": {
      const answer = await store.reserve(keyed(step.debits, prefix), now);
      if (!answer.granted) return { granted: false, short: answer.short, room: answer.room };
      open.push(answer.reservation);
      return { granted: true, at: answer.reservation.at, room: answer.room };
    }
    case "look":
      return { looked: await store.look(keyed(step.debits, prefix), now) };
    case "settle": {
      const [reservation] = open.splice(step.which % Math.max(1, open.length), 1);
      if (reservation === undefined) return null;
      const giveBack = reservation.debits.flatMap((_, index) => (step.giveBack[index] === true ? [index] : []));
      await store.settle(reservation, giveBack, now);
      return null;
    }
    case "forget":
      await store.forget(step.keys.map((key) => prefix + key));
      return null;
  }
}

function keyed(debits: readonly Debit[], prefix: string): readonly Debit[] {
  return debits.map((debit) => ({ ...debit, key: prefix + debit.key }));
}
