import assert from "node:assert/strict";
import { type ApprovalStore, memoryApprovals } from "@holdpoint/core";
import { expect, test } from "vitest";
import { approvalStoreCases, approvalStoreContract, runApprovalStoreCase } from "./approval-store.ts";

approvalStoreContract("memory", () => ({ store: memoryApprovals() }), { test, expect });

/** Ways in which stores can be wrong; each must fail some case, or the contract proves nothing. */
const defects: Record<string, (store: ApprovalStore) => ApprovalStore> = {
  "a use is taken without counting": (store) => ({
    ...store,
    consume: async (id, now) => (await store.get(id, now))?.status === "approved",
  }),
  "a yes never ends": (store) => ({ ...store, find: (query) => store.find(query, 0), consume: (id) => store.consume(id, 0) }),
  "every yes is wide": (store) => ({
    ...store,
    find: async (query, now) =>
      (await store.find(query, now)) ??
      (await store.list({ status: "approved" }, now)).find(({ wide }) => query.wide.includes(wide?.binding ?? "")),
  }),
  "the cap is not kept": (store) => ({
    ...store,
    request: (draft, bounds, now) => store.request(draft, { ...bounds, maxPending: 1000 }, now),
  }),
  "nothing is put back": (store) => ({ ...store, restore: () => undefined }),
  "a second answer counts": (store) => ({
    ...store,
    answer: async (id, answer, now) => (await store.answer(id, answer, now)) ?? (await store.get(id, now)),
  }),
};

test.each(Object.entries(defects))("the contract finds an approval store where %s", async (_, spoil) => {
  const failures = await Promise.allSettled(
    approvalStoreCases.map((one) => runApprovalStoreCase(one, () => ({ store: spoil(memoryApprovals()) }), assert)),
  );
  expect(failures.filter(({ status }) => status === "rejected")).not.toHaveLength(0);
});
