import { type PolicyDocument, parsePolicy } from "@holdpoint/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createSimulator } from "../simulator.ts";
import { comparePolicies } from "./compare-policies.ts";
import { findDeadRules } from "./dead-rules.ts";
import { effectivePolicy, levels } from "./effective-rules.ts";

const numbers = [-1, 0, 0.5, 1, 2, 5, 6, 10];
const texts = ["", "a", "ab", "b/c", "main", "/srv", "/srv/x", "/srv/../x", "https://a.example/", "xx"];
const values = [...numbers, ...texts, true, false, null, [], [1], ["a"], [1, "a"], {}, { a: 1 }];

const condition: fc.Arbitrary<object> = fc.letrec<{ leaf: object; any: object }>((tie) => ({
  leaf: fc.oneof(
    fc.record({
      path: fc.constantFrom("args.n", "args.m"),
      op: fc.constantFrom("lt", "lte", "gt", "gte", "eq", "neq"),
      value: fc.constantFrom(...numbers),
    }),
    fc.record({
      path: fc.constantFrom("args.s", "context.user"),
      op: fc.constantFrom("eq", "neq", "starts_with", "ends_with", "contains", "glob"),
      value: fc.constantFrom(...texts),
    }),
    fc.record({
      path: fc.constantFrom("args.s", "args.n"),
      op: fc.constantFrom("in", "not_in"),
      value: fc.subarray(["a", "ab", 1, 5, true], { minLength: 1 }),
    }),
    fc.record({
      path: fc.constantFrom("args.s", "args.l"),
      op: fc.constantFrom("length_lte", "length_gte"),
      value: fc.constantFrom(0, 1, 2),
    }),
    fc.record({ path: fc.constantFrom("args.s", "args.l", "args.n"), op: fc.constant("exists"), value: fc.boolean() }),
    fc.record({ path: fc.constant("args.l"), op: fc.constant("contains"), value: fc.constantFrom<unknown[]>(1, "a", [1]) }),
    fc.record({ path: fc.constant("args.l"), op: fc.constantFrom("eq", "neq"), value: fc.constantFrom<unknown[]>([], ["a"], [1, "a"]) }),
    fc.record({ path: fc.constant("args.l"), op: fc.constantFrom("in", "not_in"), value: fc.constantFrom<unknown[]>([["a"]], [[], 1]) }),
    fc.record({ path: fc.constant("args.s"), op: fc.constantFrom("within_path"), value: fc.constantFrom("/srv", "/srv/x") }),
    fc.record({ path: fc.constant("args.l[*]"), op: fc.constant("eq"), value: fc.constantFrom(1, "a") }),
    fc.record({ path: fc.constant("args.o.p"), op: fc.constant("eq"), value: fc.constantFrom(1, "a") }),
    fc.record({ path: fc.constant("tool.name"), op: fc.constantFrom("eq", "starts_with"), value: fc.constantFrom("t", "x") }),
    fc.record({ path: fc.constant("time.hour"), op: fc.constantFrom("lt", "gte"), value: fc.constantFrom(8, 12, 18) }),
    fc.record({ path: fc.constant("time.date"), op: fc.constantFrom("lt", "gte"), value: fc.constantFrom("2026-01-05", "2026-02-01") }),
  ),
  any: fc.oneof(
    { maxDepth: 2, depthSize: "small" },
    { arbitrary: tie("leaf"), weight: 5 },
    { arbitrary: fc.record({ not: tie("any") }), weight: 1 },
    { arbitrary: fc.record({ any: fc.array(tie("any"), { minLength: 1, maxLength: 2 }) }), weight: 1 },
    { arbitrary: fc.record({ all: fc.array(tie("any"), { minLength: 1, maxLength: 2 }) }), weight: 1 },
  ),
})).any;

const entries = (minLength: number) =>
  fc.array(fc.record({ conditions: fc.array(condition, { minLength, maxLength: 2 }) }), { maxLength: 2 });
const limit = fc.record({
  counter: fc.constantFrom("c", "d"),
  window: fc.constantFrom("minute", "day"),
  max: fc.constantFrom(1, 2, 3),
  count: fc.constantFrom("sent", "success"),
  mode: fc.constantFrom(undefined, undefined, undefined, "observe" as const),
});
const rules = fc.record({
  require: entries(1),
  deny_if: entries(0),
  require_approval: entries(0),
  limits: fc.array(limit, { maxLength: 1 }),
});
const document = fc
  .record({
    default: fc.constantFrom("allow", "deny"),
    hide: fc.subarray(["h"]),
    all_tools: fc.oneof(
      fc.constant({}),
      entries(0).map((denials) => ({ deny_if: denials })),
    ),
    tools: fc.dictionary(fc.constantFrom("t", "u"), rules, { minKeys: 1, maxKeys: 2 }),
  })
  .map((policy) => ({ version: "1", ...policy }));

