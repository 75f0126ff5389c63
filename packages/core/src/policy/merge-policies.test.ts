import { expect, test } from "vitest";
import { type Path, parsePath } from "../conditions/path.ts";
import { mergePolicies } from "./merge-policies.ts";
import { intersectPaths } from "./path-sets.ts";
import { PolicyError } from "./policy-error.ts";
import type { Limit, PolicyDocument } from "./policy-schema.ts";

const calls: Limit = { counter: "calls", window: "minute", max: 60 };

function allowing(rules: Partial<PolicyDocument>): PolicyDocument {
  return { version: "1", default: "allow", ...rules };
}

function issuesOf(...policies: Parameters<typeof mergePolicies>): string[] {
  try {
    mergePolicies(...policies);
  } catch (error) {
    if (PolicyError.is(error)) return error.issues.map(({ pointer, message }) => `${pointer}: ${message}`);
    throw error;
  }
  return [];
}

test("layers keep their order, and merged policies merge again", () => {
  const [a, b, c] = ["a", "b", "c"].map((description) => allowing({ description })) as [PolicyDocument, PolicyDocument, PolicyDocument];
  const merged = mergePolicies(mergePolicies(a, b), c);
  expect(merged.layers.map((layer) => layer.description)).toEqual(["a", "b", "c"]);
  expect(Object.isFrozen(merged.layers)).toBe(true);
});

test("[strict-load] what is wrong in any layer is reported, with the layer", () => {
  const wrong = { version: "1", default: "ask" } as never;
  expect(issuesOf(wrong, allowing({}), wrong)).toEqual([
    "/layers/0/default: unknown default `ask`",
    "/layers/2/default: unknown default `ask`",
  ]);
  expect(issuesOf()).toEqual([": there is no policy to merge"]);
});

test.each<[string, PolicyDocument]>([
  ["does not list it and denies by default", { version: "1", default: "deny" }],
  ["hides it", allowing({ hide: ["pay"] })],
  ["hides it where it may be absent", allowing({ hide: [{ name: "pay", optional: true }] })],
  ["hides everything", allowing({ hide: "*" })],
])("[strict-load] rules of a tool are without effect where another layer %s", (_, other) => {
  const layer = allowing({ tools: { pay: {} } });
  expect(issuesOf(layer, other)).toEqual(["/layers/0/tools/pay: `/layers/1` never admits `pay`, so its rules can have no effect"]);
  expect(issuesOf(other, layer)).toEqual(["/layers/1/tools/pay: `/layers/0` never admits `pay`, so its rules can have no effect"]);
});

test("a tool named like a property of every object is admitted only where it is listed", () => {
  expect(issuesOf(allowing({ tools: { toString: {} } }), { version: "1", default: "deny" })).toHaveLength(1);
});

test("layers may share a counter that they count alike, each with its own max", () => {
  expect(
    issuesOf(
      allowing({ all_tools: { limits: [calls] } }),
      allowing({ all_tools: { limits: [{ ...calls, max: 30, scope: ["grant"], increment: "1.0" }] } }),
    ),
  ).toEqual([]);
  expect(
    issuesOf(allowing({ all_tools: { limits: [calls] } }), allowing({ all_tools: { limits: [{ ...calls, window: "day" }] } })),
  ).toEqual([]);
  expect(
    issuesOf(allowing({ all_tools: { limits: [calls] } }), allowing({ all_tools: { limits: [{ ...calls, scope: "global" }] } })),
  ).toEqual([]);
});

test.each<[string, Partial<PolicyDocument>, string]>([
  ["another amount", { all_tools: { limits: [{ ...calls, increment: 2 }] } }, "has another `increment`"],
  ["other calls", { all_tools: { limits: [{ ...calls, count: "success" }] } }, "has another `count`"],
  ["other tools", { tools: { pay: { limits: [calls] } } }, "is charged by other tools or arguments"],
  ["one more tool", { all_tools: { limits: [calls] }, tools: { pay: { limits: [calls] } } }, "is charged by other tools or arguments"],
])("[strict-load] layers that charge one counter with %s do not go together", (_, rules, message) => {
  const issues = issuesOf(allowing({ all_tools: { limits: [calls] } }), allowing(rules));
  expect(issues).toHaveLength(1);
  expect(issues[0]).toContain(`counter \`calls\` ${message}`);
});

test("[strict-load] a field is recorded by every layer, or by none", () => {
  const records = (record: string[]) => allowing({ audit: { record } });
  expect(issuesOf(records(["args.card"]), allowing({ tools: { pay: { audit: { record: ["args.card.brand"] } } } }))).toEqual([]);
  expect(issuesOf(records(["args.note"]), records(["args.card"]))).toEqual([
    "/layers/0/audit/record/0: `/layers/1` does not record `args.note`, so it is never recorded",
    "/layers/1/audit/record/0: `/layers/0` does not record `args.card`, so it is never recorded",
  ]);
});

test("what two lists of paths share is the inner of two paths", () => {
  const paths = (...texts: string[]) => texts.map((text) => parsePath(text) as Path);
  const shared = intersectPaths(
    paths("args.a", "args.list[*].x", "args.all[*]"),
    paths("args.a.b", "args.list[0]", "args.list[1].x", "args.ab", "args.all[*]"),
  );
  expect(shared).toEqual(paths("args.a.b", "args.list[1].x", "args.all[*]"));
});
