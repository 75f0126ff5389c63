import { getEventListeners } from "node:events";
import { createGuard, memoryApprovals, memoryAudit, type PolicyDocument } from "@holdpoint/core";
import { assertEnforced, guardClient, guardTransport, isGuarded, isRefusal, refusalOf, type TransportLike } from "@holdpoint/mcp";
import { InMemoryTransport } from "@modelcontextprotocol/client";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { expect, test, vi } from "vitest";
import { majors, settled, stopTimers, textOf, until, upstream } from "./majors.ts";

// biome-ignore lint/suspicious/noExplicitAny: the two majors share no types
const loose = (value: unknown) => value as any;
const allowAll: PolicyDocument = { version: "1", default: "allow" };
const denyPay: PolicyDocument = { version: "1", default: "allow", tools: { pay: { deny_if: [{ conditions: [] }] } } };
const pay = { name: "pay", arguments: { amount: 1, to: "bob" } };

test.each(majors)("an observer that was set on the transport of %s before still sees each message once", async (major) => {
  const { client, transport } = await upstream(major);
  const seen: unknown[] = [];
  loose(transport).onmessage = (message: unknown) => seen.push(message);
  guardTransport(loose(transport), createGuard({ policy: denyPay }).session());
  await loose(client).connect(transport);
  const before = seen.length;
  expect(textOf(await client.callTool({ name: "balance" }))).toBe("100");
  expect(isRefusal(await client.callTool(pay))).toBe(true);
  expect(seen.slice(before)).toMatchObject([{ result: { content: [{ text: "100" }] } }, { result: { isError: true } }]);
});

test.each(majors)("a transport around another one of %s is guarded, though its handlers live inside", async (major) => {
  const { client, transport, calls } = await upstream(major);
  const log: unknown[] = [];
  const logging = around(loose(transport), (message, send) => {
    log.push(message);
    return send(message);
  });
  const guarded = guardClient(client, createGuard({ policy: denyPay }).session());
  await loose(guarded).connect(logging);
  expect(isGuarded(logging)).toBe(true);
  expect(textOf(await guarded.callTool({ name: "balance" }))).toBe("100");
  expect(isRefusal(await guarded.callTool(pay))).toBe(true);
  expect(calls("pay")).toEqual([]);
  expect(log).not.toContainEqual(expect.objectContaining({ params: expect.objectContaining({ name: "pay" }) }));
});

test.each(majors)("a send of %s that failed is given back only where nothing can have been written", async (major) => {
  for (const [error, outcome] of [
    [new Error("Not connected"), "unsent"],
    [new Error("socket hang up"), "unknown"],
    [Object.assign(new Error("Error POSTing to endpoint"), { code: 500 }), "unknown"],
  ] as const) {
    const { client, transport } = await upstream(major);
    const send = loose(transport).send.bind(transport);
    loose(transport).send = async (message: { method?: string }) => {
      if (message.method === "tools/call") throw error;
      return send(message);
    };
    const audit = memoryAudit();
    const guarded = guardClient(client, createGuard({ policy: allowAll, audit }).session());
    await loose(guarded).connect(transport);
    await expect(guarded.callTool({ name: "balance" })).rejects.toThrow(error.message);
    await expect(loose(guarded).request({ method: "tools/call", params: { name: "balance" } }, CallToolResultSchema)).rejects.toThrow(
      error.message,
    );
    expect(audit.events.flatMap((event) => (event.type === "outcome" ? [event.outcome] : []))).toEqual([outcome, outcome]);
  }
});

