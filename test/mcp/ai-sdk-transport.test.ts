import { createMCPClient } from "@ai-sdk/mcp";
import { createGuard, type PolicyDocument } from "@holdpoint/core";
import { assertEnforced, guardTransport, isRefusal } from "@holdpoint/mcp";
import { expect, test } from "vitest";
import { majors, textOf, upstream } from "./majors.ts";

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
