import { createMCPClient } from "@ai-sdk/mcp";
import { lostConnection, type MockTransport, mockUpstream, noAnswer, protocolError, toolError } from "@holdpoint/testing";
import { upstreamHandlers } from "@holdpoint/testing/msw";
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { InMemoryTransport as InMemoryV2, McpServer as McpServerV2 } from "@modelcontextprotocol/server";
import { type HttpResponse, http } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import * as z from "zod";

const url = "https://mcp.example.com/mcp";
const network = setupServer();
beforeAll(() => network.listen({ onUnhandledFrame: "error" }));
afterEach(() => network.resetHandlers());
afterAll(() => network.close());

const weatherSchema = z.strictObject({ city: z.string() });
const reportSchema = z.strictObject({ degrees: z.number() });

interface Upstream {
  /** Where a client connects in memory. */
  memory(): Promise<MockTransport>;
  /** Serves it at `url`. */
  serve(answers: "json" | "sse"): void;
  /** Adds a tool `late`, and tells the clients. */
  change(): void;
  started: string[];
  aborted: string[];
}

function real(): Upstream {
  const started: string[] = [];
  const aborted: string[] = [];
  const server = new McpServer({ name: "weather", version: "2.0.0" }, { instructions: "Ask for one city." });
  server.registerTool(
    "get_weather",
    { title: "Weather", description: "Tells the weather", inputSchema: weatherSchema, annotations: { readOnlyHint: true } },
    ({ city }) => ({
      content: [{ type: "text", text: `sunny in ${city}` }],
    }),
  );
  server.registerTool("report", { outputSchema: reportSchema }, () => ({
    content: [{ type: "text", text: '{"degrees":21}' }],
    structuredContent: { degrees: 21 },
  }));
  server.registerTool("bad_report", { outputSchema: reportSchema }, () => ({ content: [] }));
  server.registerTool("refuse", {}, () => ({ content: [{ type: "text", text: "no station" }], isError: true }));
  server.registerTool("crash", {}, () => {
    throw new Error("out of stations");
  });
  server.registerTool("count", {}, async ({ _meta, sendNotification }) => {
    const progressToken = _meta?.progressToken;
    if (progressToken !== undefined) {
      for (const progress of [1, 2])
        await sendNotification({ method: "notifications/progress", params: { progressToken, progress, total: 2 } });
    }
    return { content: [] };
  });
  server.registerTool("hang", {}, ({ signal }) => {
    started.push("hang");
    signal.addEventListener("abort", () => aborted.push("hang"));
    return new Promise(() => undefined);
  });
  return {
    started,
    aborted,
    async memory() {
      const [client, other] = InMemoryTransport.createLinkedPair();
      await server.connect(other);
      return client as MockTransport;
    },
    serve(answers) {
      let transport = httpTransport();
      function httpTransport() {
        const made = new WebStandardStreamableHTTPServerTransport({
          sessionIdGenerator: () => crypto.randomUUID(),
          enableJsonResponse: answers === "json",
        });
        return { made, ready: server.connect(made) };
      }
      network.use(
        http.all(url, async ({ request }) => {
          await transport.ready;
          const response = await transport.made.handleRequest(request);
          if (request.method === "DELETE") transport = { made: transport.made, ready: Promise.resolve() };
          return response as HttpResponse<null>;
        }),
      );
    },
    change: () => void server.registerTool("late", {}, () => ({ content: [] })),
  };
}

function mock(like: "1.x" | "2.x" = "1.x"): Upstream {
  const started: string[] = [];
  const aborted: string[] = [];
  const upstream = mockUpstream(
    {
      get_weather: {
        title: "Weather",
        description: "Tells the weather",
        inputSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false },
        annotations: { readOnlyHint: true },
        handle: ({ city }: { city: string }) => `sunny in ${city}`,
      },
      report: {
        outputSchema: { type: "object", properties: { degrees: { type: "number" } }, required: ["degrees"], additionalProperties: false },
        handle: () => ({ degrees: 21 }),
      },
      bad_report: {
        outputSchema: { type: "object", properties: { degrees: { type: "number" } }, required: ["degrees"], additionalProperties: false },
        handle: () => ({ content: [] }),
      },
      refuse: () => toolError("no station"),
      crash: () => {
        throw new Error("out of stations");
      },
      count: (_args, { progress }) => {
        progress(1, 2);
        progress(2, 2);
      },
      hang: (_args, { signal }) => {
        started.push("hang");
        signal.addEventListener("abort", () => aborted.push("hang"));
        return new Promise(() => undefined);
      },
    },
    { name: "weather", version: "2.0.0", instructions: "Ask for one city.", unexpected: "answer", like },
  );
  return {
    started,
    aborted,
    memory: async () => upstream.transport(),
    serve: (answers) => network.use(...upstreamHandlers(upstream, url, { answers })),
    change: () => upstream.update({ late: () => undefined }),
  };
}