test.each(majors)("an answer of %s that comes after the caller gave up settles nothing a second time", async (major) => {
  const { client, transport, calls, received, say } = await upstream(major);
  const audit = memoryAudit();
  const guarded = guardClient(client, createGuard({ policy: allowAll, audit }).session());
  await loose(guarded).connect(transport);
  stopTimers();
  const options = { timeout: 50 };
  const givenUp = expect(
    major === "1.x" ? loose(guarded).callTool({ name: "slow" }, undefined, options) : loose(guarded).callTool({ name: "slow" }, options),
  ).rejects.toThrow("timed out");
  await until(() => calls("slow").length === 1);
  vi.advanceTimersByTime(50);
  await givenUp;
  const errors: Error[] = [];
  loose(guarded).onerror = (error: Error) => errors.push(error);
  const id = received.findLast(({ method }) => method === "tools/call")?.id;
  await say({ jsonrpc: "2.0", id, result: { content: [] } });
  await settled();
  expect(errors.map(String)).toEqual([expect.stringContaining("unknown message ID")]);
  expect(audit.events.filter(({ type }) => type === "outcome")).toHaveLength(1);
  expect(audit.events.filter(({ type }) => type === "anomaly")).toEqual([]);
});

test.each(majors)("a yes that comes while the connection of %s is closing is too late", async (major) => {
  const { client, transport, calls } = await upstream(major);
  let approve: () => void = () => undefined;
  let closing: (() => void) | undefined;
  const close = loose(transport).close.bind(transport);
  loose(transport).close = async () => {
    // The other end of the pair closes this one a second time.
    if (!closing) await new Promise<void>((resolve) => (closing = resolve));
    return close();
  };
  const hold: PolicyDocument = { version: "1", default: "allow", tools: { pay: { require_approval: [{ conditions: [] }] } } };
  const guard = createGuard({ policy: hold, approve: () => new Promise((resolve) => (approve = () => resolve({ approved: true }))) });
  const guarded = guardClient(client, guard.session());
  await loose(guarded).connect(transport);
  const held = loose(guarded).request({ method: "tools/call", params: pay }, CallToolResultSchema).catch(String);
  await settled();
  const closed = guarded.close();
  approve();
  await settled();
  closing?.();
  await closed;
  expect(await held).toContain("Connection closed");
  expect(calls()).toEqual([]);
});

test.each(majors)("a limit of %s that counts success has its room back when the next call is made", async (major) => {
  const policy: PolicyDocument = {
    version: "1",
    default: "allow",
    tools: { fail: { limits: [{ counter: "tries", window: { sliding: "1h" }, max: 1, count: "success" }] } },
  };
  const { client, transport, calls } = await upstream(major);
  const guarded = guardClient(client, createGuard({ policy }).session());
  await loose(guarded).connect(transport);
  for (let round = 0; round < 3; round++) {
    expect(isRefusal(await guarded.callTool({ name: "fail" }))).toBe(false);
    expect(isRefusal(await loose(guarded).request({ method: "tools/call", params: { name: "fail" } }, CallToolResultSchema))).toBe(false);
  }
  expect(calls()).toHaveLength(6);
});

test("the id of a request that was not sent, or was given up by its signal, is free again", async () => {
  const [near] = InMemoryTransport.createLinkedPair();
  const transport = guardTransport(loose(near), createGuard({ policy: allowAll }).session());
  const ask = (method: string, given?: object) => transport.send({ jsonrpc: "2.0", id: "one", method }, given);
  await expect(
    transport.send([
      { jsonrpc: "2.0", id: "one", method: "ping" },
      { jsonrpc: "2.0", id: "one", method: "ping" },
    ]),
  ).rejects.toMatchObject({
    code: "duplicate_id",
  });
  for (const given of ["requestSignal", "signal"]) {
    const giveUp = new AbortController();
    await ask("tools/list", { [given]: giveUp.signal });
    await expect(ask("ping")).rejects.toMatchObject({ code: "duplicate_id" });
    giveUp.abort();
  }
  const lives = new AbortController();
  await ask("ping", { requestSignal: lives.signal });
  expect(getEventListeners(lives.signal, "abort")).toHaveLength(1);
  await transport.close();
  expect(getEventListeners(lives.signal, "abort")).toEqual([]);
});

