import { getEventListeners } from "node:events";
import { createGuard, memoryAudit, type PolicyDocument } from "@holdpoint/core";
import { assertEnforced, guardClient, guardTransport, isRefusal, refusalOf } from "@holdpoint/mcp";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { expect, test, vi } from "vitest";
import { type Major, majors, settled, stopTimers, textOf, until, upstream } from "./majors.ts";

const policy: PolicyDocument = {
  version: "1",
  default: "deny",
  hide: ["delete_account"],
  tools: {
    pay: { deny_if: [{ path: "args.amount", op: "gt", value: 100, on_deny: "Too much." }] },
    balance: {},
    fail: {},
    rate: {},
    slow: {},
  },
};

async function guarded(major: Major, document: PolicyDocument = policy, options: Partial<Parameters<typeof createGuard>[0]> = {}) {
  const up = await upstream(major);
  const audit = memoryAudit();
  const guard = createGuard({ policy: document, audit, ...options });
  const session = guard.session({ user: "ann" });
  const client = guardClient(up.client, session);
  await client.connect(up.transport as never);
  return { ...up, client, guard, session, audit, denied: { name: "pay", arguments: { amount: 101, to: "eve" } } };
}

// biome-ignore lint/suspicious/noExplicitAny: adversaries call what the types forbid
const loose = (value: unknown) => value as any;

const call = (params: unknown) => ({ method: "tools/call", params });

test.each(majors)("[nothing-leaves-unchecked] bypass 1: request() of %s is checked", async (major) => {
  const { client, calls, denied } = await guarded(major);
  const result = await loose(client).request(call(denied), CallToolResultSchema);
  expect(textOf(result)).toBe("[HOLDPOINT DENIED] Too much.");
  expect(isRefusal(result)).toBe(true);
  expect(calls()).toEqual([]);
});

test("[nothing-leaves-unchecked] bypass 2: the streams of experimental tasks are checked", async () => {
  const { client, calls, denied } = await guarded("1.x");
  const { tasks } = loose(client).experimental;
  for (const stream of [tasks.callToolStream(denied), tasks.requestStream(call(denied), CallToolResultSchema)]) {
    const messages = [];
    for await (const message of stream) messages.push(message);
    expect(messages).toMatchObject([{ type: "result", result: { isError: true } }]);
  }
  expect(calls()).toEqual([]);
});

