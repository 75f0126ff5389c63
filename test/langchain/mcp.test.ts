import { createRequire } from "node:module";
import { createGuard, memoryAudit, type PolicyDocument } from "@holdpoint/core";
import { assertEnforced, guardMcpServers, guardTools, holdpointMiddleware } from "@holdpoint/langchain";
import { guardClient } from "@holdpoint/mcp";
import { loadMcpTools, MultiServerMCPClient } from "@langchain/mcp-adapters";
import { type AgentMiddleware, createAgent, toolRetryMiddleware } from "langchain";
import { expect, test } from "vitest";
import { majors, upstream } from "../mcp/majors.ts";
import { ask, loose, modelCalling, told } from "./setting.ts";

const everything = {
  command: process.execPath,
  args: [createRequire(import.meta.url).resolve("@modelcontextprotocol/server-everything/dist/index.js")],
  stderr: "ignore" as const,
};

const bank: PolicyDocument = {
  version: "1",
  default: "deny",
  hide: ["delete_account"],
  tools: {
    balance: {},
    fail: {},
    pay: {
      require_approval: [{ conditions: [{ path: "args.amount", op: "gt", value: 20 }] }],
      limits: [{ counter: "payments", window: { sliding: "1h" }, max: 5 }],
    },
  },
};

function guardOn(policy: PolicyDocument | Record<string, PolicyDocument>, options: object = {}) {
  const audit = memoryAudit();
  const guard = createGuard({
    ...("version" in policy ? { policy: policy as PolicyDocument } : { policies: policy as Record<string, PolicyDocument> }),
    audit,
    ...options,
  });
  const decisions = () => audit.events.flatMap((event) => (event.type === "decision" ? [[event.outcome, event.code, event.tool]] : []));
  const count = (type: string) => audit.events.filter((event) => event.type === type).length;
  return { guard, decisions, count, session: guard.session({ user: "ann" }) };
}

for (const major of majors) {
  async function connected(setting: ReturnType<typeof guardOn>) {
    const { client, transport, server, calls } = await upstream(major);
    guardClient(client as never, setting.session);
    await client.connect(transport as never);
    return { tools: await loadMcpTools("bank", client as never), calls, client, server };
  }

  test(`[decided-once] middleware, guarded tools and a guarded client of SDK ${major} are one decision, one question and one charge`, async () => {
    let asked = 0;
    const setting = guardOn(bank, { approve: () => ({ approved: ++asked > 0 }) });
    const { tools, calls } = await connected(setting);
    expect(tools.map(({ name }) => name)).not.toContain("delete_account");
    const agent = createAgent({
      model: modelCalling([
        { name: "pay", args: { amount: 50, to: "ann" } },
        { name: "pay", args: { amount: 5, to: "bob" } },
        { name: "pay", args: { amount: "x", to: "bob" } },
      ]),
      tools: guardTools(tools, setting.session),
      middleware: [holdpointMiddleware(setting.session)],
    });
    const messages = told((await agent.invoke(ask)).messages);
    expect(messages.slice(0, 2)).toEqual([
      ["success", "paid 50 to ann"],
      ["success", "paid 5 to bob"],
    ]);
    expect(messages[2]?.[0]).toBe("error");
    expect(calls("pay")).toHaveLength(2);
    expect([asked, setting.count("outcome")]).toEqual([1, 2]);
    expect(setting.decisions()).toEqual([
      ["allow", "allowed", "pay"],
      ["allow", "allowed", "pay"],
    ]);
  });

  test(`a loaded tool, a guarded one and the raw client of SDK ${major} are one call each`, async () => {
    const setting = guardOn(bank);
    const { tools, calls, client } = await connected(setting);
    const pay = (list: typeof tools) => list.find(({ name }) => name === "pay") as (typeof tools)[number];
    await pay(tools).invoke({ amount: 1, to: "ann" });
    await pay(guardTools(tools, setting.session)).invoke({ amount: 2, to: "ann" });
    await client.callTool({ name: "pay", arguments: { amount: 3, to: "ann" } });
    expect([calls("pay").length, setting.decisions().length, setting.count("outcome")]).toEqual([3, 3, 3]);
    await expect(pay(tools).invoke({ amount: 50, to: "ann" })).rejects.toThrow("requires approval");
    expect(await pay(guardTools(tools, setting.session)).invoke({ amount: 50, to: "ann" })).toMatch(/^\[HOLDPOINT APPROVAL REQUIRED\]/);
    expect(calls("pay")).toHaveLength(3);
  });

  test(`[transparent-allow] an MCP error over SDK ${major} reads the same with and without the guard`, async () => {
    const { client, transport } = await upstream(major);
    await client.connect(transport as never);
    type Tools = Awaited<ReturnType<typeof loadMcpTools>>;
    const run = async (tools: Tools, middleware: readonly AgentMiddleware[]) => {
      const model = modelCalling([
        { name: "fail", args: {} },
        { name: "balance", args: {} },
      ]);
      return told((await createAgent({ model, tools, middleware }).invoke(ask)).messages);
    };
    const without = await run(await loadMcpTools("bank", client as never), []);
    const setting = guardOn(bank);
    const { tools } = await connected(setting);
    expect(await run(tools, [holdpointMiddleware(setting.session)])).toEqual(without);
    expect(without).toEqual([
      ["error", "ToolException: MCP tool 'fail' on server 'bank' returned an error: no\n Please fix your mistakes."],
      ["success", "100"],
    ]);
  });

  test(`a retried MCP call over SDK ${major} is charged for each send and asked about once (12)`, async () => {
    let asked = 0;
    const policy = {
      ...bank,
      tools: { fail: { require_approval: [{ conditions: [] }], limits: [{ counter: "fails", window: { sliding: "1h" }, max: 10 }] } },
    } as PolicyDocument;
    const setting = guardOn(policy, { approve: () => ({ approved: ++asked > 0 }) });
    const { tools, calls } = await connected(setting);
    const retry = toolRetryMiddleware({ maxRetries: 2, initialDelayMs: 1 });
    const agent = createAgent({
      model: modelCalling([{ name: "fail", args: {} }]),
      tools,
      middleware: [loose(retry), holdpointMiddleware(setting.session)],
    });
    await agent.invoke(ask);
    expect([asked, calls("fail").length, setting.decisions().length]).toEqual([1, 3, 3]);
  });
}

