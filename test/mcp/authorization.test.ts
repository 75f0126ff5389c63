import { createGuard, memoryAudit, type PolicyDocument } from "@holdpoint/core";
import { guardClient } from "@holdpoint/mcp";
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { expect, test } from "vitest";
import { type Major, majors, settled, textOf } from "./majors.ts";

const origin = "https://bank.test";
const once: PolicyDocument = {
  version: "1",
  default: "deny",
  tools: { pay: { limits: [{ counter: "pays", window: { sliding: "1h" }, max: 1 }] } },
};

// biome-ignore lint/suspicious/noExplicitAny: the two majors share no types
const loose = (value: unknown) => value as any;

/** A guarded client of a server that wants tokens, with one that has run out and can be refreshed. */
async function withTokens(major: Major) {
  const server = new McpServer({ name: "bank", version: "1.0.0" });
  server.registerTool("pay", {}, async () => ({ content: [{ type: "text" as const, text: "paid" }] }));
  const far = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: () => crypto.randomUUID() });
  await server.connect(far);
  const answered: Record<string, unknown> = {
    "/.well-known/oauth-protected-resource/mcp": { resource: `${origin}/mcp`, authorization_servers: [origin] },
    "/.well-known/oauth-authorization-server": {
      issuer: origin,
      authorization_endpoint: `${origin}/authorize`,
      token_endpoint: `${origin}/token`,
      response_types_supported: ["code"],
      code_challenge_methods_supported: ["S256"],
    },
  };
  const state = { valid: "token-0", refreshed: 0, posted: [] as string[], refreshing: async () => {} };
  async function fetchHere(url: string | URL, init?: RequestInit): Promise<Response> {
    const request = new Request(url, init);
    const { pathname } = new URL(url);
    if (answered[pathname]) return Response.json(answered[pathname]);
    if (pathname === "/token") {
      await state.refreshing();
      state.valid = `token-${++state.refreshed}`;
      return Response.json({ access_token: state.valid, token_type: "Bearer", refresh_token: "again" });
    }
    if (request.headers.get("authorization") !== `Bearer ${state.valid}`) return new Response(null, { status: 401 });
    if (typeof init?.body === "string") state.posted.push(init.body);
    return far.handleRequest(request);
  }
  let tokens: unknown = { access_token: "of yesterday", token_type: "Bearer", refresh_token: "first", issuer: origin };
  const authProvider = {
    redirectUrl: `${origin}/callback`,
    clientMetadata: { redirect_uris: [`${origin}/callback`] },
    clientInformation: () => ({ client_id: "agent", issuer: origin }),
    tokens: () => tokens,
    saveTokens(saved: unknown) {
      tokens = saved;
    },
  };
  const options = { fetch: fetchHere, authProvider: loose(authProvider) };
  const url = new URL(`${origin}/mcp`);
  const info = { name: "agent", version: "1.0.0" };
  const audit = memoryAudit();
  const client = guardClient(
    loose(major === "1.x" ? new ClientV1(info) : new ClientV2(info)),
    createGuard({ policy: once, audit }).session(),
  );
  await loose(client).connect(major === "1.x" ? new HttpV1(url, options) : new HttpV2(url, options));
  return { client: loose(client), audit, state };
}

test.each(majors)(
  "[transparent-allow] a client of %s whose token has run out gets a new one, and its call is made and charged once",
  async (major) => {
    const { client, audit, state } = await withTokens(major);
    expect(state.refreshed).toBe(1);
    state.valid = "revoked";
    expect(textOf(await client.callTool({ name: "pay" }))).toBe("paid");
    expect(state.refreshed).toBe(2);
    expect(state.posted.filter((body) => body.includes("tools/call"))).toHaveLength(1);
    expect(await client.callTool({ name: "pay" })).toMatchObject({ isError: true });
    const events = audit.events.flatMap((event) =>
      event.type === "decision" ? [event.code] : event.type === "outcome" ? [event.outcome] : [],
    );
    expect(events).toEqual(["allowed", "success", "limit"]);
  },
);

test("[nothing-leaves-unchecked] bypass 11: a call that is given up while 1.x authorizes is not sent again", async () => {
  const { client, state } = await withTokens("1.x");
  await client.listTools();
  state.valid = "revoked";
  const waiting: (() => void)[] = [];
  state.refreshing = () => new Promise((resolve) => waiting.push(resolve));
  const aborting = new AbortController();
  const call = client.callTool({ name: "pay" }, undefined, { signal: aborting.signal }).catch(String);
  await expect.poll(() => waiting.length).toBe(1);
  aborting.abort("enough");
  expect(await call).toContain("enough");
  await expect.poll(() => waiting.length).toBe(2);
  for (const refresh of waiting) refresh();
  // The cancellation, which had to wait for a token as well, is behind the call that it cancels.
  await expect.poll(() => state.posted.some((body) => body.includes("notifications/cancelled"))).toBe(true);
  await settled();
  expect(state.posted.filter((body) => body.includes("tools/call"))).toEqual([]);
});
