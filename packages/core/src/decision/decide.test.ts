import fc from "fast-check";
import { expect, test } from "vitest";
import type { Definition } from "../guard/definitions.ts";
import { compilePolicy } from "../policy/compile-policy.ts";
import { mergePolicies } from "../policy/merge-policies.ts";
import type { PolicyDocument } from "../policy/policy-schema.ts";
import { predicate } from "../policy/predicate.ts";
import { type Call, type DecisionFacts, decide } from "./decide.ts";

const facts: DecisionFacts = { now: Date.UTC(2026, 0, 5, 12), namespace: "", definition: { state: "not_needed" }, mode: "enforce" };

function callOf(tool: string, args: Call["arguments"] = {}, context: Call["context"] = { grant: "default" }): Call {
  return { server: "default", tool, arguments: args, context };
}

function verdict(document: PolicyDocument, call: Call, more: Partial<DecisionFacts> = {}) {
  return decide(compilePolicy(document), call, { ...facts, ...more });
}

function ruleOf(document: PolicyDocument, call: Call, more: Partial<DecisionFacts> = {}): string {
  const decided = verdict(document, call, more);
  return decided.outcome === "deny" ? decided.rule : decided.outcome;
}

const refunds: PolicyDocument = {
  version: "1",
  default: "deny",
  hide: ["delete_customer"],
  all_tools: { deny_if: [{ path: "args.test", op: "eq", value: true, when_missing: false }] },
  tools: {
    list: {},
    refund: {
      require: [{ path: "args.reason", op: "exists", value: true, on_deny: "Give a reason." }],
      deny_if: [{ conditions: [{ path: "args.amount", op: "gt", value: 500 }], on_deny: "Too much." }],
      require_approval: [{ conditions: [{ path: "args.amount", op: "gt", value: 20 }], reason: "Refund over $20" }],
      limits: [{ counter: "refunds", window: "minute", max: 3 }],
    },
  },
};

test("the first step that refuses names the rule", () => {
  expect(decide(undefined, callOf("list"), facts)).toMatchObject({ rule: "(no policy)", code: "no_policy" });
  expect(ruleOf(refunds, callOf("delete_customer"))).toBe("(hidden)");
  expect(ruleOf(refunds, callOf("other"))).toBe("(default deny)");
  expect(ruleOf(refunds, callOf("refund", { amount: 900 }))).toBe("/tools/refund/require/args.reason-exists");
  expect(ruleOf(refunds, callOf("refund", { amount: 900, reason: "x" }))).toBe("/tools/refund/deny_if/args.amount-gt");
  expect(ruleOf(refunds, callOf("refund", { amount: 5, reason: "x", test: true }))).toBe("/all_tools/deny_if/args.test-eq");
  expect(ruleOf(refunds, callOf("refund", { amount: 50, reason: "x" }))).toBe("hold");
  expect(ruleOf(refunds, callOf("refund", { amount: 5, reason: "x" }))).toBe("allow");
  expect(ruleOf(refunds, callOf("list"))).toBe("allow");
});

test("[fail-closed] what cannot be judged denies in `require` and `deny_if`, and holds in `require_approval`", () => {
  expect(ruleOf(refunds, callOf("refund", { reason: "x" }))).toBe("/tools/refund/deny_if/args.amount-gt");
  expect(ruleOf(refunds, callOf("refund", { reason: "x", amount: "5" }))).toBe("/tools/refund/deny_if/args.amount-gt");
  const asking: PolicyDocument = {
    version: "1",
    default: "allow",
    tools: { pay: { require_approval: [{ path: "args.amount", op: "gt", value: 20 }] } },
  };
  expect(ruleOf(asking, callOf("pay"))).toBe("hold");
  const throwing: PolicyDocument = {
    version: "1",
    default: "allow",
    tools: {
      pay: {
        deny_if: [
          predicate("business hours", () => {
            throw new Error("no");
          }),
        ],
      },
    },
  };
  expect(ruleOf(throwing, callOf("pay"))).toBe("/tools/pay/deny_if/business hours");
});

