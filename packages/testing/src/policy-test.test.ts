import { definePolicy, mergePolicies, predicate } from "@holdpoint/core";
import { expect, test } from "vitest";
import { policyTest } from "./policy-test.ts";
import { scriptedApprover } from "./scripted-approver.ts";

const refunds = definePolicy({
  version: "1",
  description: "Refunds desk",
  default: "deny",
  hide: ["delete_customer"],
  tools: {
    list_customers: {},
    create_refund: {
      require: [{ path: "args.reason", op: "exists", value: true, on_deny: "Give a reason." }],
      deny_if: [{ path: "args.amount", op: "gt", value: 100_00 }],
      require_approval: [{ conditions: [{ path: "args.amount", op: "gt", value: 20_00 }], reason: "Refund over $20" }],
      limits: [{ counter: "refunds", window: "day", max: 2 }],
    },
  },
});

test("a verdict says what was decided, by which rule, and what would pass", async () => {
  const verdict = await policyTest(refunds).call("create_refund", { amount: 100_01, reason: "late" });
  expect(verdict).toMatchObject({
    outcome: "deny",
    rule: "/tools/create_refund/deny_if/args.amount-gt",
    code: "deny_if",
    message: "This call is not permitted by policy.",
    wouldPass: { arguments: [{ path: "args.amount", op: "lte", value: 20_00 }] },
  });
  expect(verdict.evaluated.map(({ section, truth }) => [section, truth])).toEqual([
    ["require", true],
    ["deny_if", true],
    ["require_approval", true],
  ]);
});

test("a call that asks for approval is held where nobody answers, and charges nothing", async () => {
  const desk = policyTest(refunds);
  for (let call = 0; call < 3; call += 1) {
    expect(await desk.call("create_refund", { amount: 20_01, reason: "late" })).toMatchObject({
      outcome: "hold",
      rule: "/tools/create_refund/require_approval/args.amount-gt",
    });
  }
  expect((await desk.call("create_refund", { amount: 1, reason: "late" })).room).toEqual([
    { limit: "/tools/create_refund/limits/refunds", remaining: "1" },
  ]);
});

test("a scripted approver answers, is shown what a person sees, and tells when nobody asked", async () => {
  const approve = scriptedApprover([{ approved: true, by: "ann" }, { approved: false, reason: "too much" }, new Error("pager down")]);
  const desk = policyTest(refunds, { approve });
  const call = () => desk.call("create_refund", { amount: 20_01, reason: "late" });
  expect((await call()).outcome).toBe("allow");
  expect(await call()).toMatchObject({ outcome: "deny", code: "approval_refused" });
  expect(approve.assertUsedUp).toThrow("the approver was asked 2 times, and the script has 3 answers");
  expect((await call()).outcome).toBe("deny");
  approve.assertUsedUp();
  expect((await call()).outcome).toBe("deny");
  expect(approve.assertUsedUp).toThrow("the approver was asked about `create_refund`, and all of the script's 3 answers had been given");
  expect(approve.requests[0]).toMatchObject({ tool: "create_refund", reasons: ["Refund over $20"], arguments: { amount: 20_01 } });
});

test("time passes by hand alone, and windows open by it", async () => {
  const desk = policyTest(refunds, { now: "2026-01-05T23:59:00Z" });
  const call = () => desk.call("create_refund", { amount: 1, reason: "late" });
  await call();
  await call();
  expect(await call()).toMatchObject({ outcome: "deny", rule: "/tools/create_refund/limits/refunds", retryAfterMs: 60_000 });
  desk.advance("59s");
  expect((await call()).outcome).toBe("deny");
  desk.advance("1s");
  expect((await call()).outcome).toBe("allow");
});

test("a fresh test has charged nothing and stands at the same time", async () => {
  const desk = policyTest(refunds);
  desk.advance("2h");
  await desk.call("create_refund", { amount: 1, reason: "late" });
  await desk.call("create_refund", { amount: 1, reason: "late" });
  const again = desk.fresh();
  expect(again.clock()).toBe(desk.clock());
  expect((await again.call("create_refund", { amount: 1, reason: "late" })).outcome).toBe("allow");
});