const wires = ["memory", "json", "sse"] as const;
type Wire = (typeof wires)[number];

async function v1(upstream: Upstream, wire: Wire) {
  const client = new Client({ name: "agent", version: "1.0.0" });
  const changed: unknown[] = [];
  client.fallbackNotificationHandler = async (notification) => void changed.push(notification.method);
  if (wire === "memory") await client.connect(await upstream.memory());
  else {
    upstream.serve(wire);
    // The SDK's own transport type does not bear `exactOptionalPropertyTypes`.
    await client.connect(new HttpV1(new URL(url)) as MockTransport);
  }
  return { client, changed };
}

async function v2(upstream: Upstream, wire: Wire) {
  const client = new ClientV2({ name: "agent", version: "1.0.0" });
  if (wire === "memory") await client.connect(await upstream.memory());
  else {
    upstream.serve(wire);
    await client.connect(new HttpV2(new URL(url)));
  }
  return client;
}

/** What the SDK adds to every definition is no part of what a tool says. */
function described(tools: readonly object[]) {
  return tools.map((tool) => {
    const { execution, _meta, ...said } = tool as { [key: string]: unknown };
    return JSON.parse(JSON.stringify(said, (key, value) => (key === "$schema" ? undefined : value)));
  });
}

/** What became of a call, with the text of schema errors cut off: each validator words its own. */
async function fate(call: Promise<unknown>): Promise<unknown> {
  try {
    return JSON.parse(
      JSON.stringify(await call, (key, value) =>
        key === "text" ? String(value).replace(/((Input|Output) validation error: [^:]*).*/s, "$1") : value,
      ),
    );
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    return { code, message };
  }
}

const calls = [
  { name: "get_weather", arguments: { city: "Oslo" } },
  { name: "get_weather", arguments: { city: 5 } },
  { name: "get_weather", arguments: { city: "Oslo", extra: true } },
  { name: "get_weather" },
  { name: "report" },
  { name: "bad_report" },
  { name: "refuse" },
  { name: "crash" },
  { name: "count" },
  { name: "no_such_tool", arguments: {} },
];

async function seenByV1(upstream: Upstream, wire: Wire) {
  const { client, changed } = await v1(upstream, wire);
  const before = await client.listTools();
  const fates = [];
  for (const call of calls) fates.push(await fate(client.callTool(call)));
  const progress: unknown[] = [];
  await client.callTool({ name: "count" }, CallToolResultSchema, { onprogress: (told) => progress.push(told) });
  const other = await fate(client.request({ method: "resources/list" }, z.any()));
  const unknown = await fate(client.request({ method: "server/discover" } as never, z.any()));
  const abort = new AbortController();
  const hanging = fate(client.callTool({ name: "hang" }, undefined, { signal: abort.signal }));
  await expect.poll(() => upstream.started).toEqual(["hang"]);
  abort.abort("no longer needed");
  const cancelled = await hanging;
  await expect.poll(() => upstream.aborted).toEqual(["hang"]);
  if (wire === "memory") {
    upstream.change();
    await expect.poll(() => changed).toContain("notifications/tools/list_changed");
  }
  const seen = {
    server: client.getServerVersion(),
    instructions: client.getInstructions(),
    capabilities: client.getServerCapabilities(),
    ping: await client.ping(),
    tools: described(before.tools),
    fates,
    progress,
    other,
    unknown,
    cancelled,
    after: (await client.listTools()).tools.map((tool) => tool.name),
  };
  await client.close();
  return seen;
}

