import { expect, test } from "vitest";
import type { JsonObject } from "../arguments/json-snapshot.ts";
import { memoryAudit } from "../audit/audit.ts";
import { createCatalog } from "../guard/definitions.ts";
import { createGuard, type Guard, type GuardOptions } from "../guard/guard.ts";
import { suspend } from "../guard/passage.ts";
import type { Session } from "../guard/session.ts";
import type { PolicyDocument } from "../policy/policy-schema.ts";
import { predicate } from "../policy/predicate.ts";
import type { ApprovalRequest, Approver, Verdict } from "./approval-request.ts";
import { memoryApprovals } from "./memory-approvals.ts";

const refunds: PolicyDocument = {
  version: "1",
  default: "deny",
  tools: {
    refund: {
      deny_if: [{ path: "args.amount", op: "gt", value: 500 }],
      require_approval: [{ conditions: [{ path: "args.amount", op: "gt", value: 20 }], reason: "Refund over $20", timeout: "10m" }],
      limits: [{ counter: "refunds", window: "minute", max: 2 }],
    },
  },
};

function guardWith(options: Partial<GuardOptions>) {
  const audit = memoryAudit();
  const guard = createGuard({ policy: refunds, clock: () => 0, audit, ...options });
  return { guard, audit, session: guard.session({ user: "ann" }) };
}

async function refund(
  guard: Guard,
  session: Session,
  args: object,
  more: { signal?: AbortSignal; approve?: Approver; waitMs?: number } = {},
) {
  const admitted = await guard.admit({ session, tool: "refund", arguments: args, ...more });
  if (admitted.outcome === "allow") await admitted.settle({ kind: "success" });
  return admitted;
}

/** An approver that keeps what it was asked and answers when told. */
function deferred() {
  const asked: ApprovalRequest[] = [];
  const answers: ((verdict: Verdict) => void)[] = [];
  const approve: Approver = (request) => {
    asked.push(request);
    return new Promise((answer) => answers.push(answer));
  };
  return { asked, approve, answer: (verdict: Verdict) => answers.shift()?.(verdict) };
}

const tick = () => new Promise((done) => setTimeout(done, 1));

test("[fail-closed] without an approver or a store a call that needs a person is denied", async () => {
  const { guard, session } = guardWith({});
  expect(await refund(guard, session, { amount: 50 })).toMatchObject({
    code: "no_approver",
    rule: "/tools/refund/require_approval/args.amount-gt",
    detail: expect.stringContaining("requires approval, and no approver is configured"),
  });
});

test("[fail-closed] only a verdict of exactly the typed shape approves", async () => {
  const answers: unknown[] = [
    true,
    "yes",
    undefined,
    null,
    {},
    { approved: "true" },
    { approved: 1 },
    [{ approved: true }],
    { approved: true, extra: 1 },
    { approved: true, arguments: null },
    { approved: true, arguments: [] },
    Object.create({ approved: true }),
    {
      get approved() {
        return true;
      },
    },
  ];
  for (const answer of answers) {
    const { guard, session } = guardWith({ approve: () => answer as Verdict });
    expect(await refund(guard, session, { amount: 50 })).toMatchObject({ outcome: "deny", code: "approval_refused" });
  }
  const throwing = guardWith({ approve: () => Promise.reject(new Error("no screen")) });
  expect(await refund(throwing.guard, throwing.session, { amount: 50 })).toMatchObject({ code: "approval_refused" });
});

test("a person sees the call, why it is held, and the same fingerprint as the record", async () => {
  const { asked, approve, answer } = deferred();
  const { guard, session, audit } = guardWith({ approve });
  const call = refund(guard, session, { amount: 50, note: "hi" });
  await tick();
  expect(asked[0]).toMatchObject({
    server: "default",
    tool: "refund",
    arguments: { amount: 50, note: "hi" },
    reasons: ["Refund over $20"],
    identity: { user: "ann" },
  });
  expect(Object.isFrozen(asked[0]?.arguments)).toBe(true);
  answer({ approved: true, by: "bob" });
  expect(await call).toMatchObject({ outcome: "allow" });
  expect(audit.events.map((event) => event.type)).toEqual([
    "policy.loaded",
    "approval.requested",
    "approval.granted",
    "decision",
    "approval.used",
    "outcome",
  ]);
  const granted = audit.events.find((event) => event.type === "approval.granted");
  expect(granted).toMatchObject({ by: "bob", binding: expect.stringContaining(asked[0]?.fingerprint.slice(0, 4) ?? "none") });
});

test("[refused-spends-nothing] a refused call leaves the counters, and the model is told that a person refused", async () => {
  const { guard, session } = guardWith({ approve: () => ({ approved: false, by: "bob", reason: "not today" }) });
  for (let round = 0; round < 5; round++) {
    expect(await refund(guard, session, { amount: 50 })).toMatchObject({
      code: "approval_refused",
      message: "A person was asked and refused this call: not today.",
    });
  }
  expect([await refund(guard, session, { amount: 5 }), await refund(guard, session, { amount: 5 })].map(({ outcome }) => outcome)).toEqual([
    "allow",
    "allow",
  ]);
});

