import fc from "fast-check";
import { expect, test } from "vitest";
import { type AuditSink, memoryAudit } from "../audit/audit.ts";
import type { DecisionEvent, OutcomeEvent } from "../audit/audit-event.ts";
import { canaryRefusal } from "../decision/refusal.ts";
import { CounterStoreError } from "../holdpoint-error.ts";
import { memoryStore } from "../limits/memory-store.ts";
import type { PolicyDocument } from "../policy/policy-schema.ts";
import { createGuard, type Guard, type GuardOptions } from "./guard.ts";
import type { Admission } from "./passage.ts";
import type { Session } from "./session.ts";

const success = { kind: "success" } as const;

async function outcomeOf(guard: Guard, session: Session, tool: string, args: unknown = {}): Promise<string> {
  const admitted = await guard.admit({ session, tool, arguments: args });
  if (admitted.outcome === "allow") await admitted.settle(success);
  return admitted.outcome === "deny" ? admitted.rule : admitted.outcome;
}

async function allowed(guard: Guard, session: Session, tool: string, args: unknown = {}): Promise<Admission> {
  const admitted = await guard.admit({ session, tool, arguments: args });
  if (admitted.outcome !== "allow") throw new Error(`not admitted: ${JSON.stringify(admitted)}`);
  return admitted;
}

const limited: PolicyDocument = {
  version: "1",
  default: "deny",
  tools: {
    pay: {
      limits: [{ counter: "pays", window: "minute", max: 3 }],
      deny_if: [{ path: "args.amount", op: "gt", value: 100, when_missing: false }],
    },
    spend: {
      limits: [
        { counter: "calls", window: "minute", max: 100 },
        { counter: "spent", window: "hour", max: 10, increment_from: "args.amount", unit: "none" },
      ],
    },
  },
};

function at(now: number): GuardOptions["clock"] {
  return () => now;
}

test("[no-over-admission] twenty parallel calls on a limit of three admit three", async () => {
  const guard = createGuard({ policy: limited, clock: at(0) });
  const calls = Array.from({ length: 20 }, () => outcomeOf(guard, guard.session(), "pay"));
  expect((await Promise.all(calls)).filter((outcome) => outcome === "allow")).toHaveLength(3);
});

test("[refused-spends-nothing] a call that is denied, hidden or over another limit leaves every counter as it was", async () => {
  const guard = createGuard({ policy: limited, clock: at(0) });
  const session = guard.session();
  for (let round = 0; round < 5; round++) {
    expect(await outcomeOf(guard, session, "pay", { amount: 500 })).toBe("/tools/pay/deny_if/args.amount-gt");
    expect(await outcomeOf(guard, session, "spend", { amount: 11 })).toBe("/tools/spend/limits/spent");
    expect(await outcomeOf(guard, session, "spend", { amount: "much" })).toBe("/tools/spend/limits/spent");
    expect(await outcomeOf(guard, session, "spend", { amount: -1 })).toBe("/tools/spend/limits/spent");
  }
  expect(await outcomeOf(guard, session, "spend", { amount: 10 })).toBe("allow");
  for (let round = 0; round < 3; round++) expect(await outcomeOf(guard, session, "pay")).toBe("allow");
  expect(await outcomeOf(guard, session, "pay")).toBe("/tools/pay/limits/pays");
});

test("a limit's refusal tells the wait, and after it there is room", async () => {
  let now = Date.UTC(2026, 0, 1, 12, 0, 18);
  const guard = createGuard({ policy: limited, clock: () => now });
  const session = guard.session();
  for (let round = 0; round < 3; round++) await outcomeOf(guard, session, "pay");
  const refused = await guard.admit({ session, tool: "pay", arguments: {} });
  expect(refused).toMatchObject({
    outcome: "deny",
    code: "limit",
    retryAfterMs: 42_000,
    message: "Limit reached. Try again in 42 seconds.",
  });
  now += 41_999;
  expect(await outcomeOf(guard, session, "pay")).toBe("/tools/pay/limits/pays");
  now += 1;
  expect(await outcomeOf(guard, session, "pay")).toBe("allow");
});