test("rule ids are JSON Pointers: names are escaped, `name` replaces the last part, and a second equal id is numbered", () => {
  const document: PolicyDocument = {
    version: "1",
    default: "deny",
    tools: {
      "a/b~c": {
        deny_if: [
          { path: "args.x", op: "eq", value: 1, when_missing: false },
          { path: "args.x", op: "eq", value: 2, when_missing: false },
          { path: "args.x", op: "eq", value: 3, when_missing: false, name: "no threes" },
          {
            conditions: [
              { path: "args.x", op: "eq", value: 4, when_missing: false },
              { path: "args.y", op: "eq", value: 4, when_missing: false },
            ],
          },
          { any: [{ path: "args.x", op: "eq", value: 5, when_missing: false }] },
        ],
      },
    },
  };
  const rules = [1, 2, 3, 4, 5].map((x) => ruleOf(document, callOf("a/b~c", { x, y: 4 })));
  expect(rules).toEqual([
    "/tools/a~1b~0c/deny_if/args.x-eq",
    "/tools/a~1b~0c/deny_if/args.x-eq#2",
    "/tools/a~1b~0c/deny_if/no threes",
    "/tools/a~1b~0c/deny_if/args.x-eq,args.y-eq",
    "/tools/a~1b~0c/deny_if/any",
  ]);
});

test("tools called `__proto__`, `constructor` and `toString` are tools like any other", () => {
  const document = JSON.parse(
    '{ "version": "1", "default": "deny", "tools": { "__proto__": { "deny_if": [{ "conditions": [] }] }, "constructor": {} } }',
  );
  expect(ruleOf(document, callOf("__proto__"))).toBe("/tools/__proto__/deny_if/always");
  expect(ruleOf(document, callOf("constructor"))).toBe("allow");
  expect(ruleOf(document, callOf("toString"))).toBe("(default deny)");
  expect(ruleOf({ version: "1", default: "deny" }, callOf("__proto__"))).toBe("(default deny)");
});

test("the model and the operator are told two things", () => {
  const denial = verdict(refunds, callOf("refund", { amount: 900, reason: "secret reason" }));
  expect(denial).toMatchObject({ outcome: "deny", message: "Too much.", detail: "`args.amount gt 500` is true" });
  expect(verdict(refunds, callOf("refund", { reason: "x", amount: "five" }))).toMatchObject({
    detail: "`args.amount gt 500` is unknown: `args.amount` is text, which `gt` cannot judge here",
  });
  expect(verdict(refunds, callOf("refund", { reason: "x" }))).toMatchObject({
    detail: "`args.amount gt 500` is unknown: `args.amount` is absent",
  });
  expect(denial.outcome === "deny" && denial.detail).not.toContain("900");
  expect(denial.outcome === "deny" && denial.detail).not.toContain("secret reason");
});

test("hidden, unlisted and unknown tools read the same to the model", () => {
  const unknown = { state: "unknown", problem: "the server does not list `x`" } as const;
  const messages = [
    verdict({ version: "1", default: "deny", hide: ["x"] }, callOf("x")),
    verdict({ version: "1", default: "deny" }, callOf("x")),
    verdict({ version: "1", default: "allow" }, callOf("x"), { definition: unknown }),
    decide(undefined, callOf("x"), facts),
  ].map((denial) => denial.outcome === "deny" && denial.message);
  expect(new Set(messages)).toEqual(new Set(["Tool `x` is not available."]));
});

test("the text of a model's tool name is shown with its tricks escaped", () => {
  const denial = verdict({ version: "1", default: "deny" }, callOf("a\u202eb\u200bc"));
  expect(denial.outcome === "deny" && denial.message).toBe("Tool `a\\u{202e}b\\u{200b}c` is not available.");
});

test("a denial shows every condition and what it saw", () => {
  const denial = verdict(refunds, callOf("refund", { amount: 900, reason: "x" }));
  const rule = denial.evaluated.find(({ rule }) => rule === "/tools/refund/deny_if/args.amount-gt");
  expect(rule).toMatchObject({
    truth: true,
    section: "deny_if",
    conditions: [{ truth: true, compared: { path: "args.amount", expected: 500, saw: 900 } }],
  });
});