/** A transport that can be started again, as the stdio ones can: each start is another process. */
class Reopening {
  onmessage?: (message: unknown) => void;
  onclose?: () => void;
  onerror?: (error: Error) => void;
  private inner: { send(message: never): Promise<void>; close(): Promise<void> } | undefined;
  private readonly open: () => Promise<unknown>;
  constructor(open: () => Promise<unknown>) {
    this.open = open;
  }
  async start() {
    const inner = loose(await this.open());
    inner.onmessage = (message: unknown) => this.onmessage?.(message);
    await inner.start();
    this.inner = inner;
  }
  async send(message: unknown) {
    if (!this.inner) throw new Error("Not connected");
    await this.inner.send(message as never);
  }
  async close() {
    await this.inner?.close();
    this.inner = undefined;
    this.onclose?.();
  }
}

test.each(majors)(
  "a transport of %s that is opened again has what it lists asked for anew, and approved calls made over it",
  async (major) => {
    const ups: Awaited<ReturnType<typeof upstream>>[] = [];
    const transport = new Reopening(async () => {
      const up = await upstream(major);
      if (ups.push(up) === 2) loose(up.server).registerTool("rate_v2", { description: "Only now" }, async () => ({ content: [] }));
      return up.transport;
    });
    const hold: PolicyDocument = { version: "1", default: "allow", tools: { pay: { require_approval: [{ conditions: [] }] } } };
    const guard = createGuard({ policy: hold, approvals: memoryApprovals() });
    const client = guardClient((await upstream(major)).client, guard.session());
    await loose(client).connect(transport);
    expect(refusalOf(await client.callTool({ name: "rate_v2" }))?.code).toBe("definition_unknown");
    const id = refusalOf(await client.callTool(pay))?.approval?.id as string;
    await guard.approvals.approve(id, {});
    await client.close();
    await expect(guard.resume(id)).rejects.toMatchObject({ code: "not_resumable" });
    await loose(client).connect(transport);
    expect(isRefusal(await client.callTool({ name: "rate_v2" }))).toBe(false);
    expect(textOf(await guard.resume(id))).toBe("paid 1 to bob");
    expect(ups.map(({ calls }) => calls("pay"))).toEqual([[], [pay.arguments]]);
  },
);

test("assertEnforced names each path on which a call gets round the guard, and nothing reaches the server", async () => {
  const { client, transport, received } = await upstream("1.x");
  await expect(assertEnforced(client)).rejects.toMatchObject({ code: "configuration" });
  await loose(client).connect(transport);
  await expect(assertEnforced(client)).rejects.toMatchObject({
    code: "not_enforced",
    message: expect.stringContaining("the transport is not guarded"),
  });
  guardClient(client, createGuard({ policy: allowAll }).session());
  await assertEnforced(client);
  loose(client).callTool = async () => ({ content: [{ type: "text", text: "from elsewhere" }] });
  await expect(assertEnforced(client)).rejects.toThrow("a call gets round the guard through `callTool`");
  expect(received.filter(({ method }) => method === "tools/call")).toEqual([]);
});

test.each(majors)(
  "assertEnforced finds a path of %s past the guard also where what answers there is an error, or nothing",
  async (major) => {
    const { client, transport, server } = await upstream(major);
    await loose(client).connect(transport);
    const unknownTool = Object.assign(new Error("Unknown tool"), { code: -32602 });
    loose(server).server._requestHandlers.set("tools/call", () => Promise.reject(unknownTool));
    const shown = await upstream(major);
    Object.defineProperty(client, "transport", { get: () => shown.transport });
    await shown.transport.start();
    guardClient(client, createGuard({ policy: allowAll }).session());
    await expect(assertEnforced(loose(client))).rejects.toThrow(/a call gets round the guard through .*`request`, `prototype.request`/);
  },
);