test("a yes is used once: the same call made again is asked again", async () => {
  let asked = 0;
  const { guard, session } = guardWith({ approve: () => ({ approved: ++asked < 3 }) });
  expect((await refund(guard, session, { amount: 50 })).outcome).toBe("allow");
  expect((await refund(guard, session, { amount: 50 })).outcome).toBe("allow");
  expect(asked).toBe(2);
});

test("nobody is asked about a call that has no room, and no reservation waits for a person", async () => {
  const { asked, approve, answer } = deferred();
  const { guard, session } = guardWith({ approve });
  const held = refund(guard, session, { amount: 50 });
  await tick();
  for (let round = 0; round < 2; round++) expect((await refund(guard, session, { amount: 5 })).outcome).toBe("allow");
  expect(await refund(guard, session, { amount: 60 })).toMatchObject({ code: "limit" });
  expect(asked).toHaveLength(1);
  answer({ approved: true });
  expect(await held).toMatchObject({ code: "limit", retryAfterMs: 60_000 });
});

test("if room has gone by the time of the answer, the yes stays usable until it expires", async () => {
  let now = 0;
  const { asked, approve, answer } = deferred();
  const { guard, session } = guardWith({ approve, clock: () => now });
  const held = refund(guard, session, { amount: 50 });
  await tick();
  for (let round = 0; round < 2; round++) await refund(guard, session, { amount: 5 });
  answer({ approved: true });
  expect(await held).toMatchObject({ code: "limit" });
  now = 60_000;
  expect((await refund(guard, session, { amount: 50 })).outcome).toBe("allow");
  expect(asked).toHaveLength(1);
});

test("the call is decided again at release, by the policy then current", async () => {
  const { approve, answer } = deferred();
  const { guard, session } = guardWith({ approve });
  const held = refund(guard, session, { amount: 50 });
  await tick();
  guard.update({ ...refunds, tools: { refund: { deny_if: [{ path: "args.amount", op: "gt", value: 40 }] } } });
  answer({ approved: true });
  expect(await held).toMatchObject({ outcome: "deny", rule: "/tools/refund/deny_if/args.amount-gt" });
});

test("a rule that changes while a person thinks is asked anew", async () => {
  const { asked, approve, answer } = deferred();
  const { guard, session } = guardWith({ approve });
  const held = refund(guard, session, { amount: 50 });
  await tick();
  guard.update({ ...refunds, tools: { refund: { require_approval: [{ path: "args.amount", op: "gt", value: 30 }] } } });
  answer({ approved: true });
  await tick();
  expect(asked).toHaveLength(2);
  answer({ approved: true });
  expect((await held).outcome).toBe("allow");
});

test("an edited call is decided again, and the editor's yes covers the rule that asked", async () => {
  const edits: Verdict[] = [{ approved: true, arguments: { amount: 30 } }];
  const { guard, session, audit } = guardWith({ approve: () => edits.shift() ?? { approved: false } });
  expect(await refund(guard, session, { amount: 50 })).toMatchObject({ outcome: "allow", arguments: { amount: 30 }, edited: ["/amount"] });
  expect(audit.events.find((event) => event.type === "approval.granted")).toMatchObject({ edited: ["/amount"] });

  edits.push({ approved: true, arguments: { amount: 900 } });
  expect(await refund(guard, session, { amount: 50 })).toMatchObject({ outcome: "deny", rule: "/tools/refund/deny_if/args.amount-gt" });
});

test("an edit that another rule holds is asked again", async () => {
  const policy: PolicyDocument = {
    version: "1",
    default: "deny",
    tools: {
      refund: {
        require_approval: [
          { path: "args.amount", op: "gt", value: 20, name: "amount" },
          { path: "args.to", op: "neq", value: "owner", name: "recipient" },
        ],
      },
    },
  };
  const seen: (readonly string[])[] = [];
  const { guard, session } = guardWith({
    policy,
    approve: ({ rules }) => {
      seen.push(rules);
      return seen.length === 1 ? { approved: true, arguments: { amount: 50, to: "other" } } : { approved: true };
    },
  });
  expect(await refund(guard, session, { amount: 50, to: "owner" })).toMatchObject({
    outcome: "allow",
    arguments: { amount: 50, to: "other" },
  });
  expect(seen).toEqual([["/tools/refund/require_approval/amount"], ["/tools/refund/require_approval/recipient"]]);
});

test("a secret is never shown to the approver, and an edit keeps it", async () => {
  const policy: PolicyDocument = {
    version: "1",
    default: "deny",
    tools: { refund: { require_approval: [{ conditions: [] }], audit: { secret: ["args.card"] } } },
  };
  const { guard, session } = guardWith({
    policy,
    approve: ({ arguments: args }) => ({ approved: true, arguments: { ...args, amount: 1 } }),
  });
  expect(await refund(guard, session, { amount: 50, card: "4242" })).toMatchObject({
    arguments: { amount: 1, card: "4242" },
    edited: ["/amount"],
  });
});

