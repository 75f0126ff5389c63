// Entry 26 of the bypass catalogue: what puts other tools, or fewer, before the model than the host's set.

import { createMCPClient } from "@ai-sdk/mcp";
import { assertEnforced, guardMCPClient, guardTools } from "@holdpoint/ai-sdk";
import { createGuard, definePolicy, HoldpointError, memoryAudit } from "@holdpoint/core";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { jsonSchema, type ModelMessage, type ToolSet, tool, toolSearch } from "ai";
import { expect, test } from "vitest";
import { z } from "zod";
import { majors, shownOutputs } from "./majors.ts";

const policy = definePolicy({
  version: "1",
  default: "deny",
  hide: ["drop_table"],
  tools: {
    weather: { deny_if: [{ path: "args.city", op: "eq", value: "Area 51", on_deny: "Not there." }] },
    pay: { require_approval: [{ conditions: [], reason: "Every payment" }] },
  },
});
const denied = { type: "execution-denied", reason: "[HOLDPOINT DENIED] Not there." };
const calling = (city: string) => [[{ id: "c1", tool: "weather", input: { city } }], "done"] as const;

/** Tools that write down that they ran; `deferLoading` is what AI SDK 7 alone reads. */
function canaries(ran: string[], more: object = {}) {
  const canary = (name: string) =>
    tool({
      description: `the ${name} tool, for weather too`,
      inputSchema: jsonSchema<{ city?: string }>({ type: "object", properties: { city: { type: "string" } } }),
      execute: async ({ city }) => `${name} ${ran.push(`${name} ${city ?? ""}`)}`,
      ...more,
    });
  return { weather: canary("weather"), pay: canary("pay"), drop_table: canary("drop_table") };
}

for (const { name, sdk, model: scripted, steps } of majors) {
  test(`[nothing-leaves-unchecked] #26 a ToolLoopAgent whose prepareCall puts guarded tools in has their calls decided, ${name}`, async () => {
    const ran: string[] = [];
    const tools = guardTools(canaries(ran), createGuard({ policy }).session());
    for (const run of ["generate", "stream"] as const) {
      const model = scripted(calling("Area 51"));
      const prepareCall = (options: object) => ({ ...options, tools }) as never;
      const agent = new sdk.ToolLoopAgent({ model, tools: {}, prepareCall, stopWhen: steps(3) });
      expect(await (await agent[run]({ prompt: "go" })).text).toBe("done");
      expect(shownOutputs(model, 1)).toEqual({ c1: denied });
    }
    expect(ran).toEqual([]);
  });

  test(`#26 an approval goes out and comes back through prepareCall, for the call that was asked about and no other, ${name}`, async () => {
    const ran: string[] = [];
    const tools = guardTools(canaries(ran), createGuard({ policy }).session());
    const agent = (turns: Parameters<typeof scripted>[0]) =>
      new sdk.ToolLoopAgent({
        model: scripted(turns),
        tools: {},
        prepareCall: (options: object) => ({ ...options, tools }) as never,
        stopWhen: steps(3),
      });
    const first = await agent([[{ id: "c1", tool: "pay", input: { city: "Bern" } }], "done"]).generate({ prompt: "go" });
    const asked = first.content.find(({ type }) => type === "tool-approval-request") as { approvalId: string } | undefined;
    const response = { type: "tool-approval-response", approvalId: asked?.approvalId, approved: true };
    const messages = [{ role: "user", content: "go" }, ...first.response.messages, { role: "tool", content: [response] }] as ModelMessage[];
    expect(ran).toEqual([]);
    expect((await agent(["done"]).generate({ messages })).text).toBe("done");
    await agent(["done"]).generate({ messages });
    expect(ran).toEqual(["pay Bern"]);
  });

  test(`#26 tools of before that prepareCall puts in meet the guard at the client's transport, and only there, ${name}`, async () => {
    const ran: string[] = [];
    const server = new McpServer({ name: "sky", version: "1.0.0" });
    server.registerTool("weather", { inputSchema: { city: z.string() } }, ({ city }) => {
      ran.push(`remote ${city}`);
      return { content: [{ type: "text", text: city }] };
    });
    const [ours, theirs] = InMemoryTransport.createLinkedPair();
    await server.connect(theirs);
    const client = await createMCPClient({ transport: ours as never });
    const before = (await client.tools()) as ToolSet;
    const session = createGuard({ policy }).session();
    const tools = (await guardMCPClient(client, session).tools()) as ToolSet;
    const go = async (putIn: ToolSet, city: string) => {
      const model = scripted(calling(city));
      const prepareCall = (options: object) => ({ ...options, tools: putIn }) as never;
      await new sdk.ToolLoopAgent({ model, tools, prepareCall, stopWhen: steps(3) }).generate({ prompt: "go" });
      return JSON.stringify(shownOutputs(model, 1));
    };
    expect(await go(before, "Area 51")).toContain("[HOLDPOINT DENIED] Not there.");
    expect(ran).toEqual([]);
    expect(await go(before, "Bern")).toContain("Bern");
    // A local tool that nobody guarded has no transport: start-up says that it did not look there.
    expect(await go({ weather: canaries(ran).weather }, "Area 51")).not.toContain("DENIED");
    expect(ran).toEqual(["remote Bern", "weather Area 51"]);
    const { untested } = await assertEnforced(tools, session);
    expect(untested.map(({ path }) => path)).toContain("tools of `prepareCall`");
  });

  test(`#26 prepareStep can pick from the set, and put none in, ${name}`, async () => {
    const ran: string[] = [];
    const tools = guardTools(canaries(ran), createGuard({ policy }).session());
    const model = scripted(calling("Area 51"));
    const prepareStep = () => ({ activeTools: ["weather"], tools: canaries(ran) }) as never;
    await sdk.generateText({ model, tools, prompt: "go", stopWhen: steps(3), prepareStep });
    expect(shownOutputs(model, 1)).toEqual({ c1: denied });
    expect(ran).toEqual([]);
  });

  test(`#26 a deferred tool is the guarded one, whether the model found it or guessed its name, ${name}`, async () => {
    const ran: string[] = [];
    const audit = memoryAudit();
    const tools = guardTools(canaries(ran, { deferLoading: true }), createGuard({ policy, audit }).session());
    const model = scripted([
      [{ id: "c0", tool: "weather", input: { city: "Area 51" } }],
      [{ id: "c1", tool: "drop_table", input: {} }],
      "done",
    ]);
    await sdk.generateText({ model, tools, prompt: "go", stopWhen: steps(5) });
    expect(ran).toEqual([]);
    expect(JSON.stringify(model.doGenerateCalls.map(({ tools: offered }) => offered))).not.toContain("drop_table");
  });
}

