import type { PolicyDocument } from "@holdpoint/core";
import { guardTools, holdpointMiddleware, type ReviewRequest } from "@holdpoint/langchain";
import { AIMessage } from "@langchain/core/messages";
import { type StructuredToolInterface, tool } from "@langchain/core/tools";
import { Command, END, interrupt, MemorySaver, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { createAgent, toolRetryMiddleware } from "langchain";
import { expect, test } from "vitest";
import { z } from "zod";
import { ask, type Calls, canaries, loose, modelCalling, refunds, setGuard, told } from "./setting.ts";

type Interrupted = { readonly __interrupt__?: readonly { readonly id: string; readonly value: ReviewRequest }[] };

const interruptsOf = (result: object) => (result as Interrupted).__interrupt__ ?? [];
const decide = (...decisions: object[]) => new Command({ resume: { decisions } });

function agentWith(calls: Calls, setting = setGuard()) {
  const { tools, ran } = canaries();
  const agent = createAgent({
    model: modelCalling(calls),
    tools,
    checkpointer: new MemorySaver(),
    middleware: [holdpointMiddleware(setting.session)],
  });
  const thread = { configurable: { thread_id: "t" } };
  return { ...setting, ran, run: () => agent.invoke(ask, thread), resume: (command: Command) => agent.invoke(command as never, thread) };
}

test("a hold interrupts the graph with the request of the human-in-the-loop middleware; the yes makes the call, charged and recorded once", async () => {
  const { run, resume, ran, count, charged } = agentWith([{ name: "pay", args: { amount: 50 } }]);
  const [held] = interruptsOf(await run());
  expect(held?.value).toEqual({
    actionRequests: [
      { name: "pay", args: { amount: 50 }, description: expect.stringContaining('Over 20\n\nTool: pay\nArgs: {\n  "amount": 50\n}') },
    ],
    reviewConfigs: [{ actionName: "pay", allowedDecisions: ["approve", "edit", "reject"] }],
    "holdpoint/expiresAt": expect.any(Number),
  });
  expect([ran, charged("payments"), count("decision")]).toEqual([[], 0, 0]);
  const { messages } = await resume(decide({ type: "approve" }));
  expect(told(messages)).toEqual([["success", "did pay 50"]]);
  expect([ran, charged("payments")]).toEqual([["pay(50)"], 1]);
  expect(["approval.requested", "approval.granted", "approval.used", "decision", "outcome"].map(count)).toEqual([1, 1, 1, 1, 1]);
});

test("[refused-spends-nothing] a reject tells the model the person's reason, and charges nothing", async () => {
  const { run, resume, ran, charged, decisions } = agentWith([{ name: "pay", args: { amount: 50 } }]);
  await run();
  const { messages } = await resume(decide({ type: "reject", message: "too much" }));
  expect(told(messages)).toEqual([["error", "[HOLDPOINT DENIED] A person was asked and refused this call: too much."]]);
  expect([ran, charged("payments"), decisions().length]).toEqual([[], 0, 1]);
});

test("an edit is decided again: within the policy it is made and the model is told, against it it is refused", async () => {
  const fine = agentWith([{ name: "pay", args: { amount: 50 } }]);
  await fine.run();
  const made = await fine.resume(decide({ type: "edit", editedAction: { name: "pay", args: { amount: 30 } } }));
  expect(told(made.messages)).toEqual([["success", "[HOLDPOINT] A person changed `/amount` before this call was made.\ndid pay 30"]]);
  const wrong = agentWith([{ name: "pay", args: { amount: 50 } }]);
  await wrong.run();
  const refused = await wrong.resume(decide({ type: "edit", editedAction: { name: "pay", args: { amount: 300 } } }));
  expect(told(refused.messages)).toEqual([["error", "[HOLDPOINT DENIED] At most 100."]]);
  expect([fine.ran, wrong.ran]).toEqual([["pay(30)"], []]);
});

test("[nothing-leaves-unchecked] an edit that names another tool is decided as a call of that tool (31)", async () => {
  const rename = (name: string, args: object) => decide({ type: "edit", editedAction: { name, args } });
  const allowed = agentWith([{ name: "pay", args: { amount: 50 } }]);
  await allowed.run();
  expect(told((await allowed.resume(rename("look", {}))).messages)).toEqual([["success", "did look "]]);
  expect(allowed.decisions()).toMatchObject([
    { tool: "pay", code: "approval_refused" },
    { tool: "look", code: "allowed" },
  ]);

  for (const name of ["unlisted", "secret", "nowhere"]) {
    const denied = agentWith([{ name: "pay", args: { amount: 50 } }]);
    await denied.run();
    expect(told((await denied.resume(rename(name, {}))).messages)).toEqual([
      ["error", `[HOLDPOINT DENIED] Tool \`${name}\` is not available.`],
    ]);
    expect(denied.ran).toEqual([]);
  }

  const held = agentWith([{ name: "pay", args: { amount: 50 } }]);
  await held.run();
  const [second] = interruptsOf(await held.resume(rename("refund", { amount: 3 })));
  expect(second?.value.actionRequests).toMatchObject([{ name: "refund", args: { amount: 3 } }]);
  expect(held.ran).toEqual([]);
  expect(told((await held.resume(decide({ type: "approve" }))).messages)).toEqual([["success", "did refund 3"]]);
  expect(held.ran).toEqual(["refund(3)"]);
  expect(held.decisions()).toMatchObject([
    { tool: "pay", code: "approval_refused" },
    { tool: "refund", code: "allowed" },
  ]);
});

test("[fail-closed] what is no single decision refuses", async () => {
  const answers: unknown[] = [
    true,
    "approve",
    { decisions: [] },
    { decisions: [{ type: "approve" }, { type: "approve" }] },
    { decisions: [{ type: "yes" }] },
    { type: "approve" },
  ];
  answers.push(
    { decisions: [{ type: "edit", editedAction: { name: "pay" } }] },
    { decisions: [{ type: "edit", editedAction: { name: "pay", args: "all" } }] },
  );
  for (const resume of answers) {
    const agent = agentWith([{ name: "pay", args: { amount: 50 } }]);
    await agent.run();
    const [message] = told((await agent.resume(new Command({ resume }))).messages);
    expect([message?.[0], agent.ran]).toEqual(["error", []]);
  }
});

test("[well-formed-refusal] parallel holds are one interrupt, as existing screens expect it; each decision is for its own call", async () => {
  const { run, resume, ran, count, charged } = agentWith([
    { name: "look", args: {} },
    { name: "pay", args: { amount: 50 } },
    { name: "pay", args: { amount: 50 } },
    { name: "unlisted", args: {} },
    { name: "refund", args: { amount: 1 } },
  ]);
  const held = interruptsOf(await run());
  expect(held.map(({ value }) => value.actionRequests.map(({ name }) => name))).toEqual([["pay", "pay", "refund"]]);
  expect([ran, count("decision")]).toEqual([[], 0]);
  const { messages } = await resume(
    decide({ type: "reject" }, { type: "approve" }, { type: "edit", editedAction: { name: "refund", args: { amount: 2 } } }),
  );
  expect(told(messages).map(([status]) => status)).toEqual(["success", "error", "success", "error", "success"]);
  expect([...ran].sort()).toEqual(["look()", "pay(50)", "refund(2)"]);
  expect([charged("payments"), charged("looks"), count("decision"), count("approval.requested")]).toEqual([1, 1, 5, 3]);
});

test("what a schema makes of the arguments is what a person is asked about, once, without secret fields", async () => {
  const policy: PolicyDocument = {
    version: "1",
    default: "deny",
    tools: { pay: { audit: { secret: ["args.card"] }, require_approval: [{ conditions: [] }] } },
  };
  const { session, count } = setGuard({ policy });
  const got: unknown[] = [];
  const schema = z.object({ amount: z.number(), card: z.string(), currency: z.string().default("usd") });
  const pay = tool((args) => `paid ${got.push(args)}`, { name: "pay", description: "", schema });
  const thread = { configurable: { thread_id: "t" } };
  const model = modelCalling([{ name: "pay", args: { amount: 1, card: "visa 4111", extra: true } }]);
  const agent = createAgent({ model, tools: [pay], checkpointer: new MemorySaver(), middleware: [holdpointMiddleware(session)] });
  const [held] = interruptsOf(await agent.invoke(ask, thread));
  expect(held?.value.actionRequests[0]?.args).toEqual({ amount: 1, card: "(secret)", currency: "usd" });
  expect(JSON.stringify(held)).not.toContain("visa");
  const edit = { type: "edit", editedAction: { name: "pay", args: { amount: 2, card: "(secret)", currency: "usd" } } };
  expect(interruptsOf(await agent.invoke(decide(edit) as never, thread))).toEqual([]);
  expect(got).toEqual([{ amount: 2, card: "visa 4111", currency: "usd" }]);
  expect([count("approval.requested"), count("decision")]).toEqual([1, 1]);
});

test("an answer that comes after the request has expired is no yes", async () => {
  let now = 1_000_000;
  const policy: PolicyDocument = {
    version: "1",
    default: "deny",
    tools: { pay: { require_approval: [{ conditions: [], timeout: "1m" }] } },
  };
  const { run, resume, ran } = agentWith([{ name: "pay", args: {} }], setGuard({ policy, clock: () => now }));
  await run();
  now += 61_000;
  expect(told((await resume(decide({ type: "approve" }))).messages)).toMatchObject([
    ["error", expect.stringContaining("after the request had expired")],
  ]);
  expect(ran).toEqual([]);
});

test("without a checkpointer the guard's approver is asked, and without one the refusal says so", async () => {
  const { tools, ran } = canaries();
  const run = (setting: ReturnType<typeof setGuard>) =>
    createAgent({
      model: modelCalling([{ name: "pay", args: { amount: 50 } }]),
      tools,
      middleware: [holdpointMiddleware(setting.session)],
    }).invoke(ask);
  expect(told((await run(setGuard())).messages)).toEqual([
    ["error", "[HOLDPOINT APPROVAL REQUIRED] This call requires approval, and no approver is configured."],
  ]);
  expect(told((await run(setGuard({ approve: () => ({ approved: true, by: "bob" }) }))).messages)).toEqual([["success", "did pay 50"]]);
  expect(ran).toEqual(["pay(50)"]);
});

test("[decided-once] a tool that interrupts the graph by itself goes on as the same call: charged and recorded once (35)", async () => {
  const { session, charged, count } = setGuard();
  const got: unknown[] = [];
  let runs = 0;
  const pay = tool(
    ({ amount }) => {
      runs++;
      got.push(interrupt("which account?"), interrupt("which day?"));
      return `paid ${amount}`;
    },
    { name: "pay", description: "", schema: z.object({ amount: z.number() }) },
  );
  const thread = { configurable: { thread_id: "t" } };
  const agent = createAgent({
    model: modelCalling([{ name: "pay", args: { amount: 50 } }]),
    tools: [pay],
    checkpointer: new MemorySaver(),
    middleware: [holdpointMiddleware(session)],
  });
  await agent.invoke(ask, thread);
  await agent.invoke(decide({ type: "approve" }) as never, thread);
  await agent.invoke(new Command({ resume: "savings" }) as never, thread);
  const { messages } = await agent.invoke(new Command({ resume: "monday" }) as never, thread);
  expect(told(messages)).toEqual([["success", "paid 50"]]);
  expect(got).toEqual(["savings", "monday"]);
  expect([runs, charged("payments"), count("decision"), count("outcome"), count("approval.granted")]).toEqual([3, 1, 1, 1, 1]);
});

test("a call that was interrupted by its tool is refused on resume where the policy refuses it by then", async () => {
  const { session, guard, audit } = setGuard();
  let finished = false;
  const look = tool(
    () => {
      interrupt("sure?");
      finished = true;
      return "ok";
    },
    { name: "look", description: "", schema: z.object({}) },
  );
  const thread = { configurable: { thread_id: "t" } };
  const agent = createAgent({
    model: modelCalling([{ name: "look", args: {} }]),
    tools: [look],
    checkpointer: new MemorySaver(),
    middleware: [holdpointMiddleware(session)],
  });
  await agent.invoke(ask, thread);
  guard.update({ version: "1", default: "deny" }, { carry: false });
  const { messages } = await agent.invoke(new Command({ resume: "yes" }) as never, thread);
  expect(told(messages)).toEqual([["error", "[HOLDPOINT DENIED] Tool `look` is not available."]]);
  expect([finished, audit.events.filter(({ type }) => type === "outcome")]).toMatchObject([false, []]);
});

test("[nothing-leaves-unchecked] a call that was interrupted by its tool, and that another rule holds by then, is asked about before it goes on", async () => {
  const { session, guard, charged, decisions } = setGuard();
  const got: unknown[] = [];
  const pay = tool(({ amount }) => `paid ${amount} from ${got.push(interrupt("which account?"))}`, {
    name: "pay",
    description: "",
    schema: z.object({ amount: z.number() }),
  });
  const thread = { configurable: { thread_id: "t" } };
  const agent = createAgent({
    model: modelCalling([{ name: "pay", args: { amount: 50 } }]),
    tools: [pay],
    checkpointer: new MemorySaver(),
    middleware: [holdpointMiddleware(session)],
  });
  const resume = (resume: unknown) => agent.invoke(new Command({ resume }) as never, thread);
  const approve = { decisions: [{ type: "approve" }] };
  await agent.invoke(ask, thread);
  await resume(approve);
  guard.update({ ...refunds, tools: { pay: { ...refunds.tools?.["pay"], require_approval: [{ conditions: [], reason: "The board" }] } } });
  const [held] = interruptsOf(await resume("savings"));
  expect([held?.value.actionRequests[0]?.description, got]).toEqual([expect.stringContaining("The board"), []]);
  // The answer that came while the call was held is nobody's: the tool asks again.
  expect(interruptsOf(await resume(approve))[0]?.value).toBe("which account?");
  expect(told((await resume("checking")).messages)).toEqual([["success", "paid 50 from 1"]]);
  expect([got, charged("payments")]).toEqual([["checking"], 2]);
  expect(decisions().map(({ outcome }) => outcome)).toEqual(["allow", "allow"]);
});

test("[decided-once] a retried call that a person approved by interrupt is asked about once and charged for each attempt", async () => {
  const { session, charged, count } = setGuard();
  let runs = 0;
  const pay = tool(
    () => {
      if (++runs < 3) throw new Error("not yet");
      return "paid";
    },
    { name: "pay", description: "", schema: z.object({ amount: z.number() }) },
  );
  const retry = loose(toolRetryMiddleware({ maxRetries: 3, initialDelayMs: 1 }));
  const thread = { configurable: { thread_id: "t" } };
  const agent = createAgent({
    model: modelCalling([{ name: "pay", args: { amount: 50 } }]),
    tools: [pay],
    checkpointer: new MemorySaver(),
    middleware: [retry, holdpointMiddleware(session)],
  });
  await agent.invoke(ask, thread);
  const { messages } = await agent.invoke(decide({ type: "edit", editedAction: { name: "pay", args: { amount: 40 } } }) as never, thread);
  expect(told(messages)).toEqual([["success", "[HOLDPOINT] A person changed `/amount` before this call was made.\npaid"]]);
  expect([runs, charged("payments"), count("approval.requested"), count("approval.used")]).toEqual([3, 3, 1, 1]);
});

test("one node for all calls (`version: v1`) holds each call by itself too", async () => {
  const { session, charged, count } = setGuard();
  const { tools, ran } = canaries();
  const calls = [
    { name: "pay", args: { amount: 50 } },
    { name: "look", args: {} },
    { name: "pay", args: { amount: 60 } },
  ];
  const thread = { configurable: { thread_id: "t" } };
  const agent = createAgent({
    model: modelCalling(calls),
    tools,
    version: "v1",
    checkpointer: new MemorySaver(),
    middleware: [holdpointMiddleware(session)],
  });
  await agent.invoke(ask, thread);
  const { messages } = await agent.invoke(decide({ type: "reject" }, { type: "approve" }) as never, thread);
  expect(told(messages).map(([status]) => status)).toEqual(["error", "success", "success"]);
  expect(ran).toEqual(["look()", "pay(60)"]);
  expect([charged("payments"), charged("looks"), count("decision")]).toEqual([1, 1, 3]);
});

function toolNodeGraph(tools: readonly StructuredToolInterface[], calls: Calls) {
  const toolCalls = calls.map((call, index) => ({ ...call, id: `c${index}`, type: "tool_call" as const }));
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("model", () => ({ messages: [new AIMessage({ content: "", tool_calls: toolCalls })] }))
    .addNode("tools", new ToolNode([...tools]))
    .addEdge(START, "model")
    .addEdge("model", "tools")
    .addEdge("tools", END)
    .compile({ checkpointer: new MemorySaver() });
  return (input: object) => graph.invoke(input as never, { configurable: { thread_id: "t" } });
}

for (const [first, second, ranThen] of [
  ["approve", "reject", ["look()", "pay(50)"]],
  ["reject", "approve", ["look()", "refund(7)"]],
] as const) {
  test(`in a ToolNode, where calls share a task, ${first} and ${second} are each for their own call, and no call is made or recorded twice`, async () => {
    const { session, charged, count } = setGuard();
    const { tools, ran } = canaries();
    const run = toolNodeGraph(guardTools(tools, session), [
      { name: "look", args: {} },
      { name: "pay", args: { amount: 50 } },
      { name: "refund", args: { amount: 7 } },
    ]);
    const asked: unknown[] = [];
    let result = await run({ messages: [] });
    for (const type of [first, second]) {
      asked.push(...interruptsOf(result).map(({ value }) => value.actionRequests[0]?.name));
      result = await run(decide({ type }));
    }
    expect(asked).toEqual(["pay", "refund"]);
    expect(told(result.messages).map(([status]) => status)).toEqual([
      "success",
      ...[first, second].map((type) => (type === "approve" ? "success" : "error")),
    ]);
    expect(ran).toEqual(ranThen);
    expect([charged("looks"), count("decision"), count("approval.requested")]).toEqual([1, 3, 2]);
  });
}

test("in a ToolNode, a tool that was held and then interrupts by itself gets its own answer", async () => {
  const { session, charged, count } = setGuard();
  const got: unknown[] = [];
  const pay = tool(() => `got ${got.push(interrupt("which account?"))}`, {
    name: "pay",
    description: "",
    schema: z.object({ amount: z.number() }),
  });
  const run = toolNodeGraph(guardTools([pay], session), [{ name: "pay", args: { amount: 50 } }]);
  await run({ messages: [] });
  await run(decide({ type: "approve" }));
  const { messages } = await run(new Command({ resume: "savings" }));
  expect([told(messages), got]).toEqual([[["success", "got 1"]], ["savings"]]);
  expect([charged("payments"), count("decision"), count("outcome")]).toEqual([1, 1, 1]);
});
