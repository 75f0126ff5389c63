import { expect, test, vi } from "vitest";
import type { Verdict } from "../approvals/approval-request.ts";
import { memoryApprovals } from "../approvals/memory-approvals.ts";
import { type AuditSink, memoryAudit } from "../audit/audit.ts";
import { CounterStoreError } from "../holdpoint-error.ts";
import type { CounterStore } from "../limits/counter-store.ts";
import { memoryStore } from "../limits/memory-store.ts";
import type { PolicyDocument, ToolRules } from "../policy/policy-schema.ts";
import { createGuard, type GuardOptions } from "./guard.ts";
import type { Admission } from "./passage.ts";

function guardOver(pay: ToolRules, options: Partial<GuardOptions> = {}) {
  const audit = memoryAudit();
  const guard = createGuard({ policy: { version: "1", default: "deny", tools: { pay } }, clock: () => 0, audit, ...options });
  const session = guard.session({ user: "ann" });
  const decisions = () => audit.events.flatMap((event) => (event.type === "decision" ? [event] : []));
  return { guard, session, audit, decisions, request: { session, tool: "pay", arguments: {} } as const };
}

function admitted(verdict: { readonly outcome: string }): Admission {
  if (verdict.outcome !== "allow") throw new Error(`not admitted: ${JSON.stringify(verdict)}`);
  return verdict as Admission;
}

const once: ToolRules = { limits: [{ counter: "pays", window: "minute", max: 1 }] };

test("the slot of a call that is counted too is renewed, and free once the call is answered, whatever the answer", async () => {
  const slots: ToolRules = {
    limits: [
      { counter: "pays", window: "minute", max: 9 },
      { counter: "open", concurrent: 1 },
    ],
  };
  const renew = vi.fn();
  const { guard, request } = guardOver(slots, { store: { ...memoryStore(), renewEveryMs: 1, renew } });
  for (const kind of ["success", "unknown", "tool_error"] as const) {
    const call = admitted(await guard.admit(request));
    expect(await guard.admit(request)).toMatchObject({ rule: "/tools/pay/limits/open" });
    renew.mockClear();
    await expect.poll(() => renew.mock.calls.length).toBeGreaterThan(0);
    await call.settle({ kind });
  }
});

test("a call that holds no slot, or whose store renews none, keeps no timer; and a timer may be a number", async () => {
  const slot: ToolRules = { limits: [{ counter: "open", concurrent: 1 }] };
  const started = vi.spyOn(globalThis, "setInterval");
  const renewing = () => ({ ...memoryStore(), renewEveryMs: 60_000, renew: () => undefined });
  for (const [rules, store] of [
    [once, renewing()],
    [slot, { ...renewing(), renewEveryMs: undefined }],
    [slot, { ...memoryStore(), renewEveryMs: 60_000 }],
  ] as const) {
    const { guard, request } = guardOver(rules, { store });
    admitted(await guard.admit(request));
  }
  expect(started).not.toHaveBeenCalled();
  started.mockReturnValue(5 as never);
  const { guard, request } = guardOver(slot, { store: renewing() });
  await admitted(await guard.admit(request)).settle({ kind: "success" });
  expect(started).toHaveBeenCalledOnce();
  started.mockRestore();
});

test("[refused-spends-nothing] whoever waits for `settle` waits for what is given back, and no longer than for the store", async () => {
  const inner = memoryStore();
  let answers = true;
  const settle: CounterStore["settle"] = async (...given) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (!answers) await new Promise(() => {});
    return inner.settle(...given);
  };
  const { guard, request, audit } = guardOver(once, { store: { ...inner, settle }, storeTimeoutMs: 50 });
  await admitted(await guard.admit(request)).settle({ kind: "unsent" });
  const call = admitted(await guard.admit(request));
  answers = false;
  await call.settle({ kind: "unsent" });
  expect(audit.events.filter(({ type }) => type === "outcome")).toHaveLength(2);
});

test("[one-decision-one-record] a call that is settled twice has the first of its outcomes, once", async () => {
  const { guard, request, audit } = guardOver({});
  const call = admitted(await guard.admit(request));
  await call.settle({ kind: "success" });
  await call.settle({ kind: "unknown" });
  expect(audit.events.flatMap((event) => (event.type === "outcome" ? [event.outcome] : []))).toEqual(["success"]);
});