test("a denial says by its code and detail what kind of rule refused, and teaches only where the rule says so", () => {
  const document: PolicyDocument = {
    version: "1",
    default: "deny",
    hide: ["gone"],
    tools: {
      pay: {
        arguments: { required: ["to"] },
        require: [{ path: "args.amount", op: "lte", value: 5 }],
        deny_if: [{ path: "args.to", op: "eq", value: "eve", explain: "model" }],
      },
    },
  };
  const said = (tool: string, args: Call["arguments"] = {}) => {
    const denial = verdict(document, callOf(tool, args));
    return denial.outcome === "deny" ? [denial.code, denial.detail, denial.explains, denial.wouldPass !== undefined] : [];
  };
  expect(said("gone")).toEqual(["hidden", "`hide` names `gone`", false, false]);
  expect(said("other")).toEqual(["default_deny", "`tools` does not list `other`, and `default` is `deny`", false, false]);
  expect(said("pay")).toEqual(["arguments_invalid", expect.stringContaining("`to`"), false, false]);
  expect(said("pay", { to: "bob", amount: 6 })).toEqual(["require", "`args.amount lte 5` is false", false, true]);
  expect(said("pay", { to: "eve", amount: 5 })).toEqual(["deny_if", '`args.to eq "eve"` is true', true, expect.any(Boolean)]);
  expect(said("pay", { to: "bob", amount: 5 })).toEqual([]);
  expect(decide(undefined, callOf("pay"), facts)).toMatchObject({
    code: "no_policy",
    detail: "no policy for server `default`",
    evaluated: [],
  });
});

test("what would pass was decided again: bounds of several rules together", () => {
  const document: PolicyDocument = {
    version: "1",
    default: "deny",
    tools: {
      pay: {
        require: [{ path: "args.currency", op: "in", value: ["usd", "eur"] }],
        deny_if: [
          { path: "args.amount", op: "gte", value: 500 },
          { path: "args.note", op: "exists", value: true },
        ],
      },
    },
  };
  const denial = verdict(document, callOf("pay", { amount: 900, currency: "gbp", note: "x" }));
  expect(denial.outcome === "deny" && denial.wouldPass).toEqual({
    arguments: [
      { path: "args.currency", op: "in", value: ["usd", "eur"] },
      { path: "args.amount", op: "lt", value: 500 },
      { path: "args.note", op: "exists", value: false },
    ],
  });
  const lists = {
    require: [{ path: "args.to", op: "eq", value: ["ann", "bob"] }],
    deny_if: [{ path: "args.cc", op: "not_in", value: [[], ["ann"]] }],
  };
  const listed = verdict(
    { version: "1", default: "deny", tools: { pay: lists } } as PolicyDocument,
    callOf("pay", { to: [], cc: ["eve"] }),
  );
  expect(listed.outcome === "deny" && listed.wouldPass).toEqual({
    arguments: [
      { path: "args.to", op: "eq", value: ["ann", "bob"] },
      { path: "args.cc", op: "in", value: [[], ["ann"]] },
    ],
  });
  const hopeless = verdict({ version: "1", default: "deny", tools: { pay: { deny_if: [{ conditions: [] }] } } }, callOf("pay"));
  expect(hopeless.outcome === "deny" && hopeless.wouldPass).toBeUndefined();
});

