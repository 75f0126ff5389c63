import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as z from "zod";
import { loadPolicy, parsePolicy, policyDigest } from "./load-policy.ts";
import { PolicyError, type PolicyIssue } from "./policy-error.ts";

interface WrongPolicy {
  readonly title: string;
  readonly policy: unknown;
  readonly issues: readonly { readonly pointer: string; readonly message: string }[];
}

function read<Case>(name: string): readonly Case[] {
  return JSON.parse(readFileSync(new URL(`../../test-data/${name}`, import.meta.url), "utf8"));
}

function issuesOf(load: () => unknown): readonly PolicyIssue[] {
  try {
    load();
  } catch (error) {
    if (PolicyError.is(error)) return error.issues;
    throw error;
  }
  return [];
}

test.each(read<WrongPolicy>("wrong-policies.json"))("[strict-load] does not load: $title", ({ policy, issues }) => {
  const found = issuesOf(() => parsePolicy(policy));
  expect(found.map(({ pointer }) => pointer).sort()).toEqual(issues.map(({ pointer }) => pointer).sort());
  for (const { pointer, message } of issues) {
    expect(
      found
        .filter((issue) => issue.pointer === pointer)
        .map((issue) => issue.message)
        .join("\n"),
    ).toContain(message);
  }
  for (const { message, fix } of found) expect([message, fix]).not.toContain("");
});

test.each(read<{ title: string; policy: unknown }>("valid-policies.json"))("loads: $title", ({ policy }) => {
  // As text: the matcher for objects cannot tell an own `__proto__`.
  expect(JSON.stringify(parsePolicy(policy))).toBe(JSON.stringify(policy));
});

const least = { version: "1", default: "deny" } as const;

function pointersOf(load: () => unknown): string[] {
  return issuesOf(load).map(({ pointer }) => pointer);
}

test("an error lists every issue, one to a line, with its place and its fix", () => {
  expect(() => parsePolicy({ version: "1", default: "denny", tools: { pay: { deny_fi: [] } } })).toThrow(
    [
      "the policy does not load, for 2 reasons:",
      "  /default: unknown default `denny`: use one of allow, deny; did you mean `deny`?",
      "  /tools/pay/deny_fi: unknown key `deny_fi`: use one of require, deny_if, require_approval, limits, arguments, inputSchema, audit, optional; did you mean `deny_if`?",
    ].join("\n"),
  );
});

test("[strict-load] a key that stands twice in the text is an error, however it is written", () => {
  const text =
    '{ "version": "1", "default": "allow",\n "tools": { "pay": {}, "x": [{ "a": 1 }, { "a": 2 }],\n "p\\u0061y": {} },\n "default": "deny" }';
  expect(issuesOf(() => parsePolicy(text)).map(({ pointer, message }) => [pointer, message])).toEqual([
    ["/tools/pay", "the key `pay` stands here twice, again on line 3"],
    ["/default", "the key `default` stands here twice, again on line 4"],
  ]);
});

test("[strict-load] a number that JavaScript would change is an error", () => {
  const policy = (max: string) =>
    `{ "version": "1", "default": "deny", "tools": { "a:{[,": { "limits": [{ "counter": "\\"", "window": "day", "max": ${max} }] } } }`;
  expect(parsePolicy(policy("9000000000"))).toMatchObject({ default: "deny" });
  expect(pointersOf(() => parsePolicy(policy("9007199254740993")))).toEqual(["/tools/a:{[,/limits/0/max"]);
  expect(pointersOf(() => parsePolicy(policy("1e999")))).toEqual(["/tools/a:{[,/limits/0/max"]);
});

test.each(["", "{", "{ 'version': '1' }", '{ "version": "1", "default": "deny", }', '// c\n{ "version": "1", "default": "deny" }'])(
  "[strict-load] no JSON: %s",
  (text) => {
    expect(issuesOf(() => parsePolicy(text))[0]?.message).toContain("the text is not JSON");
  },
);

test("a loaded policy keeps nothing of its input, and nothing in it can change", () => {
  const conditions = [{ path: "args.x", op: "eq", value: { literal: { deep: [1] } } }];
  const input = { ...least, tools: { pay: { deny_if: [{ conditions }] } } };
  const policy = loadPolicy(input);
  const before = JSON.stringify(policy);
  conditions.pop();
  Object.assign(input.tools, { extra: {} });
  expect(JSON.stringify(policy)).toBe(before);
  const frozen = (value: unknown): boolean =>
    typeof value !== "object" || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
  expect(frozen(policy)).toBe(true);
  expect((policy.tools as Record<string, unknown>)["toString"]).toBeUndefined();
});

