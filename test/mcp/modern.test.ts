import { createGuard, type Guard, type GuardOptions, memoryAudit, type PolicyDocument, pinTools, type Session } from "@holdpoint/core";
import { assertEnforced, guardClient, isRefusal, refusalOf } from "@holdpoint/mcp";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { createMcpHandler, inputRequired, McpServer } from "@modelcontextprotocol/server";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { settled, stopTimers, textOf, until } from "./majors.ts";

interface Posted {
  readonly headers: Headers;
  readonly body: { readonly method?: string; readonly params?: { readonly name?: string; readonly [key: string]: unknown } };
}

/** A real server of the 2026-07-28 revision behind its own HTTP handler, and a client that speaks to it; `posted` is what reached it. */
async function modern(
  policy: PolicyDocument,
  options: Partial<GuardOptions> = {},
  prior = false,
  clientOptions: object = {},
  connection: object = {},
) {
  const posted: Posted[] = [];
  const handler = createMcpHandler(
    () => {
      const server = new McpServer({ name: "bank", version: "1.0.0" });
      const payee = z.string().meta({ "x-mcp-header": "Payee" });
      const amount = z.int().meta({ "x-mcp-header": "Amount" });
      server.registerTool("pay", { inputSchema: z.object({ to: payee, amount }) }, async ({ to, amount: paid }) =>
        text(`paid ${paid} to ${to}`),
      );
      server.registerTool("delete_account", {}, async () => text("gone"));
      server.registerTool("confirm", { inputSchema: z.object({ what: z.string() }) }, async ({ what }, ctx) => {
        if (ctx.mcpReq.inputResponses?.sure) return text(`did ${what}`);
        const schema = { type: "object" as const, properties: { ok: { type: "boolean" as const } } };
        return inputRequired({
          inputRequests: { sure: inputRequired.elicit({ message: "Sure?", requestedSchema: schema }) },
          requestState: `state-${what}`,
        });
      });
      return server;
    },
    { legacy: "reject" },
  );
  const fetchHere = async (url: string | URL, init?: RequestInit) => {
    const request = new Request(url, init);
    if (init?.body) posted.push({ headers: request.headers, body: JSON.parse(String(init.body)) });
    return handler.fetch(request);
  };
  const audit = memoryAudit();
  const guard = createGuard({ policy, audit, ...options });
  const raw = new Client(
    { name: "agent", version: "1.0.0" },
    { versionNegotiation: { mode: "auto" }, capabilities: { elicitation: {} }, ...clientOptions },
  );
  raw.setRequestHandler("elicitation/create", async () => ({ action: "accept", content: { ok: true } }));
  const session = guard.session();
  const client = guardClient(raw, session, connection);
  const connect = () => new StreamableHTTPClientTransport(new URL("http://bank.test/mcp"), { fetch: fetchHere });
  if (prior) {
    const probe = new Client({ name: "probe", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } });
    await probe.connect(connect());
    const discover = await probe.discover();
    await client.connect(connect(), { prior: { kind: "modern", discover } });
  } else await client.connect(connect());
  expect(client.getProtocolEra()).toBe("modern");
  const calls = () => posted.filter(({ body }) => body.method === "tools/call");
  const decisions = () => audit.events.flatMap((event) => (event.type === "decision" ? [event.code] : []));
  return { client, guard, session, audit, posted, calls, decisions, handler };
}

function text(said: string) {
  return { content: [{ type: "text" as const, text: said }] };
}

const allowAll: PolicyDocument = { version: "1", default: "allow" };
const hold: PolicyDocument = { version: "1", default: "allow", tools: { pay: { require_approval: [{ conditions: [] }] } } };

test("[transparent-allow] a call of the modern era passes with its mirrored headers as they were", async () => {
  const { client, calls } = await modern(allowAll);
  await client.listTools();
  for (const to of ["bob", "Zoë", " spaced ", "=?base64?x?=", ""]) {
    expect(textOf(await client.callTool({ name: "pay", arguments: { to, amount: 5 } }))).toBe(`paid 5 to ${to}`);
  }
  expect(calls().map(({ headers }) => headers.get("mcp-param-payee"))).toEqual([
    "bob",
    "=?base64?Wm/Dqw==?=",
    "=?base64?IHNwYWNlZCA=?=",
    "=?base64?PT9iYXNlNjQ/eD89?=",
    "=?base64??=",
  ]);
  expect(calls().every(({ headers }) => headers.get("mcp-param-amount") === "5")).toBe(true);
});

