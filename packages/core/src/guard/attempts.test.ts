import { expect, test } from "vitest";
import type { ApprovalRequest, Verdict } from "../approvals/approval-request.ts";
import { memoryAudit } from "../audit/audit.ts";
import type { CounterStore } from "../limits/counter-store.ts";
import { memoryStore } from "../limits/memory-store.ts";
import type { PolicyDocument } from "../policy/policy-schema.ts";
import { predicate } from "../policy/predicate.ts";
import { createGuard } from "./guard.ts";
import { type Admission, suspend } from "./passage.ts";

const refunds: PolicyDocument = {
  version: "1",
  default: "deny",
  tools: {
    refund: {
      require_approval: [
        { conditions: [{ path: "args.amount", op: "gt", value: 20 }], reason: "over 20" },
        { conditions: [{ path: "args.to", op: "eq", value: "new" }], reason: "a new payee" },
      ],
      limits: [{ counter: "refunds", window: "minute", max: 3 }],
    },
    other: {},
  },
};

function setUp() {
  const audit = memoryAudit();
  const guard = createGuard({ policy: refunds, clock: () => 0, audit });
  const types = () => audit.events.map((event) => event.type);
  return { guard, audit, types, session: guard.session({ user: "ann" }) };
}

test("[decided-once] a further attempt of an admitted call is charged again, and nobody is asked again", async () => {
  const { guard, session, audit } = setUp();
  let asked = 0;
  const approve = (): Verdict => ({ approved: ++asked > 0 });
  const request = { session, tool: "refund", arguments: { amount: 50 }, approve } as const;
  let admitted = (await guard.admit(request)) as Admission;
  for (const outcome of ["allow", "allow", "deny"]) {
    await admitted.settle({ kind: "unknown" });
    const next = await guard.admit({ ...request, attemptOf: admitted });
    expect(next.outcome).toBe(outcome);
    if (next.outcome === "allow") admitted = next;
  }
  expect(asked).toBe(1);
  const decisions = audit.events.filter((event) => event.type === "decision");
  expect(decisions.map(({ outcome, code, attempt }) => [outcome, code, attempt])).toEqual([
    ["allow", "allowed", 1],
    ["allow", "allowed", 2],
    ["allow", "allowed", 3],
    ["deny", "limit", 4],
  ]);
  expect(new Set(decisions.map(({ call }) => call)).size).toBe(1);
});

test("[nothing-leaves-unchecked] an attempt of another call, tool or session is asked about like any other", async () => {
  const { guard, session } = setUp();
  const approve = (): Verdict => ({ approved: true });
  const admitted = (await guard.admit({ session, tool: "refund", arguments: { amount: 50 }, approve })) as Admission;
  const other = (await guard.admit({ session, tool: "other", arguments: { amount: 50 } })) as Admission;
  const forged = { ...admitted };
  const attempts = [
    { session, attemptOf: admitted, arguments: { amount: 51 } },
    { session, attemptOf: other, arguments: { amount: 50 } },
    { session, attemptOf: forged, arguments: { amount: 50 } },
    { session: guard.session({ user: "ann" }), attemptOf: admitted, arguments: { amount: 50 } },
  ];
  for (const attempt of attempts) expect(await guard.admit({ tool: "refund", ...attempt })).toMatchObject({ code: "no_approver" });
});

test("a host that replays is asked every question again in the same order, and recorded answers stand", async () => {
  const { guard, session, types } = setUp();
  const given: Verdict[] = [];
  function run() {
    const questions: string[] = [];
    const approve = (request: ApprovalRequest): Verdict => {
      questions.push(request.reasons.join());
      const verdict = given[questions.length - 1];
      if (!verdict) throw suspend("the host asks");
      return verdict;
    };
    const request = { session, tool: "refund", arguments: { amount: 50, to: "old" }, callId: "call-1", approve, replays: true };
    return guard.admit(request).then((admitted) => ({ admitted, questions }));
  }
  expect(await run()).toEqual({ admitted: { outcome: "suspended", cause: "the host asks" }, questions: ["over 20"] });
  given.push({ approved: true, arguments: { amount: 50, to: "new" } });
  expect(await run()).toMatchObject({ admitted: { outcome: "suspended" }, questions: ["over 20", "a new payee"] });
  given.push({ approved: true });
  // The first answer is recorded: what the host says of it on its way is not looked at.
  given[0] = { approved: false };
  const { admitted, questions } = await run();
  expect(admitted).toMatchObject({ outcome: "allow", arguments: { amount: 50, to: "new" }, edited: ["/to"] });
  expect(questions).toEqual(["over 20", "a new payee"]);
  expect(types().filter((type) => type === "approval.requested" || type === "approval.granted")).toHaveLength(4);
  expect(types().filter((type) => type === "decision")).toHaveLength(1);
});

