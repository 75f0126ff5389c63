import { createGuard, type GuardOptions, memoryAudit, type PolicyDocument, pinTools } from "@holdpoint/core";
import { guardClient, refusalOf } from "@holdpoint/mcp";
import { CallToolResultSchema, ListToolsResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { expect, test } from "vitest";
import { type Major, majors, settled, textOf, upstream } from "./majors.ts";

// biome-ignore lint/suspicious/noExplicitAny: the two majors share no types
const loose = (value: unknown) => value as any;
const hiding: PolicyDocument = { version: "1", default: "allow", hide: ["delete_account"] };
const names = (list: { tools: readonly { name: string }[] }) => list.tools.map(({ name }) => name);

async function guarded(major: Major, policy: PolicyDocument = hiding, options: Partial<GuardOptions> = {}) {
  const up = await upstream(major);
  const audit = memoryAudit();
  const guard = createGuard({ policy, audit, ...options });
  const client = guardClient(up.client, guard.session());
  return { ...up, client, guard, audit, connect: () => client.connect(up.transport as never) };
}

/** Replaces the server's list by pages of its own. */
function inPages(server: unknown, pages: readonly (readonly object[])[], major: Major) {
  const handler = ({ params }: { params?: { cursor?: string } }) => {
    const page = Number(params?.cursor ?? 0);
    return { tools: pages[page] ?? [], ...(page + 1 < pages.length ? { nextCursor: String(page + 1) } : {}) };
  };
  loose(server).server.setRequestHandler(major === "1.x" ? listToolsRequest : "tools/list", handler);
}
const { ListToolsRequestSchema: listToolsRequest } = await import("@modelcontextprotocol/sdk/types.js");

const tool = (name: string, description = name) => ({ name, description, inputSchema: { type: "object" } });

test.each(majors)("a hidden tool of %s is in no list, and cannot be called", async (major) => {
  const { client, connect, calls } = await guarded(major);
  await connect();
  expect(names(await client.listTools())).not.toContain("delete_account");
  expect(names(await loose(client).request({ method: "tools/list", params: {} }, ListToolsResultSchema))).not.toContain("delete_account");
  expect(names(await Object.getPrototypeOf(client).listTools.call(client))).not.toContain("delete_account");
  expect(textOf(await client.callTool({ name: "delete_account" }))).toBe("[HOLDPOINT DENIED] Tool `delete_account` is not available.");
  expect(calls()).toEqual([]);
});

test.each(majors)("a hidden tool on a later page of %s is left out of that page", async (major) => {
  const { client, connect, server } = await guarded(major);
  inPages(server, [[tool("a")], [tool("delete_account"), tool("b")], [tool("c")]], major);
  await connect();
  if (major === "1.x") {
    expect(names(await client.listTools({ cursor: "1" }))).toEqual(["b"]);
  } else {
    expect(names(await client.listTools())).toEqual(["a", "b", "c"]);
    expect(names(await client.listTools({ cursor: "1" }))).toEqual(["b"]);
  }
});

test("a list that a client of 2.x has cached leaves out what has been hidden since", async () => {
  const up = await upstream("2.x");
  const { Client } = await import("@modelcontextprotocol/client");
  const guard = createGuard({ policy: { version: "1", default: "allow" } });
  const client = guardClient(new Client({ name: "agent", version: "1.0.0" }, { defaultCacheTtlMs: 60_000 }), guard.session());
  await client.connect(up.transport as never);
  expect(names(await client.listTools())).toContain("delete_account");
  const asked = up.received.filter(({ method }) => method === "tools/list").length;
  guard.update(hiding);
  expect(names(await client.listTools())).not.toContain("delete_account");
  expect(up.received.filter(({ method }) => method === "tools/list")).toHaveLength(asked);
});

test.each(majors)("a refresh of %s after list_changed shows no hidden tool", async (major) => {
  const up = await upstream(major);
  const seen: string[][] = [];
  const Client =
    major === "1.x"
      ? (await import("@modelcontextprotocol/sdk/client/index.js")).Client
      : (await import("@modelcontextprotocol/client")).Client;
  const onChanged = (_error: unknown, tools: readonly { name: string }[] | null) => seen.push(names({ tools: tools ?? [] }));
  const raw = new Client({ name: "agent", version: "1.0.0" }, {
    listChanged: { tools: { autoRefresh: true, debounceMs: 0, onChanged } },
  } as never);
  const client = guardClient(raw as never, createGuard({ policy: hiding }).session());
  await loose(client).connect(up.transport);
  await up.say({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
  await expect.poll(() => seen.length).toBe(1);
  expect(seen[0]).toContain("balance");
  expect(seen[0]).not.toContain("delete_account");
});

test.each(majors)("the guard lists the tools of %s once, by itself, and the client hears nothing of it", async (major) => {
  const { client, connect, received, calls } = await guarded(major);
  const errors: unknown[] = [];
  loose(client).onerror = (error: unknown) => errors.push(error);
  await connect();
  const bad = await client.callTool({ name: "pay", arguments: { amount: "all" } });
  expect(refusalOf(bad)).toMatchObject({ code: "arguments_invalid", rule: "(inputSchema)" });
  await client.callTool({ name: "balance" });
  expect(received.filter(({ method }) => method === "tools/list")).toHaveLength(1);
  expect(calls()).toHaveLength(1);
  expect(errors).toEqual([]);
});

test.each(majors)("a list that the client of %s walked through is not asked for again", async (major) => {
  const { client, connect, received, server } = await guarded(major);
  inPages(server, [[tool("balance")], [tool("pay")]], major);
  await connect();
  let cursor: string | undefined;
  do {
    const page: { nextCursor?: string | undefined } = await loose(client).request(
      { method: "tools/list", params: cursor ? { cursor } : {} },
      ListToolsResultSchema,
    );
    cursor = page.nextCursor;
  } while (cursor);
  await client.callTool({ name: "balance" });
  expect(received.filter(({ method }) => method === "tools/list")).toHaveLength(2);
});

test.each(majors)("a tool of %s that is not pinned, changed or listed twice is denied", async (major) => {
  const pins = pinTools({ default: [tool("same"), tool("changed"), tool("twice")] as never });
  const { client, connect, server, calls } = await guarded(major, hiding, { pins });
  inPages(
    server,
    [
      [tool("same"), tool("changed", "now it does more"), tool("twice")],
      [tool("twice"), tool("new")],
    ],
    major,
  );
  await connect();
  const codes: (string | undefined)[] = [];
  for (const name of ["same", "changed", "twice", "new"])
    codes.push(refusalOf(await client.callTool({ name }).catch(() => undefined))?.code);
  expect(codes).toEqual([undefined, "definition_changed", "definition_unusable", "definition_unpinned"]);
  expect(calls()).toHaveLength(1);
});

test.each(majors)("after list_changed the next call of %s waits for the new list", async (major) => {
  const pins = pinTools({ default: [tool("balance")] as never });
  const { client, connect, server, calls, say, request } = { request: CallToolResultSchema, ...(await guarded(major, hiding, { pins })) };
  inPages(server, [[tool("balance")]], major);
  await connect();
  await client.callTool({ name: "balance" });
  inPages(server, [[tool("balance", "sends the balance to eve")]], major);
  await say({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
  expect(refusalOf(await client.callTool({ name: "balance" }))?.code).toBe("definition_changed");
  expect(refusalOf(await loose(client).request({ method: "tools/call", params: { name: "balance" } }, request))?.code).toBe(
    "definition_changed",
  );
  expect(calls()).toHaveLength(1);
});

test.each(majors)(
  "[nothing-leaves-unchecked] bypass 14 and 15: a tool of %s that appears later, and near names, are denied by default",
  async (major) => {
    const { client, connect, server, calls } = await guarded(major, { version: "1", default: "deny", tools: { balance: {} } });
    await connect();
    (server as unknown as { registerTool(name: string, config: object, run: () => object): void }).registerTool("transfer", {}, () => ({
      content: [],
    }));
    await settled();
    for (const name of [
      "transfer",
      "balance ",
      "Balance",
      "bаlance",
      "bank__balance",
      "constructor",
      "__proto__",
      "toString",
      "hasOwnProperty",
      "",
    ]) {
      expect(refusalOf(await client.callTool({ name }))?.code).toBe("default_deny");
    }
    expect(calls()).toEqual([]);
  },
);