test("[sent-is-checked] bypass 13: mirrored headers carry what a person made of the arguments, not what the model gave", async () => {
  const { client, calls } = await modern(hold, {
    approve: ({ arguments: args }) => ({ approved: true, arguments: { ...args, to: "bob" } }),
  });
  await client.listTools();
  const result = await client.request({ method: "tools/call", params: { name: "pay", arguments: { to: "secret-iban", amount: 5 } } }, {
    headers: { "Mcp-Param-Payee": "secret-iban", "mcp-param-amount": "9", "Mcp-Param-Other": "secret-iban" },
  } as never);
  expect(textOf(result)).toContain("paid 5 to bob");
  expect(textOf(await client.callTool({ name: "pay", arguments: { to: "secret-iban", amount: 6 } }))).toContain("paid 6 to bob");
  for (const { headers, body } of calls()) {
    expect(headers.get("mcp-param-payee")).toBe("bob");
    expect(headers.get("mcp-param-other")).toBeNull();
    expect(JSON.stringify([[...headers], body])).not.toContain("secret-iban");
  }
  expect(calls().map(({ headers }) => headers.get("mcp-param-amount"))).toEqual(["5", "6"]);
});

test("[well-formed-refusal] a refusal of the modern era is a complete result, and a hidden tool is in no list", async () => {
  const { client, calls } = await modern({
    version: "1",
    default: "allow",
    hide: ["delete_account"],
    tools: { pay: { deny_if: [{ conditions: [] }] } },
  });
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(["pay", "confirm"]);
  for (const name of ["pay", "delete_account"]) {
    expect(isRefusal(await client.callTool({ name, arguments: { to: "bob", amount: 1 } }))).toBe(true);
    expect(isRefusal(await client.request({ method: "tools/call", params: { name, arguments: { to: "bob", amount: 1 } } }))).toBe(true);
  }
  expect(calls()).toEqual([]);
});

test("[decided-once] bypass 12: the rounds of one call are decided, charged and asked once", async () => {
  const once: PolicyDocument = {
    version: "1",
    default: "allow",
    tools: { confirm: { limits: [{ counter: "confirms", window: { sliding: "1h" }, max: 1 }], require_approval: [{ conditions: [] }] } },
  };
  for (const way of ["callTool", "request"] as const) {
    let asked = 0;
    const { client, calls, decisions, audit } = await modern(once, {
      approve: () => {
        asked++;
        return { approved: true };
      },
    });
    const make = (what: string) =>
      way === "callTool"
        ? client.callTool({ name: "confirm", arguments: { what } })
        : client.request({ method: "tools/call", params: { name: "confirm", arguments: { what } } });
    expect(textOf(await make("this"))).toBe("did this");
    expect(calls()).toHaveLength(2);
    expect(isRefusal(await make("this"))).toBe(true);
    expect(decisions()).toEqual(["allowed", "limit"]);
    expect(asked).toBe(1);
    expect(audit.events.flatMap((event) => (event.type === "outcome" ? [event.outcome] : []))).toEqual(["success"]);
  }
});

test("bypass 12: a continuation counts for the call that the server asked about, once, and for no other", async () => {
  const { client, calls, decisions } = await modern(allowAll);
  const answers = { sure: { action: "accept", content: { ok: true } } };
  const send = (what: string, extra: object) =>
    client
      .request(
        { method: "tools/call", params: { name: "confirm", arguments: { what }, ...extra } } as never,
        { allowInputRequired: true } as never,
      )
      .catch(() => undefined);
  await send("this", {});
  expect(decisions()).toEqual(["allowed"]);
  await send("that", { inputResponses: answers, requestState: "state-this" });
  expect(decisions()).toHaveLength(2);
  await send("this", { inputResponses: answers, requestState: "state-other" });
  expect(decisions()).toHaveLength(3);
  await send("this", { inputResponses: answers, requestState: "state-this" });
  expect(decisions()).toHaveLength(3);
  await send("this", { inputResponses: answers, requestState: "state-this" });
  expect(decisions()).toHaveLength(4);
  expect(calls()).toHaveLength(5);
});