for (const wire of wires) {
  test(`over ${wire}, an SDK 1.x client sees the same of the mock as of the SDK's own server`, async () => {
    const ofReal = await seenByV1(real(), wire);
    network.resetHandlers();
    expect(await seenByV1(mock(), wire)).toEqual(ofReal);
  });

  test(`over ${wire}, an SDK 2.x client sees the same of the mock as of the SDK's own server`, async () => {
    async function seen(upstream: Upstream) {
      const client = await v2(upstream, wire);
      const tools = described((await client.listTools()).tools);
      const fates = [];
      for (const call of calls) fates.push(await fate(client.callTool(call)));
      const progress: unknown[] = [];
      await client.callTool({ name: "count" }, { onprogress: (told) => progress.push(told) });
      await client.close();
      return { tools, fates, progress };
    }
    const ofReal = await seen(real());
    network.resetHandlers();
    expect(await seen(mock())).toEqual(ofReal);
  });

  test(`over ${wire}, the AI SDK's client sees the same of the mock as of the SDK's own server`, async () => {
    async function seen(upstream: Upstream) {
      if (wire !== "memory") upstream.serve(wire);
      const client = await createMCPClient({ transport: wire === "memory" ? await upstream.memory() : { type: "http", url } });
      const tools = Object.keys(await client.tools());
      const fates = [];
      for (const { name, arguments: args = {} } of calls) fates.push(await fate(client.callTool({ name, arguments: args })));
      await client.close();
      return { tools, fates };
    }
    const ofReal = await seen(real());
    network.resetHandlers();
    expect(await seen(mock())).toEqual(ofReal);
  });
}

test("a mock that is like a server of SDK 2.x refuses as that one does", async () => {
  const server = new McpServerV2({ name: "weather", version: "2.0.0" });
  server.registerTool("get_weather", { inputSchema: weatherSchema }, ({ city }) => ({
    content: [{ type: "text", text: `sunny in ${city}` }],
  }));
  server.registerTool("report", { outputSchema: reportSchema }, () => ({
    content: [{ type: "text", text: '{"degrees":21}' }],
    structuredContent: { degrees: 21 },
  }));
  server.registerTool("bad_report", { outputSchema: reportSchema }, () => ({ content: [] }));
  server.registerTool("refuse", {}, () => ({ content: [{ type: "text", text: "no station" }], isError: true }));
  server.registerTool("crash", {}, () => {
    throw new Error("out of stations");
  });
  server.registerTool("count", {}, () => ({ content: [] }));
  async function seen(transport: MockTransport) {
    const client = new Client({ name: "agent", version: "1.0.0" });
    await client.connect(transport);
    const fates = [];
    for (const call of calls) fates.push(await fate(client.callTool(call)));
    await client.close();
    return fates;
  }
  const [near, far] = InMemoryV2.createLinkedPair();
  await server.connect(far);
  expect(await seen(await mock("2.x").memory())).toEqual(await seen(near as MockTransport));
});

const post = (headers: Record<string, string>, body: unknown = { jsonrpc: "2.0", id: 1, method: "ping" }) => ({
  method: "POST",
  headers: { accept: "application/json, text/event-stream", "content-type": "application/json", ...headers },
  body: typeof body === "string" ? body : JSON.stringify(body),
});
const initialize = {
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "agent", version: "1.0.0" } },
};

test.each([
  ["a POST that accepts no events", () => post({ accept: "application/json" })],
  ["a POST that is no JSON", () => post({ "content-type": "text/plain" })],
  ["a POST that does not parse", () => post({}, "{")],
  ["a POST without a session", () => post({})],
  ["a POST of another session", () => post({ "mcp-session-id": "no-such-session" })],
  ["a POST of an unknown version", (session: string) => post({ "mcp-session-id": session, "mcp-protocol-version": "1999-01-01" })],
  ["a notification", (session: string) => post({ "mcp-session-id": session }, { jsonrpc: "2.0", method: "notifications/initialized" })],
  ["a ping", (session: string) => post({ "mcp-session-id": session })],
  ["a GET without events", () => ({ method: "GET", headers: { accept: "text/html" } })],
  ["a GET without a session", () => ({ method: "GET", headers: { accept: "text/event-stream" } })],
  ["a PUT", () => ({ method: "PUT" })],
  ["a DELETE without a session", () => ({ method: "DELETE" })],
  ["a DELETE", (session: string) => ({ method: "DELETE", headers: { "mcp-session-id": session } })],
])("over HTTP, %s is answered with the status and body of the SDK's own server", async (_title, request) => {
  async function seen(upstream: Upstream) {
    upstream.serve("json");
    const opened = await fetch(url, post({}, initialize));
    const session = opened.headers.get("mcp-session-id") as string;
    const response = await fetch(url, request(session));
    const body = await response.text();
    return { opened: await opened.json(), status: response.status, allow: response.headers.get("allow"), body: body && JSON.parse(body) };
  }
  const ofReal = await seen(real());
  network.resetHandlers();
  expect(await seen(mock())).toEqual(ofReal);
});

