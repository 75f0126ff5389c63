import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { definePolicy } from "@holdpoint/core";
import { type Cassette, mockUpstream, recordUpstream } from "@holdpoint/testing";
import { Client as ClientV2 } from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import * as z from "zod";

/** A real server that repeats what it is told, in every place that an answer has. */
async function echoServer(): Promise<Client> {
  const server = new McpServer({ name: "echo", version: "3.1.0" });
  const input = z.object({ key: z.unknown().optional(), note: z.string().optional() });
  server.registerTool("echo", { description: "Says it again", inputSchema: input }, (args) => ({
    content: [{ type: "text", text: `got ${JSON.stringify(args)}` }],
    structuredContent: { said: args, [`for ${args.key}`]: true },
  }));
  server.registerTool("fail", { inputSchema: input }, ({ key }) => ({
    content: [{ type: "text", text: `no such key: ${key}` }],
    isError: true,
  }));
  const [near, far] = InMemoryTransport.createLinkedPair();
  await server.connect(far);
  const client = new Client({ name: "recorder", version: "1.0.0" });
  await client.connect(near);
  return client;
}

async function connected(upstream: { transport(): Parameters<Client["connect"]>[0] }): Promise<Client> {
  const client = new Client({ name: "agent", version: "1.0.0" });
  await client.connect(upstream.transport());
  return client;
}

test("what a real server listed and answered is replayed, from a file, and nothing else is", async () => {
  const real = await echoServer();
  const recording = await recordUpstream(real);
  const calls = [
    { name: "echo", arguments: { note: "a" } },
    { name: "echo", arguments: { note: "b" } },
    { name: "fail", arguments: {} },
    { name: "echo", arguments: { note: 5 } },
  ];
  const answers = [];
  for (const call of calls) answers.push(await recording.client.callTool(call));
  const file = join(await mkdtemp(join(tmpdir(), "cassette-")), "echo.cassette.json");
  await recording.save(file);

  const upstream = mockUpstream.from(JSON.parse(await readFile(file, "utf8")) as Cassette);
  const client = await connected(upstream);
  expect(await client.listTools()).toEqual(await real.listTools());
  expect(client.getServerVersion()).toEqual({ name: "echo", version: "3.1.0" });
  for (const [index, call] of [...calls.entries()].reverse()) expect(await client.callTool(call)).toEqual(answers[index]);
  await client.callTool({ name: "echo", arguments: { note: "c" } });
  await expect(upstream.close()).rejects.toThrow('  echo {"note":"c"}: the cassette has no further call of this tool');
});

test("one call, recorded with two answers, gives them in their order; a call that differs is told what there is", async () => {
  const recorded = mockUpstream({ next: (_args, { call }) => `answer ${call}` });
  const recording = await recordUpstream(await connected(recorded));
  for (let call = 0; call < 3; call += 1) await recording.client.callTool({ name: "next", arguments: { page: 1 } });
  const upstream = mockUpstream.from(recording.cassette());
  const client = await connected(upstream);
  for (const text of ["answer 1", "answer 2"])
    expect((await client.callTool({ name: "next", arguments: { page: 1 } })).content).toEqual([{ type: "text", text }]);
  await client.callTool({ name: "next", arguments: { page: 2 } });
  await expect(upstream.close()).rejects.toThrow('next {"page":2}: the cassette has next {"page":1}');
});

test("JSON-RPC errors are replayed as errors, and a call without an answer is not recorded", async () => {
  const { protocolError, noAnswer } = await import("@holdpoint/testing");
  await using flaky = mockUpstream({
    pay: ({ amount }: { amount: number }) => (amount > 5 ? protocolError(-32603, "too much", { most: 5 }) : noAnswer()),
  });
  const recording = await recordUpstream(await connected(flaky));
  await expect(recording.client.callTool({ name: "pay", arguments: { amount: 6 } })).rejects.toThrow("too much");
  await expect(recording.client.callTool({ name: "pay", arguments: { amount: 1 } }, undefined, { timeout: 20 })).rejects.toThrow(
    "timed out",
  );
  expect(recording.cassette().calls).toEqual([
    { tool: "pay", arguments: { amount: 6 }, error: { code: -32603, message: "too much", data: { most: 5 } } },
  ]);
  await using upstream = mockUpstream.from(recording.cassette());
  const client = await connected(upstream);
  await expect(client.callTool({ name: "pay", arguments: { amount: 6 } })).rejects.toMatchObject({
    code: -32603,
    data: { most: 5 },
    message: "MCP error -32603: too much",
  });
});

test("a client of SDK 2.x is recorded, too, with every page of its tools", async () => {
  await using paged = mockUpstream({ one: () => "1", two: () => "2", three: () => "3" }, { pageSize: 1 });
  const client = new ClientV2({ name: "recorder", version: "1.0.0" });
  await client.connect(paged.transport());
  const recording = await recordUpstream(client);
  await recording.client.callTool({ name: "two" });
  expect(recording.cassette()).toMatchObject({
    tools: [{ name: "one" }, { name: "two" }, { name: "three" }],
    calls: [{ tool: "two", arguments: {} }],
  });
});

const policy = definePolicy({ version: "1", default: "deny", tools: { echo: { audit: { secret: ["args.key"] } } } });

test("a secret field's value stands nowhere in the cassette, and the call replays with any value there", async () => {
  const recording = await recordUpstream(await echoServer(), { policy });
  await recording.client.callTool({ name: "echo", arguments: { key: "sk-live-12345", note: "my key is sk-live-12345, keep it" } });
  await recording.client.callTool({ name: "fail", arguments: { key: "sk-live-12345" } });
  const cassette = recording.cassette();
  expect(JSON.stringify(cassette)).not.toContain("sk-live-12345");
  expect(cassette.secret).toEqual([{ tool: "echo", path: "args.key" }]);
  expect(cassette.calls[0]?.arguments).toEqual({ key: "(secret)", note: "my key is (secret), keep it" });
  await using upstream = mockUpstream.from(cassette);
  const client = await connected(upstream);
  const again = await client.callTool({ name: "echo", arguments: { key: "sk-test-9", note: "my key is sk-test-9, keep it" } });
  expect(again).toMatchObject({ structuredContent: { said: { key: "(secret)" }, "for (secret)": true } });
});

test("whatever a secret field holds, no part of it gets in", async () => {
  const words = fc.stringMatching(/^[A-Z][A-Z0-9]{5,12}$/);
  const secret = fc.oneof(
    words,
    fc.integer({ min: 100_000 }),
    fc.array(words, { minLength: 1, maxLength: 3 }),
    fc.dictionary(fc.constantFrom("id", "pin"), words, { minKeys: 1 }),
  );
  const real = await echoServer();
  await fc.assert(
    fc.asyncProperty(secret, async (key) => {
      const recording = await recordUpstream(real, { policy });
      await recording.client.callTool({ name: "echo", arguments: { key, note: `see ${JSON.stringify(key)}` } });
      const text = JSON.stringify(recording.cassette());
      for (const [leaf] of JSON.stringify(key).matchAll(/[A-Z0-9]{6,}/g)) expect(text).not.toContain(leaf);
    }),
    { numRuns: 60 },
  );
});

test.each(["args..key", "context.user", "key"])("`%s` names no secret argument, and nothing is recorded", async (path) => {
  await expect(recordUpstream(await echoServer(), { secret: [path] })).rejects.toThrow(TypeError);
});
