import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createGuard } from "@holdpoint/core";
import { guardMcpServers, guardTools, holdpointMiddleware } from "@holdpoint/langchain";
import { guardClient } from "@holdpoint/mcp";
import { BaseCallbackHandler } from "@langchain/core/callbacks/base";
import { DynamicStructuredTool, tool } from "@langchain/core/tools";
import { Command } from "@langchain/langgraph";
import { loadMcpTools, MultiServerMCPClient } from "@langchain/mcp-adapters";
import { type AgentMiddleware, createAgent, createMiddleware, HumanMessage } from "langchain";
import { expect, test } from "vitest";
import { z } from "zod";
import { upstream } from "../mcp/majors.ts";
import { allOf, ask, type Calls, loose, modelCalling, told } from "./setting.ts";

const session = () => createGuard({ policy: { version: "1", default: "allow" } }).session();
const everything = {
  command: process.execPath,
  args: [createRequire(import.meta.url).resolve("@modelcontextprotocol/server-everything/dist/index.js")],
  stderr: "ignore" as const,
};

const echo = tool(({ said }) => said, { name: "echo", description: "", schema: z.object({ said: z.string().default("hi") }) });

const local = [
  echo,
  tool(() => ({ deep: { list: [1, null] } }), { name: "object", description: "", schema: z.object({}) }),
  tool(() => ["seen", { pixels: 3 }], { name: "artifact", description: "", schema: z.object({}), responseFormat: "content_and_artifact" }),
  tool(() => [{ type: "text", text: "a" }], { name: "blocks", description: "", schema: z.object({}) }),
  tool(() => Promise.reject(new RangeError("out")), { name: "broken", description: "", schema: z.object({}) }),
  tool((text: string) => `<${text}>`, { name: "text", description: "", schema: z.string() }),
  tool(
    async function* () {
      yield "one";
      yield "two";
      return "three";
    },
    { name: "chunks", description: "", schema: z.object({}) },
  ),
  tool(() => new Command({ update: { messages: [new HumanMessage("from a command")] } }), {
    name: "command",
    description: "",
    schema: z.object({}),
  }),
];

const calls: Calls = [
  { name: "echo", args: {} },
  { name: "object", args: {} },
  { name: "artifact", args: {} },
  { name: "blocks", args: {} },
  { name: "broken", args: {} },
  { name: "text", args: { input: "x" } },
  { name: "chunks", args: {} },
];

/** What a run says of itself, without the random ids. */
async function record(tools: readonly unknown[], middleware: readonly AgentMiddleware[], turns: Calls = calls) {
  const events: unknown[] = [];
  const handler = BaseCallbackHandler.fromMethods({
    handleToolStart: (_tool, input, _run, _parent, _tags, _metadata, name) => void events.push(["start", name, input]),
    handleToolEnd: (output) => void events.push(["end", (output as { content?: unknown }).content]),
    handleToolError: (error) => void events.push(["error", String(error)]),
  });
  const agent = createAgent({ model: modelCalling(turns), tools: tools as never, middleware });
  const { messages } = await agent.invoke(ask, { callbacks: [handler] });
  const plain = messages.map((message) => ({ ...message.toDict().data, id: undefined, type: message.type, lc_kwargs: undefined }));
  return JSON.parse(JSON.stringify({ plain, events: events.map((event) => JSON.stringify(event)).sort() }));
}

test("[transparent-allow] tools of every kind: the same messages, artifacts and callbacks with and without the guard", async () => {
  const without = await record(local, []);
  expect(without.plain).toHaveLength(calls.length + 3);
  expect(without.events.length).toBe(2 * calls.length);
  expect(await record(local, [holdpointMiddleware(session())])).toEqual(without);
  expect(await record(guardTools(local as never[], session()), [])).toEqual(without);
  const both = session();
  expect(await record(guardTools(local as never[], both), [holdpointMiddleware(both)])).toEqual(without);
});

test("[transparent-allow] commands steer the graph with and without the guard", async () => {
  const turn = [{ name: "command", args: {} }];
  const without = await record(local, [], turn);
  expect(JSON.stringify(without)).toContain("from a command");
  expect(await record(local, [holdpointMiddleware(session())], turn)).toEqual(without);
});

test("[transparent-allow] the tools of a real MCP server: the same messages and artifacts with and without the guard", async () => {
  const turns = [
    { name: "echo", args: { message: "hi" } },
    { name: "get-sum", args: { a: 2, b: 3 } },
    { name: "get-annotated-message", args: { messageType: "error", includeImage: true } },
    { name: "get-resource-links", args: { count: 2 } },
    { name: "get-structured-content", args: { location: "Chicago" } },
    { name: "get-tiny-image", args: {} },
  ];
  const clients = [0, 1].map(() => new MultiServerMCPClient({ mcpServers: { everything } }));
  try {
    const [one, other] = clients as [MultiServerMCPClient, MultiServerMCPClient];
    const guarded = session();
    const without = await record(await one.getTools(), [], turns);
    expect(await record(await guardMcpServers(other, guarded), [holdpointMiddleware(guarded)], turns)).toEqual(without);
  } finally {
    for (const client of clients) await client.close();
  }
});