test("over HTTP, a changed tool list reaches the client by the stream of its session", async () => {
  await using upstream = mockUpstream({ read: () => "text" });
  network.use(...upstreamHandlers(upstream, url, { answers: "sse" }));
  const client = new Client({ name: "agent", version: "1.0.0" });
  const changed: string[] = [];
  client.fallbackNotificationHandler = async ({ method }) => void changed.push(method);
  await client.connect(new HttpV1(new URL(url)) as MockTransport);
  await expect.poll(() => upstream.requests.some(({ method }) => method === "notifications/initialized")).toBe(true);
  await expect
    .poll(() => {
      if (changed.length === 0) upstream.update({ read: { description: "reads another thing", handle: () => "text" } });
      return changed;
    })
    .toContain("notifications/tools/list_changed");
  expect((await client.listTools()).tools[0]?.description).toBe("reads another thing");
  await client.close();
});

test("a lost connection is a failed request over HTTP, and a closed client in memory", async () => {
  const upstream = mockUpstream({ pay: () => lostConnection() });
  const inMemory = new Client({ name: "agent", version: "1.0.0" });
  await inMemory.connect(upstream.transport());
  await expect(inMemory.callTool({ name: "pay" })).rejects.toThrow("Connection closed");
  for (const answers of ["json", "sse"] as const) {
    network.resetHandlers(...upstreamHandlers(upstream, url, { answers }));
    const client = await createMCPClient({ transport: { type: "http", url } });
    await expect(client.callTool({ name: "pay", arguments: {} })).rejects.toThrow();
    await client.close();
  }
  expect(upstream.callsTo("pay")).toHaveLength(3);
  await upstream.close();
});

test("without sessions, every request stands alone", async () => {
  await using upstream = mockUpstream({ read: () => "text" });
  network.use(...upstreamHandlers(upstream, url, { sessions: false }));
  const client = new ClientV2({ name: "agent", version: "1.0.0" });
  await client.connect(new HttpV2(new URL(url)));
  expect((await client.callTool({ name: "read" })).content).toEqual([{ type: "text", text: "text" }]);
  expect(new Set(upstream.requests.map(({ session }) => session)).size).toBe(upstream.requests.length);
  await client.close();
});

test("protocol errors, silence, pages and delays are a line each", async () => {
  await using upstream = mockUpstream(
    {
      broken: () => protocolError(-32603, "out of memory", { free: 0 }),
      silent: () => noAnswer(),
      slow: { delay: "5ms", handle: () => "at last" },
    },
    { pageSize: 1 },
  );
  const client = new Client({ name: "agent", version: "1.0.0" });
  await client.connect(upstream.transport());
  await expect(client.callTool({ name: "broken" })).rejects.toMatchObject({ code: -32603, data: { free: 0 } });
  await expect(client.callTool({ name: "silent" }, undefined, { timeout: 20 })).rejects.toMatchObject({ code: -32001 });
  expect((await client.callTool({ name: "slow" })).content).toEqual([{ type: "text", text: "at last" }]);
  const first = await client.listTools();
  expect(first.tools.map(({ name }) => name)).toEqual(["broken"]);
  expect((await client.listTools({ cursor: first.nextCursor as string })).tools.map(({ name }) => name)).toEqual(["silent"]);
});