test("the schema that the server lists judges, not the one that the adapters simplify", async () => {
  const setting = guardOn({ version: "1", default: "allow" });
  const { client, transport, calls } = await upstream("1.x");
  guardClient(client as never, setting.session);
  await client.connect(transport as never);
  const tools = await loadMcpTools("bank", client as never);
  const loose = tools.find(({ name }) => name === "pay") as (typeof tools)[number];
  (loose as { schema: unknown }).schema = { type: "object", properties: {} };
  const [guarded] = guardTools([loose], setting.session);
  expect(await guarded?.invoke({ amount: "5", to: "ann" })).toMatch(/^\[HOLDPOINT DENIED\]/);
  expect(setting.decisions()).toMatchObject([["deny", "arguments_invalid", "pay"]]);
  expect(calls("pay")).toEqual([]);
});

test("a MultiServerMCPClient: each tool under its server's policy, its clients guarded too, its originals with them (33)", async () => {
  const open: PolicyDocument = { version: "1", default: "allow", hide: ["get-env"] };
  const tight: PolicyDocument = { version: "1", default: "deny", tools: { "get-sum": {} } };
  const setting = guardOn({ one: open, "two-2": tight });
  const multi = new MultiServerMCPClient({
    mcpServers: { one: everything, two: everything },
    prefixToolNameWithServerName: true,
    additionalToolNamePrefix: "mcp",
  });
  try {
    const tools = await guardMcpServers(multi, setting.session, { policyOf: (server) => (server === "two" ? "two-2" : server) });
    const names = tools.map(({ name }) => name);
    expect(names).toContain("mcp__one__echo");
    expect(names).not.toContain("mcp__one__get-env");
    const agent = createAgent({
      model: modelCalling([
        { name: "mcp__one__echo", args: { message: "hi" } },
        { name: "mcp__two__echo", args: { message: "hi" } },
        { name: "mcp__two__get-sum", args: { a: 2, b: 3 } },
      ]),
      tools,
      middleware: [holdpointMiddleware(setting.session)],
    });
    const messages = told((await agent.invoke(ask)).messages);
    expect(messages.map(([status]) => status)).toEqual(["success", "error", "success"]);
    expect(setting.decisions()).toHaveLength(3);
    await assertEnforced(tools);

    const raw = await multi.getClient("two");
    expect(await raw?.callTool({ name: "echo", arguments: { message: "hi" } })).toMatchObject({ isError: true });
    const original = (await multi.getTools("two")).find(({ name }) => name === "mcp__two__echo");
    await expect(original?.invoke({ message: "hi" })).rejects.toThrow("HOLDPOINT DENIED");
    expect(await guardMcpServers(multi, setting.session, { policyOf: (server) => (server === "two" ? "two-2" : server) })).toHaveLength(
      tools.length,
    );
  } finally {
    await multi.close();
  }
});

test("what `beforeToolCall` changes is checked again at the guarded connection, and the model's message keeps its arguments (33)", async () => {
  const policy: PolicyDocument = {
    version: "1",
    default: "deny",
    tools: { echo: { deny_if: [{ path: "args.message", op: "eq", value: "evil" }] } },
  };
  for (const [message, status] of [
    ["fine", "success"],
    ["evil", "error"],
  ] as const) {
    const setting = guardOn(policy);
    const multi = new MultiServerMCPClient({ mcpServers: { one: everything }, beforeToolCall: () => ({ args: { message } }) });
    try {
      const tools = await guardMcpServers(multi, setting.session);
      const agent = createAgent({
        model: modelCalling([{ name: "echo", args: { message: "hi" } }]),
        tools,
        middleware: [holdpointMiddleware(setting.session)],
      });
      const { messages } = await agent.invoke(ask);
      expect(told(messages)[0]?.[0]).toBe(status);
      expect((messages[1] as { tool_calls?: unknown[] }).tool_calls).toMatchObject([{ args: { message: "hi" } }]);
    } finally {
      await multi.close();
    }
  }
});

test("under tools-only the adapters read no resource of a server, and its tools are called all the same (16)", async () => {
  const uri = "demo://resource/dynamic/text/1";
  for (const egress of ["all", "tools-only"] as const) {
    const { session, count } = guardOn({ version: "1", default: "allow" });
    const multi = new MultiServerMCPClient({ mcpServers: { one: everything } });
    try {
      const tools = await guardMcpServers(multi, session, { egress });
      const reading = multi.readResource("one", uri);
      if (egress === "all") expect(await reading).toMatchObject([{ uri }]);
      else await expect(reading).rejects.toThrow("Only tool calls may leave");
      expect(await tools.find(({ name }) => name === "echo")?.invoke({ message: "hi" })).toContain("hi");
      expect(count("anomaly")).toBe(egress === "all" ? 0 : 1);
    } finally {
      await multi.close();
    }
  }
});
