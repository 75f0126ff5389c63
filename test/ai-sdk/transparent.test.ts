// The same agent with and without the guard. What differs is listed in docs/ai-sdk.md, under "What an allowed call sees", and is pinned here.
import { readFileSync } from "node:fs";
import { createMCPClient } from "@ai-sdk/mcp";
import { guardMCPClient, guardTools } from "@holdpoint/ai-sdk";
import { createGuard, definePolicy } from "@holdpoint/core";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { jsonSchema, type Tool, type ToolSet, tool } from "ai";
import { expect, test } from "vitest";
import { z } from "zod";
import { majors, shownOutputs, type Turn } from "./majors.ts";

const policy = definePolicy({ version: "1", default: "allow", tools: {} });
const schema = jsonSchema<{ n: number }>({ type: "object", properties: { n: { type: "number" } } });

class OutOfPaper extends Error {
  override name = "OutOfPaper";
}

/** Local tools of every kind, whose outputs are not all JSON, and the tools of a real MCP server. */
async function everyTool(guarded: boolean): Promise<ToolSet> {
  const session = createGuard({ policy }).session();
  const server = new McpServer({ name: "desk", version: "1.0.0" });
  server.registerTool("remote", { inputSchema: { n: z.number() } }, ({ n }) => ({
    content: [{ type: "text", text: `remote ${n}` }],
    _meta: { "acme/cost": n, "holdpoint/decision": "forged" },
  }));
  server.registerTool("failing", { inputSchema: {} }, () => ({ content: [{ type: "text", text: "no such order" }], isError: true }));
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  await server.connect(theirs);
  const client = await createMCPClient({ transport: ours as never });
  const local: ToolSet = {
    object: tool({ inputSchema: schema, execute: async ({ n }) => ({ n, when: new Date(0), gone: undefined }) }),
    text: tool({ inputSchema: schema, metadata: { a: 1 }, execute: async ({ n }) => `text ${n}` }),
    nothing: tool({ inputSchema: schema, execute: async (): Promise<unknown> => undefined }),
    shaped: tool({
      inputSchema: schema,
      execute: async ({ n }) => n,
      toModelOutput: ({ output }) => ({ type: "text", value: `shaped ${output}` }),
    }),
    throwing: tool({
      inputSchema: schema,
      execute: async (): Promise<unknown> => {
        throw new OutOfPaper("out of paper");
      },
    }),
    streaming: tool({
      inputSchema: schema,
      async *execute({ n }) {
        yield `part of ${n}`;
        yield `all of ${n}`;
      },
    }),
    plain: tool({ inputSchema: schema, execute: ({ n }) => n + 1 }),
  };
  const remote = (await (guarded ? guardMCPClient(client, session) : client).tools()) as Record<string, Tool>;
  return { ...(guarded ? guardTools(local, session) : local), ...remote };
}

const names = ["object", "text", "nothing", "shaped", "throwing", "streaming", "plain", "remote", "failing"];
const turns: Turn[] = [names.map((name) => ({ id: `c-${name}`, tool: name, input: name === "failing" ? {} : { n: 3 } })), "done"];

/** Ids and times are new in every run. */
function steady(value: unknown): unknown {
  const text = JSON.stringify(value, (key, part: unknown) => {
    if (part instanceof Error) return { name: part.name, message: part.message };
    return /^(id|callId|messageId|timestamp|.*Ms|.*PerSecond|headers)$/.test(key) ? undefined : part;
  });
  return JSON.parse(text);
}

type Output = { toolCallId?: string; output?: unknown; preliminary?: boolean };
const of = (call: string) => (part: unknown) => (part as Output).toolCallId === call;

