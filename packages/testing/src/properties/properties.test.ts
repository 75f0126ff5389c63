import {
  type Condition,
  compileInputSchema,
  type JsonObject,
  loadPolicy,
  mergePolicies,
  type Operator,
  type PolicyDocument,
  parsePolicy,
} from "@holdpoint/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { mutatePolicy } from "../mutate-policy.ts";
import { policyTest } from "../policy-test.ts";
import { anyCall, anyCallFor, anyPolicy } from "./index.ts";

const policyAndCall = anyPolicy().chain((policy) => fc.tuple(fc.constant(policy), anyCall(policy)));

test("[strict-load] every policy that is made loads", () => {
  fc.assert(
    fc.property(anyPolicy({ predicates: true }), (policy) => void loadPolicy(policy)),
    { numRuns: 1_000 },
  );
  fc.assert(
    fc.property(anyPolicy(), (policy) => {
      expect(parsePolicy(JSON.stringify(policy))).toEqual(parsePolicy(policy));
    }),
  );
});

test("policies of every section and operator are made", () => {
  const operators = new Set<Operator>();
  const sections = new Set<string>();
  const look = (condition: Condition): void => {
    if ("op" in condition) operators.add(condition.op);
    else if ("any" in condition) condition.any.forEach(look);
    else if ("all" in condition) condition.all.forEach(look);
    else if ("not" in condition) look(condition.not);
    else if ("each" in condition) condition.each.conditions.forEach(look);
  };
  for (const policy of fc.sample(anyPolicy(), { numRuns: 500, seed: 1 })) {
    for (const lists of [policy.all_tools, ...Object.values(policy.tools ?? {})]) {
      for (const [section, entries] of Object.entries(lists ?? {})) if (Array.isArray(entries)) sections.add(section);
      for (const entry of [...(lists?.require ?? []), ...(lists?.deny_if ?? []), ...(lists?.require_approval ?? [])]) {
        for (const condition of "conditions" in entry ? entry.conditions : [entry]) look(condition as Condition);
      }
    }
  }
  expect(sections).toEqual(new Set(["require", "deny_if", "require_approval", "limits"]));
  expect(operators.size).toBe(19);
});

test("calls meet the policy that they are made for: every verdict comes up, and conditions are seen both true and false", async () => {
  const seen = new Set<string>();
  for (const [policy, call] of fc.sample(policyAndCall, { numRuns: 600, seed: 1 })) {
    const test = policyTest(policy, { coverage: false });
    const verdict = await test.decide(call);
    seen.add(verdict.outcome).add(verdict.code);
    for (let again = 0; again < 8 && verdict.outcome === "allow"; again += 1) seen.add((await test.decide(call)).code);
    for (const { section, truth } of verdict.evaluated) seen.add(`${section} ${truth}`);
  }
  for (const wanted of [
    "allow",
    "deny",
    "hold",
    "hidden",
    "default_deny",
    "require",
    "deny_if",
    "limit",
    "limit_amount",
    "arguments_invalid",
  ])
    expect(seen).toContain(wanted);
  for (const section of ["require", "deny_if", "require_approval"])
    for (const truth of [true, false, "unknown"]) expect(seen).toContain(`${section} ${truth}`);
});

/** The verdict, without what differs from guard to guard. */
async function outcomeOf(policy: Parameters<typeof policyTest>[0], call: Parameters<ReturnType<typeof policyTest>["decide"]>[0]) {
  return (await policyTest(policy, { coverage: false }).decide(call)).outcome;
}

test("[deny-wins] the order of rules never matters to the verdict", async () => {
  const reversed = (policy: PolicyDocument): PolicyDocument => {
    const flip = <Lists extends object>(lists: Lists) =>
      Object.fromEntries(Object.entries(lists).map(([key, list]) => [key, Array.isArray(list) ? [...list].reverse() : list])) as Lists;
    return {
      ...policy,
      ...(policy.all_tools && { all_tools: flip(policy.all_tools) }),
      ...(policy.tools && { tools: Object.fromEntries(Object.entries(policy.tools).map(([name, lists]) => [name, flip(lists)])) }),
    };
  };
  await fc.assert(
    fc.asyncProperty(policyAndCall, async ([policy, call]) => {
      expect(await outcomeOf(reversed(policy), call)).toBe(await outcomeOf(policy, call));
    }),
    { numRuns: 200 },
  );
});