test("what would pass goes on past limits and approvals, as far as their literals say", () => {
  const rules = (deny_if: object[], require_approval: object[]) =>
    ({
      version: "1",
      default: "deny",
      tools: {
        pay: {
          deny_if,
          require_approval,
          limits: [{ counter: "sum", window: "hour", max: "300.5", increment_from: "args.amount", unit: "none" }],
        },
      },
    }) as PolicyDocument;
  const bounds = (document: PolicyDocument) => {
    const denial = verdict(document, callOf("pay", { amount: 900 }));
    return denial.outcome === "deny" ? denial.wouldPass : denial.outcome;
  };
  const over = { path: "args.amount", op: "gt", value: 500 };
  expect(bounds(rules([over], []))).toEqual({ arguments: [{ path: "args.amount", op: "lte", value: 300.5 }] });
  expect(bounds(rules([], []))).toEqual({ arguments: [{ path: "args.amount", op: "lte", value: 300.5 }] });
  expect(bounds(rules([over], [{ path: "args.amount", op: "gt", value: 100 }]))).toEqual({
    arguments: [{ path: "args.amount", op: "lte", value: 100 }],
  });
  expect(bounds(rules([over], [{ conditions: [] }]))).toEqual({
    arguments: [{ path: "args.amount", op: "lte", value: 300.5 }],
    asks: true,
  });
});

test("an amount that a limit cannot read would pass as a number within the limit, and an unknown caller with none", () => {
  const limited = (scope: "grant" | "user"): PolicyDocument => ({
    version: "1",
    default: "deny",
    tools: { pay: { limits: [{ counter: "sum", window: "hour", max: 20, scope, increment_from: "args.amount", unit: "none" }] } },
  });
  const bounds = (scope: "grant" | "user") => {
    const denial = verdict(limited(scope), callOf("pay", { amount: "much" }));
    return denial.outcome === "deny" ? [denial.code, denial.wouldPass] : [];
  };
  expect(bounds("grant")).toEqual(["limit_amount", { arguments: [{ path: "args.amount", op: "lte", value: 20 }] }]);
  expect(bounds("user")).toEqual(["limit_scope", undefined]);
});

test("of a list, what would pass are the values that pass, together with every value of another list, and nothing that is left out again", () => {
  const bounds = (rules: object, args: Call["arguments"]) => {
    const denial = verdict({ version: "1", default: "deny", tools: { pay: rules } } as PolicyDocument, callOf("pay", args));
    return denial.outcome === "deny" ? denial.wouldPass : denial.outcome;
  };
  const currencies = { path: "args.currency", op: "in", value: ["usd", "eur", "chf"] };
  const noEuros = { path: "args.currency", op: "eq", value: "eur" };
  expect(bounds({ require: [currencies], deny_if: [noEuros] }, { currency: "gbp" })).toEqual({
    arguments: [{ path: "args.currency", op: "in", value: ["usd", "chf"] }],
  });
  const oneOf = (path: string) => ({ path, op: "in", value: [1, 2] });
  const bothTwo = { conditions: ["args.a", "args.b"].map((path) => ({ path, op: "eq", value: 2 })) };
  expect(bounds({ require: [oneOf("args.a"), oneOf("args.b")], deny_if: [bothTwo] }, { a: 3, b: 3 })).toEqual({
    arguments: [
      { path: "args.a", op: "in", value: [1, 2] },
      { path: "args.b", op: "in", value: [1] },
    ],
  });
  const many = { path: "args.a", op: "in", value: Array.from({ length: 1_001 }, (_, index) => index) };
  expect(bounds({ require: [many] }, { a: -1 })).toEqual({ arguments: [{ path: "args.a", op: "in", value: [0] }] });
  const optional = {
    deny_if: [{ path: "args.to", op: "not_in", value: ["ann"], when_missing: false }],
    require_approval: [{ path: "args.to", op: "exists", value: true }],
  };
  expect(bounds(optional, { to: "eve" })).toEqual({ arguments: [{ path: "args.to", op: "exists", value: false }] });
});

test("what would pass is never a bound that the schema or another rule refuses", () => {
  const document: PolicyDocument = {
    version: "1",
    default: "deny",
    tools: { pay: { require: [{ path: "args.amount", op: "gte", value: 100 }], deny_if: [{ path: "args.amount", op: "gt", value: 50 }] } },
  };
  const denial = verdict(document, callOf("pay", { amount: 900 }));
  expect(denial.outcome === "deny" && denial.wouldPass).toBeUndefined();
});