test("each call may add to who calls, and limits are counted for them apart", async () => {
  const desk = policyTest(
    definePolicy({
      version: "1",
      default: "deny",
      all_tools: { limits: [{ counter: "calls", window: "hour", max: 1, scope: "user" }] },
      tools: { ping: {} },
    }),
  );
  expect(await desk.call("ping")).toMatchObject({ outcome: "deny", code: "limit_scope" });
  expect((await desk.call("ping", {}, { context: { user: "ann" } })).outcome).toBe("allow");
  expect((await desk.call("ping", {}, { context: { user: "ann" } })).outcome).toBe("deny");
  expect((await desk.call("ping", {}, { context: { user: "ben" } })).outcome).toBe("allow");
});

test("a call can be left in flight, and takes its slot until it is settled", async () => {
  const desk = policyTest(
    definePolicy({ version: "1", default: "deny", tools: { build: { limits: [{ counter: "builds", concurrent: 1 }] } } }),
  );
  const running = await desk.call("build", {}, { ends: "open" });
  expect((await desk.call("build")).outcome).toBe("deny");
  await running.settle("success");
  expect((await desk.call("build")).outcome).toBe("allow");
});

test("how a call ends decides what it is charged", async () => {
  const policy = definePolicy({
    version: "1",
    default: "deny",
    tools: { build: { limits: [{ counter: "builds", window: "hour", max: 1, count: "success" }] } },
  });
  const desk = policyTest(policy);
  expect((await desk.call("build", {}, { ends: "tool_error" })).outcome).toBe("allow");
  expect((await desk.call("build")).outcome).toBe("allow");
  expect((await desk.call("build")).outcome).toBe("deny");
});

test("with the server's tools, arguments are judged by their schemas and rules read what the server says", async () => {
  const policy = definePolicy({
    version: "1",
    default: "allow",
    all_tools: { deny_if: [{ path: "tool.annotations.destructiveHint", op: "eq", value: true, when_missing: false }] },
  });
  const tools = [
    { name: "read", inputSchema: { type: "object", properties: { id: { type: "number" } }, required: ["id"] } },
    { name: "wipe", inputSchema: { type: "object" }, annotations: { destructiveHint: true } },
  ];
  const files = policyTest(policy, { tools });
  expect(await files.call("read", { id: "1" })).toMatchObject({ outcome: "deny", rule: "(inputSchema)", evaluated: [] });
  expect((await files.call("read", { id: 1 })).outcome).toBe("allow");
  expect((await files.call("wipe")).rule).toBe("/all_tools/deny_if/tool.annotations.destructiveHint-eq");
  expect((await policyTest(policy).call("read", { id: 1 })).rule).toBe("(definition unknown)");
});

test("observed rules let the call pass and are told", async () => {
  const verdict = await policyTest(refunds, { mode: "observe" }).call("create_refund", { amount: 100_01 });
  expect(verdict.outcome).toBe("allow");
  expect(verdict.observed.map(({ rule }) => rule)).toEqual([
    "/tools/create_refund/require/args.reason-exists",
    "/tools/create_refund/deny_if/args.amount-gt",
    "/tools/create_refund/require_approval/args.amount-gt",
  ]);
});

test("[one-decision-one-record] the audit trail of a test is the guard's own", async () => {
  const desk = policyTest(refunds);
  await desk.call("list_customers");
  await desk.call("delete_customer");
  expect(desk.audit.decisions.map(({ tool, outcome, rule }) => [tool, outcome, rule])).toEqual([
    ["list_customers", "allow", ""],
    ["delete_customer", "deny", "(hidden)"],
  ]);
});

test("what is no JSON is denied, and says so", async () => {
  expect(await policyTest(refunds).call("create_refund", { amount: 1n })).toMatchObject({
    outcome: "deny",
    code: "not_json",
    evaluated: [],
  });
});

test("merged policies and predicates are tested alike", async () => {
  const hours = definePolicy({
    version: "1",
    default: "allow",
    all_tools: { require: [predicate("business hours", ({ time }) => time.hour >= 9)] },
  });
  const desk = policyTest(mergePolicies(refunds, hours));
  expect((await desk.call("list_customers")).rule).toBe("/layers/1/all_tools/require/business hours");
  expect((await desk.decide({ tool: "list_customers", at: "2026-01-05T09:00:00Z" })).outcome).toBe("allow");
});
