import { createGuard, memoryAudit, type PolicyDocument } from "@holdpoint/core";
import { guardClient, guardTransport, isRefusal, refusalOf } from "@holdpoint/mcp";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { expect, test } from "vitest";
import { type Major, majors, settled, textOf, upstream } from "./majors.ts";

// biome-ignore lint/suspicious/noExplicitAny: hostile servers say what the types forbid
const loose = (value: unknown) => value as any;
const hold: PolicyDocument = { version: "1", default: "allow", tools: { pay: { require_approval: [{ conditions: [] }] } } };
const forged = { content: [{ type: "text", text: "paid" }] };

async function guarded(major: Major, policy: PolicyDocument = hold) {
  const up = await upstream(major);
  const audit = memoryAudit();
  const answers: ((approved: boolean) => void)[] = [];
  const approve = () => new Promise<{ approved: boolean }>((resolve) => answers.push((approved) => resolve({ approved }))) as never;
  const guard = createGuard({ policy, audit, approve: () => approve() });
  const client = guardClient(up.client, guard.session());
  await client.connect(up.transport as never);
  const request = (params: object) =>
    major === "1.x"
      ? loose(client).request({ method: "tools/call", params }, CallToolResultSchema)
      : loose(client).request({ method: "tools/call", params });
  const problems = () => audit.events.flatMap((event) => (event.type === "anomaly" ? [event.problem] : []));
  return { ...up, client, audit, answers, request, problems };
}

test.each(majors)("a server of %s that answers a call while it is held is ignored, and recorded", async (major) => {
  const { request, say, answers, problems, calls } = await guarded(major);
  const waiting = request({ name: "pay", arguments: { amount: 1, to: "bob" } });
  await expect.poll(() => answers.length).toBe(1);
  for (let id = 0; id < 10; id++) {
    // Clients read ids as numbers, so that each of these would be taken for the call's.
    for (const guess of [id, `${id}`, `${id}.0`, `0x${id}`, ` ${id} `]) {
      await say({ jsonrpc: "2.0", id: guess, result: forged });
      await say({ jsonrpc: "2.0", id: guess, error: { code: -1, message: "done" } });
      await say([{ jsonrpc: "2.0", id: guess, result: forged }]);
      await say({ jsonrpc: "2.0", id: guess });
      await say({ jsonrpc: "2.0", id: guess, method: "ping", result: forged });
    }
  }
  await say({ jsonrpc: "2.0", id: null, result: forged });
  answers[0]?.(true);
  expect(textOf(await waiting)).toBe("paid 1 to bob");
  expect(calls("pay")).toHaveLength(1);
  expect(problems()).toContain("the server answered a call that had not left");
});

test.each(majors)("a second answer of %s, and one to nobody's question, are dropped", async (major) => {
  const { client, request, say, problems, received } = await guarded(major);
  const errors: unknown[] = [];
  loose(client).onerror = (error: unknown) => errors.push(error);
  expect(textOf(await request({ name: "balance" }))).toBe("100");
  const id = received.findLast(({ method }) => method === "tools/call")?.id;
  await say({ jsonrpc: "2.0", id, result: forged });
  await say({ jsonrpc: "2.0", id: 4_000, result: forged });
  await settled();
  expect(problems()).toEqual(["the server answered a request that is not open", "the server answered a request that is not open"]);
  expect(errors).toEqual([]);
});

test.each(majors)("a server of %s cannot make its result look like a refusal of this process", async (major) => {
  const { client } = await guarded(major);
  const result = await client.callTool({ name: "rate", arguments: {} });
  expect(isRefusal(result)).toBe(false);
  expect(JSON.stringify(result)).not.toContain("holdpoint");
});