test("a send that no tool and no client opened is decided, charged and settled by itself", async () => {
  const { guard, request } = guardOver(once);
  const wire = { ...request, seam: "transport" } as const;
  const sent = admitted(await guard.admit(wire));
  expect([sent.arguments, sent.edited]).toEqual([{}, []]);
  expect(await guard.admit(wire)).toMatchObject({ code: "limit" });
  await sent.settle({ kind: "unsent" });
  const again = admitted(await guard.admit(wire));
  await again.settle({ kind: "success" });
  expect(await guard.admit(wire)).toMatchObject({ code: "limit" });
});

const held: ToolRules = { ...once, require_approval: [{ conditions: [] }] };

test("[fail-closed] where room cannot be looked at nobody is asked, unless the host chose that the store fails open", async () => {
  const approve = vi.fn((): Verdict => ({ approved: true }));
  const looking = (look: CounterStore["look"], failMode: GuardOptions["failMode"]) => {
    approve.mockClear();
    const { guard, request } = guardOver(held, { store: { ...memoryStore(), look }, storeTimeoutMs: 5, failMode, approve });
    return guard.admit(request);
  };
  const down = () => {
    throw new CounterStoreError("the store is down");
  };
  const full = () => {
    throw new CounterStoreError("the store is full", { full: true });
  };
  for (const look of [down, full, () => Promise.reject(new Error("no route")), () => new Promise<never>(() => {}), () => []]) {
    expect(await looking(look, undefined)).toMatchObject({ outcome: "deny" });
    expect(approve).not.toHaveBeenCalled();
  }
  expect(await looking(full, { store: "open" })).toMatchObject({ code: "store_unavailable" });
  expect(approve).not.toHaveBeenCalled();
  expect(await looking(down, { store: "open" })).toMatchObject({ outcome: "allow" });
  expect(approve).toHaveBeenCalledOnce();
});

test("a store that is down, but not full, lets pass what the host chose to let pass", async () => {
  const reserve = () => {
    throw new CounterStoreError("the store is down");
  };
  const { guard, request } = guardOver(once, { store: { ...memoryStore(), reserve }, failMode: { store: "open" } });
  expect(await guard.admit(request)).toMatchObject({ outcome: "allow" });
});

test("a call that no limit counts asks nothing of a store that is down", async () => {
  const down = () => Promise.reject(new Error("down"));
  const { guard, request } = guardOver(
    { require_approval: [{ conditions: [] }] },
    { store: { ...memoryStore(), look: down, reserve: down }, approve: () => ({ approved: true }) },
  );
  expect(await guard.admit(request)).toMatchObject({ outcome: "allow" });
});

test("[no-over-admission] the end of a session forgets no lifetime counter of the user's", async () => {
  const { guard, request } = guardOver(
    { limits: [{ counter: "ever", window: "lifetime", max: 1, scope: "user", expires: "7d" }] },
    {
      store: memoryStore({ durability: "process" }),
    },
  );
  await admitted(await guard.admit(request)).settle({ kind: "success" });
  await request.session.end();
  expect(await guard.admit({ ...request, session: guard.session({ user: "ann" }) })).toMatchObject({ code: "limit" });
});

test("[one-decision-one-record] a call that is cancelled while the store is asked is on record as denied, with what was observed", async () => {
  const cancel = new AbortController();
  const inner = memoryStore();
  const reserve: CounterStore["reserve"] = (...given) => {
    cancel.abort();
    return inner.reserve(...given);
  };
  const seen: ToolRules = { ...once, deny_if: [{ conditions: [], mode: "observe" }] };
  const { guard, request, decisions } = guardOver(seen, { store: { ...inner, reserve } });
  expect(await guard.admit({ ...request, signal: cancel.signal })).toMatchObject({ code: "cancelled" });
  expect(decisions().map(({ outcome, observed }) => [outcome, observed?.map(({ rule }) => rule)])).toEqual([
    ["deny", ["/tools/pay/deny_if/always"]],
  ]);
});

test("[nothing-leaves-unchecked] a call that is cancelled while its decision is written never leaves, and spends nothing", async () => {
  const cancel = new AbortController();
  const events: string[] = [];
  const sink: AuditSink = {
    required: true,
    async write(event) {
      if (event.type === "decision" && event.outcome === "allow") cancel.abort();
      if (event.type === "outcome") events.push(`${event.outcome}: ${event.reason}`);
      if (event.type === "decision") events.push(event.outcome);
    },
  };
  const { guard, request } = guardOver(once, { audit: sink });
  expect(await guard.admit({ ...request, signal: cancel.signal })).toMatchObject({ outcome: "deny", code: "cancelled" });
  expect(events).toEqual(["allow", "unsent: cancelled"]);
  expect(await guard.admit(request)).toMatchObject({ outcome: "allow" });
});

