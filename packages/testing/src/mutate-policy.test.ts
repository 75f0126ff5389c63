import { definePolicy } from "@holdpoint/core";
import { expect, test } from "vitest";
import { checkMutants } from "./check-mutants.ts";
import { isMutant, mutatePolicy } from "./mutate-policy.ts";
import type { policyTest } from "./policy-test.ts";
import "./vitest.ts";

const refunds = definePolicy({
  version: "1",
  default: "deny",
  hide: ["delete_customer"],
  tools: {
    list: {},
    refund: {
      deny_if: [{ path: "args.amount", op: "gt", value: 100 }],
      limits: [{ counter: "refunds", window: "hour", max: 2 }],
    },
  },
});

/** Every boundary from both sides. */
async function suite(policy: Parameters<typeof policyTest>[0]) {
  const refund = (amount: number) => ({ tool: "refund", arguments: { amount } });
  await expect(policy).toDeny({ tool: "delete_customer" }, { rule: "(hidden)" });
  await expect(policy).toDeny({ tool: "unlisted" });
  await expect(policy).toAllow({ tool: "list" });
  await expect(policy).toAllow(refund(100));
  await expect(policy).toDeny(refund(101));
  await expect(policy).toAdmitExactly(2, refund(1), { within: "1h" });
  await expect(policy).toAdmitExactly(4, refund(1), { within: "2h" });
}

test("the mistakes that a person makes, one at a time", () => {
  expect(mutatePolicy(refunds).map(({ id }) => id)).toEqual([
    "/default: `deny` became `allow`",
    "/hide/0: the hidden tool was left out",
    "/tools/list: the tool was left out",
    "/tools/refund: the tool was left out",
    "/tools/refund/deny_if/0: the rule was left out",
    "/tools/refund/deny_if/0/op: `gt` became `lt`",
    "/tools/refund/deny_if/0/op: `gt` became `gte`",
    "/tools/refund/deny_if/0/value: 100 became 101",
    "/tools/refund/limits/0: the limit was left out",
    "/tools/refund/limits/0/max: 2 became 3",
    "/tools/refund/limits/0/max: 2 became 1",
    '/: the window of `refunds` became "day"',
  ]);
});

test("conditions that nest are mutated, too, and only into policies that load", () => {
  const policy = definePolicy({
    version: "1",
    default: "allow",
    all_tools: {
      require: [
        {
          conditions: [{ any: [{ path: "args.to", op: "exists", value: false }, { not: { path: "args.to", op: "regex", value: "^x" } }] }],
          name: "to",
        },
      ],
      deny_if: [
        { path: "args.path", op: "glob", value: "/etc/**", when_missing: false, on_deny: "Not there." },
        { path: "tool.annotations.destructiveHint", op: "eq", value: true },
        {
          each: {
            path: "args.items",
            conditions: [
              { path: "item.price", op: "gte", value: 5 },
              { path: "item.free", op: "eq", value: false },
            ],
          },
        },
      ],
    },
  });
  const mutants = mutatePolicy(policy);
  expect(mutants.map(({ id }) => id)).toEqual([
    "/all_tools/require/0: the rule was left out",
    "/all_tools/require/0/conditions/0: `any` became `all`",
    "/all_tools/require/0/conditions/0/any/0: the condition was left out",
    "/all_tools/require/0/conditions/0/any/0/value: false became true",
    "/all_tools/require/0/conditions/0/any/1: the condition was left out",
    "/all_tools/require/0/conditions/0/any/1: `not` was left out",
    "/all_tools/require/0/conditions/0/any/1/not: the condition was negated",
    "/all_tools/deny_if/0: the rule was left out",
    "/all_tools/deny_if/0: the condition was negated",
    "/all_tools/deny_if/0/when_missing: false became true",
    "/all_tools/deny_if/1: the rule was left out",
    "/all_tools/deny_if/1/op: `eq` became `neq`",
    "/all_tools/deny_if/2: the rule was left out",
    "/all_tools/deny_if/2/each/conditions/0: the condition was left out",
    "/all_tools/deny_if/2/each/conditions/0/op: `gte` became `lte`",
    "/all_tools/deny_if/2/each/conditions/0/op: `gte` became `gt`",
    "/all_tools/deny_if/2/each/conditions/0/value: 5 became 4",
    "/all_tools/deny_if/2/each/conditions/1: the condition was left out",
    "/all_tools/deny_if/2/each/conditions/1/op: `eq` became `neq`",
  ]);
  expect(mutants.find(({ id }) => id.endsWith("deny_if/0: the condition was negated"))?.policy.all_tools?.deny_if?.[0]).toEqual({
    on_deny: "Not there.",
    not: { path: "args.path", op: "glob", value: "/etc/**", when_missing: false },
  });
});