test("a condition on what the server claims denies where no definition is known", () => {
  const document: PolicyDocument = {
    version: "1",
    default: "allow",
    all_tools: { deny_if: [{ path: "tool.annotations.destructiveHint", op: "eq", value: true }] },
  };
  expect(verdict(document, callOf("x"))).toMatchObject({
    rule: "(definition unknown)",
    detail: "a rule reads what the server says of the tool, and no definition is known",
  });
  const claimless: PolicyDocument = { version: "1", default: "allow" };
  expect(decide(compilePolicy(mergePolicies(claimless, document)), callOf("x"), facts)).toMatchObject({ rule: "(definition unknown)" });
});

test("[fail-closed] a schema of the server that cannot be used denies, unless the host chose that it fails open", () => {
  const definition: Definition = {
    state: "known",
    digest: "",
    judge: "it is too deep",
    facts: { name: "x" },
    declared: new Set(),
    source: { name: "x" },
  };
  const outcomeOf = (failOpen: DecisionFacts["failOpen"]) =>
    verdict({ version: "1", default: "allow" }, callOf("x"), { definition, failOpen });
  for (const failOpen of [undefined, {}, { inputSchema: false }])
    expect(outcomeOf(failOpen)).toMatchObject({ code: "definition_unusable", detail: expect.stringContaining("it is too deep") });
  expect(outcomeOf({ inputSchema: true })).toMatchObject({ outcome: "allow", failedOpen: ["inputSchema"] });
});

test("what another validator says of a secret argument is kept back; of every other argument, and in words of our own, it is told", () => {
  const refusalOf = (problem: { pointer: string; message: string; isForeign?: true }) => {
    const definition = { state: "known", digest: "", judge: () => [problem], facts: {}, declared: new Set(), source: { name: "pay" } };
    const document: PolicyDocument = { version: "1", default: "deny", tools: { pay: { audit: { secret: ["args.card"] } } } };
    const denial = verdict(document, callOf("pay", { card: "4242", amount: "x" }), { definition: definition as unknown as Definition });
    return denial.outcome === "deny" ? denial.message : denial.outcome;
  };
  expect(refusalOf({ pointer: "/card", message: "got 4242", isForeign: true })).not.toContain("4242");
  expect(refusalOf({ pointer: "/amount", message: "got x", isForeign: true })).toContain("got x");
  expect(refusalOf({ pointer: "/card", message: "is text" })).toContain("is text");
});

test("a rule reads the hour of the call, and the tool's name and server whether or not a definition is known", () => {
  const document: PolicyDocument = {
    version: "1",
    default: "allow",
    all_tools: {
      deny_if: [
        { path: "time.hour", op: "gte", value: 20, name: "late" },
        {
          conditions: [
            { path: "tool.name", op: "eq", value: "x" },
            { path: "tool.server", op: "eq", value: "default" },
          ],
          name: "x here",
        },
      ],
    },
  };
  expect(ruleOf(document, callOf("x"))).toBe("/all_tools/deny_if/x here");
  expect(ruleOf(document, callOf("y"))).toBe("allow");
  expect(ruleOf(document, { ...callOf("x"), server: "other" })).toBe("allow");
  expect(ruleOf(document, callOf("y"), { now: Date.UTC(2026, 0, 5, 21) })).toBe("/all_tools/deny_if/late");
  const definition: Definition = {
    state: "known",
    digest: "",
    judge: undefined,
    facts: { name: "x", server: "default" },
    declared: new Set(),
    source: { name: "x" },
  };
  expect(ruleOf(document, callOf("x"), { definition })).toBe("/all_tools/deny_if/x here");
});

test("an allowed call shows what each rule made of it", () => {
  const plan = verdict(refunds, callOf("refund", { amount: 5, reason: "x" }));
  expect(plan.outcome).toBe("allow");
  expect(plan.evaluated.map(({ rule, truth }) => [rule, truth])).toEqual([
    ["/tools/refund/require/args.reason-exists", true],
    ["/tools/refund/deny_if/args.amount-gt", false],
    ["/all_tools/deny_if/args.test-eq", false],
    ["/tools/refund/require_approval/args.amount-gt", false],
  ]);
});

