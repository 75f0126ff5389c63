// The client that the conformance suite starts, once per scenario: `node client.ts <1|2> <bare|allow|deny> <url>`; `allow` and `deny` are guarded, by
// a policy that says no more than its default. The scenario's name comes in `MCP_CONFORMANCE_SCENARIO`. One body serves both majors of the SDK, so that
// nothing differs but the SDK and the guard.

import { createGuard } from "@holdpoint/core";
import { guardClient } from "@holdpoint/mcp";
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

/** What the scenarios need of a client, in the words of both majors. */
interface ConformanceClient {
  listTools(): Promise<unknown>;
  callTool(params: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
  close(): Promise<void>;
}

const callOf: Readonly<Record<string, { readonly name: string; readonly arguments: Record<string, unknown> }>> = {
  tools_call: { name: "add_numbers", arguments: { a: 5, b: 3 } },
  "elicitation-sep1034-client-defaults": { name: "test_client_elicitation_defaults", arguments: {} },
  "sse-retry": { name: "test_reconnection", arguments: {} },
};

const [major, protection, url = ""] = process.argv.slice(2);
const capabilities = { elicitation: { form: { applyDefaults: true } } };
const client = major === "2" ? await connectedV2() : await connectedV1();
await client.listTools();
const call = callOf[process.env["MCP_CONFORMANCE_SCENARIO"] ?? ""];
if (call !== undefined) await client.callTool(call);
await client.close();

async function connectedV1(): Promise<ConformanceClient> {
  const client = protectedClient(new ClientV1({ name: "conformance", version: "1.0.0" }, { capabilities }));
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept", content: {} }));
  await client.connect(new TransportV1(new URL(url)));
  return client;
}

async function connectedV2(): Promise<ConformanceClient> {
  const client = protectedClient(new ClientV2({ name: "conformance", version: "1.0.0" }, { capabilities }));
  client.setRequestHandler("elicitation/create", () => ({ action: "accept", content: {} }));
  await client.connect(new TransportV2(new URL(url)));
  return client;
}

function protectedClient<C extends ClientV1 | ClientV2>(client: C): C {
  if (protection !== "allow" && protection !== "deny") return client;
  return guardClient(client, createGuard({ policy: { version: "1", default: protection } }).session());
}
