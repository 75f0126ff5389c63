import type { MCPTransport } from "@ai-sdk/mcp";
import { mockUpstream } from "@holdpoint/testing";
import type { Transport as TransportV2 } from "@modelcontextprotocol/client";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { expectTypeOf, test } from "vitest";

const upstream = mockUpstream({
  transfer: ({ amount }: { amount: number }) => `moved ${amount}`,
  search: { inputSchema: { type: "object" }, handle: (args: { query: string }) => args.query },
  ping: () => "pong",
});

test("the transport in memory fits both MCP SDKs and the AI SDK without a cast", () => {
  expectTypeOf(upstream.transport()).toExtend<Transport>();
  expectTypeOf(upstream.transport()).toExtend<TransportV2>();
  expectTypeOf(upstream.transport()).toExtend<MCPTransport>();
});

test("calls have the arguments that their handler declares", () => {
  expectTypeOf(upstream.callsTo("transfer")[0]!.arguments).toEqualTypeOf<{ amount: number }>();
  expectTypeOf(upstream.callsTo("search")[0]!.arguments.query).toEqualTypeOf<string>();
  expectTypeOf(upstream.calls[0]!.tool).toEqualTypeOf<"transfer" | "search" | "ping">();
  // @ts-expect-error: there is no such tool
  upstream.callsTo("tranfer");
});