test("what observed rules would have done is on record where another one refuses the call", async () => {
  const seen: ToolRules = { ...held, deny_if: [{ conditions: [], mode: "observe" }] };
  const approve = vi.fn((): Verdict => ({ approved: false }));
  const { guard, request, decisions } = guardOver(seen, { approve });
  await guard.admit(request);
  approve.mockReturnValue({ approved: true });
  await guard.admit(request);
  await guard.admit(request);
  expect(decisions().map(({ code, observed }) => [code, observed?.length])).toEqual([
    ["approval_refused", 1],
    ["allowed", 1],
    ["limit", 1],
  ]);
});

test("what observed rules would have done is on record where the room has gone by the time of the reservation", async () => {
  const seen: ToolRules = { ...once, deny_if: [{ conditions: [], mode: "observe" }] };
  const { guard, request, decisions } = guardOver(seen);
  await Promise.all([guard.admit(request), guard.admit(request)]);
  expect(decisions().map(({ code, observed }) => [code, observed?.length])).toEqual([
    ["allowed", 1],
    ["limit", 1],
  ]);
});

test("what observed rules would have done is on record where the audit is down", async () => {
  let down = true;
  const taken: unknown[] = [];
  const sink: AuditSink = {
    required: true,
    write(event) {
      if (down) throw new Error("disk full");
      if (event.type === "decision") taken.push([event.code, event.observed?.length]);
    },
  };
  const { guard, request } = guardOver({ deny_if: [{ conditions: [], mode: "observe" }] }, { audit: sink });
  for (const _ of [1, 2]) expect(await guard.admit(request)).toMatchObject({ code: "audit_unavailable" });
  down = false;
  expect(await guard.admit(request)).toMatchObject({ outcome: "allow" });
  expect(taken).toContainEqual(["audit_unavailable", 1]);
});

test("[no-over-admission] the call that is resumed is made once: an equal one beside it asks for a yes of its own", async () => {
  const { guard, session, request } = guardOver({ require_approval: [{ conditions: [] }] }, { approvals: memoryApprovals() });
  const verdicts: unknown[] = [];
  guard.route(session, undefined, async () => {
    for (const _ of [1, 2]) {
      const verdict = await guard.admit(request);
      verdicts.push(verdict.outcome === "deny" ? verdict.code : verdict.outcome);
      if (verdict.outcome === "allow") await verdict.settle({ kind: "success" });
    }
  });
  await guard.admit(request);
  const [pending] = await guard.approvals.list({ status: "pending" });
  await guard.approvals.approve(pending?.id ?? "", {});
  await guard.resume(pending?.id ?? "");
  expect(verdicts).toEqual(["allow", "approval_pending"]);
});

test("[decided-once] a request that is resumed beside an equal call of a tool uses its own yes up, not what the tool was admitted by", async () => {
  const { guard, session, request } = guardOver({ require_approval: [{ conditions: [] }] }, { approvals: memoryApprovals() });
  const approvedId = async () => {
    await guard.admit(request);
    const [pending] = await guard.approvals.list({ status: "pending" });
    await guard.approvals.approve(pending?.id ?? "", {});
    return pending?.id ?? "";
  };
  let sent = 0;
  const send = async () => {
    const client = await guard.admit({ ...request, seam: "client" });
    const wire = client.outcome === "allow" ? await guard.admit({ ...request, seam: "transport" }) : client;
    if (client.outcome !== "allow" || wire.outcome !== "allow") return;
    sent++;
    await wire.settle({ kind: "success" });
    await client.settle({ kind: "success" });
  };
  guard.route(session, undefined, send);
  await approvedId();
  const tool = admitted(await guard.admit(request));
  const id = await approvedId();
  await guard.resume(id);
  expect([sent, (await guard.approvals.get(id))?.status]).toEqual([1, "used"]);
  await send();
  await tool.settle({ kind: "success" });
  await send();
  expect(sent).toBe(2);
});