test("where the host replays, two equal calls are two questions, and one yes covers one of them", async () => {
  const { guard, session } = setUp();
  const ask = (callId: string, verdict: Verdict) =>
    guard.admit({ session, tool: "refund", arguments: { amount: 50 }, callId, approve: () => verdict, replays: true });
  const answers = await Promise.all([ask("one", { approved: false, reason: "no" }), ask("two", { approved: true })]);
  expect(answers).toMatchObject([{ code: "approval_refused" }, { outcome: "allow" }]);
});

test("[decided-once] tool, client and transport are three seams of one call; what goes beyond one call and one send is an attempt", async () => {
  const { guard, session, audit } = setUp();
  let asked = 0;
  const approve = (): Verdict => ({ approved: ++asked > 0 });
  const request = { session, tool: "refund", arguments: { amount: 50 }, approve } as const;
  const outer = (await guard.admit(request)) as Admission;
  const call = async () => {
    const client = (await guard.admit({ ...request, seam: "client" })) as Admission;
    const wire = (await guard.admit({ ...request, seam: "transport" })) as Admission;
    await wire.settle({ kind: "success" });
    await client.settle({ kind: "unknown" });
    return [client.outcome, wire.outcome];
  };
  const charged = () => audit.events.filter((event) => event.type === "decision").length;
  expect([await call(), charged()]).toEqual([["allow", "allow"], 1]);
  expect([await call(), charged()]).toEqual([["allow", "allow"], 2]);
  await guard.admit({ ...request, seam: "transport" });
  expect([charged(), asked]).toEqual([3, 1]);
  await outer.settle({ kind: "unknown" });
  expect(audit.events.filter((event) => event.type === "outcome").map(({ outcome }) => outcome)).toEqual(["success", "success"]);
  expect(await guard.admit({ ...request, seam: "client" })).toMatchObject({ outcome: "deny", code: "limit" });
});

test("[no-over-admission] a yes that goes back because its call never left covers no further attempt of that call", async () => {
  const { guard, session } = setUp();
  let asked = 0;
  const approve = (): Verdict => ({ approved: ++asked > 0 });
  const request = { session, tool: "refund", arguments: { amount: 50 }, approve } as const;
  const first = (await guard.admit(request)) as Admission;
  await first.settle({ kind: "unsent" });
  const retried = (await guard.admit({ ...request, attemptOf: first })) as Admission;
  await retried.settle({ kind: "success" });
  expect([retried.outcome, asked]).toEqual(["allow", 1]);
  expect(await guard.admit({ ...request, approve: () => ({ approved: false }) })).toMatchObject({ code: "approval_refused" });
});

test("[no-over-admission] a yes does not go back where a resend has left on it", async () => {
  const { guard, session } = setUp();
  const request = { session, tool: "refund", arguments: { amount: 50 } } as const;
  const tool = (await guard.admit({ ...request, approve: () => ({ approved: true }) })) as Admission;
  for (const kind of ["unsent", "success"] as const) {
    const sent = (await guard.admit({ ...request, seam: "transport" })) as Admission;
    await sent.settle({ kind });
  }
  await tool.settle({ kind: "success" });
  expect(await guard.admit(request)).toMatchObject({ code: "no_approver" });
});

test("[no-over-admission] a call that tool or client believe unsent is not given back while its send has no outcome", async () => {
  for (const seams of [["transport"], ["client", "transport"], ["transport", "client"]] as const) {
    const { guard, session, audit } = setUp();
    const request = { session, tool: "refund", arguments: { amount: 50 } } as const;
    const tool = (await guard.admit({ ...request, approve: () => ({ approved: true }) })) as Admission;
    for (const seam of seams) {
      const admitted = (await guard.admit({ ...request, seam })) as Admission;
      if (seam === "client") await admitted.settle({ kind: "unsent", reason: "a resend was refused" });
    }
    await tool.settle({ kind: "unsent", reason: "a resend was refused" });
    expect(audit.events.flatMap((event) => (event.type === "outcome" ? [event.outcome] : []))).toEqual(["unknown"]);
    expect(await guard.admit(request)).toMatchObject({ code: "no_approver" });
    for (const outcome of ["allow", "allow", "deny"]) {
      expect(await guard.admit({ ...request, arguments: { amount: 1, to: "old" } })).toMatchObject({ outcome });
    }
  }
});

