import {
  type CounterStore,
  createGuard,
  type GuardOptions,
  memoryAudit,
  memoryStore,
  type PolicyDocument,
  type Reservation,
} from "@holdpoint/core";
import { expect, test } from "vitest";

const limited: PolicyDocument = {
  version: "1",
  default: "deny",
  tools: { pay: { limits: [{ counter: "pays", window: "hour", max: 1 }] } },
};
const denying: PolicyDocument = { ...limited, tools: { pay: { ...limited.tools?.["pay"], deny_if: [{ conditions: [] }] } } };

/** A store that answers a reservation only once `meanwhile` has happened. */
function during(meanwhile: () => void, inner = memoryStore()): CounterStore {
  return {
    ...inner,
    async reserve(debits, now) {
      const reserved = inner.reserve(debits, now);
      meanwhile();
      return reserved;
    },
  };
}

test("[nothing-leaves-unchecked] a policy that changes while the store is asked decides the call", async () => {
  const inner = memoryStore();
  const audit = memoryAudit();
  const guard = createGuard({ policy: limited, audit, store: during(() => guard.update(denying), inner) });
  expect(await guard.admit({ session: guard.session(), tool: "pay", arguments: {} })).toMatchObject({ outcome: "deny", code: "deny_if" });
  expect(audit.events.flatMap((event) => (event.type === "decision" ? [event.outcome] : []))).toEqual(["deny"]);
  const after = createGuard({ policy: limited, store: inner });
  expect(await after.admit({ session: after.session(), tool: "pay", arguments: {} })).toMatchObject({ outcome: "allow" });
});

test("[nothing-leaves-unchecked] a definition that changes while the store is asked judges the call", async () => {
  let schema = {};
  const guard = createGuard({
    policy: limited,
    store: during(() => {
      schema = { required: ["to"] };
      catalog.invalidate();
    }),
  });
  const session = guard.session();
  const catalog = guard.catalog(session, undefined, async () => [{ name: "pay", inputSchema: schema }]);
  expect(await guard.admit({ session, tool: "pay", arguments: {} })).toMatchObject({ outcome: "deny", code: "arguments_invalid" });
});

test("[nothing-leaves-unchecked] a call that is cancelled while the store is asked never leaves, and spends nothing", async () => {
  const cancel = new AbortController();
  const inner = memoryStore();
  const guard = createGuard({ policy: limited, store: during(() => cancel.abort(), inner) });
  expect(await guard.admit({ session: guard.session(), tool: "pay", arguments: {}, signal: cancel.signal })).toMatchObject({
    code: "cancelled",
  });
  const after = createGuard({ policy: limited, store: inner });
  expect(await after.admit({ session: after.session(), tool: "pay", arguments: {} })).toMatchObject({ outcome: "allow" });
});

test.each([[[]], ["text"], [5], [true], [[{ amount: 1 }]]])("[sent-is-checked] %j is no object of arguments", async (given) => {
  const guard = createGuard({ policy: limited });
  expect(await guard.admit({ session: guard.session(), tool: "pay", arguments: given })).toMatchObject({
    outcome: "deny",
    code: "not_json",
  });
});

test("[one-decision-one-record] the decision says what room is left, and by which yes the call passed", async () => {
  const audit = memoryAudit();
  const held: PolicyDocument = {
    ...limited,
    tools: { pay: { require_approval: [{ conditions: [] }], limits: [{ counter: "pays", window: "hour", max: "2.5" }] } },
  };
  const guard = createGuard({ policy: held, audit, approve: () => ({ approved: true, by: "ann" }) });
  await guard.admit({ session: guard.session(), tool: "pay", arguments: {} });
  const granted = audit.events.find((event) => event.type === "approval.granted");
  expect(audit.events.find((event) => event.type === "decision")).toMatchObject({
    room: [{ limit: "/tools/pay/limits/pays", remaining: "1.5" }],
    approvals: [granted?.type === "approval.granted" && granted.approval],
  });
  expect(audit.events.filter((event) => event.type === "approval.used")).toHaveLength(1);
});

test("[no-over-admission] the slot of a call in flight is renewed until it is answered, and counts are not", async () => {
  const renewed: Reservation[] = [];
  const inner = memoryStore();
  const store: CounterStore = { ...inner, renewEveryMs: 3, renew: (reservation) => void renewed.push(reservation) };
  const policy = (limit: object) => ({ version: "1", default: "allow", all_tools: { limits: [limit] } }) as PolicyDocument;
  const admitted = async (options: GuardOptions) => {
    const guard = createGuard({ ...options, store });
    const admission = await guard.admit({ session: guard.session(), tool: "pay", arguments: {} });
    if (admission.outcome !== "allow") throw new Error("not admitted");
    return admission;
  };
  const counted = await admitted({ policy: policy({ counter: "c", window: "hour", max: 1 }) });
  const slot = await admitted({ policy: policy({ counter: "s", concurrent: 1 }) });
  await expect.poll(() => renewed.length).toBeGreaterThan(2);
  expect(new Set(renewed.flatMap(({ debits }) => debits.map(({ window }) => window.kind)))).toEqual(new Set(["concurrent"]));
  await slot.settle({ kind: "success" });
  const until = renewed.length;
  await new Promise((resolve) => setTimeout(resolve, 15));
  expect(renewed).toHaveLength(until);
  await counted.settle({ kind: "success" });
});
