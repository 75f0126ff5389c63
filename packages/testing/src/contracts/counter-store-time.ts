import type { Window } from "@holdpoint/core";
import { type CounterStoreCase, type CounterStoreSubject, caseStart, granted, inTime, unit } from "./counter-store-case.ts";

const seconds = (seconds: number): Window => ({ kind: "seconds", seconds });
const sliding = (ms: number): Window => ({ kind: "sliding", ms });

/** When what was taken is free again. */
export const timeCases: readonly CounterStoreCase[] = [
  {
    name: "a fixed window is free again when it ends, after the wait that was told",
    clock: "any",
    run: (subject, assert) =>
      inTime(subject, 1000, async (ms, wait) => {
        const debit = { key: subject.key(`calls in ${ms} ms`), window: seconds(ms / 1000), amount: unit, max: unit };
        await startOf(subject, debit.window, wait);
        await granted(subject, [debit]);
        const refused = await subject.store.reserve([debit], subject.now());
        const toldMs = refused.granted ? undefined : refused.room[0]?.retryAfterMs;
        assert.ok(toldMs !== undefined && toldMs > 0 && toldMs <= ms, `the wait is ${toldMs} ms`);
        await wait(toldMs ?? 0);
        assert.ok((await subject.store.reserve([debit], subject.now())).granted);
      }),
  },
  {
    name: "what is given back goes to the window it was taken from, also when another has begun",
    clock: "any",
    run: (subject, assert) =>
      inTime(subject, 1000, async (ms, wait) => {
        const debit = { key: subject.key(`calls in ${ms} ms`), window: seconds(ms / 1000), amount: unit, max: unit };
        await startOf(subject, debit.window, wait);
        const reservation = await granted(subject, [debit]);
        await wait(ms);
        await granted(subject, [debit]);
        await subject.store.settle(reservation, [0], subject.now());
        assert.ok(!(await subject.store.reserve([debit], subject.now())).granted);
      }),
  },
  {
    name: "[no-over-admission] a sliding window has no double burst: what was taken late still counts when what was taken early is free",
    clock: "any",
    run: (subject, assert) =>
      inTime(subject, 300, async (ms, wait) => {
        const debit = { key: subject.key(`calls in ${ms} ms`), window: sliding(ms), amount: unit, max: 2 * unit };
        await granted(subject, [debit]);
        await wait(ms / 2);
        await granted(subject, [debit]);
        const refused = await subject.store.reserve([debit], subject.now());
        const toldMs = refused.granted ? undefined : refused.room[0]?.retryAfterMs;
        assert.ok(toldMs !== undefined && toldMs > 0 && toldMs <= ms / 2, `the wait is ${toldMs} ms`);
        await wait(toldMs ?? 0);
        assert.ok((await subject.store.reserve([debit], subject.now())).granted);
        assert.ok(!(await subject.store.reserve([debit], subject.now())).granted);
      }),
  },
  {
    name: "what is given back in a sliding window is the reservation's own, not the oldest",
    clock: "any",
    run: (subject, assert) =>
      inTime(subject, 300, async (ms, wait) => {
        const debit = { key: subject.key(`calls in ${ms} ms`), window: sliding(ms), amount: unit, max: 2 * unit };
        await granted(subject, [debit]);
        await wait(ms / 2);
        const late = await granted(subject, [debit]);
        await subject.store.settle(late, [0], subject.now());
        await wait(ms / 2);
        assert.deepEqual(await subject.store.look([debit], subject.now()), [{ remaining: 2 * unit }]);
      }),
  },
  {
    name: "what is given back after it left a sliding window frees nothing that came after",
    clock: "any",
    run: (subject, assert) =>
      inTime(subject, 300, async (ms, wait) => {
        const debit = { key: subject.key(`calls in ${ms} ms`), window: sliding(ms), amount: unit, max: 2 * unit };
        const old = await granted(subject, [debit]);
        await wait(ms * 0.6);
        await granted(subject, [debit]);
        await wait(ms * 0.4);
        await granted(subject, [debit]);
        await subject.store.settle(old, [0], subject.now());
        assert.ok(!(await subject.store.reserve([debit], subject.now())).granted);
      }),
  },
  {
    name: "a lifetime that expires ends when it was not touched for that long; a refused call does not touch it",
    clock: "any",
    run: (subject, assert) =>
      inTime(subject, 300, async (ms, wait) => {
        const debit = (amount: number) => ({
          key: subject.key(`budget of ${ms} ms`),
          window: { kind: "lifetime", expiresMs: ms } as const,
          amount,
          max: 2 * unit,
        });
        await granted(subject, [debit(unit)]);
        await wait(ms * 0.6);
        await granted(subject, [debit(unit)]);
        await wait(ms * 0.6);
        const refused = await subject.store.reserve([debit(unit)], subject.now());
        const toldMs = refused.granted ? undefined : refused.room[0]?.retryAfterMs;
        assert.ok(toldMs !== undefined && toldMs > 0 && toldMs <= ms * 0.4, `the wait is ${toldMs} ms`);
        await wait(toldMs ?? 0);
        assert.deepEqual(await subject.store.look([debit(unit)], subject.now()), [{ remaining: 2 * unit }]);
      }),
  },
  ...boundaryCases(),
  {
    name: "the wait is right to the millisecond, also over several entries of a sliding window",
    clock: "caller",
    async run(subject, assert) {
      const debit = (amount: number) => ({ key: subject.key("spent"), window: sliding(1000), amount, max: 10 * unit });
      for (const amount of [1, 4, 5]) {
        await granted(subject, [debit(amount * unit)]);
        await subject.wait(100);
      }
      // At 300 ms the entries of 0, 100 and 200 ms fill the window: 1 is free at 1000, 5 at 1100, 10 at 1200.
      for (const [amount, wait] of [
        [1, 700],
        [2, 800],
        [5, 800],
        [6, 900],
      ] as const) {
        const room = await subject.store.look([debit(amount * unit)], subject.now());
        assert.deepEqual(room, [{ remaining: 0, retryAfterMs: wait }], `for ${amount}`);
      }
      await subject.wait(799);
      assert.ok(!(await subject.store.reserve([debit(5 * unit)], subject.now())).granted);
      await subject.wait(1);
      assert.ok((await subject.store.reserve([debit(5 * unit)], subject.now())).granted);
      assert.deepEqual(
        await subject.store.look([debit(11 * unit)], subject.now()),
        [{ remaining: 0 }],
        "no wait makes room for more than the limit",
      );
    },
  },
  {
    name: "[no-over-admission] a clock that is set back opens no window again, and the wait is the caller's",
    clock: "caller",
    async run(subject, assert) {
      const fixed = { key: subject.key("calls"), window: seconds(60), amount: unit, max: unit };
      const rolling = { key: subject.key("rolling"), window: sliding(60_000), amount: unit, max: unit };
      await startOf(subject, fixed.window);
      await granted(subject, [fixed, rolling]);
      const back = await subject.store.reserve([fixed, rolling], subject.now() - 120_000);
      assert.deepEqual(back, {
        granted: false,
        short: [0, 1],
        room: [
          { remaining: 0, retryAfterMs: 180_000 },
          { remaining: 0, retryAfterMs: 180_000 },
        ],
      });
      await subject.wait(60_000);
      const reservation = await granted(subject, [fixed, rolling]);
      const late = await subject.store.reserve([fixed], subject.now() - 60_000);
      assert.ok(!late.granted);
      assert.deepEqual(reservation.at, subject.now());
    },
  },
];

