import type { Reservation, Window } from "@holdpoint/core";
import { type CounterStoreCase, granted, unit, untilLater } from "./counter-store-case.ts";

const slots: Window = { kind: "concurrent" };
const lifetime: Window = { kind: "lifetime" };
const sliding: Window = { kind: "sliding", ms: 60_000 };

/** What is taken, refused and given back, whatever the time. */
export const countingCases: readonly CounterStoreCase[] = [
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
        { key: subject.key("spent"), window: sliding, amount: 5 * unit, max: 100 * unit },
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
      const roomy = { key: subject.key("roomy"), window: untilLater, amount: unit, max: 10 * unit };
      const tight = { key: subject.key("tight"), window: slots, amount: unit, max: unit };
      const minor = { key: subject.key("minor"), window: sliding, amount: unit, max: 10 * unit };
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
    name: "[no-over-admission] the largest limit holds to the millionth in every kind of window, and a position that no debit has gives nothing back",
    clock: "any",
    async run(subject, assert) {
      const most = 9_000_000_000 * unit;
      for (const [index, window] of [untilLater, sliding, lifetime, slots].entries()) {
        const take = (amount: number) =>
          subject.store.reserve([{ key: subject.key(`${index}`), window, amount, max: most }], subject.now());
        const all = await take(most);
        const over = await take(1);
        if (all.granted) for (const indices of [[0], [1, -1, 0.5]]) await subject.store.settle(all.reservation, indices, subject.now());
        const granted = [all, over, await take(most - 1), await take(2), await take(1), await take(1)].map((answer) => answer.granted);
        assert.deepEqual(granted, [true, false, true, false, true, false], `in window ${index}`);
      }
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
      const debits = [untilLater, sliding, lifetime].flatMap((window, index) =>
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
      const debits = [untilLater, sliding, slots].map((window, index) => ({
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
        "a\0",
        "\0a",
        "\ud800",
        "\udc00",
        "\ufffd",
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
];
