import fc from "fast-check";
import { expect, test } from "vitest";
import { parse } from "yaml";
import type { Json, JsonObject } from "../arguments/json-snapshot.ts";
import { decide } from "../decision/decide.ts";
import { compilePolicy } from "../policy/compile-policy.ts";
import { ImportError } from "./import-log.ts";
import { fromIntercept, looksLikeIntercept } from "./intercept.ts";
import type { ReferenceOperator } from "./reference-condition.ts";

const stripe = `
version: "1"
description: "Stripe"
default: deny
hide: [delete_customer]
tools:
  create_charge:
    rules:
      - name: "daily spend"
        conditions:
          - { path: args.currency, op: in, value: [usd, eur] }
          - { path: state.create_charge.spent, op: lt, value: 1000000 }
        on_deny: "Daily limit reached"
        state: { counter: spent, window: day, increment_from: args.amount }
      - name: "large"
        action: require_approval
        conditions: [{ path: args.amount, op: gt, value: 50000 }]
        on_deny: "Large charge"
        approval_timeout: 1h30m
  "*":
    rules:
      - { name: "global", rate_limit: 60/minute }
`;

test("each section of a rule lands where its verdict is the same", () => {
  expect(fromIntercept(stripe).policy).toEqual({
    version: "1",
    description: "Stripe",
    default: "deny",
    hide: ["delete_customer"],
    all_tools: {
      limits: [
        {
          counter: "_global._rate_minute",
          window: "minute",
          max: 60,
          scope: "global",
          count: "protocol",
          name: "global",
          on_deny: "Rate limit of 60 per minute reached. Try again later.",
        },
      ],
    },
    tools: {
      create_charge: {
        require: [
          {
            conditions: [{ path: "args.currency", op: "in", value: ["usd", "eur"], compare: "intercept" }],
            name: "daily spend",
            on_deny: "Daily limit reached",
          },
          { path: "args.amount", op: "gte", value: 0, compare: "intercept", on_deny: "Internal policy error" },
        ],
        require_approval: [
          {
            conditions: [{ path: "args.amount", op: "gt", value: 50000 }],
            name: "large",
            on_deny: "Large charge",
            reason: "Large charge",
            timeout: "90m",
          },
        ],
        limits: [
          {
            counter: "create_charge.spent",
            window: "day",
            max: 999_999,
            scope: "global",
            increment_from: "args.amount",
            unit: "none",
            count: "protocol",
            name: "daily spend",
            on_deny: "Daily limit reached",
          },
        ],
      },
    },
  });
});

test("a policy that was parsed before means the same, without lines", () => {
  expect(fromIntercept(parse(stripe)).policy).toEqual(fromIntercept(stripe).policy);
  const issue = issuesOf({ tools: { t: { rules: [{ action: "block" }] } } })[0];
  expect(issue).toMatchObject({ pointer: "/tools/t/rules/0/action" });
  expect(issue).not.toHaveProperty("line");
});

test("[strict-load] every mistake is reported at once, in the order of the text", () => {
  const found = issuesOf(`version: "2"
hide: [a, a, " "]
tools:
  t:
    rules:
      - { action: block }
      - { name: empty }
      - { name: path, conditions: [{ path: context.user, op: eq, value: x }] }
      - { name: dots, conditions: [{ path: args..x, op: eq, value: x }] }
      - { name: op, conditions: [{ path: args.x, op: like, value: x }] }
      - { name: number, conditions: [{ path: args.x, op: lt, value: "5" }] }
      - { name: list, conditions: [{ path: args.x, op: in, value: x }] }
      - { name: bool, conditions: [{ path: args.x, op: exists, value: "true" }] }
      - { name: regex, conditions: [{ path: args.x, op: regex, value: "(?<=x)y" }] }
      - { name: rate, rate_limit: 5/week }
      - { name: none, rate_limit: 0/minute }
      - { name: state, conditions: [{ path: args.x, op: eq, value: x }], state: { window: week, increment: 0 } }
      - { name: ask, action: require_approval, approval_timeout: soon, rate_limit: 5/minute }
      - { name: deny, action: deny, reason: a, on_deny: b, state: { counter: c, window: day } }
`);
  expect(found.map(({ line, message }) => `${line} ${message}`)).toEqual([
    '1 version must be "1", got "2"',
    "2 `a` is hidden twice",
    "2 a tool name is empty",
    "6 `block` has no meaning here",
    "7 evaluate rules must have at least one condition",
    '8 path must start with "args." or "state.", got "context.user"',
    "9 `args..x` is no path into the arguments",
    "10 `like` has no meaning here",
    "11 `lt` needs a number, found text",
    "12 `in` needs a list of values, found text",
    "13 `exists` needs true or false, found text",
    expect.stringContaining("14 the regular expression cannot run in linear time"),
    "15 `5/week` is no rate",
    "16 `0/minute` is no rate",
    "17 the state of rule `state` has no `counter`",
    "17 `week` has no meaning here",
    "17 `0` is not a whole number from 1 to 9,000,000,000",
    "18 `soon` is no duration",
    "18 a `require_approval` rule cannot have `rate_limit`",
    "19 the rule has both `reason` and `on_deny`",
    "19 a `deny` rule cannot have `state`",
  ]);
  expect(found.every(({ column, fix }) => column !== undefined && fix !== "")).toBe(true);
});