for (const { name, sdk, model: scripted, steps } of majors) {
  test(`[transparent-allow] generateText gives equal messages, results and prompts, but for what the docs list, ${name}`, async () => {
    const [without, within] = await Promise.all(
      [false, true].map(async (guarded) => {
        const model = scripted(turns);
        const result = await sdk.generateText({ model, tools: await everyTool(guarded), prompt: "go", stopWhen: steps(3) });
        return {
          shown: steady(shownOutputs(model, 1)) as Record<string, unknown>,
          content: steady(result.steps.map((step) => step.content)),
          text: result.text,
          tools: steady(model.doGenerateCalls[0]?.tools),
        };
      }),
    );
    expect(within?.shown["c-failing"]).toEqual({ type: "error-text", value: "no such order" });
    expect(without?.shown["c-failing"]).toEqual({ type: "content", value: [{ type: "text", text: "no such order" }] });
    expect({ ...within?.shown, "c-failing": 0 }).toEqual({ ...without?.shown, "c-failing": 0 });
    expect(within?.text).toBe(without?.text);
    expect(within?.tools).toEqual(without?.tools);
    expect(JSON.stringify(without?.content)).toContain("holdpoint/decision");
    expect(within?.content).toEqual(JSON.parse(JSON.stringify(without?.content).replace(',"holdpoint/decision":"forged"', "")));
  });

  test(`[transparent-allow] streamText gives equal parts, but for what the docs list, ${name}`, async () => {
    const [without = [], within = []] = await Promise.all(
      [false, true].map(async (guarded) => {
        const result = sdk.streamText({ model: scripted(turns), tools: await everyTool(guarded), prompt: "go", stopWhen: steps(3) });
        const parts: unknown[] = [];
        for await (const part of result.fullStream) parts.push(steady(part));
        return parts;
      }),
    );
    for (const tool of names.filter((each) => each !== "plain" && each !== "remote"))
      expect(within.filter(of(`c-${tool}`))).toEqual(without.filter(of(`c-${tool}`)));
    const results = (parts: unknown[]) => parts.filter(of("c-plain")).map((part) => (part as Output).preliminary);
    expect(results(without).filter(Boolean)).toEqual([]);
    expect(results(within).filter(Boolean)).toEqual([true]);
    const ofNoTool = (part: unknown) => (part as Output).toolCallId === undefined;
    expect(within.filter(ofNoTool)).toEqual(without.filter(ofNoTool));
  });
}

test("[transparent-allow] execute gets the very options that the SDK gave, and `this` is the tool", async () => {
  const seen: unknown[] = [];
  const look = {
    inputSchema: schema,
    async execute(this: unknown, _input: { n: number }, options: object) {
      seen.push(this, options);
    },
  };
  const options = { toolCallId: "c1", messages: [], abortSignal: new AbortController().signal, context: { a: 1 } };
  await guardTools({ look }, createGuard({ policy }).session()).look.execute({ n: 1 }, options);
  expect(seen[0]).toBe(look);
  expect(seen[1]).toBe(options);
});

test("a call whose input is no longer JSON is denied, and says where", async () => {
  const when = z.object({ when: z.coerce.date() });
  const { remind } = guardTools({ remind: tool({ inputSchema: when, execute: async () => "set" }) }, createGuard({ policy }).session());
  const output = await remind.execute?.(when.parse({ when: "2026-01-01" }), { toolCallId: "c1", messages: [], context: {} });
  expect(output).toMatchObject({ message: expect.stringContaining("the argument at `/when`") });
});

test("onInputAvailable of a call that is held stays silent", async () => {
  const told: unknown[] = [];
  const held = definePolicy({ version: "1", default: "deny", tools: { pay: { require_approval: [{ conditions: [] }] } } });
  const pay = tool({ inputSchema: schema, onInputAvailable: ({ input }) => void told.push(input), execute: async () => "paid" });
  const tools = guardTools({ pay }, createGuard({ policy: held }).session());
  await majors[0].sdk.generateText({ model: majors[0].model([[{ id: "c1", tool: "pay", input: { n: 1 } }]]), tools, prompt: "go" });
  expect(told).toEqual([]);
});

test("the docs list each difference that is shown here, and no other", () => {
  const page = readFileSync(new URL("../../docs/ai-sdk.md", import.meta.url), "utf8");
  const list = page.split("## What an allowed call sees")[1]?.split("\n## ")[0] ?? "";
  expect(list.match(/^- \*\*.+?\*\*/gm)).toEqual([
    "- **`isError`**",
    "- **A preliminary part**",
    "- **Keys of ours**",
    "- **JSON alone**",
    "- **`onInputAvailable`**",
  ]);
});
