import { type ApprovalStoreCase, approved, draft, filed, plain, statusOf } from "./approval-store-case.ts";
import { inTime } from "./counter-store-case.ts";

/** How a request is filed, and how it ends. */
export const answerCases: readonly ApprovalStoreCase[] = [
  {
    name: "a request is kept as it was filed, whichever handle reads it",
    async run(subject, assert) {
      const record = await filed(subject, "refund");
      assert.deepEqual(plain(await subject.second.get(record.id, subject.now())), plain(record));
      assert.deepEqual(record.status, "pending");
      assert.deepEqual(plain(record), plain({ ...draft(subject, "refund"), requestedAt: record.requestedAt, expiresAt: record.expiresAt }));
      assert.deepEqual(await subject.store.get(subject.name("another"), subject.now()), undefined);
    },
  },
  {
    name: "an equal request joins the pending one, and is a new one when that has ended",
    async run(subject, assert) {
      const binding = subject.name("binding");
      const bounds = { session: subject.name("session"), maxPending: 10 };
      const first = await filed(subject, "first", { binding });
      const joined = await subject.second.request(draft(subject, "second", { binding }), bounds, subject.now());
      assert.ok(joined !== "full" && joined.joined);
      assert.deepEqual(plain(joined === "full" ? undefined : joined.record), plain(first));
      await subject.store.answer(first.id, { approved: false }, subject.now());
      const third = await subject.store.request(draft(subject, "third", { binding }), bounds, subject.now());
      assert.ok(third !== "full" && !third.joined && third.record.id === subject.name("third"));
    },
  },
  {
    name: "of twenty different requests at once, as many are filed as a session may have pending; those of other sessions do not count",
    async run(subject, assert) {
      const session = subject.name("session");
      await filed(subject, "elsewhere", { context: { session: subject.name("other session") } });
      const answers = await Promise.all(
        Array.from({ length: 20 }, async (_, index) =>
          (index % 2 === 0 ? subject.store : subject.second).request(
            draft(subject, `request ${index}`),
            { session, maxPending: 3 },
            subject.now(),
          ),
        ),
      );
      assert.deepEqual(answers.filter((answer) => answer !== "full").length, 3);
      const pending = await subject.store.list({ status: "pending", session }, subject.now());
      assert.deepEqual(pending.length, 3);
      await subject.store.answer(pending[0]?.id ?? "", { approved: false }, subject.now());
      assert.ok((await subject.store.request(draft(subject, "one more"), { session, maxPending: 3 }, subject.now())) !== "full");
    },
  },
  {
    name: "of ten equal requests at once one is filed, and the others join it",
    async run(subject, assert) {
      const binding = subject.name("binding");
      const answers = await Promise.all(
        Array.from({ length: 10 }, async (_, index) =>
          (index % 2 === 0 ? subject.store : subject.second).request(
            draft(subject, `request ${index}`, { binding }),
            { session: subject.name("session"), maxPending: 10 },
            subject.now(),
          ),
        ),
      );
      assert.deepEqual(answers.filter((answer) => answer !== "full" && !answer.joined).length, 1);
      assert.deepEqual(new Set(answers.map((answer) => (answer === "full" ? answer : answer.record.id))).size, 1);
    },
  },
  {
    name: "a yes names who gave it; a request that has its answer takes no other",
    async run(subject, assert) {
      const { id } = await filed(subject, "refund");
      const answer = await subject.store.answer(id, { approved: true, by: "mia" }, subject.now());
      assert.deepEqual([answer?.status, answer?.by, answer?.usesLeft], ["approved", "mia", 1]);
      assert.ok(answer?.decidedAt !== undefined);
      assert.deepEqual(plain(await subject.second.get(id, subject.now())), plain(answer));
      assert.deepEqual(await subject.store.answer(id, { approved: false }, subject.now()), undefined);
      assert.deepEqual(await subject.store.answer(subject.name("unknown"), { approved: true }, subject.now()), undefined);
    },
  },
  {
    name: "of ten answers at once one counts",
    async run(subject, assert) {
      const { id } = await filed(subject, "refund");
      const answers = await Promise.all(
        Array.from({ length: 10 }, async (_, index) =>
          (index % 2 === 0 ? subject.store : subject.second).answer(
            id,
            { approved: index % 3 === 0, by: `person ${index}` },
            subject.now(),
          ),
        ),
      );
      const counted = answers.filter((answer) => answer !== undefined);
      assert.deepEqual(counted.length, 1);
      assert.deepEqual(plain(await subject.store.get(id, subject.now())), plain(counted[0]));
    },
  },
  {
    name: "a no ends the request: its reason stays, the arguments go, and nothing is covered",
    async run(subject, assert) {
      const { id, binding } = await filed(subject, "refund");
      const answer = await subject.store.answer(id, { approved: false, by: "mia", reason: "too much" }, subject.now());
      assert.deepEqual([answer?.status, answer?.refusal, answer?.arguments], ["refused", "too much", undefined]);
      const record = await subject.store.get(id, subject.now());
      assert.deepEqual([record?.status, record?.refusal, record?.arguments], ["refused", "too much", undefined]);
      assert.deepEqual(await subject.store.find({ binding, wide: [] }, subject.now()), undefined);
      assert.deepEqual(await subject.store.consume(id, subject.now()), undefined);
    },
  },
  {
    name: "[fail-closed] silence is no: a request that nobody answered in time has expired, and takes no answer",
    run: (subject, assert) =>
      inTime(subject, 150, async (ms, wait) => {
        const session = subject.name(`session of ${ms} ms`);
        const { id } = await filed(subject, `refund in ${ms} ms`, { expiresAt: subject.now() + ms, context: { session } });
        await wait(ms);
        assert.deepEqual(await subject.store.answer(id, { approved: true }, subject.now()), undefined);
        const record = await subject.store.get(id, subject.now());
        assert.deepEqual([record?.status, record?.arguments], ["expired", undefined]);
        assert.deepEqual(await subject.store.list({ status: "pending", session }, subject.now()), []);
        const again = await subject.store.request(
          draft(subject, `again after ${ms} ms`, { context: { session } }),
          { session, maxPending: 1 },
          subject.now(),
        );
        assert.ok(again !== "full" && !again.joined, "an expired request holds no place");
      }),
  },
  {
    name: "[fail-closed] a yes ends with the time of its request",
    run: (subject, assert) =>
      inTime(subject, 150, async (ms, wait) => {
        const { id, binding } = await approved(subject, `refund in ${ms} ms`, { expiresAt: subject.now() + ms });
        await wait(ms);
        assert.deepEqual(await subject.store.find({ binding, wide: [] }, subject.now()), undefined);
        assert.deepEqual(await subject.store.consume(id, subject.now()), undefined);
        assert.deepEqual(await statusOf(subject, id), "expired");
      }),
  },
  {
    name: "a pending request and a yes can be revoked, once; what has ended cannot",
    async run(subject, assert) {
      const pending = await filed(subject, "pending");
      const yes = await approved(subject, "approved");
      const no = await filed(subject, "refused");
      await subject.store.answer(no.id, { approved: false }, subject.now());
      for (const { id, binding } of [pending, yes]) {
        assert.deepEqual(await subject.second.revoke(id, "ops", subject.now()), true);
        assert.deepEqual(await subject.store.revoke(id, "ops", subject.now()), false);
        const record = await subject.store.get(id, subject.now());
        assert.deepEqual([record?.status, record?.by, record?.arguments], ["revoked", "ops", undefined]);
        assert.deepEqual(await subject.store.find({ binding, wide: [] }, subject.now()), undefined);
        assert.deepEqual(await subject.store.consume(id, subject.now()), undefined);
      }
      assert.deepEqual(await subject.store.revoke(no.id, "ops", subject.now()), false);
      assert.deepEqual(await subject.store.revoke(subject.name("unknown"), "ops", subject.now()), false);
    },
  },
  {
    name: "the list is filtered by status and by session",
    async run(subject, assert) {
      const session = subject.name("session");
      const elsewhere = await filed(subject, "elsewhere", { context: { grant: subject.name("grant") } });
      const pending = await filed(subject, "pending");
      const yes = await approved(subject, "approved");
      const ids = async (filter: Parameters<typeof subject.store.list>[0]) =>
        (await subject.store.list(filter, subject.now())).map(({ id }) => id).sort();
      assert.deepEqual(await ids({ session }), [pending.id, yes.id].sort());
      assert.deepEqual(await ids({ session, status: "approved" }), [yes.id]);
      assert.deepEqual(await ids({ session: subject.name("grant") }), [elsewhere.id], "a session without a name goes by its grant");
      const all = await ids({ status: "pending" });
      assert.ok(all.includes(pending.id) && all.includes(elsewhere.id) && !all.includes(yes.id));
    },
  },
];
