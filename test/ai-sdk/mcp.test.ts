import * as mcp2 from "@ai-sdk/mcp";
import * as mcp1 from "@ai-sdk/mcp-v1";
import { assertEnforced, guardMCPClient, guardTools } from "@holdpoint/ai-sdk";
import { createGuard, type GuardOptions, memoryApprovals, memoryAudit, refusalOf } from "@holdpoint/core";
import { guardTransport } from "@holdpoint/mcp";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import type { ModelMessage, ToolSet } from "ai";
import { expect, test } from "vitest";
import { z } from "zod";
import { majors, shownOutputs } from "./majors.ts";

const clients = [
  { client: "@ai-sdk/mcp 2", createMCPClient: mcp2.createMCPClient },
  { client: "@ai-sdk/mcp 1", createMCPClient: mcp1.createMCPClient as unknown as typeof mcp2.createMCPClient },
] as const;

const policy = {
  version: "1",
  default: "deny",
  hide: ["drop"],
  all_tools: { limits: [{ counter: "calls", window: { sliding: "1h" }, max: 3, scope: "grant" }] },
  tools: {
    echo: { deny_if: [{ conditions: [{ path: "args.text", op: "eq", value: "bad" }], on_deny: "Not that." }] },
    fail: {},
    pay: { require_approval: [{ conditions: [{ path: "args.n", op: "gt", value: 10 }], reason: "Over 10" }] },
  },
} as const satisfies GuardOptions["policy"];

/** A real MCP server in this process, and the calls that reached it. */
async function upstream() {
  const calls: string[] = [];
  const server = new McpServer({ name: "desk", version: "1.0.0" });
  server.registerTool("echo", { inputSchema: { text: z.string() } }, ({ text }) => {
    calls.push(`echo ${text}`);
    return { content: [{ type: "text", text }] };
  });
  server.registerTool("fail", { inputSchema: {} }, () => {
    calls.push("fail");
    return { content: [{ type: "text", text: "no such order" }], isError: true };
  });
  server.registerTool("pay", { inputSchema: { n: z.number() } }, ({ n }) => {
    calls.push(`pay ${n}`);
    return { content: [{ type: "text", text: `paid ${n}` }] };
  });
  server.registerTool("drop", { inputSchema: {} }, () => {
    calls.push("drop");
    return { content: [{ type: "text", text: "dropped" }] };
  });
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  await server.connect(theirs);
  return { calls, transport: ours };
}

/** Version 1 calls them `args`. */
const call = (name: string, args: Record<string, unknown>) => ({ name, arguments: args, args });

