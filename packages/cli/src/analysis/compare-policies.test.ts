import { mergePolicies, type PolicyDocument, parsePolicy } from "@holdpoint/core";
import { expect, test } from "vitest";
import { comparePolicies } from "./compare-policies.ts";
import { findDeadRules } from "./dead-rules.ts";
import { effectivePolicy } from "./effective-rules.ts";

type Rules = NonNullable<PolicyDocument["tools"]>[string];

const policy = (rules: Rules, rest: object = {}) => parsePolicy({ version: "1", default: "deny", tools: { pay: rules }, ...rest });
const amount = (op: string, value: unknown) => ({ deny_if: [{ path: "args.amount", op, value }] }) as Rules;
const max = (limit: object) => ({ limits: [{ counter: "c", window: "minute", max: 3, ...limit }] }) as Rules;
const odd = { require: [{ predicate: "odd", check: () => true }] } as Rules;
const when = (conditions: object[]) => ({ require_approval: [{ conditions }] }) as Rules;

async function compare(before: PolicyDocument, after: PolicyDocument) {
  return comparePolicies(effectivePolicy(before), effectivePolicy(after));
}

for (const [says, before, after, answer] of [
  ["a higher bound", amount("gt", 100), amount("gt", 200), "widened"],
  ["a lower bound", amount("gt", 200), amount("gt", 100), "not"],
  ["a bound that is hardly higher", amount("gt", 100), amount("gte", 100.0000001), "widened"],
  ["the same bound in other words", amount("gt", 100), { require: [{ path: "args.amount", op: "lte", value: 100 }] }, "not"],
  [
    "a denial that is false where the value is missing",
    amount("gt", 100),
    { deny_if: [{ path: "args.amount", op: "gt", value: 100, when_missing: false }] },
    "widened",
  ],
  ["one more rule", amount("gt", 100), { ...amount("gt", 100), require: [{ path: "args.note", op: "regex", value: "^x" }] }, "not"],
  ["one rule less", { ...amount("gt", 100), require: [{ path: "args.note", op: "regex", value: "^x" }] }, amount("gt", 100), "widened"],
  [
    "a longer list",
    { require: [{ path: "args.to", op: "in", value: ["a"] }] },
    { require: [{ path: "args.to", op: "in", value: ["a", "b"] }] },
    "widened",
  ],
  [
    "a shorter list",
    { require: [{ path: "args.to", op: "in", value: ["a", "b"] }] },
    { require: [{ path: "args.to", op: "in", value: ["a"] }] },
    "not",
  ],
  [
    "a list as it is, in place of a literal",
    { deny_if: [{ path: "args.to", op: "eq", value: { literal: ["a", [1]] } }] },
    { deny_if: [{ path: "args.to", op: "eq", value: ["a", { literal: [1] }] }] },
    "not",
  ],
  [
    "a list that is not looked for any more",
    { deny_if: [{ path: "args.to", op: "contains", value: ["a"], when_missing: false }] },
    { deny_if: [{ path: "args.to", op: "contains", value: ["b"], when_missing: false }] },
    "widened",
  ],
  ["a hold in place of a denial", amount("gt", 100), when([{ path: "args.amount", op: "gt", value: 100 }]), "widened"],
  ["a denial in place of a hold", when([{ path: "args.amount", op: "gt", value: 100 }]), amount("gt", 100), "not"],
  [
    "a longer prefix",
    { require: [{ path: "args.to", op: "starts_with", value: "/a" }] },
    { require: [{ path: "args.to", op: "starts_with", value: "/a/b" }] },
    "cannot tell",
  ],
  [
    "a shorter prefix",
    { require: [{ path: "args.to", op: "starts_with", value: "/a/b" }] },
    { require: [{ path: "args.to", op: "starts_with", value: "/a" }] },
    "widened",
  ],
  [
    "a shorter length",
    { deny_if: [{ path: "args.to", op: "length_gte", value: 9 }] },
    { deny_if: [{ path: "args.to", op: "length_gte", value: 5 }] },
    "not",
  ],
  ["another function of the same name", odd, { require: [{ predicate: "odd", check: () => true }] } as Rules, "cannot tell"],
  ["the same function", odd, odd, "not"],
  ["a larger limit", max({}), max({ max: 5 }), "widened"],
  ["a smaller limit", max({}), max({ max: 2 }), "not"],
  ["a limit that gives back more", max({}), max({ count: "success" }), "cannot tell"],
  ["a limit for each user in place of one for each grant", max({}), max({ scope: "user" }), "cannot tell"],
  ["no limit", max({}), {}, "widened"],
  [
    "a yes that reaches further",
    when([]),
    { require_approval: [{ conditions: [], widen: { to: "session", for: "1h", uses: 5 } }] },
    "cannot tell",
  ],
  [
    "a yes that reaches further, to a rule that holds more",
    when([{ path: "args.amount", op: "gt", value: 100 }]),
    { require_approval: [{ conditions: [], widen: { to: "session", for: "1h", uses: 5 } }] },
    "cannot tell",
  ],
  [
    "a yes that no other rule keeps back",
    {
      require_approval: [
        { conditions: [], widen: { to: "session", for: "1h", uses: 5 } },
        { path: "args.amount", op: "gt", value: 100 },
      ],
    },
    { require_approval: [{ conditions: [], widen: { to: "session", for: "1h", uses: 5 } }] },
    "cannot tell",
  ],
  ["a hold of more calls", when([{ path: "args.amount", op: "gt", value: 100 }]), when([]), "not"],
  ["a longer wait for a yes", when([]), { require_approval: [{ conditions: [], timeout: "2h" }] }, "cannot tell"],
  [
    "a rule that only observes",
    amount("gt", 100),
    { deny_if: [{ path: "args.amount", op: "gt", value: 100, mode: "observe" }] },
    "widened",
  ],
  ["other arguments", { arguments: { type: "object" } }, {}, "cannot tell"],
] as [string, Rules, Rules, string][]) {
  test(`${says}: ${answer}`, async () => {
    const load = (rules: Rules) =>
      JSON.stringify(rules).includes("predicate")
        ? { version: "1" as const, default: "deny" as const, tools: { pay: rules } }
        : policy(rules);
    expect((await compare(load(before), load(after))).answer).toBe(answer);
  });
}

