import type { ApprovalRecord } from "@holdpoint/core";
import { type ApprovalStoreCase, type ApprovalStoreSubject, approved, filed, plain, statusOf } from "./approval-store-case.ts";
import { inTime } from "./counter-store-case.ts";

/** What a yes covers, and how often. */
export const useCases: readonly ApprovalStoreCase[] = [
  {
    name: "[decided-once] a yes covers its own binding, once",
    async run(subject, assert) {
      const yes = await approved(subject, "refund");
      assert.deepEqual(await subject.store.find({ binding: subject.name("other"), wide: [] }, subject.now()), undefined);
      assert.deepEqual(plain(await subject.second.find({ binding: yes.binding, wide: [] }, subject.now())), plain(yes));
      assert.deepEqual(plain(await subject.store.consume(yes.id, subject.now())), plain(yes));
      assert.deepEqual(await subject.second.consume(yes.id, subject.now()), undefined);
      assert.deepEqual(await subject.store.find({ binding: yes.binding, wide: [] }, subject.now()), undefined);
      assert.deepEqual(await statusOf(subject, yes.id), "used");
    },
  },
  {
    name: "[decided-once] of ten calls that present one yes at once, one passes",
    async run(subject, assert) {
      const { id } = await approved(subject, "refund");
      assert.deepEqual(await wins(subject, id, 10), 1);
    },
  },
  {
    name: "[fail-closed] a request without an answer covers nothing",
    async run(subject, assert) {
      const request = await filed(subject, "refund");
      const { id, binding } = request;
      assert.deepEqual(await subject.store.find({ binding, wide: [binding] }, subject.now()), undefined);
      assert.deepEqual(await subject.store.consume(id, subject.now()), undefined);
      await subject.store.restore(request, subject.now());
      assert.deepEqual(await statusOf(subject, id), "pending");
    },
  },
  {
    name: "a use is put back for a call that did not leave, and not once the time is over",
    run: (subject, assert) =>
      inTime(subject, 300, async (ms, wait) => {
        const yes = await approved(subject, `refund in ${ms} ms`, { expiresAt: subject.now() + ms });
        await subject.second.restore(await taken(subject, yes.id), subject.now());
        assert.deepEqual(plain(await subject.store.find({ binding: yes.binding, wide: [] }, subject.now())), plain(yes));
        assert.deepEqual(await wins(subject, yes.id, 5), 1);
        await wait(ms);
        await subject.store.restore(yes, subject.now());
        assert.deepEqual(await subject.store.find({ binding: yes.binding, wide: [] }, subject.now()), undefined);
        assert.deepEqual(await subject.store.consume(yes.id, subject.now()), undefined);
      }),
  },
  {
    name: "[decided-once] what is put back more often than it was taken is there once",
    async run(subject, assert) {
      const wide = { to: "session", binding: subject.name("wide"), forMs: 60_000, uses: 3 } as const;
      for (const [yes, uses] of [
        [await approved(subject, "narrow"), 1],
        [await approved(subject, "wider", { wide }), 3],
      ] as const) {
        const used = await taken(subject, yes.id);
        for (const store of [subject.store, subject.second]) await store.restore(used, subject.now());
        assert.deepEqual(await wins(subject, yes.id, 6), uses);
      }
    },
  },
  {
    name: "[fail-closed] a yes that is revoked while a call has its last use is not put back",
    async run(subject, assert) {
      const yes = await approved(subject, "refund");
      const used = await taken(subject, yes.id);
      assert.deepEqual(await subject.second.revoke(yes.id, "mia", subject.now()), false);
      await subject.store.restore(used, subject.now());
      assert.deepEqual(await subject.store.find({ binding: yes.binding, wide: [] }, subject.now()), undefined);
      assert.deepEqual(await subject.store.consume(yes.id, subject.now()), undefined);
      const record = await subject.store.get(yes.id, subject.now());
      assert.deepEqual([record?.status, record?.arguments], ["used", undefined]);
    },
  },
  {
    name: "[fail-closed] a wider yes that is revoked while a call has one of its uses is not put back, nor are its arguments",
    async run(subject, assert) {
      const wide = { to: "session", binding: subject.name("wide"), forMs: 60_000, uses: 3 } as const;
      const yes = await approved(subject, "refund", { wide });
      const used = await taken(subject, yes.id);
      assert.deepEqual(await subject.second.revoke(yes.id, "mia", subject.now()), true);
      await subject.store.restore(used, subject.now());
      const record = await subject.store.get(yes.id, subject.now());
      assert.deepEqual([record?.status, record?.arguments], ["revoked", undefined]);
      assert.deepEqual(await subject.store.consume(yes.id, subject.now()), undefined);
    },
  },
  {
    name: "the arguments go with the last use, whichever handle reads them, and come back with what is put back",
    async run(subject, assert) {
      const wide = { to: "session", binding: subject.name("wide"), forMs: 60_000, uses: 2 } as const;
      const edited = await filed(subject, "edited");
      await subject.store.answer(edited.id, { approved: true, edited: { amount: 5 } }, subject.now());
      for (const [{ id }, uses] of [
        [await approved(subject, "narrow"), 1],
        [edited, 1],
        [await approved(subject, "wider", { wide }), 2],
      ] as const) {
        const before = await subject.store.get(id, subject.now());
        let used: ApprovalRecord | undefined;
        for (let use = 1; use <= uses; use += 1) {
          assert.deepEqual((await subject.second.get(id, subject.now()))?.arguments, before?.arguments);
          used = await taken(subject, id);
        }
        const ended = await subject.second.get(id, subject.now());
        assert.deepEqual([ended?.status, ended?.arguments, ended?.edited], ["used", undefined, undefined]);
        assert.deepEqual(ended?.binding, before?.binding);
        if (used) await subject.second.restore(used, subject.now());
        assert.deepEqual(plain(await subject.store.get(id, subject.now())), plain(before && { ...before, usesLeft: 1 }));
        assert.deepEqual(await wins(subject, id, 4), 1);
      }
    },
  },
  {
    name: "what the approver made of the arguments stands beside what was asked",
    async run(subject, assert) {
      const { id, binding } = await filed(subject, "refund", { arguments: { amount: 20 } });
      await subject.store.answer(id, { approved: true, edited: { amount: 5 } }, subject.now());
      const found = await subject.store.find({ binding, wide: [] }, subject.now());
      assert.deepEqual([found?.arguments, found?.edited], [{ amount: 20 }, { amount: 5 }]);
    },
  },
  {
    name: "[fail-closed] a yes is wider only where the rule offers it, and never with an edit",
    async run(subject, assert) {
      const wide = { to: "session", binding: subject.name("wide"), forMs: 60_000, uses: 3 } as const;
      const plainYes = await filed(subject, "not offered");
      const edited = await filed(subject, "edited", { wide });
      const narrow = await filed(subject, "not asked for", { wide });
      await subject.store.answer(plainYes.id, { approved: true, widen: true }, subject.now());
      await subject.store.answer(edited.id, { approved: true, widen: true, edited: { amount: 5 } }, subject.now());
      await subject.store.answer(narrow.id, { approved: true }, subject.now());
      assert.deepEqual(await subject.store.find({ binding: subject.name("another call"), wide: [wide.binding] }, subject.now()), undefined);
      for (const { id } of [plainYes, edited, narrow]) assert.deepEqual(await wins(subject, id, 4), 1);
    },
  },
  {
    name: "a wider yes covers other calls for its uses, also when they are made at once",
    async run(subject, assert) {
      const wide = { to: "session", binding: subject.name("wide"), forMs: 60_000, uses: 3 } as const;
      const yes = await approved(subject, "refund", { wide });
      assert.deepEqual([yes.widened, yes.usesLeft], [true, 3]);
      const other = { binding: subject.name("another call"), wide: [subject.name("other"), wide.binding] };
      assert.deepEqual((await subject.second.find(other, subject.now()))?.id, yes.id);
      assert.deepEqual(await subject.store.find({ ...other, wide: [] }, subject.now()), undefined);
      assert.deepEqual(await wins(subject, yes.id, 8), 3);
      assert.deepEqual(await subject.store.find(other, subject.now()), undefined);
      assert.deepEqual(await statusOf(subject, yes.id), "used");
    },
  },
  {
    name: "a wider yes ends with its own time, counted from the answer",
    run: (subject, assert) =>
      inTime(subject, 150, async (ms, wait) => {
        const wide = { to: "matching", binding: subject.name(`wide for ${ms} ms`), forMs: ms, uses: 5 } as const;
        const yes = await approved(subject, `refund for ${ms} ms`, { wide });
        assert.deepEqual(yes.expiresAt - (yes.decidedAt ?? 0), ms);
        await wait(ms);
        assert.deepEqual(await subject.store.find({ binding: yes.binding, wide: [wide.binding] }, subject.now()), undefined);
        assert.deepEqual(await subject.store.consume(yes.id, subject.now()), undefined);
      }),
  },
  {
    name: "a call's own yes is taken before a wider one",
    async run(subject, assert) {
      const wide = { to: "session", binding: subject.name("wide"), forMs: 60_000, uses: 3 } as const;
      await approved(subject, "wider", { wide });
      const own = await approved(subject, "own");
      assert.deepEqual((await subject.store.find({ binding: own.binding, wide: [wide.binding] }, subject.now()))?.id, own.id);
    },
  },
];

/** One use of a yes that has some left. */
async function taken(subject: ApprovalStoreSubject, id: string): Promise<ApprovalRecord> {
  const record = await subject.store.consume(id, subject.now());
  if (!record) throw new Error("a yes that stands was not to be used");
  return record;
}

/** How many of so many uses at once pass, over two handles. */
async function wins(subject: ApprovalStoreSubject, id: string, calls: number): Promise<number> {
  const answers = await Promise.all(
    Array.from({ length: calls }, async (_, index) => (index % 2 === 0 ? subject.store : subject.second).consume(id, subject.now())),
  );
  return answers.filter(Boolean).length;
}
