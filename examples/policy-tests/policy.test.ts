import { checkMutants, policyTest } from "@holdpoint/testing";
import { expect, test } from "vitest";
import { refunds } from "./policy.ts";
import "@holdpoint/testing/vitest";

const refund = (amount: unknown, reason: unknown = "arrived late") => ({ tool: "create_refund", arguments: { amount, reason } });

test("the desk looks at customers, and never deletes one", async () => {
  await expect(refunds).toAllow({ tool: "list_customers" });
  await expect(refunds).toDeny({ tool: "delete_customer" }, { rule: "(hidden)" });
  await expect(refunds).toDeny({ tool: "update_customer" }, { rule: "(default deny)" });
});

test("a refund needs a reason of five characters", async () => {
  await expect(refunds).toAllow(refund(1, "broke"));
  await expect(refunds).toDeny(refund(1, "meh"), { message: "Give a reason." });
  await expect(refunds).toDeny(refund(1, "late"), { message: "Give a reason." });
  await expect(refunds).toDeny({ tool: "create_refund", arguments: { amount: 1 } }, { message: "Give a reason." });
});

test("a refund up to $20 is free, up to $100 asks a person, and above goes to billing", async () => {
  await expect(refunds).toAllow(refund(20_00));
  await expect(refunds).toHold(refund(20_01));
  await expect(refunds).toHold(refund(100_00));
  await expect(refunds).toDeny(refund(100_01), { rule: "/tools/create_refund/deny_if/args.amount-gt", message: /billing/ });
});

test("an amount that cannot be compared is refused", async () => {
  await expect(refunds).toDeny(refund("100"), { rule: "/tools/create_refund/deny_if/args.amount-gt" });
});

test("three refunds a day", async () => {
  const desk = policyTest(refunds, { now: "2026-01-05T09:00:00Z" });
  await expect(desk).toAdmitExactly(3, refund(1), { within: "15h" });
  desk.clock.set("2026-01-06T00:00:00Z");
  await expect(desk).toAllow(refund(1));
});

test("a refund that a person turns down is not counted", async () => {
  const desk = policyTest(refunds, { approve: () => ({ approved: false, by: "ann" }) });
  await expect(desk).toDeny(refund(50_00), { message: /refused/ });
  await expect(desk).toAdmitExactly(3, refund(1));
});

test("every small mistake in the policy is noticed", async () => {
  const report = await checkMutants(refunds, async (policy) => {
    await expect(policy).toAllow({ tool: "list_customers" });
    await expect(policy).toDeny({ tool: "delete_customer" }, { rule: "(hidden)" });
    await expect(policy).toDeny({ tool: "update_customer" });
    await expect(policy).toAllow(refund(20_00, "broke"));
    await expect(policy).toDeny(refund(1, "late"));
    await expect(policy).toHold(refund(20_01));
    await expect(policy).toHold(refund(100_00));
    await expect(policy).toDeny(refund(100_01));
    await expect(policy).toAdmitExactly(3, refund(1), { within: "1d" });
    await expect(policy).toAdmitExactly(6, refund(1), { within: "2d" });
  });
  expect(report.survivors, report.text).toEqual([]);
});