test("[fail-closed] an edit that moves secrets between the elements of a list makes no call", async () => {
  const policy: PolicyDocument = {
    version: "1",
    default: "deny",
    tools: { refund: { require_approval: [{ conditions: [] }], audit: { secret: ["args.to[*].key"] } } },
  };
  const to = [
    { name: "bob", key: "k1" },
    { name: "eve", key: "k2" },
    { name: "mia", key: "k3" },
  ];
  type To = (typeof to)[number];
  const edits: Record<string, (list: readonly To[]) => unknown[]> = {
    "one less": (list) => list.slice(1),
    "one more": (list) => [...list, list[0]],
    "another order": ([bob, eve, mia]) => [eve, bob, mia],
    "another order, edited": ([bob, eve, mia]) => [{ ...(eve as To), name: "Eve" }, bob, mia],
    "another order, one with a key of its own": ([bob, eve, mia]) => [{ ...(eve as To), name: "Eve" }, { ...(bob as To), key: "k9" }, mia],
    "two edited at once": ([bob, eve, mia]) => [{ ...(bob as To), name: "eve" }, { ...(eve as To), name: "bob" }, mia],
    "one twice": ([, eve, mia]) => [eve, eve, mia],
    "the mark elsewhere": ([bob, eve, mia]) => [{ ...(bob as To), name: "(secret)" }, eve, mia],
  };
  for (const [what, edit] of Object.entries(edits)) {
    const changed = (args: JsonObject) => ({ to: edit(args.to as never) as never });
    const { guard, session } = guardWith({ policy, approve: ({ arguments: args }) => ({ approved: true, arguments: changed(args) }) });
    expect(await refund(guard, session, { to }), what).toMatchObject({
      code: "internal_error",
      detail: expect.stringMatching(/\(secret\).*: /),
    });

    const durable = guardWith({ policy, approvals: memoryApprovals() });
    await refund(durable.guard, durable.session, { to });
    const [pending] = await durable.guard.approvals.list();
    const approving = durable.guard.approvals.approve(pending?.id ?? "", { edited: changed(pending?.arguments ?? {}) });
    await expect(approving, what).rejects.toMatchObject({ code: "edit_unclear" });
    expect((await durable.guard.approvals.list({ status: "pending" })).length, what).toBe(1);
  }
});

test("an edit of one element of a list, in its place, keeps every secret; so does a secret of the approver's own", async () => {
  const policy: PolicyDocument = {
    version: "1",
    default: "deny",
    tools: {
      refund: { require_approval: [{ conditions: [] }], audit: { secret: ["args.to[*].key", "args.to[*].pins[*]", "args.to[0].note"] } },
    },
  };
  const [bob, eve] = [
    { name: "bob", key: "k1", pins: ["1", "2"], note: "n1" },
    { name: "eve", key: "k2", pins: ["3"], note: "(secret)" },
  ];
  const edits: readonly (readonly [edit: (list: readonly JsonObject[]) => JsonObject[], sent: unknown])[] = [
    [([one, two]) => [{ ...one, name: "Bob" }, { ...two }], [{ ...bob, name: "Bob" }, eve]],
    [([one, two]) => [{ ...one, pins: ["(secret)", "9"] }, { ...two }], [{ ...bob, pins: ["1", "9"] }, eve]],
    [([one, two]) => [{ ...one }, { ...two, key: "k9" }], [bob, { ...eve, key: "k9" }]],
    [([one]) => [{ ...one, key: "k9", pins: [], note: "n9" }], [{ ...bob, key: "k9", pins: [], note: "n9" }]],
  ];
  for (const [edit, sent] of edits) {
    const approve: Approver = ({ arguments: args }) => ({ approved: true, arguments: { to: edit(args.to as never) as never } });
    const { guard, session } = guardWith({ policy, approve });
    expect(await refund(guard, session, { to: [bob, eve] })).toMatchObject({ outcome: "allow", arguments: { to: sent } });
  }
});

test("a secret is not shown where requests are listed or answered, and is sent all the same", async () => {
  const policy: PolicyDocument = {
    version: "1",
    default: "deny",
    tools: { refund: { require_approval: [{ conditions: [] }], audit: { secret: ["args.card"] } } },
  };
  const { guard, session } = guardWith({ policy, approvals: memoryApprovals() });
  const call = { amount: 50, card: "visa 4242" };
  await refund(guard, session, call);
  const [pending] = await guard.approvals.list();
  const id = pending?.id ?? "";
  const edited = { ...pending?.arguments, amount: 1 };
  const shown = [pending, await guard.approvals.get(id), await guard.approvals.approve(id, { edited }), await guard.approvals.get(id)];
  expect(shown.map((record) => record?.arguments)).toEqual(shown.map(() => ({ amount: 50, card: "(secret)" })));
  // Ids and hashes may hold any four digits.
  expect(JSON.stringify(shown)).not.toContain("visa");
  expect(await refund(guard, session, call)).toMatchObject({ arguments: { amount: 1, card: "visa 4242" } });
});

