import { guardTools } from "@holdpoint/ai-sdk";
import { createGuard, definePolicy, isRefusal, memoryAudit } from "@holdpoint/core";
import { experimental_streamTextLowMemory, jsonSchema, type ModelMessage, tool } from "ai";
import { expect, test } from "vitest";
import { majors, shownOutputs } from "./majors.ts";

const policy = definePolicy({
  version: "1",
  default: "deny",
  hide: ["drop_database"],
  tools: {
    look_up: {},
    refund: {
      deny_if: [{ conditions: [{ path: "args.amount", op: "gt", value: 100 }], on_deny: "Refunds over $100 go to a person in billing." }],
      limits: [{ counter: "refunds", window: { sliding: "1h" }, max: 2, scope: "grant" }],
    },
  },
});

/** Tools that write down that they ran. */
function deskTools(ran: string[]) {
  return {
    refund: tool({
      description: "Refunds",
      inputSchema: jsonSchema<{ amount: number }>({ type: "object", properties: { amount: { type: "number" } } }),
      execute: async ({ amount }) => {
        ran.push(`refund ${amount}`);
        return { refunded: amount };
      },
    }),
    look_up: tool({
      description: "Looks up",
      inputSchema: jsonSchema<{ id: string }>({ type: "object", properties: { id: { type: "string" } } }),
      execute: async ({ id }) => {
        ran.push(`look_up ${id}`);
        return `customer ${id}`;
      },
    }),
    drop_database: tool({
      description: "Drops",
      inputSchema: jsonSchema<Record<string, never>>({ type: "object", properties: {} }),
      execute: async () => {
        ran.push("drop_database");
        return "gone";
      },
    }),
  };
}

const denied = (text: string) => ({ type: "execution-denied", reason: `[HOLDPOINT DENIED] ${text}` });