for (const { client, createMCPClient } of clients) {
  for (const { name, sdk, model: scripted, steps } of majors) {
    async function desk(options: Partial<GuardOptions> = {}) {
      const { calls, transport } = await upstream();
      const audit = memoryAudit();
      const guard = createGuard({ policy, audit, ...options });
      const session = guard.session({ user: "ann" });
      const connected = await createMCPClient({ transport: transport as never });
      const mcp = guardMCPClient(connected, session);
      return { calls, audit, guard, session, mcp, tools: (await mcp.tools()) as ToolSet };
    }
    const titled = (title: string) => `${title}: ${client}, ${name}`;

    test(titled("[decided-once] a call crosses the tool seam and the transport as one decision, one charge, one outcome"), async () => {
      const { calls, audit, tools, session, mcp } = await desk();
      for (const set of [tools, guardTools(tools, session), guardTools((await mcp.tools()) as ToolSet, session)]) {
        const model = scripted([[{ id: "c1", tool: "echo", input: { text: "hi" } }], "done"]);
        await sdk.generateText({ model, tools: set, prompt: "go", stopWhen: steps(3) });
        expect(shownOutputs(model, 1)).toMatchObject({ c1: { type: "content", value: [{ type: "text", text: "hi" }] } });
      }
      expect(calls).toEqual(["echo hi", "echo hi", "echo hi"]);
      expect(audit.events.map(({ type }) => type).filter((type) => type === "decision" || type === "outcome")).toEqual([
        "decision",
        "outcome",
        "decision",
        "outcome",
        "decision",
        "outcome",
      ]);
      const model = scripted([[{ id: "c4", tool: "echo", input: { text: "hi" } }], "done"]);
      await sdk.generateText({ model, tools, prompt: "go", stopWhen: steps(3) });
      expect(JSON.stringify(shownOutputs(model, 1))).toContain("execution-denied");
      expect(calls).toHaveLength(3);
    });

    test(
      titled("[nothing-leaves-unchecked] #19 execute, callTool, toolsFromDefinitions, a second tools(), the tools of before"),
      async () => {
        const { calls, transport } = await upstream();
        const raw = await createMCPClient({ transport: transport as never });
        const before = await raw.tools();
        const definitions = await raw.listTools();
        const mcp = guardMCPClient(raw, createGuard({ policy }).session());
        const given = { toolCallId: "c", messages: [], context: {} };
        const run = (tools: object) => (tools as ToolSet)["echo"]?.execute?.({ text: "bad" }, given);
        const results = [
          await run(await mcp.tools()),
          await run(await raw.tools()),
          await run(mcp.toolsFromDefinitions(definitions)),
          await run(before),
          await mcp.callTool(call("echo", { text: "bad" })),
          await raw.callTool(call("drop", {})),
        ];
        for (const result of results) expect(JSON.stringify(result)).toContain("[HOLDPOINT DENIED]");
        expect((await raw.listTools()).tools.map((tool) => tool.name)).toEqual(["echo", "fail", "pay"]);
        expect(calls).toEqual([]);
      },
    );

    test(titled("isError reaches the model as an error, and the trail as one"), async () => {
      const { tools, audit } = await desk();
      const model = scripted([[{ id: "c1", tool: "fail", input: {} }], "done"]);
      await sdk.generateText({ model, tools, prompt: "go", stopWhen: steps(3) });
      expect(shownOutputs(model, 1)).toEqual({ c1: { type: "error-text", value: "no such order" } });
      expect(audit.events.filter(({ type }) => type === "outcome")).toMatchObject([{ outcome: "tool_error" }]);
    });

    test(titled("an approval is asked once, in the SDK's flow, for both seams"), async () => {
      const { tools, calls, audit } = await desk();
      const first = await sdk.generateText({
        model: scripted([[{ id: "c1", tool: "pay", input: { n: 50 } }], "done"]),
        tools,
        prompt: "go",
        stopWhen: steps(3),
      });
      const request = first.content.find(({ type }) => type === "tool-approval-request") as { approvalId: string } | undefined;
      expect(calls).toEqual([]);
      const messages = [
        { role: "user", content: "go" },
        ...first.response.messages,
        { role: "tool", content: [{ type: "tool-approval-response", approvalId: request?.approvalId, approved: true }] },
      ] as ModelMessage[];
      const model = scripted(["done"]);
      await sdk.generateText({ model, tools, messages, stopWhen: steps(3) });
      expect(calls).toEqual(["pay 50"]);
      expect(shownOutputs(model, 0)).toMatchObject({ c1: { type: "content" } });
      expect(audit.events.filter(({ type }) => type === "decision")).toMatchObject([{ outcome: "allow", callId: "c1" }]);
      expect(audit.events.filter(({ type }) => type === "approval.requested")).toHaveLength(1);
    });

    test(titled("assertEnforced shows the client's paths, and names the tools that are not guarded"), async () => {
      const { mcp, session, tools, calls } = await desk();
      const { tested } = await assertEnforced(mcp, session);
      expect(tested).toEqual(expect.arrayContaining(["callTool", "transport.send", "tools().execute"]));
      await assertEnforced(tools, session);
      const bare = await createMCPClient({ transport: (await upstream()).transport as never });
      await expect(assertEnforced(bare, session)).rejects.toThrow("not guarded");
      await expect(assertEnforced((await bare.tools()) as ToolSet, session)).rejects.toThrow("the tool `echo`");
      expect(calls).toEqual([]);
    });
  }

  test(`[decided-once] retries of the client are charged each and asked once: ${client}`, async () => {
    const { transport } = await upstream();
    let lost = 0;
    const send = transport.send.bind(transport);
    transport.send = async (message, options) => {
      if ((message as { method?: string }).method === "tools/call" && lost++ < 1)
        throw Object.assign(new Error("reset"), { code: "ECONNRESET" });
      return send(message, options);
    };
    let asked = 0;
    const audit = memoryAudit();
    const guard = createGuard({
      policy: { ...policy, tools: { pay: { require_approval: [{ conditions: [] }] } } },
      audit,
      approve: () => ({ approved: ++asked > 0 }),
    });
    const mcp = guardMCPClient(await createMCPClient({ transport: transport as never, maxRetries: 1 }), guard.session());
    const tools = (await mcp.tools()) as ToolSet;
    const result = await tools["pay"]?.execute?.({ n: 5 }, { toolCallId: "c1", messages: [], context: {} });
    expect(result).toMatchObject({ content: [{ text: "paid 5" }] });
    expect(lost).toBe(2);
    expect(asked).toBe(1);
    expect(audit.events.filter((event) => event.type === "decision").map(({ attempt }) => attempt)).toEqual([1, 2]);
  });

  test(`[decided-once] one admitted call does not carry a thousand inner ones: ${client}`, async () => {
    const { calls, transport } = await upstream();
    const session = createGuard({ policy }).session();
    const mcp = guardMCPClient(await createMCPClient({ transport: transport as never }), session);
    const echo = {
      inputSchema: z.object({ text: z.string() }),
      async execute({ text }: { text: string }) {
        const inner = await Promise.allSettled(Array.from({ length: 1_000 }, () => mcp.callTool(call("echo", { text }))));
        return inner.length;
      },
    };
    await guardTools({ echo }, session).echo.execute({ text: "hi" });
    expect(calls).toHaveLength(3);
  });

  test(`guard.resume makes the call of an approved request, once: ${client}`, async () => {
    const { calls, transport } = await upstream();
    const guard = createGuard({ policy, approvals: memoryApprovals() });
    const mcp = guardMCPClient(await createMCPClient({ transport: transport as never }), guard.session(), { approval: "in_place" });
    const tools = (await mcp.tools()) as ToolSet;
    const output = await tools["pay"]?.execute?.({ n: 50 }, { toolCallId: "c1", messages: [], context: {} });
    const { id } = refusalOf(output)?.approval ?? { id: "" };
    await guard.approvals.approve(id, { by: "kim" });
    expect(await guard.resume(id)).toMatchObject({ content: [{ text: "paid 50" }] });
    await expect(guard.resume(id)).rejects.toThrow();
    expect(calls).toEqual(["pay 50"]);
  });

  test(`a refusal at the transport alone is the SDK's denied output too: ${client}`, async () => {
    const { calls, transport } = await upstream();
    const audit = memoryAudit();
    const strict = createGuard({ policy }).session();
    const lax = createGuard({ policy: { version: "1", default: "allow", tools: {} }, audit }).session();
    const tools = guardTools(
      (await guardMCPClient(await createMCPClient({ transport: transport as never }), strict).tools()) as ToolSet,
      lax,
    );
    const output = await tools["echo"]?.execute?.({ text: "bad" }, { toolCallId: "c1", messages: [], context: {} });
    expect(output).toMatchObject({ "holdpoint/decision": { outcome: "deny" }, message: "[HOLDPOINT DENIED] Not that." });
    const direct = guardTools(
      (await (await createMCPClient({ transport: guardTransport((await upstream()).transport, strict) as never })).tools()) as ToolSet,
      lax,
    );
    expect(await direct["echo"]?.execute?.({ text: "bad" }, { toolCallId: "c1", messages: [], context: {} })).toMatchObject({
      "holdpoint/decision": { outcome: "deny" },
    });
    expect(audit.events.filter((event) => event.type === "outcome").at(-1)).toMatchObject({ outcome: "unsent" });
    expect(calls).toEqual([]);
  });

  test(`a token is in no message, and another session's equal call is decided for itself: ${client}`, async () => {
    const { transport } = await upstream();
    const wire: string[] = [];
    const send = transport.send.bind(transport);
    transport.send = async (message, options) => {
      wire.push(JSON.stringify(message));
      return send(message, options);
    };
    const audit = memoryAudit();
    const guard = createGuard({ policy, audit });
    const mcp = await createMCPClient({ transport: guardTransport(transport, guard.session({ user: "ann" })) as never });
    const tools = guardTools((await mcp.tools()) as ToolSet, guard.session({ user: "eve" }));
    await tools["echo"]?.execute?.({ text: "hi" }, { toolCallId: "c1", messages: [], context: {} });
    expect(audit.events.filter((event) => event.type === "decision").map(({ identity }) => identity["user"])).toEqual(["eve", "ann"]);
    expect(wire.filter((message) => message.includes("tools/call"))).toHaveLength(1);
    expect(wire.join()).not.toMatch(/holdpoint|token/);
  });
}