const call = fc.record({
  at: fc.constantFrom("2026-01-01T07:00:00Z", "2026-01-05T10:00:00Z", "2026-02-02T20:00:00Z").map((time) => Date.parse(time)),
  tool: fc.constantFrom("t", "t", "t", "u", "h", "x", "x2"),
  args: fc.dictionary(fc.constantFrom("n", "m", "s", "l", "o"), fc.constantFrom(...values, { p: 1 }, { p: "a" })),
  context: fc.oneof(fc.constant({}), fc.record({ user: fc.constantFrom("a", "ab", "main") })),
  result: fc.constantFrom("ok" as const, "tool_error" as const),
});
const calls = fc.array(call, { minLength: 40, maxLength: 40 });

function loaded(policy: object): PolicyDocument | undefined {
  try {
    return parsePolicy(policy);
  } catch {
    return undefined;
  }
}

test("what the comparison says is not widened lets no call through that was stopped, nor any run of calls", async () => {
  const answers = { not: 0, widened: 0, "cannot tell": 0 };
  await fc.assert(
    fc.asyncProperty(document, document, fc.boolean(), calls, async (one, other, mixed, made) => {
      const before = loaded(one);
      // Policies that have most in common are the ones that are hard to tell apart.
      const after = loaded(
        mixed ? { ...one, tools: { ...one.tools, ...Object.fromEntries(Object.entries(other.tools).slice(0, 1)) } } : other,
      );
      fc.pre(before !== undefined && after !== undefined);
      const { answer } = await comparePolicies(effectivePolicy(before), effectivePolicy(after));
      answers[answer] += 1;
      if (answer !== "not") return;
      for (const single of made) {
        const [then, now] = [await createSimulator({ policy: before })(single), await createSimulator({ policy: after })(single)];
        expect(levels[now.outcome], JSON.stringify({ single, then, now })).toBeLessThanOrEqual(levels[then.outcome]);
      }
      // Of a history that the new policy lets through whole, the old one lets everything through.
      const [old, next] = [createSimulator({ policy: before }), createSimulator({ policy: after })];
      for (const each of made) {
        if ((await createSimulator({ policy: after })(each)).outcome !== "allow") continue;
        if ((await next(each)).outcome !== "allow") break;
        expect((await old(each)).outcome).toBe("allow");
      }
    }),
    { numRuns: 250 },
  );
  // A comparison that never says anything would pass the above.
  expect(answers.not).toBeGreaterThan(5);
  expect(answers.widened).toBeGreaterThan(50);
});

test("a rule that is said to be shadowed can go, and no call gets further", async () => {
  let shadowed = 0;
  await fc.assert(
    fc.asyncProperty(document, calls, async (source, made) => {
      const policy = loaded(source);
      fc.pre(policy !== undefined);
      const dead = (await findDeadRules(effectivePolicy(policy))).filter(({ state, rule }) => state === "shadowed" && !rule.includes("#"));
      for (const { tool, rule } of dead) {
        shadowed += 1;
        const without = withoutRule(policy, tool, rule);
        if (!without) continue;
        for (const single of made) {
          const [then, now] = [await createSimulator({ policy })(single), await createSimulator({ policy: without })(single)];
          expect(now.outcome, JSON.stringify({ rule, single })).toBe(then.outcome);
        }
      }
    }),
    { numRuns: 250 },
  );
  expect(shadowed).toBeGreaterThan(20);
});

/** The document without the one entry of the tool that has this id; `undefined` where several could. */
function withoutRule(policy: PolicyDocument, tool: string, id: string): PolicyDocument | undefined {
  const rules = effectivePolicy(policy).tool(tool).rules;
  const section = id.split("/")[3] as "require" | "deny_if" | "require_approval";
  const index = rules.filter(({ rule }) => rule.section === section).findIndex((rule) => rule.id === id);
  const entriesOf = policy.tools?.[tool]?.[section];
  if (index === -1 || !entriesOf) return undefined;
  return parsePolicy(
    JSON.parse(
      JSON.stringify({
        ...policy,
        tools: { ...policy.tools, [tool]: { ...policy.tools?.[tool], [section]: entriesOf.toSpliced(index, 1) } },
      }),
    ),
  );
}