/** Each difference that the page names, as a test that sees it. */
const differences: Record<string, () => Promise<void>> = {
  async "Schema errors"() {
    const run = async (middleware: readonly AgentMiddleware[]) => {
      const agent = createAgent({ model: modelCalling([{ name: "echo", args: { said: 5 } }]), tools: [echo], middleware });
      return String(told((await agent.invoke(ask)).messages)[0]?.[1]);
    };
    const [without, guarded] = [await run([]), await run([holdpointMiddleware(session())])];
    expect(without).toMatch(/\n {4}at /);
    expect(guarded).not.toMatch(/\n {4}at /);
    expect(guarded.split("\n").every((line) => without.includes(line))).toBe(true);
  },
  async "An unknown tool"() {
    const agent = createAgent({
      model: modelCalling([{ name: "nothing", args: {} }]),
      tools: [echo],
      middleware: [holdpointMiddleware(session())],
    });
    expect(told((await agent.invoke(ask)).messages)).toEqual([["error", "[HOLDPOINT DENIED] Tool `nothing` is not available."]]);
  },
  async "JSON alone"() {
    const date = tool(({ day }) => String(day.getTime()), { name: "date", description: "", schema: z.object({ day: z.coerce.date() }) });
    const [guarded] = guardTools([date], session());
    expect(await guarded?.invoke({ day: "2026-01-31" })).toContain("an instance of a class is not JSON");
  },
  async "A tool's error"() {
    const thrown = new RangeError("out");
    const seen: unknown[] = [];
    const outer = createMiddleware({
      name: "Outer",
      wrapToolCall: async (request, handler) => {
        try {
          return await handler(request);
        } catch (error) {
          seen.push(error);
          throw error;
        }
      },
    });
    const broken = tool(() => Promise.reject(thrown), { name: "echo", description: "", schema: z.object({}) });
    const agent = createAgent({
      model: modelCalling([{ name: "echo", args: {} }]),
      tools: [broken],
      middleware: [loose(outer), holdpointMiddleware(session())],
    });
    await agent.invoke(ask);
    const [error] = seen as [RangeError];
    expect(error).toBeInstanceOf(RangeError);
    expect([error.cause, error.message, thrown.message]).toEqual([thrown, "RangeError: out\n Please fix your mistakes.", "out"]);
  },
  async "A step"() {
    const run = async (middleware: readonly AgentMiddleware[]) => {
      const agent = createAgent({ model: modelCalling([{ name: "echo", args: {} }]), tools: [echo], middleware });
      return (await allOf(await agent.stream(ask, { streamMode: "updates" }))).flatMap((chunk) => Object.keys(chunk as object));
    };
    const more = "HoldpointMiddleware.after_model";
    expect(await run([])).toEqual(["model_request", "tools", "model_request"]);
    expect((await run([holdpointMiddleware(session())])).filter((step) => step !== more)).toEqual([
      "model_request",
      "tools",
      "model_request",
    ]);
  },
  async "Synchronous functions"() {
    const sync = new DynamicStructuredTool({ name: "sync", description: "", schema: z.object({}), func: (() => "now") as never });
    const [guarded] = guardTools([sync], session());
    expect(sync.func({})).toBe("now");
    expect(guarded?.func({})).toBeInstanceOf(Promise);
  },
  async "Provider tools"() {
    const search = { type: "web_search", name: "web_search" };
    const run = (middleware: readonly AgentMiddleware[]) => createAgent({ model: modelCalling(), tools: [search], middleware }).invoke(ask);
    await expect(run([])).resolves.toBeDefined();
    await expect(run([holdpointMiddleware(session())])).rejects.toThrow("run by the model's provider");
  },
  async "Keys of ours"() {
    const { client, transport } = await upstream("1.x");
    guardClient(client as never, session());
    await client.connect(transport as never);
    const rate = (await loadMcpTools("bank", client as never)).find(({ name }) => name === "rate");
    const message = await rate?.invoke({ type: "tool_call", id: "1", name: "rate", args: {} });
    expect(JSON.stringify(message)).toContain("bank/branch");
    expect(JSON.stringify(message)).not.toContain("holdpoint/decision");
  },
};

const listed = readFileSync(new URL("../../docs/langchain.md", import.meta.url), "utf8")
  .split("## What an allowed call sees")[1]
  ?.split("\n## ")[0]
  ?.matchAll(/^- \*\*(.+?)\*\*/gm);

test("every difference that the page lists is shown, and no other", () => {
  expect([...(listed ?? [])].map(([, title]) => title)).toEqual(Object.keys(differences));
});

for (const [title, shows] of Object.entries(differences)) test(`[transparent-allow] a difference that is listed: ${title}`, shows);
