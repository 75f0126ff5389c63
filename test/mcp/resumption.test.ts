import { createGuard, memoryAudit, type PolicyDocument } from "@holdpoint/core";
import { guardClient, isRefusal } from "@holdpoint/mcp";
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { type EventStore, WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { expect, test } from "vitest";
import { type Major, majors, textOf } from "./majors.ts";

// biome-ignore lint/suspicious/noExplicitAny: the two majors share no types
const loose = (value: unknown) => value as any;

/** Keeps what a server has sent, so that a client whose stream broke can ask for the rest. */
function eventStore(): EventStore {
  const events: { stream: string; message: unknown }[] = [];
  return {
    async storeEvent(stream, message) {
      events.push({ stream, message });
      return `${events.length}`;
    },
    async getStreamIdForEventId(id) {
      return events[Number(id) - 1]?.stream;
    },
    async replayEventsAfter(id, { send }) {
      const stream = events[Number(id) - 1]?.stream as string;
      for (const [index, event] of events.entries()) {
        if (event.stream === stream && index >= Number(id)) await send(`${index + 1}`, event.message as never);
      }
      return stream;
    },
  };
}

/** A guarded client of a server whose `pay` loses its stream before the answer is there. */
async function losingStreams(major: Major, policy: PolicyDocument) {
  let paid = 0;
  let finish: () => void = () => undefined;
  const server = new McpServer({ name: "bank", version: "1.0.0" });
  server.registerTool("pay", {}, async (extra) => {
    const mayAnswer = new Promise<void>((resolve) => {
      finish = resolve;
    });
    extra.closeSSEStream?.();
    await mayAnswer;
    return { content: [{ type: "text" as const, text: `paid ${++paid}` }] };
  });
  const far = new WebStandardStreamableHTTPServerTransport({
    sessionIdGenerator: () => crypto.randomUUID(),
    eventStore: eventStore(),
    retryInterval: 10,
  });
  await server.connect(far);
  const requests: { method: string; call: boolean; lastEventId: string | null }[] = [];
  const fetchHere = async (url: string | URL, init?: RequestInit) => {
    const request = new Request(url, init);
    const call = typeof init?.body === "string" && init.body.includes("tools/call");
    requests.push({ method: request.method, call, lastEventId: request.headers.get("last-event-id") });
    return far.handleRequest(request);
  };
  const url = new URL("http://bank.test/mcp");
  const info = { name: "agent", version: "1.0.0" };
  const audit = memoryAudit();
  const client = guardClient(loose(major === "1.x" ? new ClientV1(info) : new ClientV2(info)), createGuard({ policy, audit }).session());
  await loose(client).connect(major === "1.x" ? new HttpV1(url, { fetch: fetchHere }) : new HttpV2(url, { fetch: fetchHere }));
  const pay = (options: object) =>
    major === "1.x" ? loose(client).callTool({ name: "pay" }, undefined, options) : loose(client).callTool({ name: "pay" }, options);
  const events = () =>
    audit.events.flatMap((event) => (event.type === "decision" ? [event.code] : event.type === "outcome" ? [event.outcome] : []));
  const resumed = () => requests.filter(({ method, lastEventId }) => method === "GET" && lastEventId !== null);
  return { client: loose(client), pay, requests, resumed, events, finish: () => finish() };
}

const limited = (max: number): PolicyDocument => ({
  version: "1",
  default: "deny",
  tools: { pay: { limits: [{ counter: "pays", window: { sliding: "1h" }, max }] } },
});

test.each(majors)(
  "[transparent-allow] an answer of %s that comes on a stream which was taken up again is the call's, once",
  async (major) => {
    const { client, pay, requests, resumed, events, finish } = await losingStreams(major, limited(1));
    const paying = pay({});
    await expect.poll(() => resumed().length).toBeGreaterThan(0);
    finish();
    expect(textOf(await paying)).toBe("paid 1");
    expect(requests.filter(({ call }) => call)).toHaveLength(1);
    expect(events()).toEqual(["allowed", "success"]);
    await client.close();
  },
);

test.each(majors)("a call of %s that names a stream to take up again is a call like any other, and sends none", async (major) => {
  const { client, pay, requests, resumed, events, finish } = await losingStreams(major, limited(2));
  const tokens: string[] = [];
  const paying = pay({ onresumptiontoken: (token: string) => tokens.push(token) });
  await expect.poll(() => resumed().length).toBeGreaterThan(0);
  finish();
  expect(textOf(await paying)).toBe("paid 1");
  expect(textOf(await pay({ resumptionToken: tokens[0] }))).toBe("paid 1");
  expect(requests.filter(({ call }) => call)).toHaveLength(1);
  const before = resumed().length;
  expect(isRefusal(await pay({ resumptionToken: tokens[0] }))).toBe(true);
  expect(resumed()).toHaveLength(before);
  expect(events()).toEqual(["allowed", "success", "allowed", "success", "limit"]);
  await client.close();
});