const severity = { allow: 0, hold: 1, deny: 2 };

test("[deny-wins] one more `deny_if` entry on a listed tool never lets through more", async () => {
  await fc.assert(
    fc.asyncProperty(policyAndCall, anyPolicy(), async ([policy, call], other) => {
      const added = Object.values(other.tools ?? {}).flatMap((rules) => rules.deny_if ?? []);
      const own = policy.tools && Object.hasOwn(policy.tools, call.tool) ? policy.tools[call.tool] : undefined;
      fc.pre(own !== undefined && added.length > 0);
      const stricter = {
        ...policy,
        tools: Object.fromEntries([
          ...Object.entries(policy.tools ?? {}),
          [call.tool, { ...own, deny_if: [...(own?.deny_if ?? []), ...added] }],
        ]),
      };
      expect(severity[await outcomeOf(stricter, call)]).toBeGreaterThanOrEqual(severity[await outcomeOf(policy, call)]);
    }),
    { numRuns: 150 },
  );
});

test("a policy merged with itself decides as it does alone", async () => {
  await fc.assert(
    fc.asyncProperty(policyAndCall, async ([policy, call]) => {
      expect(await outcomeOf(mergePolicies(policy, policy), call)).toBe(await outcomeOf(policy, call));
    }),
    { numRuns: 150 },
  );
});

test("[strict-load] every mutant of any policy loads, differs from it, and has a name of its own", () => {
  fc.assert(
    fc.property(anyPolicy({ predicates: true }), (policy) => {
      const mutants = mutatePolicy(policy);
      const original = JSON.stringify(loadPolicy(policy));
      for (const mutant of mutants)
        expect(JSON.stringify(loadPolicy(mutant.policy)) === original && !original.includes("predicate")).toBe(false);
      expect(new Set(mutants.map(({ id }) => id)).size).toBe(mutants.length);
    }),
    { numRuns: 60 },
  );
});

const schemas: readonly JsonObject[] = [
  { type: "object", properties: { amount: { type: "number", minimum: 0, maximum: 100 } }, required: ["amount"] },
  {
    type: "object",
    properties: { count: { type: "integer", exclusiveMinimum: 3 }, code: { type: "string", pattern: "^[A-Z]{3}$" } },
    required: ["code"],
    additionalProperties: false,
  },
  { type: "object", properties: { tags: { type: "array", items: { enum: ["a", "b"] }, minItems: 1, maxItems: 2 } }, required: ["tags"] },
  {
    type: "object",
    properties: { to: { anyOf: [{ type: "string", minLength: 3 }, { type: "null" }] }, at: { const: "now" } },
    required: ["to", "at"],
  },
  {
    type: "object",
    properties: { tree: { $ref: "#/$defs/node" } },
    required: ["tree"],
    $defs: { node: { type: "object", properties: { left: { $ref: "#/$defs/node" } } } },
  },
  {
    type: "object",
    allOf: [
      { properties: { a: { type: "boolean" } }, required: ["a"] },
      { properties: { b: { type: ["string", "null"] } }, required: ["b"] },
    ],
  },
  { type: "object", properties: { price: { type: "number", multipleOf: 5 } }, required: ["price"] },
];

test.each(schemas)("calls for a schema fit it where they shall, and also stand just beside it: %j", (inputSchema) => {
  const compiled = compileInputSchema(inputSchema);
  if (!compiled.ok) throw new Error(compiled.problem);
  for (const call of fc.sample(anyCallFor({ name: "pay", inputSchema }, { valid: true }), { numRuns: 100, seed: 1 }))
    expect(compiled.judge(call.arguments)).toEqual([]);
  const fits = fc
    .sample(anyCallFor({ name: "pay", inputSchema }), { numRuns: 200, seed: 1 })
    .map((call) => compiled.judge(call.arguments).length === 0);
  expect(fits).toContain(true);
  expect(fits).toContain(false);
});