/** Each fixed window at its boundary, and the sliding one at its own: one millisecond before the end nothing fits, at the end everything does. */
function boundaryCases(): CounterStoreCase[] {
  const windows: readonly (readonly [string, Window, number])[] = [
    ...(["minute", "hour", "day", "week", "month"] as const).map(
      (unit) => [`the calendar ${unit}`, { kind: "calendar", unit }, nextBoundary(unit)] as const,
    ),
    ["a window of seven seconds", seconds(7), Math.ceil(caseStart / 7000) * 7000],
    ["a sliding window", sliding(10_000), caseStart + 10_000],
  ];
  return windows.map(([title, window, end]) => ({
    name: `${title} ends at its end, and not a millisecond before`,
    clock: "caller",
    async run(subject, assert) {
      const debit = { key: subject.key("calls"), window, amount: unit, max: unit };
      await granted(subject, [debit]);
      await subject.wait(end - 1 - subject.now());
      assert.deepEqual(await subject.store.reserve([debit], subject.now()), {
        granted: false,
        short: [0],
        room: [{ remaining: 0, retryAfterMs: 1 }],
      });
      await subject.wait(1);
      await granted(subject, [debit]);
    },
  }));
}

function nextBoundary(unit: "minute" | "hour" | "day" | "week" | "month"): number {
  const boundaries = {
    minute: "2028-02-26T21:38:00Z",
    hour: "2028-02-26T22:00:00Z",
    day: "2028-02-27T00:00:00Z",
    week: "2028-02-28T00:00:00Z",
    month: "2028-03-01T00:00:00Z",
  };
  return Date.parse(boundaries[unit]);
}

/** Waits for the next start of a fixed window, by the store's own clock. */
async function startOf(subject: CounterStoreSubject, window: Window, wait = subject.wait): Promise<void> {
  const debit = { key: subject.key(`start of ${JSON.stringify(window)}`), window, amount: unit, max: unit };
  await subject.store.reserve([debit], subject.now());
  const [room] = await subject.store.look([debit], subject.now());
  await wait(room?.retryAfterMs ?? 0);
}