for (const [says, before, after, answer] of [
  ["a tool that is hidden no more", { tools: { a: {} }, hide: ["pay"] }, { tools: { a: {}, pay: {} } }, "widened"],
  ["a tool that is listed now", { tools: { a: {} } }, { tools: { a: {}, pay: {} } }, "widened"],
  [
    "a tool that is listed now, and always denied",
    { tools: { a: {} } },
    { tools: { a: {}, pay: { deny_if: [{ conditions: [] }] } } },
    "not",
  ],
  ["a default that allows", { tools: { a: {} } }, { default: "allow", tools: { a: {} } }, "widened"],
  ["a default that denies", { default: "allow", tools: { a: {} } }, { tools: { a: {} } }, "not"],
  [
    "a counter of its own in place of a shared one",
    { tools: { a: max({}), b: max({}) } },
    { tools: { a: max({}), b: max({ counter: "d" }) } },
    "cannot tell",
  ],
  [
    "a rule for tools of some names, which no policy lists",
    { default: "allow", all_tools: { deny_if: [{ path: "tool.name", op: "starts_with", value: "admin_" }] } },
    { default: "allow" },
    "widened",
  ],
  [
    "a rule for tools of names that are listed, and hidden",
    { default: "allow", all_tools: { deny_if: [{ path: "tool.name", op: "eq", value: "pay" }] } },
    { default: "allow", hide: ["pay"] },
    "not",
  ],
  [
    "a rule for every tool, which a tool of any name has alone",
    { default: "allow", all_tools: amount("gt", 5), tools: { any_other_tool: {} } },
    { default: "allow", tools: { any_other_tool: amount("gt", 5) } },
    "widened",
  ],
  [
    "a counter that a limit fills which only observes",
    { tools: { a: max({}), b: max({ mode: "observe" }) } },
    { tools: { a: max({}), b: {} } },
    "cannot tell",
  ],
  ["a rule for every tool in place of one", { tools: { a: amount("gt", 5) } }, { all_tools: amount("gt", 5), tools: { a: {} } }, "not"],
] as [string, object, object, string][]) {
  test(`${says}: ${answer}`, async () => {
    const load = (part: object) => parsePolicy({ version: "1", default: "deny", ...part });
    expect((await compare(load(before), load(after))).answer).toBe(answer);
  });
}

test("a server's schema is looked at until every layer ignores it", async () => {
  const [ignoring, looking] = [policy({ inputSchema: "ignore" }), policy({})];
  const compared = await comparePolicies(effectivePolicy(mergePolicies(ignoring, looking)), effectivePolicy(ignoring));
  expect(compared.findings).toMatchObject([{ cause: "(inputSchema)", answer: "cannot tell" }]);
});

test("a witness of tools that no policy lists has a name that the rule is about", async () => {
  const named = { deny_if: [{ path: "tool.name", op: "starts_with", value: "admin_" }] } as Rules;
  const load = (rest: object) => parsePolicy({ version: "1", default: "allow", ...rest });
  const { findings } = await compare(load({ all_tools: named }), load({}));
  expect(findings).toMatchObject([{ tool: "*", witness: { before: { outcome: "deny" }, after: { outcome: "allow" } } }]);
  expect(findings[0]?.witness?.call.tool).toMatch(/^admin_/);
});

