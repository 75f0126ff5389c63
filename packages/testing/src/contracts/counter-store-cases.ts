import type { CounterStore, Debit, Reservation, Reserved, Window } from "@holdpoint/core";

/** A store under test, empty but for other keys, with a clock that the case can move. */
export interface CounterStoreSubject {
  readonly store: CounterStore;
  /** Another handle on the same counters, such as a second connection; the store itself where there is none. */
  readonly second: CounterStore;
  /** Milliseconds since the epoch, as the caller knows them. */
  now(): number;
  /** Lets time pass: at once where the caller's clock decides, truly where the server's does. */
  wait(ms: number): Promise<void>;
  /** A key of this case alone, so that a shared database needs no cleaning. */
  key(name: string): string;
}

/** What a case needs of a test runner; `node:assert/strict` has both. */
export interface CaseAssert {
  deepEqual(actual: unknown, expected: unknown, message?: string): void;
  ok(value: unknown, message?: string): void;
}

export interface CounterStoreCase {
  readonly name: string;
  /** `caller`: the case moves the clock to exact milliseconds, which only a store that takes the caller's `now` can follow. */
  readonly clock: "any" | "caller";
  run(subject: CounterStoreSubject, assert: CaseAssert): Promise<void>;
}

/** The caller's clock starts here: a Saturday late in February of a leap year. */
export const caseStart = Date.parse("2028-02-26T21:37:40.123Z");

const unit = 1_000_000;
const hour: Window = { kind: "calendar", unit: "hour" };
const slots: Window = { kind: "concurrent" };
const lifetime: Window = { kind: "lifetime" };
const seconds = (seconds: number): Window => ({ kind: "seconds", seconds });
const sliding = (ms: number): Window => ({ kind: "sliding", ms });