const [seven] = majors;

test("[nothing-leaves-unchecked] #26 what toolSearch finds is guarded, and it finds no hidden tool", async () => {
  const ran: string[] = [];
  const tools = guardTools(canaries(ran, { deferLoading: true }), createGuard({ policy }).session());
  for (const run of ["generateText", "streamText"] as const) {
    const model = seven.model([
      [{ id: "s", tool: "search", input: { query: "weather" } }],
      [
        { id: "c1", tool: "weather", input: { city: "Area 51" } },
        { id: "c2", tool: "drop_table", input: {} },
      ],
      "done",
    ]);
    const result = seven.sdk[run]({ model, tools: { search: toolSearch(), ...tools }, prompt: "go", stopWhen: seven.steps(5) });
    expect(await (await result).text).toBe("done");
    const shown = shownOutputs(model, 2);
    expect(JSON.stringify(shown["s"])).toContain("the weather tool");
    expect(JSON.stringify(shown["s"])).not.toContain("drop_table");
    expect(shown["c1"]).toEqual(denied);
    expect(shown["c2"]).toMatchObject({ type: "error-text" });
  }
  expect(ran).toEqual([]);
});

test("[nothing-leaves-unchecked] #26 toolSearch itself, whose `execute` the SDK replaces, is refused when it is wrapped", async () => {
  const session = createGuard({ policy: { ...policy, tools: {} } }).session();
  const queries: string[] = [];
  const search = toolSearch({ search: ({ query }) => [String(queries.push(query))] });
  // Without the refusal the policy would say nothing about it: the SDK spreads the tool and puts its own function in.
  const model = seven.model([[{ id: "s", tool: "search", input: { query: "the secret" } }], "done"]);
  await seven.sdk.generateText({ model, tools: { search }, prompt: "go", stopWhen: seven.steps(3) });
  expect(queries).toEqual(["the secret"]);
  for (const set of [{ search }, { search: { ...search } }]) {
    const thrown = (() => {
      try {
        return guardTools(set, session);
      } catch (error) {
        return error;
      }
    })();
    expect(HoldpointError.is(thrown) && thrown.message).toBe(
      "tool `search` cannot be guarded: the AI SDK runs a `toolSearch` with a function of its own: leave it out of `guardTools` and add it to the tool set beside, unguarded",
    );
  }
});