test.each(majors)("assertEnforced tells a path of %s that answers elsewhere from one that the SDK closes", async (major) => {
  const { client, transport, received } = await upstream(major);
  guardClient(client, createGuard({ policy: allowAll }).session());
  await loose(client).connect(transport);
  const rejecting = (error: object) => {
    loose(client).notification = () => Promise.reject(error);
    return assertEnforced(loose(client));
  };
  for (const code of [-32601, -32001, "REQUEST_TIMEOUT"])
    await expect(rejecting(Object.assign(new Error("no"), { code }))).rejects.toThrow("through `notification`");
  for (const error of [new Error("no capability"), Object.assign(new Error("closed"), { code: -32000 })])
    expect((await rejecting(error)).untested).toContainEqual({ path: "notification", reason: `it rejected: ${error.message}` });
  expect(received.filter(({ method }) => method === "tools/call")).toEqual([]);
});

/** A transport around another one, as those that log or retry are: its handlers live inside. */
function around(inner: TransportLike, through: (message: unknown, send: (message: unknown) => Promise<unknown>) => Promise<unknown>) {
  return {
    start: () => inner.start(),
    close: () => inner.close(),
    send: (message: unknown, options: unknown) => through(message, (sent) => inner.send(sent as never, options as never)),
    get onmessage() {
      return inner.onmessage;
    },
    set onmessage(handler) {
      inner.onmessage = handler;
    },
    get onclose() {
      return inner.onclose;
    },
    set onclose(handler) {
      inner.onclose = handler;
    },
  };
}

const threePayments: PolicyDocument = {
  version: "1",
  default: "allow",
  tools: {
    pay: {
      deny_if: [{ path: "args.to", op: "eq", value: "mallory" }],
      limits: [
        { counter: "payments", window: "minute", max: 3 },
        { counter: "open", concurrent: 1 },
      ],
    },
  },
};

test.each(majors)("[decided-once] a call through a guarded transport of %s around a guarded one is one call", async (major) => {
  for (const guard of [guardClient, (client: never) => client]) {
    const { client, transport, calls } = await upstream(major);
    const audit = memoryAudit();
    const session = createGuard({ policy: threePayments, audit }).session();
    const inner = guardTransport(loose(transport), session);
    await loose(guard(loose(client) as never, session)).connect(
      guardTransport(around(inner, (message, send) => send(message)) as never, session),
    );
    for (const refused of [false, false, false, true]) expect(isRefusal(await client.callTool(pay))).toBe(refused);
    expect(calls("pay")).toHaveLength(3);
    const decisions = audit.events.flatMap((event) => (event.type === "decision" ? [event.outcome] : []));
    expect(decisions).toEqual(["allow", "allow", "allow", "deny"]);
    expect(audit.events.flatMap((event) => (event.type === "outcome" ? [event.outcome] : []))).toEqual(["success", "success", "success"]);
  }
});

test.each(majors)(
  "[nothing-leaves-unchecked] what is changed on its way between two guarded transports of %s is decided anew",
  async (major) => {
    const { client, transport, calls } = await upstream(major);
    const session = createGuard({ policy: threePayments }).session();
    const toMallory = around(guardTransport(loose(transport), session), (message, send) => {
      const { params } = loose(message);
      if (params?.name === "pay") params.arguments = { ...params.arguments, to: "mallory" };
      return send(message);
    });
    const guarded = guardClient(client, session);
    await loose(guarded).connect(toMallory);
    expect(isRefusal(await guarded.callTool(pay))).toBe(true);
    expect(calls("pay")).toEqual([]);
  },
);

test.each(majors)(
  "[no-over-admission] what a transport of %s between two guarded ones sends once more is charged once more",
  async (major) => {
    const { client, transport, calls } = await upstream(major);
    const once: PolicyDocument = {
      version: "1",
      default: "allow",
      tools: { pay: { limits: [{ counter: "payments", window: "minute", max: 1 }] } },
    };
    const session = createGuard({ policy: once }).session();
    const send = loose(transport).send.bind(transport);
    let failures = 0;
    loose(transport).send = async (message: { method?: string }) => {
      await send(message);
      if (message.method === "tools/call" && failures++ === 0) throw new Error("socket hang up");
    };
    const retrying = around(guardTransport(loose(transport), session), (message, sendOn) => sendOn(message).catch(() => sendOn(message)));
    const guarded = guardClient(client, session);
    await loose(guarded).connect(retrying);
    await guarded.callTool(pay).catch(() => undefined);
    expect(failures).toBe(1);
    expect(calls("pay")).toHaveLength(1);
  },
);

