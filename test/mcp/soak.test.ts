import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createGuard, memoryStore, type PolicyDocument, type Verdict } from "@holdpoint/core";
import { guardClient, refusalOf } from "@holdpoint/mcp";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { expect, test, vi } from "vitest";
import { majors, settled, stopTimers, until, upstream } from "./majors.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

// biome-ignore lint/suspicious/noExplicitAny: the two majors share no types
const loose = (value: unknown) => value as any;

const policy: PolicyDocument = {
  version: "1",
  default: "deny",
  tools: {
    pay: {
      require_approval: [{ path: "args.amount", op: "gt", value: 0, timeout: "1m" }],
      limits: [
        { counter: "open", concurrent: 2_000, scope: "global" },
        { counter: "pays", window: "hour", max: 2_000, scope: "global" },
      ],
    },
    slow: {},
  },
};

test.each(majors)(
  "a thousand calls at once over one connection of %s, held, given up, timed out and lost, leave nothing behind",
  async (major) => {
    const up = await upstream(major);
    const store = memoryStore();
    let unanswered = 0;
    stopTimers();
    const guard = createGuard({
      policy,
      store,
      clock: () => 0,
      approvalWaitMs: 1_000,
      maxPendingApprovals: 2_000,
      approve: ({ arguments: { amount } }) =>
        (amount as number) % 4 === 0 ? new Promise<Verdict>(() => unanswered++) : { approved: (amount as number) % 4 !== 1 },
    });
    const client = loose(guardClient(up.client, guard.session({ user: "ann" }), { waitMs: 1_000 }));
    await client.connect(up.transport);
    await client.listTools();
    const before = vi.getTimerCount();
    const held: WeakRef<object>[] = [];
    const giveUp: (() => void)[] = [];

    async function call(index: number): Promise<string> {
      const cancel = new AbortController();
      const isSlow = index % 5 === 0;
      const params = isSlow ? { name: "slow" } : { name: "pay", arguments: { amount: index, to: "bob" } };
      held.push(new WeakRef(params), new WeakRef(cancel));
      if (index % 8 === 0) giveUp.push(() => cancel.abort());
      const options = { signal: cancel.signal, timeout: isSlow ? 100 : 60_000 };
      const given = major === "1.x" ? [CallToolResultSchema, options] : [options];
      const answer = index % 3 === 0 ? client.request({ method: "tools/call", params }, ...given) : client.callTool(params, ...given);
      const said = await answer.then(
        (result: unknown) => refusalOf(result)?.code ?? "sent",
        (error: Error) => (/timed out/.test(error.message) ? "timed out" : "given up"),
      );
      // The client of 1.x leaves a listener of its own.
      expect(getEventListeners(cancel.signal, "abort").length).toBeLessThanOrEqual(major === "1.x" ? 1 : 0);
      return said;
    }
    const calls = Promise.all(Array.from({ length: 1_000 }, (_, index) => call(index + 1)));
    // All are under way before the first of them ends: then some are given up, some are timed out, and the rest of those that wait for a person wait in vain.
    await until(() => unanswered === 200 && up.calls("slow").length === 200);
    for (const give of giveUp.splice(0)) give();
    await settled();
    await vi.advanceTimersByTimeAsync(100);
    await vi.advanceTimersByTimeAsync(900);
    expect(new Set(await calls)).toEqual(new Set(["sent", "given up", "timed out", "approval_refused", "approval_expired"]));

    expect(up.calls("pay")).toHaveLength(400);
    const key = (counter: string, window: string) => JSON.stringify(["", "default", counter, window]);
    const room = store.look(
      [
        { key: key("open", "concurrent"), window: { kind: "concurrent" }, amount: 1_000_000, max: 2_000_000_000 },
        { key: key("pays", "hour"), window: { kind: "calendar", unit: "hour" }, amount: 1_000_000, max: 2_000_000_000 },
      ],
      0,
    ) as readonly { readonly remaining: number }[];
    expect(room.map(({ remaining }) => remaining)).toEqual([2_000_000_000, 1_600_000_000]);
    expect(vi.getTimerCount()).toBe(before);
    up.received.length = 0;
    vi.useRealTimers();
    await client.close();
    await settled();
    collect();
    // The runtime itself may keep the last call; a promise that never settles would keep each.
    expect(held.filter((reference) => reference.deref() !== undefined).length).toBeLessThan(8);
  },
);
