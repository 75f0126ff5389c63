import { createGuard } from "@holdpoint/core";
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2, InMemoryTransport as PairV2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as StdioV2 } from "@modelcontextprotocol/client/stdio";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport as TransportV1 } from "@modelcontextprotocol/sdk/shared/transport.js";
import { expectTypeOf, test } from "vitest";
import { assertEnforced, guardClient, guardTransport } from "./index.ts";

const session = createGuard({ policy: { version: "1", default: "deny" } }).session();
const info = { name: "agent", version: "1.0.0" };

test("a guarded client has the type of the client, in both majors", () => {
  expectTypeOf(guardClient(new ClientV1(info), session)).toEqualTypeOf<ClientV1>();
  expectTypeOf(guardClient(new ClientV2(info), session)).toEqualTypeOf<ClientV2>();
  expectTypeOf(assertEnforced).toBeCallableWith(new ClientV1(info));
  expectTypeOf(assertEnforced).toBeCallableWith(new ClientV2(info));
});

test("a guarded transport has the type of the transport, in both majors", () => {
  expectTypeOf(guardTransport(new StdioV1({ command: "server" }), session)).toEqualTypeOf<StdioV1>();
  expectTypeOf(guardTransport(new HttpV1(new URL("http://x.test")), session)).toEqualTypeOf<HttpV1>();
  expectTypeOf(guardTransport({} as TransportV1, session)).toEqualTypeOf<TransportV1>();
  expectTypeOf(guardTransport(new StdioV2({ command: "server" }), session)).toEqualTypeOf<StdioV2>();
  expectTypeOf(guardTransport(new HttpV2(new URL("http://x.test")), session)).toEqualTypeOf<HttpV2>();
  expectTypeOf(guardTransport(PairV2.createLinkedPair()[0], session)).toEqualTypeOf<PairV2>();
  expectTypeOf(assertEnforced).toBeCallableWith(new StdioV2({ command: "server" }));
});

test("what is no client and no transport is refused by the compiler", () => {
  // @ts-expect-error a client can connect
  guardClient({ callTool: async () => ({}) }, session);
  // @ts-expect-error a transport can send
  guardTransport({ start: async () => undefined, close: async () => undefined }, session);
  // @ts-expect-error egress is one of two words
  guardClient(new ClientV1(info), session, { egress: "none" });
});
