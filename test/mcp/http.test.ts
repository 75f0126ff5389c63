import { randomUUID } from "node:crypto";
import { createGuard, memoryAudit, type PolicyDocument } from "@holdpoint/core";
import { assertEnforced, guardClient, isRefusal } from "@holdpoint/mcp";
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { expect, test } from "vitest";
import { z } from "zod";
import { majors, textOf } from "./majors.ts";

const policy: PolicyDocument = {
  version: "1",
  default: "deny",
  hide: ["delete_account"],
  tools: { echo: {}, pay: { deny_if: [{ conditions: [] }] } },
};

// biome-ignore lint/suspicious/noExplicitAny: the two majors share no types
const loose = (value: unknown) => value as any;

test.each(majors)(
  "[nothing-leaves-unchecked] Streamable HTTP of %s: what is refused is never posted, what is allowed is answered",
  async (major) => {
    const server = new McpServer({ name: "bank", version: "1.0.0" });
    const said = (text: string) => ({ content: [{ type: "text" as const, text }] });
    server.registerTool("echo", { inputSchema: { text: z.string() } }, async ({ text }) => said(text));
    server.registerTool("pay", {}, async () => said("paid"));
    server.registerTool("delete_account", {}, async () => said("gone"));
    const far = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: () => randomUUID() });
    await server.connect(far);
    const posted: string[] = [];
    const fetchHere = async (url: string | URL, init?: RequestInit) => {
      if (typeof init?.body === "string") posted.push(init.body);
      return far.handleRequest(new Request(url, init));
    };
    const url = new URL("http://bank.test/mcp");
    const info = { name: "agent", version: "1.0.0" };
    const transport = major === "1.x" ? new HttpV1(url, { fetch: fetchHere }) : new HttpV2(url, { fetch: fetchHere });
    const audit = memoryAudit();
    const client = guardClient(loose(major === "1.x" ? new ClientV1(info) : new ClientV2(info)), createGuard({ policy, audit }).session());
    await loose(client).connect(transport);
    expect(transport.sessionId).toBeTypeOf("string");

    expect(textOf(await loose(client).callTool({ name: "echo", arguments: { text: "hello" } }))).toBe("hello");
    expect(isRefusal(await loose(client).callTool({ name: "pay" }))).toBe(true);
    expect(isRefusal(await loose(client).request({ method: "tools/call", params: { name: "delete_account" } }, CallToolResultSchema))).toBe(
      true,
    );
    const { tools } = await loose(client).listTools();
    expect(tools.map((tool: { name: string }) => tool.name)).toEqual(["echo", "pay"]);

    const echo = { jsonrpc: "2.0", id: "batched", method: "tools/call", params: { name: "echo", arguments: { text: "in a batch" } } };
    await loose(transport).send([echo, { jsonrpc: "2.0", method: "notifications/initialized" }]);
    await assertEnforced(loose(client));
    expect(posted.filter((body) => body.includes("tools/call"))).toHaveLength(1);
    expect(posted.some((body) => body.includes("batch") || body.includes("canary"))).toBe(false);
    expect(audit.events.flatMap((event) => (event.type === "outcome" ? [event.outcome] : []))).toEqual(["success"]);
    await loose(client).close();
  },
);
