import { definePolicy } from "@holdpoint/core";
import { expect, test } from "vitest";
import { coverageShares, coverageTable, missedThresholds } from "./coverage-table.ts";
import { mergeCoverage, policyCoverage } from "./policy-coverage.ts";
import { policyTest } from "./policy-test.ts";

const refunds = definePolicy({
  version: "1",
  description: "Refunds desk",
  default: "deny",
  hide: ["delete_customer"],
  all_tools: { limits: [{ counter: "calls", window: "minute", max: 2 }] },
  tools: {
    list: {},
    refund: {
      require: [{ path: "args.reason", op: "exists", value: true }],
      deny_if: [
        { any: [{ path: "args.amount", op: "gt", value: 100 }, { not: { path: "time.hour", op: "gte", value: 9 } }] },
        { each: { path: "args.items", conditions: [{ path: "item.price", op: "lt", value: 0 }] } },
      ],
    },
  },
});

async function covered() {
  const coverage = policyCoverage();
  const desk = policyTest(refunds, { coverage, now: "2026-01-05T09:00:00Z" });
  for (let call = 0; call < 3; call += 1) await desk.call("refund", { reason: "late", amount: 5, items: [{ price: 1 }, { price: 2 }] });
  await desk.call("refund", { reason: "late", items: [] });
  await desk.call("drop_table");
  return coverage.report();
}

test("the table shows every rule, every condition, and what was never seen", async () => {
  const report = await covered();
  expect(coverageTable(report)).toBe(
    `Refunds desk: 5 calls

rule                                               fired  named   true  false  unknown
(default deny)                                         1      1
(hidden)                                               0      0                         ← never fired
/all_tools/limits/calls                                1      1
/tools/refund/require/args.reason-exists               0      0                         ← never fired
  args.reason exists true                                            4      0        -  ← never false
/tools/refund/deny_if/any                              1      1
  any (args.amount gt 100, not (time.hour gte 9))                    0      3        1  ← never true
    args.amount gt 100                                               0      3        1  ← never true
    not (time.hour gte 9)                                            0      4        -  ← never true
      time.hour gte 9                                                4      0        -  ← never false
/tools/refund/deny_if/args.items-each                  0      0                         ← never fired
  each of args.items (item.price lt 0)                               0      4        0  ← never true, unknown
    item.price lt 0                                                  0      6        0  ← never true, unknown

rules     3 of 6 (50%)
truths    7 of 14 (50%)
unknowns  2 of 4 (50%)
never called: list`,
  );
});

test("shares count rules that fired, and each condition once for true and once for false", async () => {
  expect(coverageShares(await covered())).toEqual({
    rules: { seen: 3, total: 6 },
    truths: { seen: 7, total: 14 },
    unknowns: { seen: 2, total: 4 },
  });
});

test("thresholds name what they miss, and are met exactly", async () => {
  const report = await covered();
  expect(missedThresholds(report, { rules: 50, truths: 51, unknowns: 90 })).toEqual([
    "truths: 7 of 14 (50%), and 51% are asked for",
    "unknowns: 2 of 4 (50%), and 90% are asked for",
  ]);
  expect(missedThresholds(report, {})).toEqual([]);
});

test("reports of several processes add up, policy by policy, and are plain JSON", async () => {
  const [one, other] = [await covered(), JSON.parse(JSON.stringify(await covered()))];
  const merged = mergeCoverage([one, other]);
  expect(merged.policies).toHaveLength(1);
  expect(merged.policies[0]).toMatchObject({
    calls: 10,
    tools: [
      { name: "list", calls: 0 },
      { name: "refund", calls: 8 },
    ],
  });
  expect(merged.policies[0]?.rules[0]).toMatchObject({ rule: "(default deny)", fired: 2, named: 2 });
  expect(merged.policies[0]?.rules[5]?.conditions[1]).toMatchObject({ text: "item.price lt 0", false: 12 });
});

test("a rule that stops a call has fired, also where another rule was named", async () => {
  const policy = definePolicy({
    version: "1",
    default: "deny",
    tools: {
      pay: {
        deny_if: [
          { path: "args.a", op: "eq", value: 1 },
          { path: "args.b", op: "eq", value: 1 },
        ],
      },
    },
  });
  const coverage = policyCoverage();
  await policyTest(policy, { coverage }).call("pay", { a: 1, b: 1 });
  expect(coverage.report().policies[0]?.rules.map(({ rule, fired, named }) => [rule, fired, named])).toEqual([
    ["(default deny)", 0, 0],
    ["/tools/pay/deny_if/args.a-eq", 1, 1],
    ["/tools/pay/deny_if/args.b-eq", 1, 0],
  ]);
});

test("nothing is collected where nobody asked for it", async () => {
  const coverage = policyCoverage();
  await policyTest(refunds, { coverage: false }).call("list");
  await policyTest(refunds).call("list");
  expect(coverage.report()).toEqual({ policies: [] });
});