test("[nothing-leaves-unchecked] bypass 11: a call of the modern era that was aborted while it was held never leaves", async () => {
  const answers: (() => void)[] = [];
  const { client, calls } = await modern(hold, {
    approve: () => new Promise((resolve) => answers.push(() => resolve({ approved: true }))),
  });
  stopTimers();
  const aborting = new AbortController();
  const params = { name: "pay", arguments: { to: "bob", amount: 1 } };
  const held = [
    client.request({ method: "tools/call", params }, { signal: aborting.signal }).catch(String),
    client.request({ method: "tools/call", params: { ...params, arguments: { to: "bob", amount: 2 } } }, { timeout: 50 }).catch(String),
  ];
  await until(() => answers.length === 2);
  aborting.abort("enough");
  vi.advanceTimersByTime(50);
  expect(await Promise.all(held)).toEqual([expect.stringContaining("enough"), expect.stringContaining("timed out")]);
  for (const answer of answers) answer();
  await settled();
  await client.listTools();
  expect(calls()).toEqual([]);
});

test("the guard lists the tools in the modern era before the client has, also where the client knows the server from before", async () => {
  for (const prior of [false, true]) {
    const pins = pinTools({ default: [{ name: "confirm" }] });
    const { client, decisions } = await modern(allowAll, { pins }, prior);
    await client.callTool({ name: "delete_account" });
    expect(decisions()).toEqual(["definition_unpinned"]);
  }
});

test("every path of the modern era is shown to be checked", async () => {
  const { client, calls } = await modern(allowAll);
  const { tested } = await assertEnforced(client);
  expect(tested).toEqual(expect.arrayContaining(["callTool", "request", "prototype.request", "transport.send"]));
  expect(calls()).toEqual([]);
});

test("a subscription of the modern era refreshes lists without hidden tools, and has the next call wait for the new list", async () => {
  const seen: string[][] = [];
  const onChanged = (_error: unknown, tools: readonly { name: string }[] | null) => seen.push((tools ?? []).map(({ name }) => name));
  const { client, handler, posted } = await modern({ ...allowAll, hide: ["delete_account"] }, {}, false, {
    listChanged: { tools: { autoRefresh: true, debounceMs: 0, onChanged } },
  });
  await client.callTool({ name: "pay", arguments: { to: "bob", amount: 1 } });
  const listed = () => posted.filter(({ body }) => body.method === "tools/list").length;
  const before = listed();
  handler.notify.toolsChanged();
  await expect.poll(() => seen.length).toBe(1);
  expect(seen).toEqual([["pay", "confirm"]]);
  await client.callTool({ name: "pay", arguments: { to: "bob", amount: 1 } });
  expect(listed()).toBeGreaterThan(before);
  await client.close();
});

test("resends that the SDK makes by itself are attempts of one call, each charged", async () => {
  const policy: PolicyDocument = { ...allowAll, tools: { pay: { limits: [{ counter: "pays", window: { sliding: "1h" }, max: 3 }] } } };
  const { client, calls, audit } = await modern(policy);
  // Without a cached list the SDK mirrors no headers, the server refuses, and the SDK lists the tools and sends again.
  expect(textOf(await client.callTool({ name: "pay", arguments: { to: "bob", amount: 1 } }))).toBe("paid 1 to bob");
  expect(calls()).toHaveLength(2);
  const decided = audit.events.flatMap((event) => (event.type === "decision" ? [{ call: event.call, attempt: event.attempt }] : []));
  expect(new Set(decided.map(({ call }) => call)).size).toBe(1);
  expect(textOf(await client.callTool({ name: "pay", arguments: { to: "bob", amount: 2 } }))).toBe("paid 2 to bob");
  expect(isRefusal(await client.callTool({ name: "pay", arguments: { to: "bob", amount: 3 } }))).toBe(true);
});

