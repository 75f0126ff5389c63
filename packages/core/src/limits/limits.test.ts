import fc from "fast-check";
import { expect, test } from "vitest";
import type { JsonObject } from "../arguments/json-snapshot.ts";
import type { Limit } from "../policy/policy-schema.ts";
import {
  type CallOutcome,
  type Count,
  compileLimit,
  counts,
  describeLimit,
  givesBack,
  type LimitCall,
  lackOfRoom,
  mergeDebits,
  settleIndices,
} from "./limits.ts";

const limit = (given: Partial<Limit>): Limit => ({
  counter: "refunds",
  ...(given.concurrent === undefined ? { window: "day", max: 20 } : {}),
  ...given,
});
const compiled = (given: Partial<Limit>) => compileLimit(limit(given), { id: `/tools/create_refund/limits/${given.counter ?? "refunds"}` });
const call = (given: { args?: JsonObject; context?: JsonObject; server?: string; namespace?: string } = {}): LimitCall => ({
  namespace: given.namespace ?? "",
  server: given.server ?? "stripe",
  args: given.args ?? {},
  context: given.context ?? { grant: "default" },
});

function debitOf(given: Partial<Limit>, by = call()) {
  const made = compiled(given).debitFor(by);
  if ("refusal" in made) throw new Error(made.refusal.detail);
  return made.debit;
}
function refusalOf(given: Partial<Limit>, by = call()) {
  const made = compiled(given).debitFor(by);
  if (!("refusal" in made)) throw new Error("the call was counted");
  return made.refusal;
}

function planDebits(limits: readonly ReturnType<typeof compiled>[], by: LimitCall) {
  const made = limits.map((limit) => limit.debitFor(by));
  return {
    debits: mergeDebits(made.flatMap((each) => ("refusal" in each ? [] : [each]))),
    refusals: made.flatMap((each) => ("refusal" in each ? [each.refusal] : [])),
  };
}

test("a limit counts one for each call of a grant", () => {
  expect(debitOf({})).toEqual({
    key: '["","stripe","refunds","day","grant","default"]',
    window: { kind: "calendar", unit: "day" },
    amount: 1_000_000,
    max: 20_000_000,
  });
});

test("the scopes of a list are one counter in whatever order they are written", () => {
  const by = call({ context: { user: "ada", tenant: "acme" } });
  expect(debitOf({ scope: ["tenant", "user"] }, by).key).toBe('["","stripe","refunds","day","user","ada","tenant","acme"]');
  expect(debitOf({ scope: ["user", "tenant"] }, by).key).toBe(debitOf({ scope: ["tenant", "user"] }, by).key);
});

test("a global counter reads no identity, and one across servers no server", () => {
  expect(debitOf({ scope: "global" }, call({ context: {} })).key).toBe('["","stripe","refunds","day"]');
  expect(debitOf({ across: "servers" }, call({ server: "twilio" })).key).toBe(debitOf({ across: "servers" }).key);
  expect(debitOf({ scope: "server" }).key).toBe('["","stripe","refunds","day","server","stripe"]');
});

test("the grant that is read is the caller's own property, not one inherited", () => {
  expect(refusalOf({ scope: "user" }, call({ context: Object.create({ user: "ada" }) as JsonObject })).code).toBe("limit_scope");
});

test.each([
  [{}, "is missing"],
  [{ user: null }, "is missing"],
  [{ user: "" }, "is empty"],
  [{ user: 7 }, "is no text"],
  [{ user: { id: "ada" } }, "is no text"],
])("[fail-closed] a caller that the scope does not find in %j is refused, and the operator told which", (context, problem) => {
  const refusal = refusalOf({ scope: ["tenant", "user"] }, call({ context: { ...context, tenant: "acme" } }));
  expect(refusal.code).toBe("limit_scope");
  expect(refusal.detail).toBe(`counter \`refunds\`, at most 20 per day (UTC) for each user and tenant: \`context.user\` ${problem}`);
  expect(refusal.message).toBe("This call cannot be counted, since it is not known who makes it.");
});

