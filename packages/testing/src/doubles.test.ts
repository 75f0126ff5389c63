import { createGuard, definePolicy } from "@holdpoint/core";
import { expect, test } from "vitest";
import { auditLog, mentions, trailProblems } from "./audit-log.ts";
import { durationMs, fakeClock, instantMs } from "./fake-clock.ts";
import { scriptedApprover } from "./scripted-approver.ts";

test("a fake clock stands still until it is moved", () => {
  const clock = fakeClock("2026-03-01T12:00:00Z");
  expect(clock()).toBe(Date.parse("2026-03-01T12:00:00Z"));
  clock.advance("90s");
  clock.advance(500);
  expect(new Date(clock()).toISOString()).toBe("2026-03-01T12:01:30.500Z");
  clock.set("2026-01-01T00:00:00Z");
  expect(clock()).toBe(Date.parse("2026-01-01T00:00:00Z"));
});

test.each(["10", "m", "-5m", "1.5h", "5 m", "", Number.NaN])("`%s` is no duration", (duration) => {
  expect(() => durationMs(duration)).toThrow(RangeError);
});

test("a clock that is advanced backwards, or set to no instant, is a mistake of the test", () => {
  expect(() => fakeClock().advance(-1)).toThrow("a clock cannot advance by `-1`: use `set` to set it back");
  expect(() => instantMs("yesterday")).toThrow("`yesterday` is no instant");
});

test("[fail-closed] a log that is told to fail keeps a call from leaving", async () => {
  const policy = definePolicy({ version: "1", default: "allow" });
  const audit = auditLog({
    required: true,
    onWrite(event) {
      if (event.type === "decision" && event.outcome === "allow") throw new Error("disk full");
    },
  });
  const guard = createGuard({ policy, audit });
  expect(await guard.admit({ session: guard.session(), tool: "read", arguments: {} })).toMatchObject({
    outcome: "deny",
    code: "audit_unavailable",
  });
  audit.clear();
  expect(audit.events).toEqual([]);
});

test("a value is found as a whole, inside a text, and as a key", async () => {
  const policy = definePolicy({ version: "1", default: "allow", audit: { record: ["args.to"] } });
  const audit = auditLog();
  const guard = createGuard({ policy, audit });
  await guard.admit({ session: guard.session(), tool: "send", arguments: { to: { "the-key": 4711, note: "call me at 555" } } });
  expect([4711, "555", "the-key", "4712", 555].map((value) => mentions(audit.events, value).length)).toEqual([1, 1, 1, 0, 0]);
});

test("a trail with an outcome but no decision is told", () => {
  const outcome = { type: "outcome", tool: "pay", call: "c1", attempt: 2 } as never;
  expect(trailProblems([outcome, outcome])).toEqual([
    "pay, call c1, attempt 2: an outcome without a decision",
    "pay, call c1, attempt 2: an outcome without a decision",
    "pay, call c1, attempt 2: a second outcome",
  ]);
});

test("a scripted answer may be a function, and silence ends with the wait", async () => {
  const policy = definePolicy({ version: "1", default: "deny", tools: { pay: { require_approval: [{ conditions: [] }] } } });
  const approve = scriptedApprover([({ tool }) => ({ approved: tool === "pay" }), "silence"]);
  const guard = createGuard({ policy, approve, approvalWaitMs: 5 });
  const pay = (amount: number) => guard.admit({ session: guard.session(), tool: "pay", arguments: { amount } });
  expect((await pay(1)).outcome).toBe("allow");
  expect(await pay(2)).toMatchObject({ outcome: "deny", code: "approval_expired" });
  approve.assertUsedUp();
});
