import { type ApprovalStore, createGuard, memoryApprovals, memoryStore, type PolicyDocument } from "@holdpoint/core";
import { expect, test } from "vitest";

const policy: PolicyDocument = {
  version: "1",
  default: "deny",
  tools: { pay: { require_approval: [{ conditions: [] }], limits: [{ counter: "pays", window: "hour", max: 1 }] } },
};

test.each(["find", "request", "answer", "get", "consume"] as const)(
  "[fail-closed] an approval store whose `%s` never answers denies within the guard's patience",
  async (method) => {
    const store = memoryStore();
    const approvals: ApprovalStore = { ...memoryApprovals(), [method]: () => new Promise<never>(() => {}) };
    const guard = createGuard({ policy, store, approvals, storeTimeoutMs: 10, approve: () => ({ approved: true }) });
    const call = { session: guard.session(), tool: "pay", arguments: {}, approval: "of the host" };
    expect(await guard.admit(call)).toMatchObject({ outcome: "deny", code: "internal_error" });
    const other = createGuard({
      policy: { ...policy, tools: { pay: policy.tools?.["pay"]?.limits ? { limits: policy.tools["pay"].limits } : {} } },
      store,
    });
    expect(await other.admit({ session: other.session(), tool: "pay", arguments: {} })).toMatchObject({ outcome: "allow" });
  },
);

test("[refused-spends-nothing] a yes that was used up after the guard had given up on it can be used again", async () => {
  const inner = memoryApprovals();
  let slow = true;
  const late = async (id: string, now: number) => {
    if (slow) await new Promise((resolve) => setTimeout(resolve, 30));
    return inner.consume(id, now);
  };
  let asked = 0;
  const guard = createGuard({
    policy,
    approvals: { ...inner, consume: late },
    storeTimeoutMs: 5,
    approve: () => ({ approved: ++asked > 0 }),
  });
  const call = { session: guard.session(), tool: "pay", arguments: {} };
  expect(await guard.admit(call)).toMatchObject({ outcome: "deny", code: "internal_error" });
  await new Promise((resolve) => setTimeout(resolve, 60));
  slow = false;
  expect(await guard.admit(call)).toMatchObject({ outcome: "allow" });
  expect(asked).toBe(1);
});