/** What every counter store must do, as plain data: run each with the test runner at hand, or let `counterStoreContract` do it. */
export const counterStoreCases: readonly CounterStoreCase[] = [
  {
    name: "[no-over-admission] a limit of three grants three of four",
    clock: "any",
    async run(subject, assert) {
      const debit = { key: subject.key("calls"), window: lifetime, amount: unit, max: 3 * unit };
      const answers = [];
      for (let call = 0; call < 4; call += 1) answers.push(await subject.store.reserve([debit], subject.now()));
      assert.deepEqual(
        answers.map(({ granted }) => granted),
        [true, true, true, false],
      );
      assert.deepEqual(
        answers.map(({ room }) => room[0]?.remaining),
        [2 * unit, unit, 0, 0],
      );
    },
  },
  {
    name: "[no-over-admission] of twenty reservations at once on a limit of three, three are granted",
    clock: "any",
    async run(subject, assert) {
      const debits = [
        { key: subject.key("calls"), window: lifetime, amount: unit, max: 3 * unit },
        { key: subject.key("spent"), window: sliding(60_000), amount: 5 * unit, max: 100 * unit },
      ];
      const answers = await Promise.all(
        Array.from({ length: 20 }, async (_, call) => (call % 2 === 0 ? subject.store : subject.second).reserve(debits, subject.now())),
      );
      assert.deepEqual(answers.filter(({ granted }) => granted).length, 3);
      const left = await subject.store.look(debits, subject.now());
      assert.deepEqual(
        left.map(({ remaining }) => remaining),
        [0, 85 * unit],
      );
    },
  },
  {
    name: "[refused-spends-nothing] a reservation with one debit short takes none, and says which",
    clock: "any",
    async run(subject, assert) {
      const roomy = { key: subject.key("roomy"), window: hour, amount: unit, max: 10 * unit };
      const tight = { key: subject.key("tight"), window: slots, amount: unit, max: unit };
      const minor = { key: subject.key("minor"), window: sliding(60_000), amount: unit, max: 10 * unit };
      await subject.store.reserve([tight], subject.now());
      const refused = await subject.store.reserve([roomy, tight, minor], subject.now());
      assert.deepEqual(refused, {
        granted: false,
        short: [1],
        room: [{ remaining: 10 * unit }, { remaining: 0 }, { remaining: 10 * unit }],
      });
      assert.deepEqual(await subject.store.look([roomy, minor], subject.now()), [{ remaining: 10 * unit }, { remaining: 10 * unit }]);
    },
  },
  {
    name: "looking takes nothing",
    clock: "any",
    async run(subject, assert) {
      const debit = { key: subject.key("calls"), window: lifetime, amount: unit, max: unit };
      for (let look = 0; look < 3; look += 1) assert.deepEqual(await subject.store.look([debit], subject.now()), [{ remaining: unit }]);
      assert.ok((await subject.store.reserve([debit], subject.now())).granted);
    },
  },
  {
    name: "amounts are exact: 0.1 and 0.2 fill a limit of 0.3, and the largest limit is filled to its last millionth",
    clock: "any",
    async run(subject, assert) {
      const small = (amount: number) => ({ key: subject.key("small"), window: lifetime, amount, max: 300_000 });
      const large = (amount: number) => ({ key: subject.key("large"), window: lifetime, amount, max: 9_000_000_000 * unit });
      assert.ok((await subject.store.reserve([small(100_000), large(8_999_999_999 * unit + 999_999)], subject.now())).granted);
      assert.ok((await subject.store.reserve([small(200_000), large(1)], subject.now())).granted);
      const refused = await subject.store.reserve([small(1), large(1)], subject.now());
      assert.deepEqual(refused, { granted: false, short: [0, 1], room: [{ remaining: 0 }, { remaining: 0 }] });
    },
  },
  {
    name: "nothing fits a full counter but an amount of nothing",
    clock: "any",
    async run(subject, assert) {
      const debit = (amount: number) => ({ key: subject.key("spent"), window: lifetime, amount, max: unit });
      assert.ok((await subject.store.reserve([debit(0)], subject.now())).granted);
      assert.ok((await subject.store.reserve([debit(unit)], subject.now())).granted);
      assert.ok((await subject.store.reserve([debit(0)], subject.now())).granted);
      assert.ok(!(await subject.store.reserve([debit(1)], subject.now())).granted);
    },
  },
  {
    name: "a max that was lowered below what is used leaves no room, and none that is negative",
    clock: "any",
    async run(subject, assert) {
      const debit = (max: number) => ({ key: subject.key("calls"), window: lifetime, amount: unit, max });
      for (let call = 0; call < 3; call += 1) await subject.store.reserve([debit(5 * unit)], subject.now());
      assert.deepEqual(await subject.store.look([debit(2 * unit)], subject.now()), [{ remaining: 0 }]);
      assert.ok(!(await subject.store.reserve([debit(2 * unit)], subject.now())).granted);
    },
  },
  {
    name: "settling gives back what it names, and keeps the rest",
    clock: "any",
    async run(subject, assert) {
      const debits = [hour, sliding(60_000), lifetime].flatMap((window, index) =>
        ["kept", "returned"].map((name) => ({ key: subject.key(`${name} ${index}`), window, amount: unit, max: 2 * unit })),
      );
      await granted(subject, debits);
      const reservation = await granted(subject, debits);
      await subject.store.settle(reservation, [1, 3, 5], subject.now());
      const room = await subject.store.look(debits, subject.now());
      assert.deepEqual(
        room.map(({ remaining }) => remaining),
        [0, unit, 0, unit, 0, unit],
      );
    },
  },
  {
    name: "a reservation is plain JSON, and another handle can settle it",
    clock: "any",
    async run(subject, assert) {
      const debits = [
        { key: subject.key("calls"), window: lifetime, amount: unit, max: 2 * unit },
        { key: subject.key("in flight"), window: slots, amount: unit, max: unit },
      ];
      const reservation = await granted(subject, debits);
      await subject.second.settle(JSON.parse(JSON.stringify(reservation)) as Reservation, [0], subject.now());
      const room = await subject.store.look(debits, subject.now());
      assert.deepEqual(
        room.map(({ remaining }) => remaining),
        [2 * unit, unit],
      );
    },
  },
  {
    name: "no two reservations have one id",
    clock: "any",
    async run(subject, assert) {
      const debit = { key: subject.key("calls"), window: lifetime, amount: unit, max: 50 * unit };
      const reservations = await Promise.all(Array.from({ length: 20 }, () => granted(subject, [debit])));
      assert.deepEqual(new Set(reservations.map(({ id }) => id)).size, 20);
    },
  },
  {
    name: "concurrent slots are held until they are settled, each once",
    clock: "any",
    async run(subject, assert) {
      const debit = { key: subject.key("in flight"), window: slots, amount: unit, max: 2 * unit };
      const first = await granted(subject, [debit]);
      const second = await granted(subject, [debit]);
      assert.deepEqual(await subject.store.reserve([debit], subject.now()), { granted: false, short: [0], room: [{ remaining: 0 }] });
      await subject.store.settle(first, [], subject.now());
      const third = await granted(subject, [debit]);
      assert.ok(!(await subject.store.reserve([debit], subject.now())).granted);
      await subject.store.settle(second, [], subject.now());
      await subject.store.settle(third, [], subject.now());
      assert.deepEqual(await subject.store.look([debit], subject.now()), [{ remaining: 2 * unit }]);
    },
  },
  {
    name: "a lifetime counts until it is forgotten, and what was taken before is not given back to the next",
    clock: "any",
    async run(subject, assert) {
      const debit = { key: subject.key("budget"), window: lifetime, amount: unit, max: 2 * unit };
      const before = await granted(subject, [debit]);
      await granted(subject, [debit]);
      assert.deepEqual(await subject.store.reserve([debit], subject.now()), { granted: false, short: [0], room: [{ remaining: 0 }] });
      await subject.store.forget([debit.key, subject.key("never counted")]);
      await granted(subject, [debit]);
      await subject.store.settle(before, [0], subject.now());
      assert.deepEqual(await subject.store.look([debit], subject.now()), [{ remaining: unit }]);
    },
  },
  {
    name: "[no-over-admission] forgetting leaves counters of other kinds as they are",
    clock: "any",
    async run(subject, assert) {
      const debits = [hour, sliding(60_000), slots].map((window, index) => ({
        key: subject.key(`${index}`),
        window,
        amount: unit,
        max: unit,
      }));
      await granted(subject, debits);
      await subject.store.forget(debits.map(({ key }) => key));
      const room = await subject.store.look(debits, subject.now());
      assert.deepEqual(
        room.map(({ remaining }) => remaining),
        [0, 0, 0],
      );
    },
  },
  {
    name: "keys that look alike are counters of their own",
    clock: "any",
    async run(subject, assert) {
      const names = [
        "a",
        "A",
        "a ",
        " a",
        "á",
        "a\u0301",
        "a%",
        "a_",
        "a*",
        'a"',
        "a'",
        "a\\",
        '["a","b"]',
        '["a,b"]',
        "a:b",
        "a{b}",
        "🙂",
        "",
        "a".repeat(1500),
        `${"a".repeat(1500)}b`,
      ];
      const debits = names.map((name) => ({ key: subject.key(name), window: lifetime, amount: unit, max: unit }));
      await granted(subject, debits);
      assert.ok(!(await subject.store.reserve(debits.slice(0, 1), subject.now())).granted);
      await subject.store.forget([subject.key("a")]);
      const room = await subject.store.look(debits, subject.now());
      assert.deepEqual(
        room.map(({ remaining }) => remaining),
        names.map((name) => (name === "a" ? unit : 0)),
      );
    },
  },
  {
    name: "a fixed window is free again when it ends, after the wait that was told",
    clock: "any",
    async run(subject, assert) {
      const debit = { key: subject.key("calls"), window: seconds(1), amount: unit, max: unit };
      await startOf(subject, 1000);
      await granted(subject, [debit]);
      const refused = await subject.store.reserve([debit], subject.now());
      const wait = refused.granted ? undefined : refused.room[0]?.retryAfterMs;
      assert.ok(wait !== undefined && wait > 0 && wait <= 1000, `the wait is ${wait} ms`);
      await subject.wait(wait ?? 0);
      assert.ok((await subject.store.reserve([debit], subject.now())).granted);
    },
  },
  {
    name: "what is given back goes to the window it was taken from, also when another has begun",
    clock: "any",
    async run(subject, assert) {
      const debit = { key: subject.key("calls"), window: seconds(1), amount: unit, max: unit };
      await startOf(subject, 1000);
      const reservation = await granted(subject, [debit]);
      await subject.wait(1000);
      await granted(subject, [debit]);
      await subject.store.settle(reservation, [0], subject.now());
      assert.ok(!(await subject.store.reserve([debit], subject.now())).granted);
    },
  },
  {
    name: "[no-over-admission] a sliding window has no double burst: what was taken late still counts when what was taken early is free",
    clock: "any",
    async run(subject, assert) {
      const debit = { key: subject.key("calls"), window: sliding(1000), amount: unit, max: 2 * unit };
      await granted(subject, [debit]);
      await subject.wait(500);
      await granted(subject, [debit]);
      const refused = await subject.store.reserve([debit], subject.now());
      const wait = refused.granted ? undefined : refused.room[0]?.retryAfterMs;
      assert.ok(wait !== undefined && wait > 0 && wait <= 500, `the wait is ${wait} ms`);
      await subject.wait(wait ?? 0);
      assert.ok((await subject.store.reserve([debit], subject.now())).granted);
      assert.ok(!(await subject.store.reserve([debit], subject.now())).granted);
    },
  },
  {
    name: "what is given back in a sliding window is the reservation's own, not the oldest",
    clock: "any",
    async run(subject, assert) {
      const debit = { key: subject.key("calls"), window: sliding(1000), amount: unit, max: 2 * unit };
      await granted(subject, [debit]);
      await subject.wait(500);
      const late = await granted(subject, [debit]);
      await subject.store.settle(late, [0], subject.now());
      await subject.wait(500);
      assert.deepEqual(await subject.store.look([debit], subject.now()), [{ remaining: 2 * unit }]);
    },
  },
  {
    name: "a lifetime that expires ends when it was not touched for that long; a refused call does not touch it",
    clock: "any",
    async run(subject, assert) {
      const debit = (amount: number) => ({
        key: subject.key("budget"),
        window: { kind: "lifetime", expiresMs: 1000 } as const,
        amount,
        max: 2 * unit,
      });
      await granted(subject, [debit(unit)]);
      await subject.wait(600);
      await granted(subject, [debit(unit)]);
      await subject.wait(600);
      const refused = await subject.store.reserve([debit(unit)], subject.now());
      const wait = refused.granted ? undefined : refused.room[0]?.retryAfterMs;
      assert.ok(wait !== undefined && wait > 0 && wait <= 400, `the wait is ${wait} ms`);
      await subject.wait(wait ?? 0);
      assert.deepEqual(await subject.store.look([debit(unit)], subject.now()), [{ remaining: 2 * unit }]);
    },
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
      await startOf(subject, 60_000);
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

async function granted(subject: CounterStoreSubject, debits: readonly Debit[]): Promise<Reservation> {
  const answer: Reserved = await subject.store.reserve(debits, subject.now());
  if (!answer.granted) throw new Error(`a reservation that fits was refused: ${JSON.stringify(answer)}`);
  return answer.reservation;
}

/** Waits for the next start of a window aligned to the epoch. */
async function startOf(subject: CounterStoreSubject, lengthMs: number): Promise<void> {
  await subject.wait(lengthMs - (subject.now() % lengthMs));
}