test("an answer that comes too late is no answer to this call; the same call made again passes by it, once", async () => {
  const { approve, answer, asked } = deferred();
  const { guard, session } = guardWith({ approve, clock: undefined });
  expect(await refund(guard, session, { amount: 50 }, { waitMs: 5 })).toMatchObject({ code: "approval_expired" });
  answer({ approved: true });
  await tick();
  expect((await refund(guard, session, { amount: 50 }, { waitMs: 5 })).outcome).toBe("allow");
  expect(await refund(guard, session, { amount: 50 }, { waitMs: 5 })).toMatchObject({ code: "approval_expired" });
  expect(asked).toHaveLength(2);
});

test("an answer to a question that was withdrawn is none, also for the same call made again", async () => {
  const { approve, answer, asked } = deferred();
  const { guard, session } = guardWith({ approve });
  const cancelling = new AbortController();
  const first = refund(guard, session, { amount: 50 }, { signal: cancelling.signal });
  await tick();
  cancelling.abort();
  expect(await first).toMatchObject({ code: "cancelled" });
  answer({ approved: true });
  await tick();
  const second = refund(guard, session, { amount: 50 });
  await tick();
  answer({ approved: false });
  expect(await second).toMatchObject({ code: "approval_refused" });
  expect(asked).toHaveLength(2);
});

test("silence is no: a request that has expired approves nothing", async () => {
  let now = 0;
  const approvals = memoryApprovals();
  const { guard, session } = guardWith({ approvals, clock: () => now });
  const refused = await refund(guard, session, { amount: 50 });
  const id = refused.outcome === "deny" ? (refused.approval?.id ?? "") : "";
  now = 10 * 60_000;
  expect(await guard.approvals.approve(id, { by: "bob" })).toBeUndefined();
  expect(await guard.approvals.get(id)).toMatchObject({ status: "expired", arguments: undefined });
});