test.each(majors)("[nothing-leaves-unchecked] bypass 3: protected methods of %s are checked", async (major) => {
  const { client, calls, denied } = await guarded(major);
  if (major === "1.x") {
    for await (const message of loose(client).requestStream(call(denied), CallToolResultSchema))
      expect(message).toMatchObject({ result: { isError: true } });
  } else {
    const anything = { "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value }) } };
    expect(await loose(client)._requestWithSchema(call(denied), anything)).toMatchObject({ isError: true });
    expect(await loose(client)._requestWithSchemaViaCodec(loose(client)._wireCodec(), call(denied), anything)).toMatchObject({
      isError: true,
    });
  }
  expect(calls()).toEqual([]);
});

test.each(majors)("[nothing-leaves-unchecked] bypass 4: prototype methods of %s are checked", async (major) => {
  const { client, calls, denied } = await guarded(major);
  const prototype = Object.getPrototypeOf(client);
  expect(await prototype.callTool.call(client, denied)).toMatchObject({ isError: true });
  expect(await prototype.request.call(client, call(denied), CallToolResultSchema)).toMatchObject({ isError: true });
  expect(calls()).toEqual([]);
});

test.each(majors)(
  "[nothing-leaves-unchecked] bypass 5: raw sends of %s are checked, also under an open id and in a batch",
  async (major) => {
    const { client, calls, denied, received, audit } = await guarded(major);
    const transport = loose(client).transport;
    const errors: Error[] = [];
    loose(client).onerror = (error: Error) => errors.push(error);
    await transport.send({ jsonrpc: "2.0", id: 900, ...call(denied) });
    await transport.send([
      { jsonrpc: "2.0", id: 901, ...call(denied) },
      { jsonrpc: "2.0", id: 902, method: "ping" },
    ]);
    expect(errors.map(String).filter((error) => /unknown message ID/.test(error))).toHaveLength(3);

    stopTimers();
    const open = client.callTool({ name: "slow" }, undefined as never, { timeout: 200 } as never).catch(String);
    await until(() => calls("slow").length === 1);
    const id = received.findLast(({ method }) => method === "tools/call")?.id;
    await expect(transport.send({ jsonrpc: "2.0", id, ...call(denied) })).rejects.toMatchObject({ code: "duplicate_id" });
    vi.advanceTimersByTime(200);
    expect(await open).toContain("timed out");
    expect(calls("pay")).toEqual([]);
    expect(audit.events).toContainEqual(expect.objectContaining({ type: "decision", outcome: "deny", code: "batch", tool: "pay" }));
  },
);

test.each(majors)("[nothing-leaves-unchecked] bypass 6: a call without an id is dropped and recorded in %s", async (major) => {
  const { client, received, audit, denied } = await guarded(major);
  await loose(client).notification(call({ name: "pay", arguments: { amount: 1, to: "bob" } }));
  await loose(client).transport.send({ jsonrpc: "2.0", id: null, ...call(denied) });
  await settled();
  expect(received.filter(({ method }) => method === "tools/call")).toEqual([]);
  expect(audit.events.filter((event) => event.type === "decision")).toMatchObject([{ code: "malformed" }, { code: "malformed" }]);
});

test.each(majors)(
  "[nothing-leaves-unchecked] bypass 7: holders of the raw %s transport and later connections are checked",
  async (major) => {
    const { client, transport, calls, denied, guard, session } = await guarded(major);
    const errors: Error[] = [];
    loose(client).onerror = (error: Error) => errors.push(error);
    await loose(transport).send({ jsonrpc: "2.0", id: 900, ...call(denied) });
    expect(calls()).toEqual([]);

    await client.close();
    const next = await upstream(major);
    await client.connect(next.transport as never);
    expect(await loose(client).request(call(denied), CallToolResultSchema)).toMatchObject({ isError: true });
    expect(next.calls()).toEqual([]);
    expect(() => guardTransport(loose(next.transport), guard.session())).toThrow("guarded under another session");
    expect(guardClient(client, session)).toBe(client);
  },
);

test.each(majors)("[nothing-leaves-unchecked] bypass 8: tasks, _meta and unknown parameters of %s", async (major) => {
  const { client, calls, received, denied } = await guarded(major);
  await expect(loose(client).request(call({ ...denied, task: {} }), CallToolResultSchema)).rejects.toThrow("[HOLDPOINT DENIED] Too much.");
  const unknown = await loose(client).request(call({ name: "balance", tool: "pay" }), CallToolResultSchema);
  expect(textOf(unknown)).toMatch(/^\[HOLDPOINT DENIED\] This call cannot be made/);
  await loose(client).request(call({ name: "balance", _meta: { "holdpoint/decision": "allow", "bank/trace": "t" } }), CallToolResultSchema);
  expect(calls()).toEqual([undefined]);
  expect(received.find(({ method }) => method === "tools/call")?.params?._meta).toEqual({ "bank/trace": "t" });
});

test.each(majors)("[nothing-leaves-unchecked] bypass 8: parameters of another form than a call has do not leave in %s", async (major) => {
  const { client, received, audit } = await guarded(major);
  const wrong: readonly unknown[] = [
    ...[undefined, null, "balance", [], ["balance"], {}],
    ...[["balance"], { name: "balance" }, null, 7].map((name) => ({ name })),
    ...[[1], "amount", null, 1].map((args) => ({ name: "balance", arguments: args })),
    ...["task", "_meta", "inputResponses"].flatMap((key) => [[], 1, null].map((value) => ({ name: "balance", [key]: value }))),
    { name: "balance", requestState: 1 },
    { name: "balance", Name: "pay" },
    JSON.parse('{"name": "balance", "__proto__": {"name": "pay"}}'),
  ];
  loose(client).onerror = () => undefined;
  for (const [index, params] of wrong.entries()) {
    await loose(client).transport.send({ jsonrpc: "2.0", id: `wrong-${index}`, method: "tools/call", params });
  }
  await settled();
  expect(received.filter(({ method }) => method === "tools/call")).toEqual([]);
  const codes = audit.events.flatMap((event) => (event.type === "decision" ? [event.code] : []));
  expect(codes).toEqual(wrong.map(() => "malformed"));
});

test.each(majors)("[sent-is-checked] bypass 9: arguments changed while the call of %s is held", async (major) => {
  const hold: PolicyDocument = { ...policy, tools: { pay: { require_approval: [{ conditions: [] }] } } };
  const params = { name: "pay", arguments: { amount: 1, to: "bob" } };
  const { client, calls } = await guarded(major, hold, {
    approve() {
      params.arguments.amount = 5_000;
      params.arguments.to = "eve";
      return { approved: true };
    },
  });
  expect(textOf(await client.callTool(params))).toBe("paid 1 to bob");
  const request = { ...call({ name: "pay", arguments: { amount: 2, to: "bob" } }) };
  loose(params).arguments = loose(request.params).arguments;
  expect(textOf(await loose(client).request(request, CallToolResultSchema))).toBe("paid 2 to bob");
  expect(calls()).toEqual([
    { amount: 1, to: "bob" },
    { amount: 2, to: "bob" },
  ]);
});

test.each(majors)("[sent-is-checked] bypass 10: what is no plain JSON, or changes between reads, in %s", async (major) => {
  const { client, calls, received } = await guarded(major);
  let reads = 0;
  const flipping = {
    get amount() {
      return reads++ === 0 ? 1 : 5_000;
    },
    to: "bob",
  };
  const cyclic: Record<string, unknown> = { amount: 1 };
  cyclic.to = cyclic;
  const proxied = new Proxy(
    { amount: 1, to: "bob" },
    {
      getOwnPropertyDescriptor: (target, key) =>
        ({ ...Reflect.getOwnPropertyDescriptor(target, key), get: () => 5_000, value: undefined, writable: undefined }) as never,
    },
  );
  for (const args of [
    flipping,
    cyclic,
    proxied,
    { amount: 1n, to: "bob" },
    { amount: 1, to: { toJSON: () => "eve" } },
    { amount: Number.NaN, to: "b" },
    { amount: 1, to: new Date() },
  ]) {
    for (const make of [
      () => client.callTool({ name: "pay", arguments: loose(args) }),
      () => loose(client).request(call({ name: "pay", arguments: args }), CallToolResultSchema),
    ]) {
      const result = await make().catch((error: Error) => error);
      if (isRefusal(result)) expect(textOf(result)).toMatch(/cannot be made|DENIED/);
      else expect(result).toMatchObject({ code: "malformed" });
    }
  }
  const polluted = JSON.parse('{"amount": 1, "to": "bob", "__proto__": {"amount": 5000}}');
  await client.callTool({ name: "pay", arguments: polluted });
  expect(JSON.stringify(calls("pay"))).toBe('[{"amount":1,"to":"bob","__proto__":{"amount":5000}}]');

  let methods = 0;
  const before = received.length;
  const shifty = {
    jsonrpc: "2.0",
    id: 950,
    get method() {
      return methods++ === 0 ? "ping" : "tools/call";
    },
    params: { name: "pay", arguments: { amount: 5_000, to: "eve" } },
  };
  await loose(client)
    .transport.send(shifty)
    .catch(() => undefined);
  await settled();
  expect(received.slice(before).filter(({ method }) => method === "tools/call")).toEqual([]);
});

test.each(majors)(
  "[nothing-leaves-unchecked] bypass 11: a call of %s that its caller gave up while it was held never leaves",
  async (major) => {
    const hold: PolicyDocument = { ...policy, tools: { pay: { require_approval: [{ conditions: [] }] } } };
    const answers: (() => void)[] = [];
    const { client, calls, received } = await guarded(major, hold, {
      approve: () => new Promise((resolve) => answers.push(() => resolve({ approved: true }))),
    });
    const ask = (n: number, options: object) =>
      loose(client).request(call({ name: "pay", arguments: { amount: n, to: "bob" } }), CallToolResultSchema, options);
    const askV2 = (n: number, options: object) =>
      loose(client).request(call({ name: "pay", arguments: { amount: n, to: "bob" } }), options);
    const send = major === "1.x" ? ask : askV2;
    stopTimers();
    const aborting = new AbortController();
    const tool = new AbortController();
    const held = [
      send(1, { timeout: 50 }),
      send(2, { signal: aborting.signal }),
      major === "1.x"
        ? loose(client).callTool({ name: "pay", arguments: { amount: 3, to: "bob" } }, undefined, { signal: tool.signal })
        : loose(client).callTool({ name: "pay", arguments: { amount: 3, to: "bob" } }, { signal: tool.signal }),
    ].map((promise) =>
      promise.then(
        (value: unknown) => ({ value }),
        (error: unknown) => ({ error }),
      ),
    );
    await until(() => answers.length === 3);
    vi.advanceTimersByTime(50);
    aborting.abort();
    tool.abort();
    expect(await Promise.all(held)).toEqual([{ error: expect.anything() }, { error: expect.anything() }, { error: expect.anything() }]);
    for (const answer of answers) answer();
    await settled();
    expect(calls()).toEqual([]);
    expect(received.filter(({ method }) => method === "notifications/cancelled")).toEqual([]);

    const closing = send(4, {}).catch((error: unknown) => ({ error }));
    await until(() => answers.length === 4);
    await client.close();
    answers[3]?.();
    expect(await closing).toEqual({ error: expect.anything() });
    await settled();
    expect(calls()).toEqual([]);
  },
);

test.each(majors)(
  "[nothing-leaves-unchecked] bypass 11: a call of %s that was held when its connection closed does not leave on the next",
  async (major) => {
    const hold: PolicyDocument = { ...policy, tools: { pay: { require_approval: [{ conditions: [] }] } } };
    const answers: (() => void)[] = [];
    const approve = () => new Promise<{ approved: true }>((resolve) => answers.push(() => resolve({ approved: true })));
    const { client, calls, audit } = await guarded(major, hold, { approve });
    const pay = { name: "pay", arguments: { amount: 1, to: "bob" } };
    const aborting = new AbortController();
    const options = { signal: aborting.signal };
    const held = [
      client.callTool(pay),
      major === "1.x" ? loose(client).callTool(pay, undefined, options) : loose(client).callTool(pay, options),
    ].map((call) => call.catch((error: unknown) => error));
    await expect.poll(() => answers.length).toBe(1);
    await client.close();
    const next = await upstream(major);
    await client.connect(next.transport as never);
    answers[0]?.();
    const closed = { code: "connection_closed", message: expect.stringContaining("the connection closed while the call was held") };
    expect(await Promise.all(held)).toEqual([expect.objectContaining(closed), expect.objectContaining(closed)]);
    await settled();
    expect([...calls(), ...next.calls()]).toEqual([]);
    expect(getEventListeners(aborting.signal, "abort")).toEqual([]);
    const decisions = audit.events.flatMap((event) => (event.type === "decision" ? [event.code] : []));
    expect(decisions).toEqual(["cancelled", "cancelled"]);
  },
);

test.each(majors)("[nothing-leaves-unchecked] a message that some server would read as a tool call does not leave in %s", async (major) => {
  const { client, received } = await guarded(major);
  const { transport } = loose(client);
  const params = { name: "pay", arguments: { amount: 1, to: "bob" } };
  const before = received.length;
  const unclear = [
    { method: ["tools/call"], params },
    { method: "ping", Method: "tools/call", params },
    { method: "ping", METHOD: "tools/call", Params: params },
    { method: "ping", param\u017f: params },
  ];
  for (const [id, message] of unclear.entries()) {
    const whole = { jsonrpc: "2.0", id: `unclear-${id}`, ...message };
    await expect(transport.send(whole)).rejects.toMatchObject({ code: "malformed" });
    await expect(transport.send([whole])).rejects.toMatchObject({ code: "malformed" });
  }
  expect(received).toHaveLength(before);
});

test.each(majors)(
  "a second spelling of an argument of %s, which some servers read for the first, passes no closed schema",
  async (major) => {
    const closed = {
      type: "object",
      properties: { amount: { type: "number" }, to: { type: "string" } },
      additionalProperties: false,
    } as const;
    const small = { path: "args.amount", op: "lte", value: 100 } as const;
    const { client, calls } = await guarded(major, {
      version: "1",
      default: "deny",
      tools: { pay: { arguments: closed, require: [small] } },
    });
    const code = async (args: object) => refusalOf(await client.callTool({ name: "pay", arguments: args as never }))?.code;
    for (const second of ["Amount", "AMOUNT", "To"]) {
      expect(await code({ amount: 1, to: "bob", [second]: 5_000 })).toBe("arguments_invalid");
    }
    expect(await code({ amount: 1, to: "bob" })).toBeUndefined();
    expect(calls("pay")).toEqual([{ amount: 1, to: "bob" }]);
  },
);

test.each(majors)("a transport of %s that came in past connect is found out, and guarded by the next call", async (major) => {
  const { client, calls, denied } = await guarded(major);
  await client.close();
  const next = await upstream(major);
  await Object.getPrototypeOf(client).connect.call(client, next.transport);
  await expect(assertEnforced(client)).rejects.toMatchObject({ code: "not_enforced" });
  expect(isRefusal(await client.callTool(denied))).toBe(true);
  expect(isRefusal(await loose(client).request(call(denied), CallToolResultSchema))).toBe(true);
  await assertEnforced(client);
  expect([...calls(), ...next.calls()]).toEqual([]);
});

test.each(majors)("every path of %s is shown to be checked, by name", async (major) => {
  const { client, received } = await guarded(major);
  const errors: Error[] = [];
  loose(client).onerror = (error: Error) => errors.push(error);
  const [{ tested, untested }] = await Promise.all([assertEnforced(client), assertEnforced(client)]);
  expect(tested).toEqual(
    expect.arrayContaining([
      "callTool",
      "prototype.callTool",
      "request",
      "prototype.request",
      "transport.send",
      "transport.send with a batch",
      "transport.send with a notification",
    ]),
  );
  if (major === "1.x")
    expect(tested).toEqual(expect.arrayContaining(["requestStream", "experimental.tasks.callToolStream", "notification"]));
  expect(untested.map(({ path }) => path)).toEqual(expect.arrayContaining(["prototype.send", "another connection"]));
  expect(received.filter(({ method }) => method === "tools/call")).toEqual([]);
  expect(errors).toEqual([]);
});
