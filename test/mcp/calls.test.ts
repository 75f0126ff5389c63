import { createGuard, type GuardOptions, memoryApprovals, memoryAudit, type PolicyDocument, RefusedError } from "@holdpoint/core";
import { guardClient, isRefusal, refusalOf } from "@holdpoint/mcp";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { expect, test, vi } from "vitest";
import { type Major, majors, settled, stopTimers, textOf, until, upstream } from "./majors.ts";

const pay = (amount: number) => ({ name: "pay", arguments: { amount, to: "bob" } });
const allowAll: PolicyDocument = { version: "1", default: "allow" };
const holdPay: PolicyDocument = {
  version: "1",
  default: "allow",
  tools: { pay: { require_approval: [{ conditions: [], name: "a person pays" }] } },
};
const threePays: PolicyDocument = {
  version: "1",
  default: "allow",
  tools: { pay: { limits: [{ counter: "pays", window: { sliding: "1h" }, max: 3 }] } },
};

// biome-ignore lint/suspicious/noExplicitAny: the two majors share no types
const loose = (value: unknown) => value as any;

async function guarded(major: Major, policy: PolicyDocument, options: Partial<GuardOptions> = {}, connection: object = {}) {
  const up = await upstream(major);
  const audit = memoryAudit();
  const guard = createGuard({ policy, audit, ...options });
  const session = guard.session({ user: "ann" });
  const client = guardClient(up.client, session, connection);
  await client.connect(up.transport as never);
  /** `callTool` and `request` with options, as each major takes them. */
  const callTool = (params: object, given: object = {}) =>
    major === "1.x" ? loose(client).callTool(params, undefined, given) : loose(client).callTool(params, given);
  const request = (params: object, given: object = {}) =>
    major === "1.x"
      ? loose(client).request({ method: "tools/call", params }, CallToolResultSchema, given)
      : loose(client).request({ method: "tools/call", params }, given);
  const outcomes = () => audit.events.flatMap((event) => (event.type === "outcome" ? [event.outcome] : []));
  const decisions = () => audit.events.flatMap((event) => (event.type === "decision" ? [event.code] : []));
  return { ...up, client, guard, session, audit, callTool, request, outcomes, decisions };
}

test.each(majors)("[well-formed-refusal] a refusal is a result of %s that both the model and programs can read", async (major) => {
  const { callTool, request, calls } = await guarded(major, {
    ...allowAll,
    tools: { pay: { deny_if: [{ conditions: [{ path: "args.amount", op: "gt", value: 1 }], on_deny: "Too much.", name: "small pays" }] } },
  });
  for (const make of [callTool, request]) {
    const result = await make(pay(2));
    expect(result).toMatchObject({
      isError: true,
      content: [{ type: "text", text: "[HOLDPOINT DENIED] Too much." }],
      _meta: { "holdpoint/decision": { outcome: "deny", code: "deny_if", rule: "small pays" } },
    });
    expect(result).not.toHaveProperty("resultType");
    expect(isRefusal(result)).toBe(true);
    expect(refusalOf(result)?.rule).toBe("/tools/pay/deny_if/small pays");
    expect(isRefusal(JSON.parse(JSON.stringify(result)))).toBe(false);
  }
  expect(calls()).toEqual([]);
});

test.each(majors)("[transparent-allow] what the server of %s says under holdpoint/ is dropped, and nothing else", async (major) => {
  const { callTool, request } = await guarded(major, allowAll);
  for (const make of [callTool, request]) {
    const result = await make({ name: "rate", arguments: {} });
    expect(result).toEqual({
      content: [{ type: "text", text: "1.5" }],
      structuredContent: { rate: 1.5 },
      _meta: expect.not.objectContaining({ "holdpoint/decision": expect.anything() }),
    });
    expect(result._meta["bank/branch"]).toBe(7);
    expect(isRefusal(result)).toBe(false);
  }
});

test.each(majors)("[decided-once] a call of %s that crosses the client and the transport is decided and charged once", async (major) => {
  const { callTool, decisions, outcomes } = await guarded(major, threePays);
  for (const amount of [1, 2, 3]) expect(textOf(await callTool(pay(amount)))).toBe(`paid ${amount} to bob`);
  expect(textOf(await callTool(pay(4)))).toMatch(/^\[HOLDPOINT DENIED\]/);
  expect(decisions()).toEqual(["allowed", "allowed", "allowed", "limit"]);
  expect(outcomes()).toEqual(["success", "success", "success"]);
});

test.each(majors)("[no-over-admission] of 20 parallel calls of %s on a limit of 3, 3 leave", async (major) => {
  for (const way of ["callTool", "request"] as const) {
    const up = await guarded(major, threePays);
    const results: unknown[] = await Promise.all(Array.from({ length: 20 }, (_, index) => up[way](pay(index))));
    expect(results.filter((result) => !isRefusal(result))).toHaveLength(3);
    expect(up.calls("pay")).toHaveLength(3);
  }
});