test("layers that limit one counter debit it once, by the smaller maximum", () => {
  const limits = (max: number) => ({ limits: [{ counter: "c", window: "minute", max }] }) as const;
  const plan = verdict({ version: "1", default: "deny", all_tools: limits(5), tools: { x: limits(20) } }, callOf("x"));
  expect(plan.outcome === "deny" ? [] : plan.debits.map(({ debit }) => debit.max)).toEqual([5_000_000]);
});

test("[nothing-leaves-unchecked] an observed limit that cannot count a call leaves the limits and approvals after it in force", () => {
  const document: PolicyDocument = {
    version: "1",
    default: "deny",
    tools: {
      pay: {
        limits: [
          { counter: "seen", window: "hour", max: 1, scope: "tenant", mode: "observe" },
          { counter: "kept", window: "hour", max: 1 },
        ],
        require_approval: [{ conditions: [] }],
      },
    },
  };
  const plan = verdict(document, callOf("pay"));
  expect(plan).toMatchObject({
    outcome: "hold",
    debits: [{ limit: { id: "/tools/pay/limits/kept" } }],
    observed: [{ code: "limit_scope" }],
  });
});

test("[fail-closed] a claim of the server is one however the condition names it", () => {
  const entries: NonNullable<PolicyDocument["all_tools"]>["deny_if"] = [
    { path: 'tool["annotations"].destructiveHint', op: "eq", value: true, when_missing: false },
    { path: "args.about", op: "eq", value: { from: "tool.description" }, when_missing: false },
    { path: "args.about", op: "eq", value: { from: 'tool["category"]' }, when_missing: false },
  ];
  for (const entry of entries) {
    expect(ruleOf({ version: "1", default: "allow", all_tools: { deny_if: [entry] } }, callOf("x"))).toBe("(definition unknown)");
  }
});

test("an observed limit never tightens an enforced one, and under `observe` both charge their counter once", () => {
  const enforced = { counter: "c", window: "minute", max: 20 } as const;
  const document: PolicyDocument = {
    version: "1",
    default: "allow",
    all_tools: { limits: [enforced, { ...enforced, max: 1, mode: "observe" }] },
  };
  const debitsOf = (mode: DecisionFacts["mode"]) => {
    const plan = verdict(document, callOf("x"), { mode });
    return plan.outcome === "deny"
      ? []
      : [plan.debits, plan.observedDebits].map((debits) => debits.map(({ debit }) => debit.max / 1_000_000));
  };
  expect(debitsOf("enforce")).toEqual([[20], []]);
  expect(debitsOf("observe")).toEqual([[], [1]]);
  const beside = verdict(
    { version: "1", default: "allow", all_tools: { limits: [enforced, { ...enforced, counter: "d", mode: "observe" }] } },
    callOf("x"),
  );
  expect(beside).toMatchObject({
    debits: [{ limit: { limit: { counter: "c" } } }],
    observedDebits: [{ limit: { limit: { counter: "d" } } }],
  });
});

test("[deny-wins] what `all_tools` stops, no rule of the tool itself lets through", () => {
  const stopping = { deny_if: [{ path: "args.test", op: "eq", value: true }] } as const;
  const document = (tool: object) => ({ version: "1", default: "deny", all_tools: stopping, tools: { pay: tool } }) as PolicyDocument;
  const own = { deny_if: [{ path: "args.amount", op: "gt", value: 5 }], require: [{ path: "args.amount", op: "exists", value: true }] };
  for (const tool of [{}, own])
    expect(ruleOf(document(tool), callOf("pay", { amount: 1, test: true }))).toBe("/all_tools/deny_if/args.test-eq");
});