test("with a store the call answers that it waits, and passes exactly once when it is made again after the yes", async () => {
  const { guard, session, audit } = guardWith({ approvals: memoryApprovals() });
  const waiting = await refund(guard, session, { amount: 50 });
  expect(waiting).toMatchObject({
    code: "approval_pending",
    message: expect.stringMatching(/waiting for a person's approval, id `[0-9a-f]+`/),
  });
  const again = await refund(guard, session, { amount: 50 });
  expect(again).toMatchObject({ approval: (waiting as { approval?: object }).approval });
  const [pending] = await guard.approvals.list({ status: "pending" });
  await guard.approvals.approve(pending?.id ?? "", { by: "bob" });
  expect(await refund(guard, session, { amount: 51 })).toMatchObject({ code: "approval_pending" });
  expect((await refund(guard, guard.session({ user: "eve" }), { amount: 50 })).outcome).toBe("deny");
  const twice = await Promise.all([refund(guard, session, { amount: 50 }), refund(guard, session, { amount: 50 })]);
  expect(twice.map(({ outcome }) => outcome).sort()).toEqual(["allow", "deny"]);
  expect(audit.events.filter((event) => event.type === "approval.used")).toHaveLength(1);
});

test("equal calls join one request, and one yes lets one of them pass", async () => {
  const { asked, approve, answer } = deferred();
  const { guard, session } = guardWith({ approve });
  const calls = [refund(guard, session, { amount: 50 }), refund(guard, session, { amount: 50 })];
  await tick();
  expect(asked).toHaveLength(1);
  answer({ approved: true });
  await tick();
  expect(asked).toHaveLength(2);
  answer({ approved: false });
  expect((await Promise.all(calls)).map(({ outcome }) => outcome).sort()).toEqual(["allow", "deny"]);
});

test("a session may have ten requests pending, and no more", async () => {
  const { approve } = deferred();
  const { guard, session } = guardWith({ approve });
  const calls = Array.from({ length: 12 }, (_, index) => refund(guard, session, { amount: 50 + index }, { waitMs: 20 }));
  const codes = (await Promise.all(calls)).map((refused) => refused.outcome === "deny" && refused.code);
  expect(codes.filter((code) => code === "too_many_approvals")).toHaveLength(2);
});

test("an approval whose call provably did not leave can be used again", async () => {
  const { guard, session } = guardWith({ approvals: memoryApprovals() });
  await refund(guard, session, { amount: 50 });
  const [pending] = await guard.approvals.list();
  await guard.approvals.approve(pending?.id ?? "", {});
  const first = await guard.admit({ session, tool: "refund", arguments: { amount: 50 } });
  if (first.outcome === "allow") await first.settle({ kind: "unsent" });
  const second = await guard.admit({ session, tool: "refund", arguments: { amount: 50 } });
  expect([first.outcome, second.outcome]).toEqual(["allow", "allow"]);
  if (second.outcome === "allow") await second.settle({ kind: "unknown" });
  expect((await refund(guard, session, { amount: 50 })).outcome).toBe("deny");
});

test("a yes that was used keeps no arguments; one that is given back has them again, with their edit", async () => {
  const { guard, session } = guardWith({ approvals: memoryApprovals() });
  const waiting = await refund(guard, session, { amount: 50 });
  const id = waiting.outcome === "deny" ? (waiting.approval?.id ?? "") : "";
  await guard.approvals.approve(id, { edited: { amount: 30 } });
  const held = async () => {
    const record = await guard.approvals.get(id);
    return [record?.status, record?.arguments, record?.edited];
  };
  for (const outcome of ["unsent", "unknown"] as const) {
    expect(await held()).toEqual(["approved", { amount: 50 }, { amount: 30 }]);
    const admitted = await guard.admit({ session, tool: "refund", arguments: { amount: 50 } });
    expect(admitted).toMatchObject({ outcome: "allow", arguments: { amount: 30 } });
    expect(await held()).toEqual(["used", undefined, undefined]);
    if (admitted.outcome === "allow") await admitted.settle({ kind: outcome });
  }
  expect(await held()).toEqual(["used", undefined, undefined]);
});

test("[fail-closed] a clock that is set back brings back no yes that was revoked, and none whose time was over", async () => {
  let now = 1_000_000;
  const { guard, session } = guardWith({ approvals: memoryApprovals(), clock: () => now });
  const held = async (amount: number) => {
    const waiting = await refund(guard, session, { amount });
    const id = waiting.outcome === "deny" ? (waiting.approval?.id ?? "") : "";
    await guard.approvals.approve(id, {});
    return id;
  };
  const revoked = await held(50);
  const taken = await guard.admit({ session, tool: "refund", arguments: { amount: 50 } });
  await guard.approvals.revoke(revoked);
  now -= 60_000;
  if (taken.outcome === "allow") await taken.settle({ kind: "unsent" });
  expect(await refund(guard, session, { amount: 50 })).toMatchObject({ code: "approval_pending" });

  await held(70);
  now += 3_600_000;
  await refund(guard, session, { amount: 90 });
  now -= 3_600_000;
  expect(await refund(guard, session, { amount: 70 })).toMatchObject({ code: "approval_pending" });
});

test("a yes reaches further only where the rule offers it and the approver takes it, for its time and uses", async () => {
  let now = 0;
  const offering: PolicyDocument = {
    version: "1",
    default: "deny",
    tools: { refund: { require_approval: [{ path: "args.amount", op: "gt", value: 20, widen: { to: "session", for: "5m", uses: 3 } }] } },
  };
  let asked = 0;
  const { guard, session } = guardWith({
    policy: offering,
    clock: () => now,
    approve: ({ offers }) => ({ approved: asked++ === 0, widen: offers !== undefined }),
  });
  for (const amount of [30, 40, 50]) expect((await refund(guard, session, { amount })).outcome).toBe("allow");
  expect(asked).toBe(1);
  expect((await refund(guard, session, { amount: 60 })).outcome).toBe("deny");

  asked = 0;
  const other = guard.session({ user: "ann", session: "s2" });
  expect((await refund(guard, other, { amount: 30 })).outcome).toBe("allow");
  now = 5 * 60_000;
  expect((await refund(guard, other, { amount: 30 })).outcome).toBe("deny");

  const narrow = guardWith({ approve: () => ({ approved: true, widen: true }) });
  await refund(narrow.guard, narrow.session, { amount: 50 });
  expect(await narrow.guard.approvals.list({ status: "approved" })).toEqual([]);
});

test("a yes for a session covers no other one, also where neither has a name", async () => {
  const offering: PolicyDocument = {
    ...refunds,
    tools: { refund: { require_approval: [{ conditions: [], widen: { to: "session", for: "5m", uses: 9 } }] } },
  };
  let asked = 0;
  const { guard, session } = guardWith({ policy: offering, approve: () => ({ approved: asked++ === 0, widen: true }) });
  await refund(guard, session, { amount: 1 });
  expect((await refund(guard, session.with({ run: "2" }), { amount: 2 })).outcome).toBe("allow");
  expect(await refund(guard, guard.session({ user: "ann" }), { amount: 3 })).toMatchObject({ code: "approval_refused" });
});

test("a widened yes can be taken back", async () => {
  const offering: PolicyDocument = {
    version: "1",
    default: "deny",
    tools: { refund: { require_approval: [{ conditions: [], widen: { to: "matching", for: "1h", uses: 100 } }] } },
  };
  let asked = 0;
  const { guard, session, audit } = guardWith({ policy: offering, approve: () => ({ approved: asked++ === 0, widen: true }) });
  await refund(guard, session, { amount: 1 });
  const [yes] = await guard.approvals.list({ status: "approved" });
  expect(yes).toMatchObject({ usesLeft: 99 });
  expect(await guard.approvals.revoke(yes?.id ?? "", "bob")).toBe(true);
  expect((await refund(guard, session, { amount: 2 })).outcome).toBe("deny");
  expect(audit.events.some((event) => event.type === "approval.revoked")).toBe(true);
});

test("a yes that rests on a function does not outlive a change of the policy", async () => {
  const policyOf = (note: string): PolicyDocument => ({
    version: "1",
    default: "deny",
    description: note,
    tools: { refund: { require_approval: [predicate("big", () => true)] } },
  });
  const { guard, session } = guardWith({ policy: policyOf("one"), approvals: memoryApprovals() });
  await refund(guard, session, { amount: 50 });
  const [pending] = await guard.approvals.list();
  await guard.approvals.approve(pending?.id ?? "", {});
  guard.update(policyOf("two"));
  expect(await refund(guard, session, { amount: 50 })).toMatchObject({ code: "approval_pending" });
});

test("a yes is bound to the tool's definition", async () => {
  const { guard, session } = guardWith({ approvals: memoryApprovals() });
  let description = "Refunds a charge";
  const catalog = createCatalog({ server: "default", list: async () => [{ name: "refund", description }] });
  const call = () => guard.admit({ session, tool: "refund", arguments: { amount: 50 }, catalog });
  await call();
  const [pending] = await guard.approvals.list();
  await guard.approvals.approve(pending?.id ?? "", {});
  description = "Refunds a charge, and more";
  catalog.invalidate();
  expect(await call()).toMatchObject({ code: "approval_pending" });
});

test("a caller that cancels while a person thinks is not answered, and the call never leaves", async () => {
  const { asked, approve, answer } = deferred();
  const { guard, session, audit } = guardWith({ approve });
  const caller = new AbortController();
  const held = refund(guard, session, { amount: 50 }, { signal: caller.signal });
  await tick();
  caller.abort();
  expect(await held).toMatchObject({ code: "cancelled" });
  expect(asked[0]?.signal.aborted).toBe(true);
  answer({ approved: true });
  await tick();
  expect(audit.events.filter((event) => event.type === "decision" && event.outcome === "allow")).toEqual([]);
});

test("a question that two calls wait for is withdrawn only when both have been cancelled", async () => {
  const { asked, approve, answer } = deferred();
  const { guard, session } = guardWith({ approve });
  const callers = [new AbortController(), new AbortController()] as const;
  const [one, other] = callers.map(({ signal }) => refund(guard, session, { amount: 50 }, { signal }));
  await tick();
  callers[0].abort();
  expect(await one).toMatchObject({ code: "cancelled" });
  expect(asked[0]?.signal.aborted).toBe(false);
  answer({ approved: true });
  expect((await other)?.outcome).toBe("allow");
});

test("[well-formed-refusal] a host that interrupts while asking gets its interrupt back, and nothing is decided", async () => {
  const interrupt = new Error("interrupt");
  const { guard, session, audit } = guardWith({});
  const approve = () => {
    throw suspend(interrupt);
  };
  expect(await refund(guard, session, { amount: 50 }, { approve })).toEqual({ outcome: "suspended", cause: interrupt });
  expect(audit.events.some((event) => event.type === "decision")).toBe(false);
  expect((await refund(guard, session, { amount: 50 }, { approve: () => ({ approved: true }) })).outcome).toBe("allow");
  expect(audit.events.filter((event) => event.type === "approval.requested")).toHaveLength(1);
});

test("`resume` makes the approved call over the connection of who asked, once", async () => {
  const { guard, session } = guardWith({ approvals: memoryApprovals() });
  const sent: object[] = [];
  guard.route(session, undefined, async (call) => {
    const admitted = await refund(guard, session, call.arguments);
    if (admitted.outcome === "allow") sent.push(admitted.arguments);
    return admitted.outcome;
  });
  const waiting = await refund(guard, session.with({ run: "r1" }), { amount: 50 });
  const id = waiting.outcome === "deny" ? (waiting.approval?.id ?? "") : "";
  await expect(guard.resume(id)).rejects.toThrow("only an approved request can be resumed");
  await guard.approvals.approve(id, { by: "bob" });
  expect(await guard.resume(id)).toBe("allow");
  await expect(guard.resume(id)).rejects.toThrow("is used");
  expect(sent).toEqual([{ amount: 50 }]);
});

test("`resume` makes a call once, as it was edited, also where the policy asks nobody any more", async () => {
  const { guard, session, audit } = guardWith({ approvals: memoryApprovals() });
  const sent: object[] = [];
  guard.route(session, undefined, async (call) => {
    const admitted = await refund(guard, session, call.arguments);
    if (admitted.outcome === "allow") sent.push(admitted.arguments);
  });
  const waiting = await refund(guard, session, { amount: 50 });
  const id = waiting.outcome === "deny" ? (waiting.approval?.id ?? "") : "";
  await guard.approvals.approve(id, { by: "bob", edited: { amount: 30 } });
  guard.update({ version: "1", default: "deny", tools: { refund: {} } });
  const twice = await Promise.allSettled([guard.resume(id), guard.resume(id)]);
  expect(twice.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  await expect(guard.resume(id)).rejects.toThrow("is used");
  expect(sent).toEqual([{ amount: 30 }]);
  expect(audit.events.filter(({ type }) => type === "approval.used")).toHaveLength(1);
});

/** A request that was approved, and a route that swaps the policy after `resume` has begun and before the call is decided. */
async function approvedBeforeSwap({
  before,
  swap,
  edited,
}: {
  before?: PolicyDocument;
  swap: (guard: Guard) => unknown;
  edited?: JsonObject;
}) {
  const made = guardWith({ approvals: memoryApprovals() });
  const { guard, session } = made;
  const waiting = await refund(guard, session, { amount: 50 });
  const id = waiting.outcome === "deny" ? (waiting.approval?.id ?? "") : "";
  await guard.approvals.approve(id, { by: "bob", edited });
  if (before) guard.update(before);
  const calls: (readonly [outcome: string, detail: unknown])[] = [];
  guard.route(session, undefined, async (call) => {
    await swap(guard);
    const admitted = await refund(guard, session, call.arguments);
    calls.push(admitted.outcome === "allow" ? ["allow", admitted.arguments] : [admitted.outcome, "code" in admitted && admitted.code]);
  });
  return { ...made, id, calls, status: async () => (await guard.approvals.get(id))?.status };
}

const asksNobody: PolicyDocument = { version: "1", default: "deny", tools: { refund: {} } };

test.each(["asks as before", "asks nobody any more"])(
  "[decided-once] `resume` uses the yes up at release where the policy that is then current %s",
  async (now) => {
    const later = now === "asks as before" ? refunds : asksNobody;
    const before = now === "asks as before" ? asksNobody : refunds;
    const swap = (guard: Guard) => guard.update(later, { carry: false });
    const { guard, id, calls, status, audit } = await approvedBeforeSwap({ before, swap, edited: { amount: 30 } });
    await guard.resume(id);
    expect([calls, await status()]).toEqual([[["allow", { amount: 30 }]], "used"]);
    expect(audit.events.filter(({ type }) => type === "approval.used")).toHaveLength(1);
    const decision = audit.events.findLast(({ type }) => type === "decision");
    expect(decision).toMatchObject({ outcome: "allow", approvals: [id] });
    await expect(guard.resume(id)).rejects.toThrow("is used");
  },
);

test("[decided-once] a client that sends a resumed call again uses the yes up for what left, also where nobody is asked any more", async () => {
  const { guard, session } = guardWith({ approvals: memoryApprovals() });
  const waiting = await refund(guard, session, { amount: 50 });
  const id = waiting.outcome === "deny" ? (waiting.approval?.id ?? "") : "";
  await guard.approvals.approve(id, { edited: { amount: 30 } });
  guard.update(asksNobody);
  const made: unknown[] = [];
  guard.route(session, undefined, async ({ tool, arguments: args }) => {
    for (const kind of ["unsent", "success"] as const) {
      const admitted = await guard.admit({ session, tool, arguments: args, seam: "transport" });
      if (admitted.outcome === "allow") await admitted.settle({ kind });
      made.push(admitted.outcome === "allow" && admitted.arguments);
    }
  });
  await guard.resume(id);
  expect([made, (await guard.approvals.get(id))?.status]).toEqual([[{ amount: 30 }, { amount: 30 }], "used"]);
});

test("[refused-spends-nothing] `resume` of a call that the policy of that moment refuses leaves the yes as it was", async () => {
  const full: PolicyDocument = {
    version: "1",
    default: "deny",
    tools: { refund: { limits: [{ counter: "refunds", window: "minute", max: 0 }] } },
  };
  for (const [policy, code] of [
    [{ version: "1", default: "deny" }, "default_deny"],
    [full, "limit"],
  ] as const) {
    for (const before of [asksNobody, refunds]) {
      const swap = (guard: Guard) => guard.update(policy as PolicyDocument, { carry: false });
      const { guard, id, calls, status } = await approvedBeforeSwap({ before, swap });
      await guard.resume(id);
      expect([calls, await status()]).toEqual([[["deny", code]], "approved"]);
    }
  }
});

test("[fail-closed] a yes that is taken back while it is resumed makes no call, also where nobody is asked any more", async () => {
  for (const before of [asksNobody, refunds]) {
    const setting: { id?: string } = {};
    const swap = (guard: Guard) => guard.approvals.revoke(setting.id ?? "");
    const resumed = await approvedBeforeSwap({ before, swap });
    setting.id = resumed.id;
    await expect(resumed.guard.resume(resumed.id)).rejects.toMatchObject({
      code: "not_resumable",
      message: expect.stringContaining("is revoked"),
    });
    expect([resumed.calls, await resumed.status()]).toEqual([[["deny", "approval_failed"]], "revoked"]);
    expect(await resumed.guard.approvals.list({ status: "pending" })).toEqual([]);
  }
});

test("an edit that a further rule holds, when it is resumed, is asked about, and its first yes covers nothing else", async () => {
  const more: PolicyDocument = {
    version: "1",
    default: "deny",
    tools: { refund: { require_approval: [{ path: "args.amount", op: "lt", value: 40 }] } },
  };
  const { guard, session, id, calls, status } = await approvedBeforeSwap({
    swap: (guard) => guard.update(more, { carry: false }),
    edited: { amount: 30 },
  });
  await guard.resume(id);
  expect([calls, await status()]).toEqual([[["deny", "approval_pending"]], "approved"]);
  expect(await guard.approvals.list({ status: "pending" })).toMatchObject([{ arguments: { amount: 30 } }]);
  expect(await refund(guard, session, { amount: 30 })).toMatchObject({ code: "approval_pending" });
});

test("[sent-is-checked] an edit that comes through `guard.approvals` is read once, and must be plain JSON", async () => {
  const { guard, session } = guardWith({ approvals: memoryApprovals() });
  const waiting = await refund(guard, session, { amount: 50 });
  const id = waiting.outcome === "deny" ? (waiting.approval?.id ?? "") : "";
  let reads = 0;
  const flipping = {
    get amount() {
      return reads++ === 0 ? 30 : 5_000;
    },
  };
  for (const edited of [flipping, { amount: 30, since: new Date(0) }, [30], null]) {
    await expect(guard.approvals.approve(id, { edited: edited as never })).rejects.toMatchObject({ code: "not_json" });
  }
  expect(await guard.approvals.get(id)).toMatchObject({ status: "pending" });
  const edited = { amount: 30 };
  await guard.approvals.approve(id, { edited });
  edited.amount = 400;
  expect(await refund(guard, session, { amount: 50 })).toMatchObject({ outcome: "allow", arguments: { amount: 30 } });
});

test("`resume` of a request that is being resumed asks nobody again", async () => {
  const { guard, session } = guardWith({ approvals: memoryApprovals() });
  guard.route(session, undefined, (call) => refund(guard, session, call.arguments));
  const waiting = await refund(guard, session, { amount: 50 });
  const id = waiting.outcome === "deny" ? (waiting.approval?.id ?? "") : "";
  await guard.approvals.approve(id, { by: "bob" });
  const twice = await Promise.allSettled([guard.resume(id), guard.resume(id)]);
  expect(twice.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  expect(await guard.approvals.list({ status: "pending" })).toEqual([]);
});

test("`preview` says what would be decided and leaves no trace", async () => {
  const { guard, session, audit } = guardWith({ approve: () => ({ approved: true }) });
  const before = audit.events.length;
  const preview = (amount: number) => guard.preview({ session, tool: "refund", arguments: { amount } });
  expect(await preview(5)).toEqual({ outcome: "allow" });
  expect(await preview(50)).toMatchObject({
    outcome: "hold",
    reasons: ["Refund over $20"],
    rules: ["/tools/refund/require_approval/args.amount-gt"],
  });
  expect(await preview(900)).toMatchObject({ outcome: "deny", rule: "/tools/refund/deny_if/args.amount-gt" });
  expect(audit.events.length).toBe(before);
});

test("a call that is made again after its question was withdrawn is asked anew, whatever becomes of the first question", async () => {
  const asked: AbortSignal[] = [];
  const approve = ({ signal }: ApprovalRequest) => {
    asked.push(signal);
    return asked.length === 1 ? new Promise<never>(() => {}) : { approved: true as const };
  };
  const guard = createGuard({ policy: { version: "1", default: "allow", all_tools: { require_approval: [{ conditions: [] }] } }, approve });
  const session = guard.session();
  const cancel = new AbortController();
  const first = guard.admit({ session, tool: "pay", arguments: {}, signal: cancel.signal });
  await expect.poll(() => asked).toHaveLength(1);
  cancel.abort();
  expect(await first).toMatchObject({ code: "cancelled" });
  expect(asked[0]?.aborted).toBe(true);
  expect(await guard.admit({ session, tool: "pay", arguments: {} })).toMatchObject({ outcome: "allow" });
});

test("[fail-closed] what an approver throws refuses the call, and is told to the operator alone", async () => {
  const secret = "https://chat.example/hooks/T0-secret";
  const approve: Approver = () => {
    throw new Error(`POST ${secret} failed`);
  };
  const { guard, session, audit } = guardWith({ approve });
  const refused = await refund(guard, session, { amount: 50 });
  expect(refused).toMatchObject({ code: "approval_refused", message: expect.stringContaining("the approver failed") });
  expect(JSON.stringify(refused)).not.toContain(secret);
  expect(audit.events).toContainEqual(expect.objectContaining({ type: "anomaly", problem: expect.stringContaining(secret) }));
});

test("whoever has as many pending requests as they may keeps nobody else from asking", async () => {
  const { guard } = guardWith({ approvals: memoryApprovals(), maxPendingApprovals: 1 });
  const codes: unknown[] = [];
  for (const [user, amount] of [
    ["ann", 50],
    ["ann", 60],
    ["bob", 50],
  ] as const) {
    const refused = await refund(guard, guard.session({ user, run: `${amount}` }), { amount });
    codes.push(refused.outcome === "deny" && refused.code);
  }
  expect(codes).toEqual(["approval_pending", "too_many_approvals", "approval_pending"]);
});