test.each(majors)(
  "[refused-spends-nothing] calls of %s that do not leave, for whatever reason, leave the limit as it was",
  async (major) => {
    const policy: PolicyDocument = {
      version: "1",
      default: "deny",
      all_tools: { limits: [{ counter: "calls", window: "hour", max: 1 }] },
      tools: {
        pay: {
          deny_if: [{ path: "args.amount", op: "gt", value: 100 }],
          require_approval: [{ path: "args.amount", op: "gt", value: 10 }],
          limits: [{ counter: "amounts", window: "hour", max: 50, increment_from: "args.amount", unit: "none" }],
        },
        balance: {},
      },
    };
    const { callTool, request, calls, client } = await guarded(major, policy, {
      approve: ({ arguments: { amount } }) => (amount === 20 ? new Promise(() => undefined) : { approved: false }),
    });
    for (const make of [callTool, request]) {
      for (const amount of [101, 60, 11, "1"]) expect(isRefusal(await make({ name: "pay", arguments: { amount, to: "bob" } }))).toBe(true);
      expect(isRefusal(await make({ name: "delete_account" }))).toBe(true);
      const giveUp = new AbortController();
      const held = make(pay(20), { signal: giveUp.signal }).catch(() => "given up");
      await settled();
      giveUp.abort();
      expect(await held).toBe("given up");
    }
    const batch = [{ jsonrpc: "2.0", id: 900, method: "tools/call", params: { name: "balance" } }];
    loose(client).onerror = () => undefined;
    await loose(client).transport.send(batch);
    expect(calls()).toEqual([]);
    expect(textOf(await callTool({ name: "balance" }))).toBe("100");
    expect(refusalOf(await callTool({ name: "balance" }))?.code).toBe("limit");
  },
);

test.each(majors)("[one-decision-one-record] every call of %s has one decision, and one outcome where it left", async (major) => {
  const { callTool, request, audit } = await guarded(major, { ...allowAll, hide: ["delete_account"] });
  for (const make of [callTool, request]) {
    await make({ name: "balance" });
    await make({ name: "fail" });
    await make({ name: "delete_account" });
    await make({ name: "no_such_tool" }).catch(() => undefined);
  }
  const events = audit.events.filter((event) => event.type === "decision" || event.type === "outcome");
  const each = ["allowed", "success", "allowed", "tool_error", "hidden", "definition_unknown"];
  expect(events.map((event) => (event.type === "decision" ? event.code : event.outcome))).toEqual([...each, ...each]);
  const calls = events.filter((event) => event.type === "decision").map((event) => event.call);
  expect(new Set(calls).size).toBe(8);
});

test.each(majors)("a call of %s that timed out or was aborted after it left may have happened, and says so", async (major) => {
  const { callTool, request, calls, outcomes, received } = await guarded(major, allowAll);
  stopTimers();
  const left = (count: number) => until(() => calls("slow").length === count);
  const timedOut = [callTool, request].map((make) => expect(make({ name: "slow" }, { timeout: 100 })).rejects.toThrow("timed out"));
  await left(2);
  vi.advanceTimersByTime(100);
  await Promise.all(timedOut);
  const aborting = new AbortController();
  const aborted = callTool({ name: "slow" }, { signal: aborting.signal });
  await left(3);
  aborting.abort(new Error("enough"));
  await expect(aborted).rejects.toThrow("enough");
  expect(outcomes()).toEqual(["unknown", "unknown", "unknown"]);
  await settled();
  expect(received.filter(({ method }) => method === "notifications/cancelled")).toHaveLength(3);
});

test.each(majors)("[transparent-allow] progress of %s reaches the caller", async (major) => {
  const { callTool } = await guarded(major, allowAll);
  const progress: unknown[] = [];
  expect(textOf(await callTool({ name: "slow" }, { onprogress: (step: unknown) => progress.push(step) }))).toBe("done");
  expect(progress).toEqual([{ progress: 1, total: 2 }]);
});

test.each(majors)("a call of %s without a connection fails as it did before, and is given back", async (major) => {
  const { client, callTool, outcomes } = await guarded(major, threePays);
  await callTool(pay(1));
  await client.close();
  await expect(callTool(pay(2))).rejects.toThrow("Not connected");
  expect(outcomes()).toEqual(["success"]);
});

test.each(majors)("a lost connection leaves the call of %s unknown", async (major) => {
  const { callTool, outcomes, server } = await guarded(major, allowAll);
  const lost = callTool({ name: "slow" }).catch(String);
  await settled();
  await server.close();
  expect(await lost).toContain("Connection closed");
  expect(outcomes()).toEqual(["unknown"]);
});

test.each(majors)("a person may take longer than the request timer of %s where the client asks", async (major) => {
  stopTimers();
  const { callTool } = await guarded(major, holdPay, {
    approve: async () => {
      await vi.advanceTimersByTimeAsync(150);
      return { approved: true };
    },
  });
  expect(textOf(await callTool(pay(1), { timeout: 100 }))).toBe("paid 1 to bob");
});