test("[deny-wins] the order of entries changes no verdict, and one more entry admits no more", () => {
  const condition = fc.record({
    path: fc.constantFrom("args.a", "args.b", "args.c"),
    op: fc.constantFrom("eq", "gt", "lt", "exists" as const),
    value: fc.integer({ min: 0, max: 3 }),
  });
  const entry = condition.map((each) => (each.op === "exists" ? { ...each, value: each.value > 1 } : each)) as fc.Arbitrary<{
    path: string;
    op: "gt";
    value: number;
  }>;
  const entries = fc.array(entry, { maxLength: 4 });
  const args = fc.dictionary(fc.constantFrom("a", "b", "c"), fc.integer({ min: 0, max: 3 }));
  const rank = { allow: 2, hold: 1, deny: 0 };
  fc.assert(
    fc.property(
      entries,
      entries,
      entries,
      entry,
      fc.constantFrom("require", "deny_if", "require_approval"),
      args,
      (require, deny_if, require_approval, more, section, given) => {
        const lists = { require, deny_if, require_approval };
        const call = callOf("t", given);
        const policyOf = (tool: object) => ({ version: "1", default: "deny", tools: { t: tool } }) as PolicyDocument;
        const before = verdict(policyOf(lists), call).outcome;
        const reversed = verdict(
          policyOf({ require: require.toReversed(), deny_if: deny_if.toReversed(), require_approval: require_approval.toReversed() }),
          call,
        ).outcome;
        const added = verdict(policyOf({ ...lists, [section]: [...lists[section as "require"], more] }), call).outcome;
        expect(reversed).toBe(before);
        expect(rank[added]).toBeLessThanOrEqual(rank[before]);
      },
    ),
    { numRuns: 500 },
  );
});

test("[deny-wins] a call passes merged policies if and only if it passes each", () => {
  const document = fc
    .record({ amount: fc.integer({ min: 0, max: 5 }), approve: fc.integer({ min: 0, max: 5 }), admits: fc.constantFrom("allow" as const) })
    .map(
      ({ amount, approve, admits }): PolicyDocument => ({
        version: "1",
        default: admits,
        tools: {
          t: { deny_if: [{ path: "args.a", op: "gt", value: amount }], require_approval: [{ path: "args.a", op: "eq", value: approve }] },
        },
      }),
    );
  const rank = { allow: 2, hold: 1, deny: 0 };
  fc.assert(
    fc.property(document, document, fc.integer({ min: 0, max: 6 }), (one, other, a) => {
      const call = callOf("t", { a });
      const merged = decide(compilePolicy(mergePolicies(one, other)), call, facts).outcome;
      const alone = [one, other].map((each) => verdict(each, call).outcome);
      expect(rank[merged]).toBe(Math.min(...alone.map((each) => rank[each])));
    }),
  );
});

test("[deny-wins] the server's schema is left out only where every merged policy leaves it out", () => {
  const judge = () => [{ pointer: "/a", message: "is wrong" }];
  const definition = {
    state: "known",
    digest: "",
    judge,
    facts: { name: "t" },
    declared: new Set<string>(),
    source: { name: "t" },
  } as unknown as Definition;
  const ignoring: PolicyDocument = { version: "1", default: "deny", tools: { t: { inputSchema: "ignore" } } };
  const judging: PolicyDocument = { version: "1", default: "deny", tools: { t: {} } };
  const outcomeOf = (...documents: PolicyDocument[]) =>
    decide(compilePolicy(mergePolicies(...documents)), callOf("t"), { ...facts, definition }).outcome;
  expect([outcomeOf(ignoring), outcomeOf(ignoring, ignoring)]).toEqual(["allow", "allow"]);
  expect([outcomeOf(ignoring, judging), outcomeOf(judging, ignoring)]).toEqual(["deny", "deny"]);
});

test("ids of merged policies carry their layer", () => {
  const merged = compilePolicy(
    mergePolicies({ version: "1", default: "allow" }, { version: "1", default: "allow", tools: { t: { deny_if: [{ conditions: [] }] } } }),
  );
  expect(decide(merged, callOf("t"), facts)).toMatchObject({ rule: "/layers/1/tools/t/deny_if/always" });
});