test("the wait of a limit that others share is for the operator alone", async () => {
  const guard = createGuard({
    clock: at(0),
    policy: { version: "1", default: "allow", all_tools: { limits: [{ counter: "all", window: "minute", max: 1, scope: "tenant" }] } },
  });
  const session = guard.session({ tenant: "acme" });
  await outcomeOf(guard, session, "x");
  const refused = await guard.admit({ session, tool: "x", arguments: {} });
  expect(refused).toMatchObject({ message: "Limit reached.", retryAfterMs: 60_000, waitIsOwn: false });
});

test("a limit's scope that the session lacks denies and is named to the operator", async () => {
  const guard = createGuard({
    policy: { version: "1", default: "allow", all_tools: { limits: [{ counter: "c", window: "minute", max: 1, scope: "tenant" }] } },
  });
  const refused = await guard.admit({ session: guard.session({ user: "ann" }), tool: "x", arguments: {} });
  expect(refused).toMatchObject({ code: "limit_scope", detail: expect.stringContaining("`context.tenant` is missing") });
});

const counting: PolicyDocument = {
  version: "1",
  default: "deny",
  tools: Object.fromEntries(
    (["sent", "answered", "protocol", "success"] as const).map((count) => [
      count,
      { limits: [{ counter: count, window: "minute" as const, max: 1, count }] },
    ]),
  ),
};

test("each `count` gives back what it says, and a call without an answer always stands", async () => {
  const outcomes = [
    [{ kind: "success" }, []],
    [{ kind: "unknown" }, []],
    [{ kind: "tool_error" }, ["success"]],
    [{ kind: "protocol_error", code: -32602 }, ["answered", "protocol", "success"]],
    [{ kind: "protocol_error", code: -32000 }, ["protocol", "success"]],
    [{ kind: "unsent" }, ["sent", "answered", "protocol", "success"]],
  ] as const;
  for (const [outcome, back] of outcomes) {
    const guard = createGuard({ policy: counting, clock: at(0) });
    const session = guard.session();
    const again: string[] = [];
    for (const count of Object.keys(counting.tools ?? {})) {
      await (await allowed(guard, session, count)).settle(outcome);
      if ((await outcomeOf(guard, session, count)) === "allow") again.push(count);
    }
    expect(again).toEqual(back);
  }
});

test("a give-back goes to the window of the reservation", async () => {
  let now = 59_000;
  const guard = createGuard({ policy: counting, clock: () => now });
  const session = guard.session();
  const held = await allowed(guard, session, "success");
  now = 61_000;
  await allowed(guard, session, "success");
  await held.settle({ kind: "tool_error" });
  expect(await outcomeOf(guard, session, "success")).toBe("/tools/success/limits/success");
});

test("settling twice gives back once", async () => {
  const guard = createGuard({
    policy: { version: "1", default: "allow", all_tools: { limits: [{ counter: "c", window: "minute", max: 2 }] } },
    clock: at(0),
  });
  const session = guard.session();
  const [one] = [await allowed(guard, session, "x"), await allowed(guard, session, "x")];
  await one.settle({ kind: "unsent" });
  await one.settle({ kind: "unsent" });
  expect([await outcomeOf(guard, session, "x"), await outcomeOf(guard, session, "x")]).toEqual(["allow", "/all_tools/limits/c"]);
});

test("[fail-closed] a store that throws, rejects or hangs denies within the guard's patience", async () => {
  const stores = {
    throws: () => {
      throw new CounterStoreError("the store is down");
    },
    rejects: () => Promise.reject(new Error("connection refused")),
    hangs: () => new Promise<never>(() => {}),
  };
  for (const reserve of Object.values(stores)) {
    const guard = createGuard({ policy: limited, store: { ...memoryStore(), reserve }, storeTimeoutMs: 20 });
    const refused = await guard.admit({ session: guard.session(), tool: "pay", arguments: {} });
    expect(refused).toMatchObject({ outcome: "deny", code: "store_unavailable" });
  }
});