test("no two counters share a key, whatever their names hold", () => {
  const text = fc.oneof(
    fc.constantFrom("a", 'a"', '","', '","grant","', "\\", "]", "null", "day"),
    fc.string({ unit: "binary", maxLength: 6 }),
  );
  const named = fc.record({ namespace: text, server: text, counter: text, user: text.filter((user) => user !== ""), across: fc.boolean() });
  const keyOf = ({
    namespace,
    server,
    counter,
    user,
    across,
  }: {
    namespace: string;
    server: string;
    counter: string;
    user: string;
    across: boolean;
  }) =>
    debitOf({ counter, scope: "user", ...(across ? { across: "servers" as const } : {}) }, call({ namespace, server, context: { user } }))
      .key;
  const identity = (one: { namespace: string; server: string; counter: string; user: string; across: boolean }) =>
    [one.namespace, one.counter, one.user, one.across, one.across ? "" : one.server] as const;
  fc.assert(
    fc.property(named, named, (left, right) => {
      const alike = identity(left).every((part, index) => part === identity(right)[index]);
      expect(keyOf(left) === keyOf(right)).toBe(alike);
    }),
    { numRuns: 500 },
  );
});

test("one limit gives each of many callers its own key, in turn", () => {
  const perUser = compiled({ scope: "user" });
  const keyOf = (user: string, server: string) => {
    const made = perUser.debitFor(call({ context: { user }, server }));
    return "refusal" in made ? undefined : made.debit.key;
  };
  const callers = [
    ["ada", "stripe"],
    ["bob", "stripe"],
    ["ada", "twilio"],
    ["ada", "stripe"],
    ["ada", "stripe"],
  ] as const;
  expect(callers.map(([user, server]) => keyOf(user, server))).toEqual(
    callers.map(([user, server]) => `["","${server}","refunds","day","user","${user}"]`),
  );
});

test("an amount is read exactly from the argument, as a number or a decimal string", () => {
  const spent: Partial<Limit> = { increment_from: "args.amount", unit: "none" };
  expect(debitOf(spent, call({ args: { amount: 0.1 } })).amount).toBe(100_000);
  expect(debitOf(spent, call({ args: { amount: "19.99" } })).amount).toBe(19_990_000);
  expect(debitOf({ increment: "2.5" }).amount).toBe(2_500_000);
});

test("one limit reads the amount of each call anew", () => {
  const spent = compiled({ increment_from: "args.amount", unit: "none" });
  const amounts = [3, 3, 5].map((amount) => spent.debitFor(call({ args: { amount } })));
  expect(amounts.map((made) => ("refusal" in made ? undefined : made.debit.amount))).toEqual([3_000_000, 3_000_000, 5_000_000]);
});

test.each([
  [{}, "is missing"],
  [{ amount: -1 }, "is negative"],
  [{ amount: 0.1 + 0.2 }, "has more than six fraction digits"],
  [{ amount: "1e3" }, "is not a plain decimal such as `12.50`"],
  [{ amount: null }, "is neither a number nor a decimal string"],
])("[fail-closed] %j holds no amount that a limit counts", (args, problem) => {
  const refusal = refusalOf({ increment_from: "args.amount", unit: "none" }, call({ args }));
  expect(refusal).toMatchObject({ code: "limit_amount", message: `\`args.amount\` ${problem}.` });
  expect(refusal.detail).toBe(`counter \`refunds\`, at most 20 per day (UTC) for each grant: \`args.amount\` ${problem}`);
});

test("[fail-closed] an amount in another unit, or in none, is refused", () => {
  const dollars: Partial<Limit> = { increment_from: "args.amount", unit: { path: "args.currency", is: "usd" } };
  expect(debitOf(dollars, call({ args: { amount: 3, currency: "usd" } })).amount).toBe(3_000_000);
  for (const currency of ["jpy", "USD", null, ["usd"]]) {
    const refusal = refusalOf(dollars, call({ args: { amount: 3, currency } }));
    expect(refusal).toMatchObject({ code: "limit_amount", message: "`args.currency` is not the unit that the limit counts in." });
  }
  expect(refusalOf(dollars, call({ args: { amount: 3 } })).detail).toContain("`args.currency` is not `usd`");
});

test("an amount beyond the whole limit is refused without a wait, since none would help", () => {
  const refusal = refusalOf({ increment_from: "args.amount", unit: "none" }, call({ args: { amount: 20.000001 } }));
  expect(refusal).toEqual({
    rule: "/tools/create_refund/limits/refunds",
    code: "limit",
    message: "The amount is more than the limit allows.",
    detail: "counter `refunds`, at most 20 per day (UTC) for each grant: the amount alone is more",
    observe: false,
    waitIsOwn: true,
  });
});

test("a concurrent limit takes one slot", () => {
  expect(debitOf({ concurrent: 3 })).toMatchObject({ window: { kind: "concurrent" }, amount: 1_000_000, max: 3_000_000 });
});