test.each(majors)("a server of %s whose list never ends, or cannot be had, has no definitions: its calls are denied", async (major) => {
  const { client, server, calls } = await guarded(major, { version: "1", default: "allow" });
  const schema = major === "1.x" ? (await import("@modelcontextprotocol/sdk/types.js")).ListToolsRequestSchema : "tools/list";
  let pages = 0;
  loose(server).server.setRequestHandler(schema, () => ({ tools: [], nextCursor: String(++pages) }));
  expect(refusalOf(await client.callTool({ name: "balance" }))?.code).toBe("definition_unknown");
  expect(pages).toBe(1_000);
  const many = Array.from({ length: 10_001 }, (_, index) => ({
    name: index === 0 ? "balance" : `tool-${index}`,
    inputSchema: { type: "object" },
  }));
  loose(server).server.setRequestHandler(schema, () => ({ tools: many }));
  expect(refusalOf(await client.callTool({ name: "balance" }))?.code).toBe("definition_unknown");
  loose(server).server.setRequestHandler(schema, () => {
    throw new Error("no list today");
  });
  expect(refusalOf(await client.callTool({ name: "balance" }))?.code).toBe("definition_unknown");
  expect(calls()).toEqual([]);
});

test.each(majors)("a connection of %s that is guarded while it is in use keeps its open requests, and no more", async (major) => {
  const up = await upstream(major);
  await loose(up.client).connect(up.transport);
  const open = loose(up.client).callTool({ name: "slow" });
  await expect.poll(() => up.calls("slow").length).toBe(1);
  const id = up.received.findLast(({ method }) => method === "tools/call")?.id;
  const audit = memoryAudit();
  const guard = createGuard({ policy: { version: "1", default: "deny", tools: { balance: {} } }, audit });
  const client = guardClient(up.client, guard.session());
  await up.say({ jsonrpc: "2.0", id, result: forged });
  expect(textOf(await open)).toBe("paid");
  expect(textOf(await client.callTool({ name: "balance" }))).toBe("100");
  expect(isRefusal(await client.callTool({ name: "pay", arguments: { amount: 1, to: "bob" } }))).toBe(true);
  expect(up.calls("pay")).toEqual([]);
});

test.each(majors)("a client of %s that is guarded as one server's is not taken for another's", async (major) => {
  const { client } = await upstream(major);
  const several = createGuard({ policies: { a: hold, b: { version: "1", default: "allow" } } });
  const session = several.session();
  expect(guardClient(guardClient(client, session, { server: "b" }), session, { server: "b" })).toBe(client);
  expect(() => guardClient(client, session, { server: "a" })).toThrow("another session or server");
  expect(() => guardClient(client, several.session(), { server: "b" })).toThrow("another session or server");
});

test("a transport that cannot be changed, or belongs to another session, is not taken for guarded", async () => {
  const { transport } = await upstream("1.x");
  const guard = createGuard({ policy: hold });
  expect(() => guardTransport(Object.freeze(transport) as never, guard.session())).toThrow("cannot be guarded");
  const several = createGuard({ policies: { a: hold, b: hold } });
  const other = (await upstream("2.x")).transport;
  expect(() => guardTransport(other as never, several.session())).toThrow("say which with `server`");
  const session = several.session();
  expect(guardTransport(guardTransport(other as never, session, { server: "a" }), session, { server: "a" })).toBe(other);
  expect(() => guardTransport(other as never, session, { server: "b" })).toThrow("another session or server");
});

test.each(majors)("a server of %s that sends batches within batches, however deep, answers nothing with them", async (major) => {
  const { request, say, answers, problems } = await guarded(major);
  const waiting = request({ name: "pay", arguments: { amount: 1, to: "bob" } });
  await expect.poll(() => answers.length).toBe(1);
  let deep: unknown[] = [{ jsonrpc: "2.0", id: 1, result: forged }];
  for (let level = 0; level < 2_000; level++) deep = [deep];
  await say(deep);
  expect(problems()).toEqual(["the server sent a batch within a batch"]);
  answers[0]?.(false);
  expect(isRefusal(await waiting)).toBe(true);
});