test("[refused-spends-nothing] a reservation granted after the guard gave up is given back", async () => {
  const inner = memoryStore();
  let slow = true;
  const guard = createGuard({
    policy: limited,
    clock: at(0),
    storeTimeoutMs: 5,
    store: {
      ...inner,
      reserve: (debits, now) =>
        slow ? new Promise((done) => setTimeout(() => done(inner.reserve(debits, now)), 30)) : inner.reserve(debits, now),
    },
  });
  const session = guard.session();
  const refused = await Promise.all(Array.from({ length: 3 }, () => outcomeOf(guard, session, "pay")));
  expect(refused).toEqual(["(store)", "(store)", "(store)"]);
  await new Promise((done) => setTimeout(done, 60));
  slow = false;
  for (let round = 0; round < 3; round++) expect(await outcomeOf(guard, session, "pay")).toBe("allow");
});

test("[fail-closed] `failMode: open` lets a call pass a store that is down only where that is recorded", async () => {
  const down = { ...memoryStore(), reserve: () => Promise.reject(new Error("down")) };
  const audit = memoryAudit();
  const open = createGuard({ policy: limited, store: down, audit, failMode: { store: "open" } });
  expect(await outcomeOf(open, open.session(), "pay")).toBe("allow");
  expect(audit.events.find((event) => event.type === "decision")).toMatchObject({ outcome: "allow", failedOpen: ["store"] });

  const unrecorded = createGuard({ policy: limited, store: down, failMode: { store: "open" } });
  expect(await outcomeOf(unrecorded, unrecorded.session(), "pay")).toBe("(audit)");

  const full = createGuard({ policy: limited, store: memoryStore({ maxKeys: 1 }), audit, failMode: { store: "open" } });
  await outcomeOf(full, full.session({ grant: "one" }), "pay");
  expect(await outcomeOf(full, full.session({ grant: "two" }), "pay")).toBe("(store)");
});

test("[one-decision-one-record] every call has one decision, and every admitted call one outcome", async () => {
  const audit = memoryAudit();
  const guard = createGuard({ policy: limited, audit, clock: at(0) });
  const session = guard.session({ user: "ann" });
  for (let round = 0; round < 5; round++) await outcomeOf(guard, session, "pay", { amount: 5 });
  await outcomeOf(guard, session, "nothing");
  const decisions = audit.events.filter((event): event is DecisionEvent => event.type === "decision");
  const outcomes = audit.events.filter((event): event is OutcomeEvent => event.type === "outcome");
  expect(new Set(decisions.map((event) => event.call)).size).toBe(6);
  expect(decisions.map((event) => event.rule)).toEqual(["", "", "", "/tools/pay/limits/pays", "/tools/pay/limits/pays", "(default deny)"]);
  expect(outcomes.map((event) => event.call)).toEqual(decisions.filter((event) => event.outcome === "allow").map((event) => event.call));
});

test("[one-decision-one-record] the decision is in every required sink before the call leaves, and a failed write denies and spends nothing", async () => {
  let works = false;
  const taken: string[] = [];
  const required = {
    required: true,
    async write(event: { type: string }) {
      await new Promise((done) => setTimeout(done, 5));
      if (!works) throw new Error("disk full");
      taken.push(event.type);
    },
  };
  const guard = createGuard({ policy: limited, audit: required, clock: at(0) });
  const session = guard.session();
  for (let round = 0; round < 5; round++) expect(await outcomeOf(guard, session, "pay")).toBe("(audit)");
  works = true;
  taken.length = 0;
  await allowed(guard, session, "pay");
  // What was owed comes first. The first call was decided before the sink failed, so it has an outcome too: it did not leave.
  expect(taken.filter((type) => type !== "policy.loaded")).toEqual([
    "decision",
    "outcome",
    "decision",
    "decision",
    "decision",
    "decision",
    "decision",
  ]);
  await outcomeOf(guard, session, "pay");
  expect(await outcomeOf(guard, session, "pay")).toBe("allow");
  expect(await outcomeOf(guard, session, "pay")).toBe("/tools/pay/limits/pays");
});

test("[one-decision-one-record] an outcome that cannot be written stops the calls after it until it can", async () => {
  let works = true;
  const taken: string[] = [];
  const guard = createGuard({
    policy: { version: "1", default: "allow" },
    audit: { required: true, write: (event) => (works ? void taken.push(event.type) : Promise.reject(new Error("down"))) },
  });
  const session = guard.session();
  const call = await allowed(guard, session, "x");
  works = false;
  await call.settle(success);
  expect(await outcomeOf(guard, session, "x")).toBe("(audit)");
  works = true;
  expect(await outcomeOf(guard, session, "x")).toBe("allow");
  expect(taken.filter((type) => type === "outcome")).toHaveLength(2);
});

