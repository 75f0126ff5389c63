import assert from "node:assert/strict";
import { type ApprovalRecord, type ApprovalStore, memoryApprovals } from "@holdpoint/core";
import { expect, test } from "vitest";
import { approvalStoreCases, approvalStoreContract, runApprovalStoreCase } from "./approval-store.ts";

approvalStoreContract("memory", () => ({ store: memoryApprovals() }), { test, expect });

/** Ways in which stores can be wrong; each must fail some case, or the contract proves nothing. */
const defects: Record<string, (store: ApprovalStore) => ApprovalStore> = {
  "a use is taken without counting": (store) => ({
    ...store,
    consume: async (id, now) => {
      const record = await store.get(id, now);
      return record?.status === "approved" ? record : undefined;
    },
  }),
  "a used yes keeps its arguments": (store) => {
    const kept = new Map<string, ApprovalRecord>();
    return {
      ...store,
      consume: async (id, now) => {
        const used = await store.consume(id, now);
        if (used) kept.set(id, used);
        return used;
      },
      get: async (id, now) => {
        const record = await store.get(id, now);
        return record?.status === "used" ? { ...record, arguments: kept.get(id)?.arguments } : record;
      },
    };
  },
  "what is put back has lost its arguments": (store) => ({
    ...store,
    restore: (taken, now) => store.restore({ ...taken, arguments: undefined }, now),
  }),
  "what is put back has lost what the approver made of it": (store) => ({
    ...store,
    restore: (taken, now) => store.restore({ ...taken, edited: undefined }, now),
  }),
  "a yes is put back although it was revoked meanwhile": (store) => ({
    ...store,
    revoke: async (id, by, now) => ((await store.get(id, now))?.status === "used" ? false : store.revoke(id, by, now)),
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
