import { expect, test } from "vitest";
import type { ToolDefinition } from "../guard/pins.ts";
import { checkAgainstTools } from "./check-against-tools.ts";
import { compilePolicy } from "./compile-policy.ts";
import { definePolicy } from "./define-policy.ts";
import { mergePolicies } from "./merge-policies.ts";
import type { PolicyDocument } from "./policy-schema.ts";

const pay: ToolDefinition = {
  name: "pay",
  inputSchema: {
    type: "object",
    properties: {
      amount: { type: "integer" },
      currency: { enum: ["usd", "eur"] },
      note: { type: ["string", "null"] },
      items: { type: "array", items: { $ref: "#/$defs/item" } },
      target: { anyOf: [{ type: "string" }, { type: "object", properties: { account: { type: "string" } } }] },
      metadata: { type: "object" },
      labels: { type: "object", additionalProperties: { type: "string" } },
      anything: {},
    },
    $defs: {
      item: {
        type: "object",
        properties: { sku: { type: "string" }, qty: { type: "number" }, parts: { type: "array", items: { $ref: "#/$defs/item" } } },
      },
    },
  },
};
const list: ToolDefinition = { name: "list", inputSchema: { type: "object", properties: { limit: { type: "number" } } } };
const free: ToolDefinition = { name: "free" };

function issuesOf(policy: Partial<PolicyDocument>): string[] {
  const document = definePolicy({ version: "1", default: "deny", ...policy });
  return checkAgainstTools(document, [pay, list, free]).map(({ pointer, message, fix }) => `${pointer}: ${message}: ${fix}`);
}

const denyIf = (...conditions: unknown[]) => ({ tools: { pay: { deny_if: [{ conditions }] } } }) as Partial<PolicyDocument>;

for (const condition of [
  { path: "args.amount", op: "gt", value: 5 },
  { path: "args.currency", op: "in", value: ["usd"] },
  { path: "args.note", op: "regex", value: "^x" },
  { path: "args.note", op: "eq", value: null },
  { path: "args.items[0].sku", op: "eq", value: "a" },
  { path: "args.items[*].parts[*].parts[2].qty", op: "gt", value: 5 },
  { path: "args.items", op: "length_gte", value: 5 },
  { path: "args.items", op: "contains", value: { literal: { sku: "a" } } },
  { path: "args.target.account", op: "eq", value: "a" },
  { path: "args.target", op: "starts_with", value: "a" },
  { path: "args.metadata.any.depth[4]", op: "eq", value: "a" },
  { path: "args.labels.any", op: "eq", value: "a" },
  { path: "args.anything.at[0].all", op: "gt", value: 1 },
  { path: "args.amont", op: "gt", value: 1, undeclared: true },
  { path: "args.currency", op: "neq", value: { from: "args.note" } },
  { path: "context.whatever", op: "eq", value: 1 },
  {
    each: {
      path: "args.items",
      conditions: [
        { path: "item.qty", op: "gt", value: 1 },
        { path: "args.amount", op: "gt", value: 1 },
      ],
    },
  },
  { each: { path: "args.listed", conditions: [{ path: "item.qty", op: "gt", value: 1, undeclared: true }] } },
]) {
  test(`the schema does not rule out ${JSON.stringify(condition)}`, () => {
    expect(issuesOf(denyIf(condition))).toEqual([]);
  });
}

const at = "/tools/pay/deny_if/0/conditions/0";