test("[one-decision-one-record] no argument value is recorded unless its field was opted in, and a secret never", async () => {
  const audit = memoryAudit();
  const guard = createGuard({
    audit: { ...audit, mac: true },
    policy: {
      version: "1",
      default: "deny",
      tools: { pay: { audit: { record: ["args.amount", "args.card"], secret: ["args.card.number"] } } },
    },
  });
  await outcomeOf(guard, guard.session(), "pay", { amount: 5, note: "private", card: { number: "4242", brand: "visa" } });
  const decision = audit.events.find((event) => event.type === "decision") as DecisionEvent;
  expect(decision.recorded).toEqual({ "args.amount": 5, "args.card": { number: "(secret)", brand: "visa" } });
  expect(decision.mac).toMatch(/^[0-9a-f]{64}$/);
  expect(JSON.stringify(audit.events)).not.toMatch(/private|4242/);
});

test("a call whose arguments were never read is not recorded as one without arguments", async () => {
  const audit = memoryAudit();
  const guard = createGuard({ audit: { ...audit, mac: true }, policy: { version: "1", default: "allow" } });
  const session = guard.session();
  for (const args of [{}, { amount: 5n }, [], undefined]) await outcomeOf(guard, session, "pay", args);
  await guard.refuse({ session, tool: "pay", arguments: { amount: 5 } }, canaryRefusal);
  const decisions = audit.events.filter((event): event is DecisionEvent => event.type === "decision");
  const empty = decisions[0]?.mac;
  expect(decisions.map(({ code, mac }) => [code, mac])).toEqual([
    ["allowed", empty],
    ["not_json", undefined],
    ["not_json", undefined],
    ["allowed", empty],
    ["canary", undefined],
  ]);
});

test("`observe` records what enforcement would have done, lets the call pass, and asks nobody", async () => {
  const audit = memoryAudit();
  const guard = createGuard({
    mode: "observe",
    audit,
    clock: at(0),
    approve: () => {
      throw new Error("nobody is asked");
    },
    policy: {
      version: "1",
      default: "deny",
      hide: ["hidden"],
      tools: { pay: { require_approval: [{ conditions: [] }] }, limited: { limits: [{ counter: "c", window: "minute", max: 1 }] } },
    },
  });
  const session = guard.session();
  for (const tool of ["hidden", "unlisted", "pay", "limited", "limited"]) expect(await outcomeOf(guard, session, tool)).toBe("allow");
  const observed = audit.events.flatMap((event) => (event.type === "decision" ? [event.observed?.map(({ rule }) => rule) ?? []] : []));
  expect(observed).toEqual([["(hidden)"], ["(default deny)"], ["/tools/pay/require_approval/always"], [], ["/tools/limited/limits/c"]]);
  expect(guard.shows(undefined, "hidden")).toBe(true);
  expect(await outcomeOf(guard, session, "pay", { at: new Date() })).toBe("(arguments)");
});

test("a call that enforcement would have stopped is charged to no observed limit and to every enforced one", async () => {
  const guard = createGuard({
    clock: at(0),
    policy: {
      version: "1",
      default: "deny",
      tools: {
        t: {
          deny_if: [{ path: "args.bad", op: "eq", value: true, when_missing: false, mode: "observe" }],
          limits: [
            { counter: "seen", window: "minute", max: 1, mode: "observe" },
            { counter: "real", window: "minute", max: 3 },
          ],
        },
      },
    },
    audit: (event) => {
      if (event.type === "decision") observed.push(event.observed?.map(({ rule }) => rule) ?? []);
    },
  });
  const observed: string[][] = [];
  const session = guard.session();
  for (const bad of [true, true, false]) await outcomeOf(guard, session, "t", { bad });
  expect(await outcomeOf(guard, session, "t")).toBe("/tools/t/limits/real");
  expect(observed).toEqual([["/tools/t/deny_if/args.bad-eq"], ["/tools/t/deny_if/args.bad-eq"], [], []]);
});