test("[decided-once] an equal call that is refused does not stand in for the one that is resumed", async () => {
  const cancel = new AbortController();
  const audit: AuditSink = {
    required: true,
    async write(event) {
      if (event.type === "decision" && event.outcome === "allow") cancel.abort();
    },
  };
  const { guard, session, request } = guardOver({ require_approval: [{ conditions: [] }] }, { approvals: memoryApprovals(), audit });
  const policyOf = (pay: ToolRules): PolicyDocument => ({ version: "1", default: "deny", tools: { pay } });
  const verdicts: unknown[] = [];
  guard.route(session, undefined, async () => {
    for (const [pay, signal] of [
      [{}, AbortSignal.abort()],
      [{ deny_if: [{ conditions: [] }] }, undefined],
      [{}, cancel.signal],
      [{}, undefined],
    ] as const) {
      guard.update(policyOf(pay));
      const verdict = await guard.admit({ ...request, signal });
      verdicts.push(verdict.outcome === "deny" ? verdict.code : verdict.outcome);
    }
  });
  await guard.admit(request);
  const [pending] = await guard.approvals.list({ status: "pending" });
  await guard.approvals.approve(pending?.id ?? "", {});
  await guard.resume(pending?.id ?? "");
  expect(verdicts).toEqual(["cancelled", "deny_if", "cancelled", "allow"]);
  expect((await guard.approvals.get(pending?.id ?? ""))?.status).toBe("used");
});

test("[decided-once] the send of a client's call is not taken for that of an equal one which is about to be resumed", async () => {
  const two: ToolRules = { limits: [{ counter: "pays", window: "minute", max: 2 }], require_approval: [{ conditions: [] }] };
  const { guard, session, request } = guardOver(two, { approvals: memoryApprovals() });
  const enter = (seam: "client" | "transport") => guard.admit({ ...request, seam });
  const approve = async () => {
    const [pending] = await guard.approvals.list({ status: "pending" });
    await guard.approvals.approve(pending?.id ?? "", {});
    return pending?.id ?? "";
  };
  await enter("client");
  await approve();
  const client = admitted(await enter("client"));
  await guard.admit(request);
  const id = await approve();
  guard.route(session, undefined, async () => {
    await admitted(await enter("transport")).settle({ kind: "success" });
    await client.settle({ kind: "success" });
    const resumed = admitted(await enter("client"));
    await admitted(await enter("transport")).settle({ kind: "success" });
    await resumed.settle({ kind: "success" });
  });
  await guard.resume(id);
  expect((await guard.approvals.get(id))?.status).toBe("used");
  expect(await enter("transport")).toMatchObject({ code: "limit" });
});

test("[no-over-admission] a yes does not go back where a resend has left on it and on one more", async () => {
  const amount = { path: "args.amount", op: "gt", value: 20, name: "amount" } as const;
  const policyOf = (...rules: NonNullable<ToolRules["require_approval"]>): PolicyDocument => ({
    version: "1",
    default: "deny",
    tools: { pay: { require_approval: rules } },
  });
  const guard = createGuard({ policy: policyOf(amount), clock: () => 0 });
  const session = guard.session();
  const request = { session, tool: "pay", arguments: { amount: 50 } } as const;
  const tool = admitted(await guard.admit({ ...request, approve: () => ({ approved: true }) }));
  await admitted(await guard.admit({ ...request, seam: "transport" })).settle({ kind: "unsent" });
  guard.update(policyOf(amount, { conditions: [], name: "all" }));
  const asked: (readonly string[])[] = [];
  const approve = ({ rules }: { readonly rules: readonly string[] }): Verdict => {
    asked.push(rules);
    return { approved: true };
  };
  await admitted(await guard.admit({ ...request, seam: "transport", approve })).settle({ kind: "success" });
  expect(asked).toEqual([["/tools/pay/require_approval/all"]]);
  await tool.settle({ kind: "success" });
  guard.update(policyOf(amount));
  expect(await guard.admit(request)).toMatchObject({ code: "no_approver" });
});

test("a yes that another process has used is gone, and a host that replays is not asked about the others again", async () => {
  const inner = memoryApprovals();
  let lost = 0;
  const { guard, request } = guardOver(
    {
      require_approval: [
        { path: "args.to", op: "neq", value: "owner", name: "payee", when_missing: false },
        { path: "args.amount", op: "gt", value: 20, name: "amount", when_missing: false },
      ],
    },
    {
      approvals: {
        ...inner,
        async consume(id, now) {
          const record = await inner.get(id, now);
          const used = await inner.consume(id, now);
          if (!record?.rules.some((rule) => rule.id.endsWith("/amount"))) return used;
          lost++;
          return undefined;
        },
      },
    },
  );
  const asked: string[] = [];
  const approve = ({ rules }: { readonly rules: readonly string[] }): Verdict => {
    asked.push(rules.map((rule) => rule.split("/").at(-1)).join());
    return asked.length === 1 ? { approved: true, arguments: { to: "bob", amount: 5 } } : { approved: true };
  };
  const call = admitted(await guard.admit({ ...request, arguments: { to: "owner", amount: 50 }, callId: "one", approve, replays: true }));
  expect([asked, lost, call.arguments]).toEqual([["amount", "payee"], 1, { to: "bob", amount: 5 }]);
});
