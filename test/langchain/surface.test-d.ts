import { createGuard } from "@holdpoint/core";
import { assertEnforced, guardMcpServers, guardTools, holdpointMiddleware } from "@holdpoint/langchain";
import { guardClient } from "@holdpoint/mcp";
import type { DynamicStructuredTool, StructuredToolInterface } from "@langchain/core/tools";
import { tool } from "@langchain/core/tools";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { loadMcpTools, MultiServerMCPClient } from "@langchain/mcp-adapters";
import type { Client as ClientV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { type AgentMiddleware, createAgent, fakeModel } from "langchain";
import { expectTypeOf, test } from "vitest";
import { z } from "zod";

const session = createGuard({ policy: { version: "1", default: "deny", tools: {} } }).session();
const weather = tool(async ({ city }) => `sun in ${city}`, { name: "weather", description: "", schema: z.object({ city: z.string() }) });

test("a guarded tool is of the type it was, and goes where tools go", async () => {
  const [guarded] = guardTools([weather], session);
  expectTypeOf(guarded).toEqualTypeOf<typeof weather | undefined>();
  const tools = guardTools([weather], session);
  new ToolNode(tools);
  createAgent({ model: fakeModel(), tools });
  expectTypeOf(guardTools([] as StructuredToolInterface[], session)).toEqualTypeOf<StructuredToolInterface[]>();
  await assertEnforced(tools);
});

test("the middleware is one of LangChain's, also with a context and beside others", async () => {
  const middleware = holdpointMiddleware(session, { identify: ({ context }) => ({ user: (context as { user: string }).user }) });
  expectTypeOf(middleware).toExtend<AgentMiddleware>();
  const agent = createAgent({
    model: fakeModel(),
    tools: [weather],
    contextSchema: z.object({ user: z.string() }),
    middleware: [middleware],
  });
  await agent.invoke({ messages: [] }, { context: { user: "ann" } });
  await assertEnforced(agent);
});

test("clients of both majors and of the adapters fit", async () => {
  expectTypeOf(await guardMcpServers(new MultiServerMCPClient({}), session)).toEqualTypeOf<DynamicStructuredTool[]>();
  await loadMcpTools("files", guardClient(new ClientV1({ name: "agent", version: "1" }), session) as never);
  await loadMcpTools("files", guardClient({} as ClientV2, session) as never);
});