test("a document that was loaded is answered as it is, unless it holds what is not allowed here", () => {
  const plain = loadPolicy(least);
  expect(parsePolicy(plain)).not.toBe(plain);
  expect(loadPolicy(plain)).toBe(plain);
  const withPredicate = loadPolicy({ ...least, tools: { pay: { deny_if: [{ predicate: "never", check: () => false }] } } });
  expect(pointersOf(() => parsePolicy(withPredicate))).toEqual(["/tools/pay/deny_if/0/check"]);
});

test("[strict-load] each place is read once, and what runs code when it is read is refused", () => {
  let reads = 0;
  const pay = {
    get deny_if() {
      reads++;
      return [];
    },
  };
  expect(pointersOf(() => loadPolicy({ ...least, tools: { pay } }))).toEqual(["/tools/pay/deny_if"]);
  expect(reads).toBe(0);
});

class Rules {
  limits = [];
}
const cyclic: { any: unknown[] } = { any: [] };
cyclic.any.push(cyclic);
const sparse: unknown[] = [];
sparse[1] = "a";

test.each<[string, unknown, string]>([
  ["a class instance", { ...least, tools: { pay: new Rules() } }, "/tools/pay"],
  ["a map", { ...least, tools: new Map() }, "/tools"],
  ["a function", { ...least, tools: { pay: () => ({}) } }, "/tools/pay"],
  ["a function in place of a schema", { ...least, tools: { pay: { arguments: () => true } } }, "/tools/pay/arguments"],
  ["undefined", { ...least, tools: { pay: { arguments: undefined } } }, "/tools/pay/arguments"],
  ["a symbol as a key", { ...least, [Symbol("x")]: 1 }, ""],
  ["a bigint", { ...least, tools: { pay: { limits: [{ counter: "c", window: "day", max: 5n }] } } }, "/tools/pay/limits/0/max"],
  ["NaN", { ...least, tools: { pay: { limits: [{ counter: "c", window: "day", max: Number.NaN }] } } }, "/tools/pay/limits/0/max"],
  ["a hole", { ...least, hide: sparse }, "/hide/0"],
  ["a property of a list", { ...least, hide: Object.assign(["a"], { more: true }) }, "/hide"],
  ["a cycle", { ...least, tools: { pay: { deny_if: [cyclic] } } }, "/tools/pay/deny_if/0/any/0"],
  ["half of a surrogate pair", { ...least, hide: ["\ud800"] }, "/hide/0"],
])("[strict-load] a policy cannot hold %s", (_, policy, pointer) => {
  expect(pointersOf(() => loadPolicy(policy))).toEqual([pointer]);
});

test("[strict-load] nesting without end is an error, not an exhausted stack", () => {
  const depth = 50_000;
  expect(
    pointersOf(() =>
      parsePolicy(`{"version":"1","default":"deny","tools":{"a":{"deny_if":[${'{"not":'.repeat(depth)}{}${"}".repeat(depth)}]}}}`),
    ),
  ).not.toEqual([]);
});

test("a fragment may be used in several places", () => {
  const limits = [{ counter: "writes", window: "minute", max: 30 }];
  expect(loadPolicy({ ...least, tools: { a: { limits }, b: { limits } } }).tools).toHaveProperty("b.limits.0.max", 30);
});

test("predicates and Standard Schemas stay what they are in TypeScript, and are refused in JSON", () => {
  const check = () => true;
  const schema = z.strictObject({ amount: z.number() });
  const document = { ...least, tools: { pay: { arguments: schema, deny_if: [{ not: { predicate: "business hours", check } }] } } };
  const { pay } = loadPolicy(document).tools as unknown as Record<string, { arguments: unknown; deny_if: [{ not: { check: unknown } }] }>;
  expect(pay?.arguments).toBe(schema);
  expect(pay?.deny_if[0].not.check).toBe(check);
  expect(pointersOf(() => loadPolicy(document, { functions: false }))).toEqual(["/tools/pay/arguments", "/tools/pay/deny_if/0/not/check"]);
});

test("the digest follows what a policy says, not how it is written", () => {
  const digest = (policy: unknown) => policyDigest(loadPolicy(policy));
  expect(digest(least)).toBe(digest({ default: "deny", version: "1" }));
  expect(digest(least)).toMatch(/^[0-9a-f]{64}$/);
  const named = (name: string) => digest(JSON.parse(`{ "version": "1", "default": "deny", "tools": { "${name}": {} } }`));
  expect(new Set([digest(least), digest({ ...least, tools: {} }), named("__proto__"), named("constructor")]).size).toBe(4);
  const predicate = (name: string, check: () => boolean) => digest({ ...least, tools: { pay: { deny_if: [{ predicate: name, check }] } } });
  expect(predicate("a", () => true)).toBe(predicate("a", () => false));
  expect(predicate("a", () => true)).not.toBe(predicate("b", () => true));
  expect(digest({ ...least, tools: { pay: { arguments: z.string() } } })).not.toBe(digest({ ...least, tools: { pay: { arguments: {} } } }));
});