test("a widening has a witness, and a limit's witness is a run of calls", async () => {
  const { findings } = await compare(policy(amount("gt", 100)), policy(amount("gt", 200)));
  const [found] = findings;
  expect(found).toMatchObject({
    tool: "pay",
    cause: "/tools/pay/deny_if/args.amount-gt",
    witness: { times: 1, before: { outcome: "deny" }, after: { outcome: "allow" } },
  });
  const { amount: witness } = (found?.witness?.call.args ?? {}) as { amount?: number };
  expect(witness).toBeGreaterThan(100);
  expect(witness).toBeLessThanOrEqual(200);
  const larger = await compare(policy(max({})), policy(max({ max: 5 })));
  expect(larger.findings[0]?.witness?.times).toBe(4);
});

for (const [says, rules, expected] of [
  [
    "a rule that another one covers",
    {
      deny_if: [
        { path: "args.amount", op: "gt", value: 100 },
        { path: "args.amount", op: "gt", value: 200 },
      ],
    },
    [["shadowed", "/tools/pay/deny_if/args.amount-gt#2"]],
  ],
  [
    "the same rule twice",
    { deny_if: [{ path: "args.amount", op: "gt", value: 100 }, { conditions: [{ path: "args.amount", op: "gt", value: 100 }] }] },
    [["shadowed", "/tools/pay/deny_if/args.amount-gt#2"]],
  ],
  [
    "an approval that is always denied",
    { deny_if: [{ path: "args.amount", op: "gt", value: 100 }], require_approval: [{ path: "args.amount", op: "gt", value: 200 }] },
    [["shadowed", "/tools/pay/require_approval/args.amount-gt"]],
  ],
  [
    "a rule that two others cover together",
    {
      deny_if: [
        { path: "args.amount", op: "gte", value: 5 },
        { path: "args.amount", op: "lte", value: 5 },
        { path: "args.amount", op: "exists", value: true },
      ],
    },
    [["shadowed", "/tools/pay/deny_if/args.amount-exists"]],
  ],
  [
    "conditions that contradict each other",
    {
      deny_if: [
        {
          conditions: [
            { path: "args.amount", op: "gt", value: 5 },
            { path: "args.amount", op: "lt", value: 5 },
          ],
        },
      ],
    },
    [["contradictory", "/tools/pay/deny_if/args.amount-gt,args.amount-lt"]],
  ],
  [
    "a requirement that nothing meets",
    {
      require: [
        {
          conditions: [
            { path: "args.to", op: "eq", value: "a" },
            { path: "args.to", op: "eq", value: "b" },
          ],
        },
      ],
    },
    [["blocking", "/tools/pay/require/args.to-eq,args.to-eq"]],
  ],
  [
    "a gap between two rules",
    {
      deny_if: [
        { path: "args.amount", op: "gt", value: 5 },
        { path: "args.amount", op: "lt", value: 5 },
      ],
    },
    [],
  ],
  [
    "expressions that could cover each other",
    {
      deny_if: [
        { path: "args.to", op: "glob", value: "/etc/**" },
        { path: "args.to", op: "regex", value: "^/etc/ssh/[a-z]+$" },
      ],
    },
    [["cannot tell", "/tools/pay/deny_if/args.to-regex"]],
  ],
  [
    "a hold whose yes reaches less far than that of one which holds more",
    {
      require_approval: [
        { conditions: [], widen: { to: "session", for: "1h", uses: 5 } },
        { path: "args.amount", op: "gt", value: 100 },
      ],
    },
    [],
  ],
  [
    "two lists of what is good",
    {
      require: [
        { path: "args.to", op: "in", value: ["a", "b"] },
        { path: "args.to", op: "in", value: ["b", "c"] },
      ],
    },
    [],
  ],
] as [string, Rules, [string, string][]][]) {
  test(`dead rules: ${says}`, async () => {
    const found = await findDeadRules(effectivePolicy(policy(rules)));
    expect(found.map(({ state, rule }) => [state, rule])).toEqual(expected);
  });
}

test("a rule of `all_tools` about names that no policy lists is alive", async () => {
  const shared = { deny_if: [{ path: "tool.name", op: "starts_with", value: "admin_" }] };
  expect(await findDeadRules(effectivePolicy(parsePolicy({ version: "1", default: "allow", all_tools: shared })))).toEqual([]);
});

test("a rule of `all_tools` is dead only where it is so for every tool", async () => {
  const shared = { deny_if: [{ path: "args.amount", op: "gt", value: 100 }] };
  const own = { deny_if: [{ path: "args.amount", op: "gt", value: 50 }] };
  const some = parsePolicy({ version: "1", default: "deny", all_tools: shared, tools: { a: own, b: {} } });
  expect(await findDeadRules(effectivePolicy(some))).toEqual([]);
  const every = parsePolicy({ version: "1", default: "deny", all_tools: shared, tools: { a: own, b: own } });
  expect(await findDeadRules(effectivePolicy(every))).toEqual([
    { tool: "*", rule: "/all_tools/deny_if/args.amount-gt", state: "shadowed", by: [] },
  ]);
});
