import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createMCPClient } from "@ai-sdk/mcp";
import { createMCPClient as createMCPClient1 } from "@ai-sdk/mcp-v1";
import { assertEnforced, guardMCPClient, guardTools } from "@holdpoint/ai-sdk";
import { createGuard, definePolicy, memoryAudit } from "@holdpoint/core";
import { guardTransport } from "@holdpoint/mcp";
import { StreamableHTTPClientTransport as Transport2 } from "@modelcontextprotocol/client";
import { StreamableHTTPClientTransport as Transport1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { ToolSet } from "ai";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";

const policy = definePolicy({
  version: "1",
  default: "deny",
  tools: { pay: { deny_if: [{ conditions: [{ path: "args.n", op: "gt", value: 10 }], on_deny: "Too much." }] } },
});

/** A real MCP server over HTTP, and what it was asked to pay. */
async function serve() {
  const paid: number[] = [];
  // A connection that idles is kept: one that the server gives up while the client takes it up again fails its request.
  const http = createServer({ keepAliveTimeout: 0 }, async (request, response) => {
    const server = new McpServer({ name: "desk", version: "1.0.0" });
    server.registerTool("pay", { inputSchema: { n: z.number() } }, ({ n }) => {
      paid.push(n);
      return { content: [{ type: "text", text: `paid ${n}` }] };
    });
    const transport = new StreamableHTTPServerTransport({});
    await server.connect(transport as never);
    await transport.handleRequest(request, response);
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void http.close());
  return { paid, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` };
}

const clients = { "@ai-sdk/mcp 2": createMCPClient, "@ai-sdk/mcp 1": createMCPClient1 as unknown as typeof createMCPClient };

for (const [name, create] of Object.entries(clients)) {
  test(`[nothing-leaves-unchecked] the built-in HTTP transport of ${name} is guarded in place`, async () => {
    const { paid, url } = await serve();
    const audit = memoryAudit();
    const session = createGuard({ policy, audit }).session();
    const raw = await create({ transport: { type: "http", url } });
    onTestFinished(() => raw.close());
    const before = (await raw.tools()) as ToolSet;
    const mcp = guardMCPClient(raw, session);
    const tools = (await mcp.tools()) as ToolSet;
    const given = { toolCallId: "c1", messages: [], context: {} };
    expect(JSON.stringify(await tools["pay"]?.execute?.({ n: 50 }, given))).toContain("[HOLDPOINT DENIED] Too much.");
    expect(JSON.stringify(await before["pay"]?.execute?.({ n: 60 }, given))).toContain("[HOLDPOINT DENIED] Too much.");
    expect(await tools["pay"]?.execute?.({ n: 5 }, given)).toMatchObject({ content: [{ text: "paid 5" }] });
    expect(paid).toEqual([5]);
    expect(audit.events.filter((event) => event.type === "decision").map(({ outcome }) => outcome)).toEqual(["deny", "deny", "allow"]);
    expect((await assertEnforced(mcp, session)).tested).toContain("transport.send");
  });
}

for (const [sdk, Transport] of Object.entries({
  "@modelcontextprotocol/sdk 1": Transport1,
  "@modelcontextprotocol/client 2": Transport2,
})) {
  for (const [name, create] of Object.entries(clients)) {
    test(`[decided-once] ${name} over a guarded transport of ${sdk}`, async () => {
      const { paid, url } = await serve();
      const audit = memoryAudit();
      const session = createGuard({ policy, audit }).session();
      const client = await create({ transport: guardTransport(new Transport(new URL(url)), session) as never });
      onTestFinished(() => client.close());
      const tools = guardTools((await client.tools()) as ToolSet, session);
      const given = { toolCallId: "c1", messages: [], context: {} };
      expect(JSON.stringify(await tools["pay"]?.execute?.({ n: 50 }, given))).toContain("[HOLDPOINT DENIED] Too much.");
      expect(await tools["pay"]?.execute?.({ n: 5 }, given)).toMatchObject({ content: [{ text: "paid 5" }] });
      expect(paid).toEqual([5]);
      expect(audit.events.filter((event) => event.type === "decision").map(({ outcome }) => outcome)).toEqual(["deny", "allow"]);
    });
  }
}