test("what reached the mock is kept, typed, with the headers it came with", async () => {
  await using upstream = mockUpstream({ transfer: ({ amount }: { amount: number; to: string }) => `moved ${amount}`, ping: () => "pong" });
  network.use(...upstreamHandlers(upstream, url));
  const client = new ClientV2({ name: "agent", version: "1.0.0" });
  await client.connect(new HttpV2(new URL(url), { requestInit: { headers: { authorization: "Bearer t" } } }));
  await client.callTool({ name: "transfer", arguments: { amount: 5, to: "ann" } });
  await client.callTool({ name: "ping" });
  const [transfer] = upstream.callsTo("transfer");
  const amount: number | undefined = transfer?.arguments.amount;
  expect(amount).toBe(5);
  expect(transfer?.request.headers?.authorization).toBe("Bearer t");
  expect(upstream.calls.map((call) => (call.tool === "transfer" ? call.arguments.to : call.tool))).toEqual(["ann", "ping"]);
  expect(upstream.requests.map(({ method }) => method)).toEqual(["initialize", "notifications/initialized", "tools/call", "tools/call"]);
  await client.close();
});

test("a call to a tool that is not there fails the test that made it", async () => {
  const upstream = mockUpstream({ read: () => "text" });
  const client = new Client({ name: "agent", version: "1.0.0" });
  await client.connect(upstream.transport());
  expect(await client.callTool({ name: "wipe", arguments: { all: true } })).toMatchObject({ isError: true });
  await expect(upstream.close()).rejects.toThrow(
    'a call reached the mock upstream and should not have been made:\n  wipe {"all":true}: the tools are read',
  );
  await upstream.close();
});

test("a mock with a schema that cannot be used is refused at once", () => {
  expect(() => mockUpstream({ read: { inputSchema: { type: "objet" }, handle: () => "text" } })).toThrow(
    "mock tool `read`: `inputSchema` cannot be used",
  );
});

test("over HTTP, a session has one standing stream, as with the SDK's own server", async () => {
  async function seen(answer: (request: Request) => Promise<Response>) {
    const opened = await answer(new Request(url, post({}, initialize)));
    const headers = { accept: "text/event-stream", "mcp-session-id": opened.headers.get("mcp-session-id") as string };
    const [first, second] = [await answer(new Request(url, { headers })), await answer(new Request(url, { headers }))];
    return [opened.status, first.status, first.headers.get("content-type"), second.status, await second.json()];
  }
  const transport = new WebStandardStreamableHTTPServerTransport({
    sessionIdGenerator: () => crypto.randomUUID(),
    enableJsonResponse: true,
  });
  await new McpServer({ name: "weather", version: "2.0.0" }).connect(transport);
  const ofReal = await seen((request) => transport.handleRequest(request));
  await transport.close();
  await using upstream = mockUpstream({});
  expect(await seen(upstream.http())).toEqual(ofReal);
});

test("a cancelled call is never answered, even if its handler goes on", async () => {
  let finish: (text: string) => void = () => undefined;
  await using upstream = mockUpstream({ slow: () => new Promise((resolve) => (finish = resolve)), quick: () => "quick" });
  const transport = upstream.transport();
  const received: unknown[] = [];
  transport.onmessage = (message) => void received.push((message as { id: number }).id);
  await transport.start();
  await transport.send({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "slow" } });
  await expect.poll(() => upstream.calls.length).toBe(1);
  await transport.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } });
  finish("too late");
  await transport.send({ jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "quick" } });
  await expect.poll(() => received).toEqual([2]);
});

test("what crosses the connection in memory is JSON, and no object of the other side", async () => {
  const kept = { content: [{ type: "text", text: "kept" }] };
  await using upstream = mockUpstream({ read: () => kept });
  const transport = upstream.transport();
  const received: { result: typeof kept }[] = [];
  transport.onmessage = (message) => void received.push(message as { result: typeof kept });
  await transport.start();
  const params = { name: "read", arguments: { path: "/a", left: undefined } };
  await transport.send({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
  params.arguments.path = "/b";
  await expect.poll(() => received.length).toBe(1);
  expect(upstream.calls[0]?.arguments).toStrictEqual({ path: "/a" });
  expect(received[0]?.result).toEqual(kept);
  expect(received[0]?.result).not.toBe(kept);
  await expect(
    transport.send({ jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "read", arguments: { n: 1n } } }),
  ).rejects.toThrow("BigInt");
  await transport.close();
  await expect(transport.send({ jsonrpc: "2.0", id: 3, method: "ping" })).rejects.toThrow("Not connected");
});
