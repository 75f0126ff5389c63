import { getEventListeners } from "node:events";
import { createMCPClient } from "@ai-sdk/mcp";
import { createGuard, memoryAudit, type PolicyDocument } from "@holdpoint/core";
import { assertEnforced, guardTransport, isRefusal } from "@holdpoint/mcp";
import { expect, test, vi } from "vitest";
import { majors, settled, stopTimers, textOf, until, upstream } from "./majors.ts";

const policy: PolicyDocument = {
  version: "1",
  default: "deny",
  hide: ["delete_account"],
  tools: { balance: {}, pay: { deny_if: [{ path: "args.amount", op: "gt", value: 100 }] } },
};

test.each(majors)("[nothing-leaves-unchecked] the AI SDK's MCP client on a guarded transport of %s", async (major) => {
  const { transport, calls, received } = await upstream(major);
  const guarded = guardTransport(transport, createGuard({ policy }).session());
  const client = await createMCPClient({ transport: guarded as never });
  const tools = await client.tools();
  expect(Object.keys(tools)).toContain("pay");
  expect(Object.keys(tools)).not.toContain("delete_account");
  const run = (name: string, args: object) =>
    (tools[name] as unknown as { execute(input: object, options: object): Promise<unknown> }).execute(args, {
      toolCallId: "1",
      messages: [],
    });
  expect(textOf(await run("balance", {}))).toBe("100");
  const refused = await run("pay", { amount: 101, to: "eve" });
  expect(textOf(refused)).toContain("[HOLDPOINT DENIED]");
  expect(isRefusal(refused)).toBe(true);
  expect(isRefusal(await client.callTool({ name: "delete_account", arguments: {} }))).toBe(true);
  expect(calls("pay")).toEqual([]);

  const { tested } = await assertEnforced(guarded);
  expect(tested).toEqual([
    "transport.send",
    "transport.send with a batch",
    "transport.send with a notification",
    "transport.send with a task",
  ]);
  expect(received.filter(({ method }) => method === "tools/call")).toHaveLength(1);
  await client.close();
});

test.each(majors)(
  "[nothing-leaves-unchecked] bypass 11: a call that the AI SDK's client on %s gave up while it was held never leaves",
  async (major) => {
    const { transport, calls, received } = await upstream(major);
    const audit = memoryAudit();
    const answers: (() => void)[] = [];
    const guard = createGuard({
      policy: { version: "1", default: "allow", tools: { pay: { require_approval: [{ conditions: [] }] } } },
      approve: () => new Promise((resolve) => answers.push(() => resolve({ approved: true }))),
      audit,
    });
    const client = await createMCPClient({ transport: guardTransport(transport, guard.session()) as never });
    stopTimers();
    const aborting = new AbortController();
    const options = { signal: aborting.signal };
    const held = [
      client.callTool({ name: "pay", arguments: { amount: 1, to: "bob" }, options }),
      client.callTool({ name: "pay", arguments: { amount: 2, to: "bob" }, options: { timeout: 50 } }),
    ].map((call) => call.catch(String));
    await until(() => answers.length === 2);
    await client.callTool({ name: "balance", arguments: {}, options });
    await client.listTools({ options });
    // The two that are held are all that still listens to a signal which lives longer than its calls.
    expect(getEventListeners(aborting.signal, "abort")).toHaveLength(2);
    const slow = client.callTool({ name: "slow", arguments: {}, options }).catch(String);
    await until(() => calls("slow").length === 1);
    vi.advanceTimersByTime(50);
    aborting.abort();
    expect(await Promise.all([...held, slow])).toEqual(["aborted", "timed out", "aborted"].map((said) => expect.stringContaining(said)));
    for (const answer of answers) answer();
    await settled();
    expect(calls("pay")).toEqual([]);
    expect(received.some(({ method }) => method === "notifications/cancelled")).toBe(false);
    expect(audit.events.flatMap((event) => (event.type === "outcome" ? [event.outcome] : []))).toEqual(["success", "unknown"]);
    await client.close();
  },
);