test("a server without a policy denies every call, in every mode", async () => {
  for (const mode of ["enforce", "observe"] as const) {
    const guard = createGuard({ policies: { one: { version: "1", default: "allow" }, two: { version: "1", default: "allow" } }, mode });
    const session = guard.session();
    expect(await guard.admit({ session, server: "three", tool: "x", arguments: {} })).toMatchObject({ rule: "(no policy)" });
    expect(await guard.admit({ session, server: "two", tool: "x", arguments: {} })).toMatchObject({ outcome: "allow" });
  }
});

test("an update is atomic: counters live on, and a policy that does not load leaves the old one", async () => {
  const guard = createGuard({ policy: limited, clock: at(0) });
  const session = guard.session();
  for (let round = 0; round < 3; round++) await outcomeOf(guard, session, "pay");
  expect(() => guard.update({ ...limited, tools: { pay: { deny: [] } } } as never)).toThrow(/unknown key `deny`/);
  expect(await outcomeOf(guard, session, "pay")).toBe("/tools/pay/limits/pays");
  guard.update({ version: "1", default: "deny", tools: { pay: { limits: [{ counter: "pays", window: "minute", max: 4 }] } } });
  expect([await outcomeOf(guard, session, "pay"), await outcomeOf(guard, session, "pay")]).toEqual(["allow", "/tools/pay/limits/pays"]);
});

test("an update that would reset a counter says which, and needs to be told that it may", () => {
  const guard = createGuard({ policy: limited });
  const hourly: PolicyDocument = {
    version: "1",
    default: "deny",
    tools: { pay: { limits: [{ counter: "pays", window: "hour", max: 3 }] } },
  };
  expect(() => guard.update(hourly)).toThrow(/counter `pays` would start anew/);
  guard.update(hourly, { carry: false });
});

test("a window of a day on a store that forgets with its process must be said to be meant", () => {
  const policy: PolicyDocument = { version: "1", default: "allow", all_tools: { limits: [{ counter: "c", window: "day", max: 1 }] } };
  expect(() => createGuard({ policy })).toThrow(/\/all_tools\/limits\/c.*forgets when the process ends/s);
  createGuard({ policy, store: memoryStore({ durability: "process" }) });
});

test("options that do not go together are refused with the fix", () => {
  expect(() => createGuard({})).toThrow("no policy is given");
  expect(() => createGuard({ policy: limited, policies: {} })).toThrow("keep one of them");
  expect(() => createGuard({ policy: limited, store: { ...memoryStore(), durability: "shared" } })).toThrow("`namespace`");
  expect(() => createGuard({ policy: limited, audit: {} as never })).toThrow("a sink is a function or an object with `write`");
  const two = createGuard({ policies: { a: limited, b: limited } });
  expect(() => two.serverName(undefined)).toThrow("say which with `server`");
  expect(() => two.session({ user: "" })).toThrow("`user`");
  expect(() => two.session({ tags: new Set() } as never)).toThrow("`/tags`");
});

test("a session is a frozen snapshot of who calls; `with` adds to it and ends with it", async () => {
  const identity = { user: "ann", plan: { tier: "gold" } };
  const guard = createGuard({ policy: { version: "1", default: "allow" } });
  const session = guard.session(identity);
  identity.plan.tier = "lead";
  expect(session.context).toEqual({ grant: "default", user: "ann", plan: { tier: "gold" } });
  expect(Object.isFrozen(session.context.plan)).toBe(true);
  const run = session.with({ run: "r1" });
  expect(run.context).toMatchObject({ user: "ann", run: "r1" });
  await session.end();
  expect(await guard.admit({ session: run, tool: "x", arguments: {} })).toMatchObject({ code: "cancelled" });
});

test("the end of a session ends its lifetime counters", async () => {
  const store = memoryStore();
  const guard = createGuard({
    store,
    policy: { version: "1", default: "allow", all_tools: { limits: [{ counter: "c", window: "lifetime", max: 1, scope: "session" }] } },
  });
  const session = guard.session({ session: "s1" });
  expect([await outcomeOf(guard, session, "x"), await outcomeOf(guard, session, "x")]).toEqual(["allow", "/all_tools/limits/c"]);
  await session.end();
  expect(await outcomeOf(guard, guard.session({ session: "s1" }), "x")).toBe("allow");
});

