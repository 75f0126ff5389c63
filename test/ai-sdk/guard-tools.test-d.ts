import { createMCPClient } from "@ai-sdk/mcp";
import { createMCPClient as createMCPClient1 } from "@ai-sdk/mcp-v1";
import { assertEnforced, guardMCPClient, guardTools, toolApproval } from "@holdpoint/ai-sdk";
import { createGuard } from "@holdpoint/core";
import { dynamicTool, generateText, jsonSchema, type LanguageModel, streamText, ToolLoopAgent, type ToolSet, tool } from "ai";
import * as ai6 from "ai-v6";
import { expectTypeOf, test } from "vitest";
import { z } from "zod";

declare const model: LanguageModel;
declare const model6: ai6.LanguageModel;
const session = createGuard({ policy: { version: "1", default: "deny", tools: {} } }).session();

test("a guarded tool set is of the type it was, and both majors take it", () => {
  const tools = {
    weather: tool({ inputSchema: z.object({ city: z.string() }), execute: async ({ city }) => ({ city, degrees: 20 }) }),
    any: dynamicTool({ inputSchema: jsonSchema({ type: "object" }), execute: async () => 1 }),
  };
  const { weather, any } = tools;
  const guarded = guardTools({ weather, any }, session);
  expectTypeOf(guarded).toEqualTypeOf<{ weather: typeof weather; any: typeof any }>();
  generateText({ model, tools: guarded, toolApproval, prompt: "" }).then(({ toolResults }) => {
    const result = toolResults[0];
    if (result?.dynamic !== true && result?.toolName === "weather")
      expectTypeOf(result.output).toEqualTypeOf<{ city: string; degrees: number }>();
  });
  streamText({ model, tools: guarded, toolApproval, prompt: "" });
  new ToolLoopAgent({ model, tools: guarded, toolApproval });
  expectTypeOf(guardTools({} as ToolSet, session)).toEqualTypeOf<ToolSet>();

  const weather6 = ai6.tool({ inputSchema: z.object({ city: z.string() }), execute: async ({ city }) => city });
  const guarded6 = guardTools({ weather: weather6 }, session);
  expectTypeOf(guarded6).toEqualTypeOf<{ weather: typeof weather6 }>();
  ai6.generateText({ model: model6, tools: guarded6, prompt: "" });
  expectTypeOf(guardTools({} as ai6.ToolSet, session)).toEqualTypeOf<ai6.ToolSet>();
});

test("clients of both majors keep their types", async () => {
  const mcp = await createMCPClient({ transport: { type: "http", url: "" } });
  expectTypeOf(guardMCPClient(mcp, session)).toEqualTypeOf<typeof mcp>();
  generateText({ model, tools: await guardMCPClient(mcp, session).tools(), prompt: "" });
  const mcp1 = await createMCPClient1({ transport: { type: "http", url: "" } });
  expectTypeOf(guardMCPClient(mcp1, session)).toEqualTypeOf<typeof mcp1>();
  expectTypeOf(await guardMCPClient(mcp1, session).tools()).toEqualTypeOf(await mcp1.tools());
  assertEnforced(mcp, session);
  assertEnforced(guardTools(await mcp.tools(), session), session);
});