test("rules for every tool are left out where no tool can be called, since an entry without effect does not load", () => {
  const everyTool = { "*": { rules: [{ rate_limit: "5/minute" }] } };
  for (const closed of [{ default: "deny" }, { default: "allow", hide: ["*"] }, { default: "deny", hide: ["t"] }]) {
    const { policy, notes } = fromIntercept({
      version: "1",
      ...closed,
      tools: { ...everyTool, ...(closed.hide?.includes("t") && { t: {} }) },
    });
    expect(policy).not.toHaveProperty("all_tools");
    expect(notes.map(({ message }) => message)).toContain("no tool can be called: the rules for every tool are left out");
  }
});

test("a policy of Intercept is told from one of Holdpoint's by the `rules` of its tools", () => {
  expect(looksLikeIntercept(parse(stripe))).toBe(true);
  expect(looksLikeIntercept({ tools: { t: { rules: [] } } })).toBe(true);
  for (const other of [undefined, null, "text", [], {}, { tools: [] }, { version: "1", default: "deny", tools: { rules: {} } }]) {
    expect(looksLikeIntercept(other)).toBe(false);
  }
});

const scalar = fc.constantFrom<Json>(0, 5, 12.5, -1, "5", "x", "axe", "true", "", true, false);
const found = fc.oneof(scalar, fc.constantFrom<Json>(null, [5, "x"], [], { x: 5 }, { b: { c: 5 } }));
const condition = fc.oneof(
  fc.record({ path: path(), op: fc.constantFrom<ReferenceOperator>("eq", "neq", "contains"), value: scalar }),
  fc.record({
    path: path(),
    op: fc.constantFrom<ReferenceOperator>("in", "not_in"),
    value: fc.array(scalar, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ path: path(), op: fc.constantFrom<ReferenceOperator>("lt", "lte", "gt", "gte"), value: fc.constantFrom<Json>(0, 5, 12.5) }),
  fc.record({ path: path(), op: fc.constant<ReferenceOperator>("exists"), value: fc.boolean() }),
  fc.record({ path: path(), op: fc.constant<ReferenceOperator>("regex"), value: fc.constantFrom<Json>("x", "^a", "5$") }),
);
const rule = fc.oneof(
  fc.record({ name: fc.constant("r"), conditions: fc.array(condition, { minLength: 1, maxLength: 3 }) }),
  fc.record({ name: fc.constant("r"), action: fc.constant("deny") }),
);
const policy = fc.record({
  version: fc.constant("1"),
  default: fc.constantFrom("allow", "deny"),
  hide: fc.subarray(["t", "u"]),
  tools: fc.dictionary(fc.constantFrom("t", "u", "*"), fc.record({ rules: fc.array(rule, { maxLength: 2 }) })),
});

function path() {
  return fc.constantFrom("args.a", "args.a.b.c", "args.z");
}

test("conditions, `deny`, `hide`, `default` and `*` have the verdicts of a model of Intercept's engine", () => {
  const call = fc.record({ tool: fc.constantFrom("t", "u", "v"), args: fc.dictionary(fc.constantFrom("a", "z"), found) });
  fc.assert(
    fc.property(policy, call, (document, { tool, args }) => {
      const compiled = compilePolicy(fromIntercept(document).policy);
      const facts = { now: 0, namespace: "", definition: { state: "not_needed" }, mode: "enforce" } as const;
      const { outcome } = decide(compiled, { server: "s", tool, arguments: args, context: {} }, facts);
      expect(outcome).toBe(modelAllows(document, tool, args) ? "allow" : "deny");
    }),
    { numRuns: 3000 },
  );
});

interface Model {
  default: string;
  hide: string[];
  tools: Record<string, { rules: ({ action: string } | { conditions: ModelCondition[] })[] }>;
}

interface ModelCondition {
  path: string;
  op: ReferenceOperator;
  value: Json;
}

/** Intercept's `Evaluate`: hide, then default deny, then the tool's rules, then those of `"*"`; each must pass. */
function modelAllows({ default: otherwise, hide, tools }: Model, tool: string, args: JsonObject): boolean {
  if (hide.includes(tool) || (otherwise === "deny" && !tools[tool])) return false;
  const rules = [...(tools[tool]?.rules ?? []), ...(tools["*"]?.rules ?? [])];
  return rules.every((each) => "conditions" in each && each.conditions.every((condition) => modelPasses(condition, args)));
}

function modelPasses({ path, op, value }: ModelCondition, args: JsonObject): boolean {
  let actual: Json | undefined = args;
  for (const name of path.split(".").slice(1)) {
    const object: Json | undefined = actual;
    actual = typeof object === "object" && object !== null && !Array.isArray(object) ? (object as JsonObject)[name] : undefined;
  }
  if (op === "exists") return (actual !== undefined && actual !== null) === value;
  if (actual === undefined) return false;
  const given = actual;
  const equals = (one: Json, other: Json) =>
    typeof one === "number" && typeof other === "number" ? one === other : goText(one) === goText(other);
  const [left, right] = [typeof given === "number" ? given : Number.NaN, Number(value)];
  const list = Array.isArray(value) ? (value as Json[]) : [];
  const verdicts: Record<Exclude<ReferenceOperator, "exists">, () => boolean> = {
    eq: () => equals(given, value),
    neq: () => !equals(given, value),
    in: () => list.some((entry) => equals(given, entry)),
    not_in: () => !list.some((entry) => equals(given, entry)),
    contains: () =>
      typeof given === "string"
        ? typeof value === "string" && given.includes(value)
        : Array.isArray(given) && given.some((entry: Json) => equals(entry, value)),
    lt: () => left < right,
    lte: () => left <= right,
    gt: () => left > right,
    gte: () => left >= right,
    regex: () => typeof given === "string" && new RegExp(String(value), "u").test(given),
  };
  return verdicts[op]();
}

/** Go's `%v`, as far as the values above go. */
function goText(value: Json): string {
  if (value === null) return "<nil>";
  if (Array.isArray(value)) return `[${value.map(goText).join(" ")}]`;
  if (typeof value !== "object") return String(value);
  return `map[${Object.entries(value)
    .map(([key, entry]) => `${key}:${goText(entry)}`)
    .join(" ")}]`;
}

test("any JSON is imported as a policy that loads, or refused: nothing else is thrown", () => {
  const keys = [
    "version",
    "default",
    "hide",
    "tools",
    "t",
    "*",
    "rules",
    "name",
    "action",
    "conditions",
    "path",
    "op",
    "value",
    "rate_limit",
    "state",
    "counter",
  ];
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 6, withCrossShrink: true },
      fc.constantFrom<unknown>("1", "deny", "args.a", "state.t.c", "eq", "lt", "5/minute", 5, null, true, ""),
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys), tie("tree"), { maxKeys: 5 }),
    ),
  }));
  fc.assert(
    fc.property(tree, (document) => {
      try {
        fromIntercept(document);
      } catch (error) {
        if (!ImportError.is(error)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});

function issuesOf(source: unknown): ImportError["issues"] {
  try {
    fromIntercept(source);
  } catch (error) {
    if (ImportError.is(error)) return error.issues;
    throw error;
  }
  return [];
}
