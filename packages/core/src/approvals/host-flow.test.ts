import { expect, test } from "vitest";
import { memoryAudit } from "../audit/audit.ts";
import { createGuard, type Guard } from "../guard/guard.ts";
import type { CallRequest } from "../guard/passage.ts";
import { definePolicy } from "../policy/define-policy.ts";

const policy = definePolicy({
  version: "1",
  default: "deny",
  tools: { pay: { require_approval: [{ conditions: [], timeout: "1m" }] }, look: {} },
});

function desk(clock?: () => number) {
  const audit = memoryAudit();
  const guard = createGuard({ policy, audit, clock });
  const session = guard.session({ user: "ann" });
  const pay = (n: number, callId = "c1", more: Partial<CallRequest> = {}): CallRequest => ({
    session,
    tool: "pay",
    arguments: { n },
    callId,
    ...more,
  });
  return { audit, guard, pay };
}

/** Whether the call leaves under the answer that was brought for it. */
async function passes(guard: Guard, request: CallRequest, approval: string | undefined): Promise<boolean> {
  return (await guard.admit({ ...request, approval })).outcome === "allow";
}

test("what was asked in the host's flow and approved passes, once", async () => {
  const { guard, pay } = desk();
  expect(await guard.ask(pay(5))).toMatchObject({ outcome: "hold" });
  const record = await guard.answer(pay(5), { approved: true, by: "kim" });
  expect(await passes(guard, pay(5), record?.id)).toBe(true);
  expect(await passes(guard, pay(5), record?.id)).toBe(false);
  expect(await guard.answer(pay(5), { approved: true })).toBeUndefined();
});

test("an approval of what was never asked is worth nothing, and is recorded", async () => {
  const { guard, pay, audit } = desk();
  expect(await guard.answer(pay(5), { approved: true })).toBeUndefined();
  expect(audit.events.filter(({ type }) => type === "anomaly")).toHaveLength(1);
});

test("an answer is bound to the call's id, its arguments and its identity", async () => {
  const { guard, pay } = desk();
  await guard.ask(pay(5));
  const others = [
    pay(6),
    pay(5, "c2"),
    pay(5, "c1", { callId: undefined }),
    pay(5, "c1", { session: guard.session({ user: "eve" }) }),
    pay(5, "c1", { tool: "look" }),
  ];
  for (const other of others) expect(await guard.answer(other, { approved: true })).toBeUndefined();
  const record = await guard.answer(pay(5), { approved: true });
  expect(record?.status).toBe("approved");
  for (const other of others.slice(0, 4)) expect(await passes(guard, other, record?.id)).toBe(false);
  expect(await passes(guard, pay(5), record?.id)).toBe(true);
});

test("a request that was filed and not answered covers nothing, nor does a refused or an expired one", async () => {
  let now = 0;
  const { guard, pay } = desk(() => now);
  await guard.ask(pay(5));
  const [pending] = await guard.approvals.list({ status: "pending" });
  expect(await passes(guard, pay(5), pending?.id)).toBe(false);
  const refused = await guard.answer(pay(5), { approved: false, reason: "no" });
  expect(refused?.status).toBe("refused");
  expect(await passes(guard, pay(5), refused?.id)).toBe(false);
  await guard.ask(pay(7));
  now += 60_001;
  expect(await guard.answer(pay(7), { approved: true })).toBeUndefined();
});

test("a call that needs nobody is not filed, and one that is denied says so", async () => {
  const { guard, pay } = desk();
  expect(await guard.ask(pay(1, "c1", { tool: "look" }))).toEqual({ outcome: "allow" });
  expect(await guard.ask(pay(1, "c1", { tool: "other" }))).toMatchObject({ outcome: "deny", code: "default_deny" });
  expect(await guard.approvals.list()).toEqual([]);
});