test.each(majors)(
  "[nothing-leaves-unchecked] a guarded transport of %s around one of another session does not speak for it",
  async (major) => {
    const { client, transport, calls } = await upstream(major);
    const inner = guardTransport(loose(transport), createGuard({ policy: denyPay }).session());
    const guarded = guardClient(client, createGuard({ policy: allowAll }).session());
    await loose(guarded).connect(around(inner, (message, send) => send(message)));
    expect(textOf(await guarded.callTool({ name: "balance" }))).toBe("100");
    expect(isRefusal(await guarded.callTool(pay))).toBe(true);
    expect(calls("pay")).toEqual([]);
  },
);

test.each(majors)(
  "[no-over-admission] a server of %s in this process that answers with another call's refusal has had the call",
  async (major) => {
    const { client, transport, calls } = await upstream(major);
    const elsewhere = await upstream(major);
    const denied = guardClient(elsewhere.client, createGuard({ policy: denyPay }).session());
    await loose(denied).connect(elsewhere.transport);
    const refusal = await denied.callTool(pay);
    expect(isRefusal(refusal)).toBe(true);

    const audit = memoryAudit();
    const once: PolicyDocument = {
      version: "1",
      default: "allow",
      tools: { pay: { limits: [{ counter: "payments", window: "hour", max: 1 }] } },
    };
    const guarded = guardClient(client, createGuard({ policy: once, audit }).session());
    await loose(guarded).connect(around(loose(transport), (message, send) => send(message)));
    const receive = loose(transport).onmessage;
    loose(transport).onmessage = (message: { result?: { content?: unknown } }, ...extra: unknown[]) =>
      receive(message.result?.content ? { ...message, result: refusal } : message, ...extra);
    await guarded.callTool(pay);
    expect(isRefusal(await guarded.callTool(pay))).toBe(true);
    expect(calls("pay")).toHaveLength(1);
    expect(audit.events.flatMap((event) => (event.type === "outcome" ? [event.outcome] : []))).toEqual(["tool_error"]);
  },
);

test.each(majors)("[no-over-admission] a call of %s that left once is not given back by what becomes of its second send", async (major) => {
  const once: PolicyDocument = {
    version: "1",
    default: "allow",
    tools: { pay: { limits: [{ counter: "payments", window: "hour", max: 1 }] } },
  };
  for (const [inside, second] of [
    [once, undefined],
    [allowAll, "Not connected"],
  ] as const) {
    const { client, transport, calls } = await upstream(major);
    const send = loose(transport).send.bind(transport);
    const failures = ["socket hang up", second];
    loose(transport).send = async (message: { method?: string }) => {
      if (message.method !== "tools/call") return send(message);
      const failure = failures.shift();
      if (failure !== "Not connected") await send({ ...message, id: `lost-${failures.length}` });
      if (failure) throw new Error(failure);
    };
    const inner = guardTransport(loose(transport), createGuard({ policy: inside }).session());
    const retrying = around(inner, (message, sendOn) => sendOn(message).catch(() => sendOn(message)));
    const audit = memoryAudit();
    const guarded = guardClient(client, createGuard({ policy: once, audit }).session());
    await loose(guarded).connect(retrying);
    await guarded.callTool(pay).catch(() => undefined);
    expect(isRefusal(await guarded.callTool(pay))).toBe(true);
    expect(calls("pay")).toHaveLength(1);
    expect(audit.events.flatMap((event) => (event.type === "outcome" ? [event.outcome] : []))).toEqual(["unknown"]);
  }
});