for (const [condition, issue] of [
  [
    { path: "args.amont", op: "gt", value: 1 },
    `${at}/path: the tool's schema does not declare \`args.amont\`: write \`args.amount\`, or say \`undeclared: true\` where the tool takes it all the same`,
  ],
  [
    { path: "args.items[*].skew", op: "eq", value: "a" },
    `${at}/path: the tool's schema does not declare \`args.items[*].skew\`: say \`undeclared: true\``,
  ],
  [{ path: "args.amount.value", op: "gt", value: 1 }, `${at}/path: the tool's schema does not declare \`args.amount.value\``],
  [{ path: "args.currency[0]", op: "eq", value: "u" }, `${at}/path: the tool's schema does not declare`],
  [{ path: "args.labels.any.more", op: "eq", value: "u" }, `${at}/path: the tool's schema does not declare`],
  [
    { path: "args.amount", op: "regex", value: "^5" },
    `${at}/path: \`args.amount\` is number, nothing that \`regex\` compares: compare string`,
  ],
  [{ path: "args.note", op: "gt", value: 5 }, `${at}/path: \`args.note\` is null or string, nothing that \`gt\` compares`],
  [{ path: "args.metadata", op: "length_gte", value: 5 }, `${at}/path: \`args.metadata\` is object`],
  [{ path: "args.amount", op: "eq", value: "5" }, `${at}/path: \`args.amount\` is never \`"5"\`: compare with number`],
  [
    { path: "args.currency", op: "in", value: ["usd", "gbp"] },
    `${at}/path: \`args.currency\` is never \`"gbp"\`: compare with one of "usd", "eur"`,
  ],
  [{ path: "args.note", op: "neq", value: { from: "args.nte" } }, `${at}/value/from: the tool's schema does not declare \`args.nte\``],
  [{ not: { any: [{ path: "args.nope", op: "exists", value: true }] } }, `${at}/not/any/0/path`],
  [
    {
      each: {
        path: "args.amount",
        conditions: [
          { path: "item", op: "gt", value: 1, undeclared: true },
          { path: "args.amount", op: "gt", value: 1 },
        ],
      },
    },
    `${at}/each/path: \`args.amount\` is number, no list`,
  ],
  [
    { each: { path: "args.items", conditions: [{ path: "item.size", op: "gt", value: 1 }] } },
    `${at}/each/conditions/0/path: the tool's schema does not declare \`args.items[*].size\``,
  ],
] as const) {
  test(`the schema rules out ${JSON.stringify(condition)}`, () => {
    const issues = issuesOf(denyIf(condition));
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain(issue);
  });
}

test("a name that the server does not have is an error, and a typo in `hide` is an open door", () => {
  expect(issuesOf({ tools: { pai: {}, gone: { optional: true } }, hide: ["lst", { name: "absent", optional: true }] })).toEqual([
    "/tools/pai: the server has no tool `pai`: write `pay`, or say `optional: true` where it may be absent",
    "/hide/0: the server has no tool `lst`, so this hides nothing: write `list`, or say `optional: true` where it may be absent",
  ]);
});

test("a rule of `all_tools` asks for a path that one tool declares", () => {
  const lists = (path: string) =>
    ({ all_tools: { deny_if: [{ path, op: "gt", value: 1 }] }, tools: { pay: {} } }) as Partial<PolicyDocument>;
  const known = (path: string) => checkAgainstTools(definePolicy({ version: "1", default: "deny", ...lists(path) }), [pay, list]);
  expect(known("args.limit")).toEqual([]);
  expect(known("args.limits")[0]).toMatchObject({
    pointer: "/all_tools/deny_if/0/path",
    message: "no tool declares `args.limits`",
    fix: expect.stringContaining("`args.limit`"),
  });
});

test("amounts, units and audited fields are held against the schema too", () => {
  const issues = issuesOf({
    tools: {
      pay: {
        limits: [
          { counter: "a", window: "minute", max: 5, increment_from: "args.items", unit: "none" },
          { counter: "b", window: "minute", max: 5, increment_from: "args.amount", unit: { path: "args.currency", is: "gbp" } },
          { counter: "c", window: "minute", max: 5, increment_from: "args.amout", unit: "none" },
        ],
        audit: { record: ["args.amount"], secret: ["args.iban"] },
      },
    },
  });
  expect(issues.map((issue) => issue.split(":")[0])).toEqual([
    "/tools/pay/limits/0/increment_from",
    "/tools/pay/limits/1/unit/path",
    "/tools/pay/limits/2/increment_from",
    "/tools/pay/audit/secret/0",
  ]);
});

test("[strict-load] a policy compiles with tools only where they do not rule it out", () => {
  const right: PolicyDocument = { version: "1", default: "deny", tools: { pay: {} } };
  const wrong: PolicyDocument = { version: "1", default: "deny", tools: { pai: {} } };
  expect(() => compilePolicy(right, { tools: [pay] })).not.toThrow();
  expect(() => compilePolicy(wrong)).not.toThrow();
  expect(() => compilePolicy(wrong, { tools: [pay] })).toThrow("/tools/pai: the server has no tool `pai`");
  expect(() => compilePolicy(mergePolicies({ ...right, default: "allow" }, { ...wrong, default: "allow" }), { tools: [pay] })).toThrow(
    "/layers/1/tools/pai",
  );
});

test("a schema that refers to itself without end, or that cannot be read, rules nothing out", () => {
  const endless = { name: "pay", inputSchema: { $ref: "#" } };
  const broken = { name: "pay", inputSchema: { $ref: "#/nowhere" } };
  for (const tool of [endless, broken, { name: "pay", inputSchema: "text" }]) {
    const policy = definePolicy({ version: "1", default: "deny", ...denyIf({ path: "args.a.b", op: "gt", value: 1 }) } as PolicyDocument);
    expect(() => checkAgainstTools(policy, [tool])).not.toThrow();
  }
});