for (const { name, sdk, model: scripted, steps } of majors) {
  const refundAndLookUp = [
    [
      { id: "c1", tool: "refund", input: { amount: 500 } },
      { id: "c2", tool: "look_up", input: { id: "7" } },
    ],
    "sorry",
  ];

  test(`[well-formed-refusal] generateText, ${name}: a refused call beside an allowed one is the SDK's own denied output`, async () => {
    const ran: string[] = [];
    const session = createGuard({ policy }).session();
    const model = scripted(refundAndLookUp);
    const result = await sdk.generateText({ model, tools: guardTools(deskTools(ran), session), prompt: "refund it", stopWhen: steps(3) });
    expect(result.text).toBe("sorry");
    expect(ran).toEqual(["look_up 7"]);
    expect(shownOutputs(model, 1)).toEqual({
      c1: denied("Refunds over $100 go to a person in billing."),
      c2: { type: "text", value: "customer 7" },
    });
    expect(result.steps[0]?.toolResults.map(({ output }) => isRefusal(output))).toEqual([true, false]);
  });

  test(`[well-formed-refusal] streamText, ${name}`, async () => {
    const ran: string[] = [];
    const session = createGuard({ policy }).session();
    const model = scripted(refundAndLookUp);
    const result = sdk.streamText({ model, tools: guardTools(deskTools(ran), session), prompt: "refund it", stopWhen: steps(3) });
    expect(await result.text).toBe("sorry");
    expect(ran).toEqual(["look_up 7"]);
    expect(shownOutputs(model, 1)).toMatchObject({ c1: denied("Refunds over $100 go to a person in billing.") });
  });

  test(`[well-formed-refusal] ToolLoopAgent, ${name}`, async () => {
    const ran: string[] = [];
    const session = createGuard({ policy }).session();
    const model = scripted(refundAndLookUp);
    const agent = new sdk.ToolLoopAgent({ model, tools: guardTools(deskTools(ran), session), stopWhen: steps(3) });
    expect((await agent.generate({ prompt: "refund it" })).text).toBe("sorry");
    expect(ran).toEqual(["look_up 7"]);
    expect(shownOutputs(model, 1)).toMatchObject({ c1: denied("Refunds over $100 go to a person in billing.") });
  });

  test(`[no-over-admission] parallel calls share a limit, ${name}`, async () => {
    const ran: string[] = [];
    const session = createGuard({ policy }).session();
    const model = scripted([[1, 2, 3, 4].map((n) => ({ id: `c${n}`, tool: "refund", input: { amount: n } })), "ok"]);
    await sdk.generateText({ model, tools: guardTools(deskTools(ran), session), prompt: "refund", stopWhen: steps(3) });
    expect(ran).toHaveLength(2);
    expect(Object.values(shownOutputs(model, 1)).filter((output) => (output as { type: string }).type === "execution-denied")).toHaveLength(
      2,
    );
  });

  test(`a hidden tool is not in the set, and one that the policy does not list is denied, ${name}`, async () => {
    const ran: string[] = [];
    const session = createGuard({ policy: { ...policy, tools: { look_up: {} } } }).session();
    const tools = guardTools(deskTools(ran), session);
    expect(Object.keys(tools)).toEqual(["refund", "look_up"]);
    const model = scripted([
      [
        { id: "c1", tool: "refund", input: { amount: 1 } },
        { id: "c2", tool: "drop_database", input: {} },
      ],
      "ok",
    ]);
    await sdk.generateText({ model, tools, prompt: "go", stopWhen: steps(3) });
    expect(ran).toEqual([]);
    expect(shownOutputs(model, 1)).toMatchObject({ c1: denied("Tool `refund` is not available."), c2: { type: "error-text" } });
  });

  test(`a refusal is known again in messages that went through JSON, ${name}`, async () => {
    const session = createGuard({ policy }).session();
    const tools = guardTools(deskTools([]), session);
    const first = sdk.streamText({ model: scripted(refundAndLookUp), tools, prompt: "refund it", stopWhen: steps(3) });
    let ui: Parameters<typeof sdk.convertToModelMessages>[0][number] | undefined;
    for await (const message of sdk.readUIMessageStream({ stream: first.toUIMessageStream() })) ui = message;
    const stored = JSON.parse(JSON.stringify(ui));
    const messages = await sdk.convertToModelMessages([{ role: "user", parts: [{ type: "text", text: "refund it" }] }, stored], { tools });
    const model = scripted(["still sorry"]);
    await sdk.generateText({ model, tools, messages: [...messages, { role: "user", content: "and now?" }] as ModelMessage[] });
    expect(shownOutputs(model, 0)).toMatchObject({ c1: denied("Refunds over $100 go to a person in billing.") });
  });

  test(`the trail and the policy see the call's id, its run and what the host's context says, ${name}`, async () => {
    const audit = memoryAudit();
    const guard = createGuard({
      policy: definePolicy({
        version: "1",
        default: "deny",
        tools: { look_up: { require: [{ path: "context.user", op: "eq", value: "ann" }] } },
      }),
      audit,
    });
    const tools = guardTools({ look_up: deskTools([]).look_up }, guard.session({ tenant: "acme" }).with({ run: "r1" }), {
      identify: ({ context }) => ({ user: (context as { user: string }).user }),
    });
    const go = (user: string) =>
      sdk.generateText({
        model: scripted([[{ id: `call-${user}`, tool: "look_up", input: { id: "1" } }], "ok"]),
        tools,
        prompt: "go",
        stopWhen: steps(2),
        ...({ toolsContext: { look_up: { user } }, experimental_context: { user } } as object),
      });
    await go("ann");
    await go("bob");
    expect(audit.events.filter((event) => event.type === "decision")).toMatchObject([
      { outcome: "allow", callId: "call-ann", identity: { tenant: "acme", run: "r1", user: "ann" } },
      { outcome: "deny", callId: "call-bob", identity: { tenant: "acme", run: "r1", user: "bob" } },
    ]);
  });

  test(`an aborted call that is held never runs, and the SDK rejects as it does, ${name}`, async () => {
    const ran: string[] = [];
    const stop = new AbortController();
    const guard = createGuard({
      policy: { version: "1", default: "deny", tools: { look_up: { require_approval: [{ conditions: [] }] } } },
      approve: () => {
        stop.abort();
        return { approved: true };
      },
    });
    const tools = guardTools({ look_up: deskTools(ran).look_up }, guard.session());
    const model = scripted([[{ id: "c1", tool: "look_up", input: { id: "1" } }], "ok"]);
    const result = await sdk
      .generateText({ model, tools, prompt: "go", stopWhen: steps(2), abortSignal: stop.signal })
      .catch((error: unknown) => error);
    expect(ran).toEqual([]);
    expect(result).toMatchObject({ name: "AbortError" });
  });
}

test("[well-formed-refusal] `experimental_streamTextLowMemory`, the third loop of AI SDK 7", async () => {
  const ran: string[] = [];
  const [seven] = majors;
  const model = seven.model([[{ id: "c1", tool: "refund", input: { amount: 500 } }], "sorry"]);
  const tools = guardTools(deskTools(ran), createGuard({ policy }).session());
  const result = experimental_streamTextLowMemory({ model, tools, prompt: "refund it", stopWhen: seven.steps(3) });
  for await (const _ of result.stream);
  expect(ran).toEqual([]);
  expect(shownOutputs(model, 1)).toEqual({ c1: denied("Refunds over $100 go to a person in billing.") });
});

test("[no-over-admission] a tool that answers with the refusal of another call that it made has run", async () => {
  const session = createGuard({
    policy: { version: "1", default: "deny", tools: { pay: { limits: [{ counter: "payments", window: "hour", max: 1 }] } } },
  }).session();
  let paid = 0;
  const inputSchema = jsonSchema<Record<string, never>>({ type: "object" });
  const { notify } = guardTools({ notify: tool({ inputSchema, execute: async () => "told" }) }, session);
  const { pay } = guardTools(
    {
      pay: tool({
        inputSchema,
        execute: (input, options) => {
          paid++;
          return notify.execute?.(input, options as never);
        },
      }),
    },
    session,
  );
  const call = (toolCallId: string) => pay.execute?.({}, { toolCallId, messages: [], context: {} } as never);
  expect(isRefusal(await call("one"))).toBe(true);
  expect(isRefusal(await call("two"))).toBe(true);
  expect(paid).toBe(1);
});