test("a window is widened in every limit of its counter", () => {
  const limits = [{ counter: "calls", window: { sliding: "10m" } as const, max: 5 }];
  const policy = definePolicy({ version: "1", default: "deny", tools: { read: { limits }, write: { limits } } });
  const widened = mutatePolicy(policy).filter(({ id }) => id.includes("window"));
  expect(widened.map(({ policy: { tools } }) => [tools?.read?.limits?.[0]?.window, tools?.write?.limits?.[0]?.window])).toEqual([
    [{ sliding: "20m" }, { sliding: "20m" }],
  ]);
});

test("a suite that stands on both sides of every boundary notices every mistake", async () => {
  const report = await checkMutants(refunds, suite);
  expect(report).toEqual({ tried: 12, noticed: 12, survivors: [], text: "12 mistakes tried, and a test noticed each" });
});

test("the mistakes that no test notices are named", async () => {
  const report = await checkMutants(refunds, async (policy) => {
    await expect(policy).toAllow({ tool: "refund", arguments: { amount: 50 } });
    await expect(policy).toDeny({ tool: "refund", arguments: { amount: 500 } });
    await expect(policy).toDeny({ tool: "unlisted" });
  });
  expect(report.text).toBe(
    `12 mistakes tried, and no test noticed 8:
  /hide/0: the hidden tool was left out
  /tools/list: the tool was left out
  /tools/refund/deny_if/0/op: \`gt\` became \`gte\`
  /tools/refund/deny_if/0/value: 100 became 101
  /tools/refund/limits/0: the limit was left out
  /tools/refund/limits/0/max: 2 became 3
  /tools/refund/limits/0/max: 2 became 1
  /: the window of \`refunds\` became "day"`,
  );
});

test("a mutant that means the same may be declared, and a declaration that is wrong is refused", async () => {
  const policy = definePolicy({
    version: "1",
    default: "deny",
    tools: { pay: { deny_if: [{ path: "args.amount", op: "gt", value: 0.5 }] } },
  });
  const equivalent = [{ id: "/tools/pay/deny_if/0/value: 0.5 became 1.5", reason: "amounts are 0 or 100" }];
  const check = (list: typeof equivalent) =>
    checkMutants(
      policy,
      async (mutant) => {
        await expect(mutant).toDeny({ tool: "pay", arguments: { amount: 100 } }, { rule: /^\/tools/ });
        await expect(mutant).toAllow({ tool: "pay", arguments: { amount: 0 } });
      },
      { equivalent: list },
    );
  expect((await check(equivalent)).survivors.map(({ description }) => description)).toEqual(["`deny` became `allow`", "`gt` became `gte`"]);
  await expect(check([{ id: "/tools/pey: no", reason: "" }])).rejects.toThrow(
    "`equivalent` names `/tools/pey: no`, and there is no such mutant",
  );
  await expect(check([{ id: "/tools/pay: the tool was left out", reason: "" }])).rejects.toThrow(
    "and a test tells it apart: take it out of the list",
  );
});

test("a suite that fails on the policy itself shows its own failure", async () => {
  await expect(checkMutants(refunds, () => expect(refunds).toAllow({ tool: "unlisted" }))).rejects.toThrow(
    "expected the policy to allow this call",
  );
});

test("a mutant is known as one, so that its calls are covered nowhere", () => {
  expect(isMutant(refunds)).toBe(false);
  expect(mutatePolicy(refunds).every(({ policy }) => isMutant(policy))).toBe(true);
});
