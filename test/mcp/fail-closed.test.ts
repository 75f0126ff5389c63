import { CounterStoreError, createGuard, type GuardOptions, memoryStore, type PolicyDocument } from "@holdpoint/core";
import { guardClient } from "@holdpoint/mcp";
import { expect, test } from "vitest";
import { majors, upstream } from "./majors.ts";

const policy: PolicyDocument = {
  version: "1",
  default: "allow",
  all_tools: {
    limits: [{ counter: "calls", window: "minute", max: 100 }],
    require_approval: [{ path: "args.amount", op: "gt", value: 5, when_missing: false }],
  },
};

const down = () => {
  throw new CounterStoreError("the store is down");
};
const outages: Record<string, Partial<GuardOptions>> = {
  "a store that is down": { store: { ...memoryStore(), reserve: down, look: down } },
  "a required sink that fails": { audit: { required: true, write: () => Promise.reject(new Error("disk full")) } },
  "an approver that throws": {
    approve: () => {
      throw new Error("no terminal");
    },
  },
};

for (const [title, options] of Object.entries(outages)) {
  test.each(majors)(`[fail-closed] with ${title} no call reaches a server of %s`, async (major) => {
    const up = await upstream(major);
    const client = guardClient(up.client, createGuard({ policy, ...options }).session());
    await client.connect(up.transport as never);
    const result = await client.callTool({ name: "pay", arguments: { amount: 6, to: "bob" } } as never);
    expect(result).toMatchObject({ isError: true });
    expect(up.calls()).toEqual([]);
  });
}