test("[nothing-leaves-unchecked] a call that was admitted for one identity lets nothing pass under another of the same session", async () => {
  const policy: PolicyDocument = {
    version: "1",
    default: "deny",
    tools: { read: { require: [{ path: "context.tenant", op: "eq", value: "blue" }] } },
  };
  const guard = createGuard({ policy });
  const session = guard.session({ tenant: "blue" });
  const [blue, red] = [session.with({ run: "1" }), session.with({ tenant: "red" })];
  expect(await guard.admit({ session: blue, tool: "read", arguments: {} })).toMatchObject({ outcome: "allow" });
  for (const seam of ["client", "transport"] as const)
    expect(await guard.admit({ session: red, tool: "read", arguments: {}, seam })).toMatchObject({ code: "require" });
  // The connection that both share stands under the session that they were made from.
  expect(await guard.admit({ session, tool: "read", arguments: {}, seam: "transport" })).toMatchObject({ outcome: "allow" });
});

test("[fail-closed] the host's own tool lets nothing pass a connection whose server lists no tool of that name", async () => {
  const { guard, session } = setUp();
  guard.catalog(session, undefined, async () => []);
  expect(await guard.admit({ session, tool: "other", arguments: {}, local: true })).toMatchObject({ outcome: "allow" });
  expect(await guard.admit({ session, tool: "other", arguments: {}, seam: "transport" })).toMatchObject({ code: "definition_unknown" });
});

test("an admitted call does not leave once its session has ended", async () => {
  const { guard, session } = setUp();
  await guard.admit({ session, tool: "other", arguments: {} });
  await session.end();
  expect(await guard.admit({ session, tool: "other", arguments: {}, seam: "transport" })).toMatchObject({ code: "cancelled" });
});

test("a further attempt is asked about again where what the yes was bound to has changed meanwhile", async () => {
  const policy = (description: string): PolicyDocument => ({
    description,
    version: "1",
    default: "deny",
    tools: {
      refund: { require_approval: [predicate("open", () => true)], limits: [{ counter: "refunds", window: "minute", max: 9 }] },
    },
  });
  let tools = [{ name: "refund", description: "as approved" }];
  let whileReserving: (() => unknown) | undefined;
  const memory = memoryStore();
  const reserve: CounterStore["reserve"] = async (...given) => {
    await whileReserving?.();
    return memory.reserve(...given);
  };
  const guard = createGuard({ policy: policy("first"), store: { ...memory, reserve } });
  const session = guard.session();
  const catalog = guard.catalog(session, undefined, async () => tools);
  const request = { session, tool: "refund", arguments: {} } as const;
  const changes: (() => unknown)[] = [
    () => guard.update(policy("second")),
    () => {
      tools = [{ name: "refund", description: `changed since ${tools[0]?.description}` }];
      catalog.invalidate();
      return catalog.ready();
    },
  ];
  for (const change of changes) {
    whileReserving = undefined;
    const admitted = (await guard.admit({ ...request, approve: () => ({ approved: true }) })) as Admission;
    whileReserving = () => {
      whileReserving = undefined;
      return change();
    };
    const again = await guard.admit({ ...request, attemptOf: admitted, approve: () => ({ approved: false }) });
    expect(again).toMatchObject({ code: "approval_refused" });
  }
});

test("[nothing-leaves-unchecked] what was approved for a call covers no attempt of it that a person edits", async () => {
  let asksAtNight = false;
  const asked: [rules: readonly string[], amount: unknown][] = [];
  const policy: PolicyDocument = {
    version: "1",
    default: "deny",
    tools: {
      pay: {
        require_approval: [
          { path: "args.amount", op: "gt", value: 100, name: "finance" },
          { conditions: [{ predicate: "night", check: () => asksAtNight }], name: "night" },
        ],
      },
    },
  };
  const guard = createGuard({
    policy,
    approve({ rules, arguments: { amount } }) {
      asked.push([rules.map((rule) => rule.split("/").at(-1) as string), amount]);
      return rules.some((rule) => rule.endsWith("night")) ? { approved: true, arguments: { amount: 9_000 } } : { approved: amount === 200 };
    },
  });
  const request = { session: guard.session({ user: "ann" }), tool: "pay", arguments: { amount: 200 } };
  const first = (await guard.admit(request)) as Admission;
  asksAtNight = true;
  expect(await guard.admit({ ...request, attemptOf: first })).toMatchObject({ outcome: "deny", code: "approval_refused" });
  expect(await guard.admit({ ...request, seam: "transport" })).toMatchObject({ outcome: "allow" });
  expect(await guard.admit({ ...request, seam: "transport" })).toMatchObject({ outcome: "deny", code: "approval_refused" });
  expect(asked.filter(([rules]) => rules.includes("finance")).map(([, amount]) => amount)).toEqual([200, 9_000, 9_000]);
});
