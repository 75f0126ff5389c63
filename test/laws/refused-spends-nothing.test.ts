import { type ApprovalStore, createGuard, type GuardOptions, memoryApprovals, memoryStore, type PolicyDocument } from "@holdpoint/core";
import { expect, test } from "vitest";

const policy: PolicyDocument = {
  version: "1",
  default: "deny",
  tools: {
    pay: {
      require_approval: [{ path: "args.amount", op: "gt", value: 10 }],
      limits: [
        { counter: "pays", window: "hour", max: 2 },
        { counter: "open", concurrent: 2 },
      ],
    },
  },
};

/** What of both counters is left, told by how many calls still pass. */
async function callsLeft(options: Partial<GuardOptions>): Promise<number> {
  const guard = createGuard({ policy, clock: () => 0, ...options });
  const session = guard.session();
  for (let passed = 0; ; passed++)
    if ((await guard.admit({ session, tool: "pay", arguments: { amount: 1 } })).outcome !== "allow") return passed;
}

const faults: Record<string, (approvals: ApprovalStore) => Partial<ApprovalStore>> = {
  "`consume` throws": () => ({
    consume: () => {
      throw new Error("down");
    },
  }),
  "`consume` rejects": () => ({ consume: () => Promise.reject(new Error("down")) }),
  "`consume` always comes too late": () => ({ consume: () => undefined }),
  "`find` rejects": () => ({ find: () => Promise.reject(new Error("down")) }),
  "`request` rejects": () => ({ request: () => Promise.reject(new Error("down")) }),
  "`answer` rejects": () => ({ answer: () => Promise.reject(new Error("down")) }),
};

test.each(Object.entries(faults))(
  "[refused-spends-nothing] an approval store whose %s leaves every counter as it was",
  async (_, fault) => {
    const store = memoryStore();
    const approvals = memoryApprovals();
    let asked = 0;
    const guard = createGuard({
      policy,
      clock: () => 0,
      store,
      approvals: { ...approvals, ...fault(approvals) },
      approve: () => (++asked > 3 ? { approved: false } : { approved: true }),
    });
    for (let round = 0; round < 3; round++) {
      expect(await guard.admit({ session: guard.session(), tool: "pay", arguments: { amount: 50 + round } })).toMatchObject({
        outcome: "deny",
      });
    }
    expect(await callsLeft({ store })).toBe(2);
  },
);

test("[refused-spends-nothing] a give-back that the store never answers does not keep the refusal, or the answer, from its caller", async () => {
  const store = { ...memoryStore(), settle: () => new Promise<never>(() => {}) };
  const down = { write: () => Promise.reject(new Error("down")), required: true };
  const refusing = createGuard({ policy, store, clock: () => 0, storeTimeoutMs: 10, audit: down });
  expect(await refusing.admit({ session: refusing.session(), tool: "pay", arguments: { amount: 1 } })).toMatchObject({
    code: "audit_unavailable",
  });

  const answering = createGuard({ policy, store, clock: () => 0, storeTimeoutMs: 10 });
  const call = { session: answering.session(), tool: "pay", arguments: { amount: 1 } };
  expect(await answering.run(call, () => ({ value: "paid", outcome: { kind: "success" } }))).toMatchObject({ value: "paid" });
});