test.each(majors)("at the transport of %s the wait for a person ends before the caller's timer does", async (major) => {
  const { request, calls } = await guarded(major, holdPay, { approve: () => new Promise(() => undefined) }, { waitMs: 50 });
  const result = await request(pay(1));
  expect(textOf(result)).toBe("[HOLDPOINT APPROVAL REQUIRED] A person was asked to approve this call and did not answer in time.");
  expect(refusalOf(result)?.code).toBe("approval_expired");
  expect(calls()).toEqual([]);
});

test.each(majors)("a call of %s that waits for a person is answered as pending, and resumed exactly once", async (major) => {
  const { callTool, calls, guard } = await guarded(major, holdPay, { approvals: memoryApprovals() });
  const waiting = await callTool(pay(7));
  const id = refusalOf(waiting)?.approval?.id as string;
  expect(textOf(waiting)).toBe(
    `[HOLDPOINT APPROVAL REQUIRED] This call is waiting for a person's approval, id \`${id}\`. Make the same call again once it is approved.`,
  );
  expect(waiting._meta["holdpoint/decision"]).toEqual({
    outcome: "approval_required",
    code: "approval_pending",
    rule: "a person pays",
    approval: id,
  });
  expect(calls()).toEqual([]);
  await guard.approvals.approve(id, { by: "ben" });
  expect(textOf(await guard.resume(id))).toBe("paid 7 to bob");
  await expect(guard.resume(id)).rejects.toMatchObject({ code: "not_resumable" });
  expect(calls("pay")).toEqual([{ amount: 7, to: "bob" }]);
});

test.each(majors)("the model is told which arguments of %s a person changed", async (major) => {
  const { callTool, request, calls } = await guarded(major, holdPay, {
    approve: ({ arguments: args }) => ({ approved: true, arguments: { ...args, amount: 5 } }),
  });
  for (const make of [callTool, request]) {
    expect(textOf(await make(pay(50)))).toBe("paid 5 to bob\n[HOLDPOINT] A person changed `/amount` before this call was made.");
  }
  expect(calls("pay")).toEqual([
    { amount: 5, to: "bob" },
    { amount: 5, to: "bob" },
  ]);
});

test.each(majors)("onDeny: throw makes callTool of %s reject, and the transport answer with an error", async (major) => {
  const { callTool, request } = await guarded(major, { version: "1", default: "deny" }, { onDeny: "throw" });
  const thrown = await callTool(pay(1)).catch((error: unknown) => error);
  expect(RefusedError.is(thrown)).toBe(true);
  const error = await request(pay(1)).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: 403, message: expect.stringContaining("[HOLDPOINT DENIED] Tool `pay` is not available.") });
  expect(isRefusal(error)).toBe(true);
  expect(isRefusal(thrown)).toBe(true);
});

test.each(majors)("bypass 16 and 17: tools-only stops what else a client of %s can send, and the server gets no answers", async (major) => {
  const { client, callTool, received, audit, say } = await guarded(major, allowAll, {}, { egress: "tools-only" });
  expect(textOf(await callTool({ name: "balance" }))).toBe("100");
  expect((await client.listTools()).tools.length).toBeGreaterThan(0);
  const read = { method: "resources/read", params: { uri: "file:///secret" } };
  await expect(loose(client).request(read, loose(CallToolResultSchema))).rejects.toThrow("Only tool calls may leave");
  loose(client).setRequestHandler(
    ...(major === "1.x" ? [(await import("@modelcontextprotocol/sdk/types.js")).ListRootsRequestSchema] : ["roots/list"]),
    () => ({
      roots: [{ uri: "file:///home/ann" }],
    }),
  );
  await say({ jsonrpc: "2.0", id: "ask", method: "roots/list" });
  await say({ jsonrpc: "2.0", id: "still there", method: "ping" });
  await settled();
  expect(received.find(({ id }) => id === "ask")).toMatchObject({ error: { code: 403 } });
  expect(received.find(({ id }) => id === "still there")).toMatchObject({ result: {} });
  expect(received.some(({ method }) => method === "resources/read")).toBe(false);
  expect(audit.events.filter(({ type }) => type === "anomaly")).toHaveLength(2);
});

test("the client of 2.x takes options in third place too, as callers written for 1.x pass them", async () => {
  const { client } = await guarded("2.x", allowAll);
  const progress: unknown[] = [];
  const result = await loose(client).callTool({ name: "slow" }, undefined, { onprogress: (step: unknown) => progress.push(step) });
  expect(textOf(result)).toBe("done");
  expect(progress).toHaveLength(1);
});

test.each(majors)("an ended session refuses, and its callers of %s do not wait in vain", async (major) => {
  const { callTool, request, session, calls } = await guarded(major, allowAll);
  await session.end();
  expect(isRefusal(await request({ name: "balance" }))).toBe(true);
  expect(isRefusal(await callTool({ name: "balance" }))).toBe(true);
  expect(calls()).toEqual([]);
});
