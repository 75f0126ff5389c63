import type { MCPTransport } from "@ai-sdk/mcp";
import { createGuard } from "@holdpoint/core";
import { guardTransport } from "@holdpoint/mcp";
import { expectTypeOf, test } from "vitest";

test("a transport of the AI SDK's MCP client keeps its type", () => {
  const session = createGuard({ policy: { version: "1", default: "deny" } }).session();
  expectTypeOf(guardTransport({} as MCPTransport, session)).toEqualTypeOf<MCPTransport>();
});