test("[sent-is-checked] what is admitted is the snapshot, whatever happens to the original", async () => {
  const guard = createGuard({
    policy: { version: "1", default: "allow", all_tools: { deny_if: [{ path: "args.to", op: "neq", value: "friend" }] } },
  });
  const args = { to: "friend", list: [1] };
  const admitting = allowed(guard, guard.session(), "send", args);
  args.to = "thief";
  args.list.push(2);
  expect((await admitting).arguments).toEqual({ to: "friend", list: [1] });
});

test("`run` forwards the snapshot, settles with the answer, and takes a throw for a call that may have happened", async () => {
  const audit = memoryAudit();
  const guard = createGuard({ policy: { version: "1", default: "allow" }, audit });
  const session = guard.session();
  const answered = await guard.run({ session, tool: "x", arguments: { a: 1 } }, async (snapshot) => ({
    value: snapshot,
    outcome: success,
  }));
  expect(answered).toMatchObject({ value: { a: 1 } });
  await expect(guard.run({ session, tool: "x", arguments: {} }, () => Promise.reject(new Error("lost")))).rejects.toThrow("lost");
  expect(audit.events.flatMap((event) => (event.type === "outcome" ? [event.outcome] : []))).toEqual(["success", "unknown"]);
});

test("a canary is denied by a built-in rule in every mode, and recorded", async () => {
  const audit = memoryAudit();
  const guard = createGuard({ policy: { version: "1", default: "allow" }, mode: "observe", audit });
  expect(await outcomeOf(guard, guard.session(), "holdpoint.canary.abc")).toBe("(canary)");
  expect(audit.events.map((event) => event.type)).toEqual(["policy.loaded", "canary", "decision"]);
});

test("a cancelled call never leaves and spends nothing", async () => {
  const guard = createGuard({ policy: limited, clock: at(0) });
  const session = guard.session();
  const aborted = AbortSignal.abort();
  for (let round = 0; round < 5; round++) {
    expect(await guard.admit({ session, tool: "pay", arguments: {}, signal: aborted })).toMatchObject({ code: "cancelled" });
  }
  for (let round = 0; round < 3; round++) expect(await outcomeOf(guard, session, "pay")).toBe("allow");
});

test("[no-over-admission] whatever the interleaving of admissions and answers, a limit of three holds", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.constantFrom("success", "unknown", "unsent", "tool_error"), { minLength: 1, maxLength: 12 }),
      async (scheduler, outcomes) => {
        const inner = memoryStore();
        const store = {
          ...inner,
          reserve: (debits: Parameters<typeof inner.reserve>[0], now: number) =>
            scheduler.schedule(Promise.resolve()).then(() => inner.reserve(debits, now)),
        };
        const guard = createGuard({ policy: limited, store, clock: at(0), storeTimeoutMs: 60_000 });
        const session = guard.session();
        let standing = 0;
        let most = 0;
        const calls = outcomes.map(async (kind) => {
          const admitted = await guard.admit({ session, tool: "pay", arguments: {} });
          if (admitted.outcome !== "allow") return;
          standing++;
          most = Math.max(most, standing);
          await scheduler.schedule(Promise.resolve());
          if (kind === "unsent") standing--;
          await admitted.settle({ kind } as typeof success);
        });
        await scheduler.waitFor(Promise.all(calls));
        expect(most).toBeLessThanOrEqual(3);
      },
    ),
    { numRuns: 100 },
  );
});

test("[one-decision-one-record] what is owed to a sink is paid once, and to no sink that has it", async () => {
  const others = memoryAudit();
  const kept: string[] = [];
  let down = true;
  const required: AuditSink = {
    required: true,
    async write(event) {
      await Promise.resolve();
      if (down) throw new Error("disk full");
      kept.push(event.id);
    },
  };
  const guard = createGuard({ policy: { version: "1", default: "allow", tools: {} }, audit: [others, required] });
  const session = guard.session();
  const three = () => Promise.all([1, 2, 3].map((n) => guard.admit({ session, tool: "t", arguments: { n } })));
  for (const refused of await three()) expect(refused).toMatchObject({ code: "audit_unavailable" });
  down = false;
  for (const admitted of await three()) expect(admitted.outcome).toBe("allow");
  const seen = others.events.map(({ id }) => id);
  expect(new Set(seen).size).toBe(seen.length);
  expect([...kept].sort()).toEqual([...seen].sort());
});