test("one call debits a counter once, and the smaller max decides", () => {
  const loose = compiled({ max: 50 });
  const tight = compiled({ max: 5 });
  const other = compiled({ counter: "calls", window: "minute", max: 60 });
  const { debits } = planDebits([loose, other, tight], call());
  expect(debits.map(({ limit, debit }) => [limit.max, debit.max, debit.amount])).toEqual([
    [5_000_000, 5_000_000, 1_000_000],
    [60_000_000, 60_000_000, 1_000_000],
  ]);
});

test("layers that disagree on a counter are merged to the larger amount and the stricter count", () => {
  const loose = compiled({ max: 5, count: "success" });
  const strict = compiled({ max: 50, increment: 2, count: "answered" });
  const [merged] = mergeDebits(planDebits([loose, strict], call()).debits);
  expect(merged).toMatchObject({ count: "answered", debit: { max: 5_000_000, amount: 2_000_000 } });
});

test("of equal maxima, the limit that stands first names the rule", () => {
  const [first, second] = [compiled({ on_deny: "first" }), compiled({ on_deny: "second" })];
  expect(mergeDebits(planDebits([first, second], call()).debits)).toMatchObject([{ limit: { limit: { on_deny: "first" } } }]);
});

test("every limit that cannot count a call says so, and the others still debit", () => {
  const { debits, refusals } = planDebits([compiled({ scope: "tenant" }), compiled({ scope: "user" }), compiled({})], call());
  expect(refusals.map(({ detail }) => detail.split(": ")[1])).toEqual(["`context.tenant` is missing", "`context.user` is missing"]);
  expect(debits).toHaveLength(1);
});

test("the model is told the wait of its own counter, rounded up", () => {
  const { debits } = planDebits([compiled({ scope: "user" })], call({ context: { user: "ada" } }));
  expect(lackOfRoom(debits, [0], [{ remaining: 0, retryAfterMs: 40_001 }])).toEqual({
    rule: "/tools/create_refund/limits/refunds",
    code: "limit",
    message: "Limit reached. Try again in 41 seconds.",
    detail: "counter `refunds`, at most 20 per day (UTC) for each user: not enough room is left",
    observe: false,
    retryAfterMs: 40_001,
    waitIsOwn: true,
  });
});

test.each(["tenant", "server", "global"] as const)("the wait of a counter that others share, by %s, is for the operator alone", (scope) => {
  const { debits } = planDebits([compiled({ scope })], call({ context: { tenant: "acme" } }));
  expect(lackOfRoom(debits, [0], [{ remaining: 0, retryAfterMs: 40_000 }])).toMatchObject({
    message: "Limit reached.",
    retryAfterMs: 40_000,
    waitIsOwn: false,
  });
});

test("one shared counter among those without room hides the wait of all", () => {
  const { debits } = planDebits([compiled({}), compiled({ scope: "tenant" })], call({ context: { grant: "g", tenant: "acme" } }));
  const room = [
    { remaining: 0, retryAfterMs: 1_000 },
    { remaining: 0, retryAfterMs: 40_000 },
  ];
  expect(lackOfRoom(debits, [0, 1], room)).toMatchObject({ message: "Limit reached.", retryAfterMs: 40_000, waitIsOwn: false });
  expect(lackOfRoom(debits, [0], room)).toMatchObject({ message: "Limit reached. Try again in 1 second.", waitIsOwn: true });
});

test("there is no wait where one of the counters frees by more than time", () => {
  const { debits } = planDebits([compiled({}), compiled({ counter: "in flight", concurrent: 1 })], call());
  expect(lackOfRoom(debits, [0, 1], [{ remaining: 0, retryAfterMs: 5 }, { remaining: 0 }]).retryAfterMs).toBeUndefined();
  expect(lackOfRoom(debits, [1], [{ remaining: 0 }, { remaining: 0 }]).message).toBe(
    "Too many such calls are in flight. Try again when one has ended.",
  );
});

test("`on_deny` is what the model is told, whatever the limit's reason", () => {
  const spoken: Partial<Limit> = { on_deny: "Twenty refunds a day.", scope: "user" };
  expect(refusalOf(spoken).message).toBe("Twenty refunds a day.");
  const { debits } = planDebits([compiled(spoken)], call({ context: { user: "ada" } }));
  expect(lackOfRoom(debits, [0], [{ remaining: 0, retryAfterMs: 1 }]).message).toBe("Twenty refunds a day.");
});

test("which calls a limit does not count", () => {
  const outcomes: readonly CallOutcome[] = [
    { kind: "unsent" },
    { kind: "unknown" },
    { kind: "success" },
    { kind: "tool_error" },
    { kind: "protocol_error", code: -32602 },
    { kind: "protocol_error", code: -32603 },
  ];
  const table: Record<Count, readonly boolean[]> = {
    sent: [true, false, false, false, false, false],
    answered: [true, false, false, false, true, false],
    protocol: [true, false, false, false, true, true],
    success: [true, false, false, true, true, true],
  };
  for (const count of counts)
    expect(
      outcomes.map((outcome) => givesBack(count, outcome)),
      count,
    ).toEqual(table[count]);
});

