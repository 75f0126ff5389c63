import { createGuard, definePolicy } from "@holdpoint/core";
import { expect, test } from "vitest";
import { auditLog } from "./audit-log.ts";
import { policyTest } from "./policy-test.ts";
import "./vitest.ts";

const refunds = definePolicy({
  version: "1",
  default: "deny",
  tools: {
    create_refund: {
      require: [{ path: "args.reason", op: "exists", value: true, on_deny: "Give a reason." }],
      deny_if: [
        { path: "args.amount", op: "gt", value: 100_00 },
        {
          conditions: [
            {
              any: [
                { path: "args.tenant", op: "neq", value: { from: "context.tenant" } },
                { path: "args.note", op: "contains", value: "urgent" },
              ],
            },
          ],
          name: "foreign or urgent",
        },
      ],
      require_approval: [{ conditions: [{ path: "args.amount", op: "gt", value: 20_00 }], reason: "Refund over $20" }],
      limits: [{ counter: "refunds", window: "day", max: 2 }],
    },
  },
});

const call = {
  tool: "create_refund",
  arguments: { amount: 5_00, reason: "late", tenant: "acme", note: "" },
  context: { user: "ann", tenant: "acme" },
};

/** What a failed expectation says. */
async function failure(expectation: Promise<void> | (() => void)): Promise<string> {
  try {
    await (typeof expectation === "function" ? expectation() : expectation);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("the expectation was met");
}

test("toAllow is met by a call that passes, and its negation by one that does not", async () => {
  await expect(refunds).toAllow(call);
  await expect(refunds).not.toAllow({ ...call, arguments: {} });
});

test("toAllow that fails shows the call, the verdict, the rule, and what each condition saw", async () => {
  expect(await failure(expect(refunds).toAllow({ ...call, arguments: { ...call.arguments, amount: 100_01, tenant: "evil" } }))).toBe(
    `expected the policy to allow this call, and it denied it

call      create_refund {"amount":10001,"reason":"late","tenant":"evil","note":""}
context   {"grant":"default","user":"ann","tenant":"acme"}
time      2026-01-05T00:00:00.000Z
verdict   deny, by /tools/create_refund/deny_if/args.amount-gt
message   This call is not permitted by policy.
detail    \`args.amount gt 10000\` is true
rules
  passes  /tools/create_refund/require/args.reason-exists
          true     args.reason exists true    (saw "late")
  denies  /tools/create_refund/deny_if/args.amount-gt
          true     args.amount gt 10000    (saw 10001)
  denies  /tools/create_refund/deny_if/foreign or urgent
          true     any (args.tenant neq context.tenant, args.note contains "urgent")
            true     args.tenant neq context.tenant    (saw "evil", compared with "acme")
            false    args.note contains "urgent"    (saw "")
  holds   /tools/create_refund/require_approval/args.amount-gt
          true     args.amount gt 2000    (saw 10001)`,
  );
});

test("toDeny that meets an allowed call shows why every rule passed", async () => {
  expect(await failure(expect(refunds).toDeny(call))).toBe(
    `expected the policy to deny this call, and it allowed it

call      create_refund {"amount":500,"reason":"late","tenant":"acme","note":""}
context   {"grant":"default","user":"ann","tenant":"acme"}
time      2026-01-05T00:00:00.000Z
verdict   allow
room      1 left, in /tools/create_refund/limits/refunds
rules
  passes  /tools/create_refund/require/args.reason-exists
          true     args.reason exists true    (saw "late")
  passes  /tools/create_refund/deny_if/args.amount-gt
          false    args.amount gt 10000    (saw 500)
  passes  /tools/create_refund/deny_if/foreign or urgent
          false    any (args.tenant neq context.tenant, args.note contains "urgent")
            false    args.tenant neq context.tenant    (saw "acme", compared with "acme")
            false    args.note contains "urgent"    (saw "")
  passes  /tools/create_refund/require_approval/args.amount-gt
          false    args.amount gt 2000    (saw 500)`,
  );
});

test("toDeny names the rule and the message that it met instead", async () => {
  await expect(refunds).toDeny(
    { tool: "create_refund" },
    { rule: "/tools/create_refund/require/args.reason-exists", message: "Give a reason." },
  );
  await expect(refunds).toDeny({ tool: "create_refund" }, { rule: /require/, message: expect.stringContaining("reason") });
  const said = await failure(
    expect(refunds).toDeny({ tool: "create_refund" }, { rule: "/tools/create_refund/deny_if/args.amount-gt", message: "Too much." }),
  );
  expect(said.split("\n\n")[0]).toBe(
    `the policy denied this call, but not as expected
  rule     expected  /tools/create_refund/deny_if/args.amount-gt
           was       /tools/create_refund/require/args.reason-exists
  message  expected  Too much.
           was       Give a reason.`,
  );
  expect(said).toContain("          unknown  args.amount gt 10000    (nothing there)");
});

test("what would pass is a hint", async () => {
  const policy = definePolicy({
    version: "1",
    default: "deny",
    tools: { pay: { deny_if: [{ path: "args.amount", op: "gt", value: 500 }] } },
  });
  expect(await failure(expect(policy).toAllow({ tool: "pay", arguments: { amount: 501 } }))).toContain(
    "hint      It would pass with args.amount ≤ 500.",
  );
});

test("a call that is hidden or unlisted has no rules to show", async () => {
  expect(await failure(expect(refunds).toAllow({ tool: "drop_table" }))).toBe(
    `expected the policy to allow this call, and it denied it

call      drop_table {}
context   {"grant":"default"}
time      2026-01-05T00:00:00.000Z
verdict   deny, by (default deny)
message   Tool \`drop_table\` is not available.
detail    \`tools\` does not list \`drop_table\`, and \`default\` is \`deny\``,
  );
});

test("toHold is met by a call that waits for a person, and by no other", async () => {
  const large = { ...call, arguments: { ...call.arguments, amount: 20_01 } };
  await expect(refunds).toHold(large, { rule: "/tools/create_refund/require_approval/args.amount-gt" });
  expect(await failure(expect(refunds).toHold(call))).toMatch(/^expected the policy to hold this call, and it allowed it\n/);
  expect(await failure(expect(refunds).toDeny(large))).toMatch(/^expected the policy to deny this call, and it held it\n/);
  expect(await failure(expect(refunds).not.toHold(large))).toMatch(/^expected the policy not to hold this call, and it held it\n/);
});

test("toAdmitExactly counts the most that a caller can get in a time", async () => {
  await expect(refunds).toAdmitExactly(2, call);
  await expect(refunds).toAdmitExactly(2, call, { within: "1d" });
  await expect(refunds).toAdmitExactly(4, call, { within: "25h" });
  // Half of each day's calls around one midnight: the double burst of a calendar window.
  await expect(policyTest(refunds, { now: "2026-01-05T23:00:00Z" })).toAdmitExactly(4, call, { within: "2h" });
});

test("toAdmitExactly that fails says how many were admitted, when, and what stopped the next", async () => {
  const said = await failure(expect(refunds).toAdmitExactly(3, call, { within: "1d" }));
  expect(said).toBe(
    `expected the policy to admit exactly 3 of this call within 1d, and it admitted 2

admitted  2 at 2026-01-05T00:00:00.000Z
call      create_refund {"amount":500,"reason":"late","tenant":"acme","note":""}
context   {"grant":"default","user":"ann","tenant":"acme"}
time      2026-01-05T00:00:00.000Z
verdict   deny, by /tools/create_refund/limits/refunds
message   Limit reached. Try again in 24 hours.
detail    counter \`refunds\`, at most 2 per day (UTC) for each grant: not enough room is left
retry     in 86400 s
rules
  passes  /tools/create_refund/require/args.reason-exists
          true     args.reason exists true    (saw "late")
  passes  /tools/create_refund/deny_if/args.amount-gt
          false    args.amount gt 10000    (saw 500)
  passes  /tools/create_refund/deny_if/foreign or urgent
          false    any (args.tenant neq context.tenant, args.note contains "urgent")
            false    args.tenant neq context.tenant    (saw "acme", compared with "acme")
            false    args.note contains "urgent"    (saw "")
  passes  /tools/create_refund/require_approval/args.amount-gt
          false    args.amount gt 2000    (saw 500)`,
  );
  expect(await failure(expect(refunds).toAdmitExactly(1, call))).toMatch(
    /^expected the policy to admit exactly 1 of this call, and it admitted at least 2\n/,
  );
});

test("what is no policy is no subject", async () => {
  expect(await failure(expect("refunds").toAllow(call))).toBe("expected a policy, or what `policyTest` makes of one");
});

test("[one-decision-one-record] an audit log is read by matchers, and a secret that leaks is found", async () => {
  const audit = auditLog();
  const policy = definePolicy({ version: "1", default: "deny", tools: { send: { audit: { record: ["args.to"] } } } });
  const guard = createGuard({ policy, audit });
  await guard.run({ session: guard.session(), tool: "send", arguments: { to: "ann", key: "sk-live-1" } }, () => ({
    value: 1,
    outcome: { kind: "success" },
  }));
  expect(audit).toHaveRecorded({ type: "decision", tool: "send", outcome: "allow" });
  expect(audit).toMention("ann");
  expect(audit).not.toMention("sk-live-1");
  expect(audit).toHaveOneDecisionPerCall();
  expect(await failure(() => expect(audit).not.toMention("ann"))).toMatch(
    /^expected the audit log not to mention "ann"\n\nit stands in:\n {2}\{"v":1,/,
  );
  expect(await failure(() => expect(audit).toHaveRecorded({ type: "canary" }))).toContain(
    'expected the audit log to hold an event with {"type": "canary"}\n\nrecorded:\n  {',
  );
  for (const event of [...audit.events]) void audit.write(event);
  expect(await failure(() => expect(audit).toHaveOneDecisionPerCall())).toMatch(
    /send, call \S+, attempt 1: a second decision\n {2}send, call \S+, attempt 1: a second outcome$/,
  );
});