test("a call whose first round has left is never given back, whatever becomes of its next one", async () => {
  const policy: PolicyDocument = {
    ...allowAll,
    tools: { confirm: { limits: [{ counter: "confirms", window: { sliding: "1h" }, max: 1 }] } },
  };
  const { client, audit } = await modern(policy);
  const params = { name: "confirm", arguments: { what: "this" } };
  await client.request({ method: "tools/call", params } as never, { allowInputRequired: true } as never);
  const gone = AbortSignal.abort();
  const next = { ...params, requestState: "state-this", inputResponses: {} };
  await client.transport?.send({ jsonrpc: "2.0", id: 900, method: "tools/call", params: next } as never, { requestSignal: gone });
  expect(audit.events.flatMap((event) => (event.type === "outcome" ? [event.outcome] : []))).toEqual(["unknown"]);
  expect(isRefusal(await client.callTool(params))).toBe(true);
});

test("[nothing-leaves-unchecked] bypass 17: under tools-only no answer leaves inside a call", async () => {
  const { client, calls, decisions, audit } = await modern(allowAll, {}, false, {}, { egress: "tools-only" });
  const result = await client.callTool({ name: "confirm", arguments: { what: "this" } });
  expect(isRefusal(result)).toBe(true);
  expect(calls()).toHaveLength(1);
  expect(decisions()).toEqual(["allowed", "egress"]);
  expect(audit.events.flatMap((event) => (event.type === "outcome" ? [event.outcome] : []))).toEqual(["unknown"]);
});

const stops: Record<string, (guard: Guard, session: Session) => unknown> = {
  "a policy that refuses it by now": (guard) => guard.update({ version: "1", default: "deny" }),
  "the end of its session": (_guard, session) => session.end(),
};
test.each(Object.entries(stops))("[fail-closed] %s stops a call between its rounds", async (_title, stop) => {
  const { client, guard, session, calls, decisions, audit } = await modern(allowAll);
  client.setRequestHandler("elicitation/create", async () => {
    await stop(guard, session);
    return { action: "accept", content: { ok: true } };
  });
  expect(isRefusal(await client.callTool({ name: "confirm", arguments: { what: "this" } }))).toBe(true);
  expect(calls()).toHaveLength(1);
  expect(decisions()).toEqual(["allowed", expect.stringMatching(/default_deny|cancelled/)]);
  expect(audit.events.filter(({ type }) => type === "outcome")).toEqual([expect.objectContaining({ outcome: "unknown" })]);
});

test.each(["callTool", "request"] as const)(
  "[fail-closed] a rule that asks a person by now stops a call of %s between its rounds, unless it was asked before",
  async (way) => {
    const asks = (name: string) => ({ conditions: [], name });
    const document = (...rules: string[]): PolicyDocument => ({
      ...allowAll,
      tools: { confirm: { require_approval: rules.map(asks), limits: [{ counter: "confirms", window: { sliding: "1h" }, max: 9 }] } },
    });
    for (const [before, after, passes] of [
      [document("one"), document("one"), true],
      [document("one", "two"), document("two"), true],
      [document("one"), document("one", "two"), false],
      [document(), document("one"), false],
    ] as const) {
      let asked = 0;
      const { client, guard, calls, audit } = await modern(before, {
        approve: () => {
          asked++;
          return { approved: true };
        },
      });
      client.setRequestHandler("elicitation/create", () => {
        guard.update({ ...after, description: "swapped" });
        return { action: "accept", content: { ok: true } };
      });
      const params = { name: "confirm", arguments: { what: "this" } };
      const result = await (way === "callTool" ? client.callTool(params) : client.request({ method: "tools/call", params }));
      expect(refusalOf(result)?.code).toBe(passes ? undefined : "approval_failed");
      expect(calls()).toHaveLength(passes ? 2 : 1);
      expect(asked).toBe(before.tools?.confirm?.require_approval?.length ? 1 : 0);
      expect(audit.events.flatMap((event) => (event.type === "outcome" ? [event.outcome] : []))).toEqual([passes ? "success" : "unknown"]);
    }
  },
);