test("what is given back are the counts; a slot is freed by settling", () => {
  const limits = [compiled({}), compiled({ counter: "in flight", concurrent: 1 }), compiled({ counter: "done", count: "success" })];
  const { debits } = planDebits(limits, call());
  expect(settleIndices(debits, { kind: "unsent" })).toEqual([0, 2]);
  expect(settleIndices(debits, { kind: "tool_error" })).toEqual([2]);
  expect(settleIndices(debits, { kind: "unknown" })).toEqual([]);
});

test("a limit that says nothing else counts every call that was sent, whatever the server answers", () => {
  const { debits } = planDebits([compiled({})], call());
  for (const kind of ["success", "tool_error", "unknown"] as const) expect(settleIndices(debits, { kind })).toEqual([]);
  for (const code of [-32602, -32603, undefined]) expect(settleIndices(debits, { kind: "protocol_error", code })).toEqual([]);
});

test("a lifetime counter ends with the session that scopes it", () => {
  expect(compiled({ window: "lifetime", scope: "session" }).endsWithSession).toBe(true);
  expect(compiled({ window: "lifetime", scope: "user", expires: "7d" }).endsWithSession).toBe(false);
  expect(compiled({ window: "day", scope: "session" }).endsWithSession).toBe(false);
});

test("[strict-load] a limit that slipped past the loader does not compile", () => {
  expect(() => compiled({ max: 0.1 + 0.2 })).toThrow("`max` has more than six fraction digits");
  expect(() => compileLimit({ counter: "c", window: "day" }, { id: "" })).toThrow("`max` is missing");
  expect(() => compiled({ concurrent: -1 })).toThrow("`concurrent` is negative");
  expect(() => compiled({ increment: "a few" })).toThrow("`increment` is not a plain decimal");
  expect(() => compiled({ increment_from: "time.hour", unit: "none" })).toThrow(
    "`time.hour` is neither an argument nor part of the context",
  );
  expect(() => compiled({ increment_from: "args..x", unit: "none" })).toThrow("`args..x` is no path");
});

test.each(["grant", "session", "run", "user", "agent"] as const)(
  "the wait of a counter by %s is the caller's own, also beside a shared scope",
  (scope) => {
    expect([compiled({ scope }).ownScope, compiled({ scope: [scope, "tenant"] }).ownScope]).toEqual([true, true]);
  },
);

test("an operator reads whose counter it is, and where it counts", () => {
  expect(describeLimit(compiled({ scope: "global" }))).toBe("counter `refunds`, at most 20 per day (UTC) for all callers");
  expect(describeLimit(compiled({ scope: ["tenant", "user"], across: "servers" }))).toBe(
    "counter `refunds`, at most 20 per day (UTC) for each user and tenant, across servers",
  );
});

test("one limit never takes the key of one caller for that of another who shares a scope with them", () => {
  const limit = compiled({ scope: ["user", "tenant"] });
  const keys = [
    { user: "ann", tenant: "t" },
    { user: "bob", tenant: "t" },
    { user: "bob", tenant: "u" },
  ].map((context) => {
    const made = limit.debitFor(call({ context }));
    return "debit" in made ? made.debit.key : made.refusal.detail;
  });
  expect(new Set(keys).size).toBe(3);
});

test("only the three errors by which a server says that it did nothing give back an `answered` call", () => {
  const given = [-32600, -32601, -32602, -32603, -32700, 32601, undefined].filter((code) =>
    givesBack("answered", { kind: "protocol_error", code }),
  );
  expect(given).toEqual([-32600, -32601, -32602]);
});

test("a refused reservation that names no debit is a broken store", () => {
  const { debits } = planDebits([compiled({})], call());
  expect(() => lackOfRoom(debits, [], [{ remaining: 0 }])).toThrow("names no debit");
  expect(() => lackOfRoom(debits, [1], [{ remaining: 0 }])).toThrow("names no debit");
});

test("a store that names a debit which there is not refuses by the others, and promises no wait", () => {
  const { debits } = planDebits([compiled({})], call());
  const refusal = lackOfRoom(debits, [7, 0], [{ remaining: 0, retryAfterMs: 5 }]);
  expect([refusal.rule, refusal.retryAfterMs]).toEqual(["/tools/create_refund/limits/refunds", undefined]);
});
