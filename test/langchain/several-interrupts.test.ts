// LangGraph delivers an answer that names no interrupt to every task that waits: a person who said yes to one call has then said it to all.

import { guardTools, holdpointMiddleware, type ReviewRequest } from "@holdpoint/langchain";
import { AIMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { Command, END, entrypoint, MemorySaver, MessagesAnnotation, Send, START, StateGraph, task } from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { createAgent } from "langchain";
import { expect, test } from "vitest";
import { z } from "zod";
import { ask, canaries, modelCalling, setGuard, told } from "./setting.ts";

const thread = { configurable: { thread_id: "t" } };
const approve = { decisions: [{ type: "approve" }] };
const resume = (answer: object) => new Command({ resume: answer }) as never;
const calls = [
  { name: "pay", args: { amount: 50 }, id: "c0", type: "tool_call" as const },
  { name: "refund", args: { amount: 7 }, id: "c1", type: "tool_call" as const },
];

type Held = { readonly id: string; readonly value: ReviewRequest };
const held = (result: object) => (result as { __interrupt__?: Held[] }).__interrupt__ ?? [];
const names = (result: object) => held(result).map(({ value }) => value.actionRequests[0]?.name);

/** A graph that sends each call to a tool node of its own. */
function sending() {
  const { tools, ran } = canaries();
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("model", () => ({ messages: [new AIMessage({ content: "", tool_calls: calls })] }))
    .addNode("tools", new ToolNode(guardTools(tools, setGuard().session)))
    .addEdge(START, "model")
    .addConditionalEdges("model", () =>
      calls.map((call) => new Send("tools", { messages: [new AIMessage({ content: "", tool_calls: [call] })] })),
    )
    .addEdge("tools", END)
    .compile({ checkpointer: new MemorySaver() });
  return { graph, ran };
}

test("[nothing-leaves-unchecked] one yes for no interrupt by name approves none of several calls", async () => {
  const { graph, ran } = sending();
  expect(names(await graph.invoke({ messages: [] }, thread))).toEqual(["pay", "refund"]);
  const { messages } = await graph.invoke(resume(approve), thread);
  expect(told(messages)).toEqual(calls.map(() => ["error", expect.stringContaining("the answer was for none of them by its id")]));
  expect(ran).toEqual([]);
});

test("answers by the interrupts' ids are each for their own call, and the last that waits needs no name", async () => {
  const { graph, ran } = sending();
  const [, refund] = held(await graph.invoke({ messages: [] }, thread));
  expect(names(await graph.invoke(resume({ [String(refund?.id)]: approve }), thread))).toContain("pay");
  expect(ran).toEqual(["refund(7)"]);
  await graph.invoke(resume(approve), thread);
  expect(ran).toEqual(["refund(7)", "pay(50)"]);

  const both = sending();
  const ids = held(await both.graph.invoke({ messages: [] }, thread)).map(({ id }) => id);
  const answers = { [String(ids[0])]: approve, [String(ids[1])]: { decisions: [{ type: "reject" }] } };
  const { messages } = await both.graph.invoke(resume(answers), thread);
  expect(told(messages).map(([status]) => status)).toEqual(["success", "error"]);
  expect(both.ran).toEqual(["pay(50)"]);
});

test("[nothing-leaves-unchecked] in the functional API a yes is not for a call that was never shown", async () => {
  for (const byId of [false, true]) {
    const { tools, ran } = canaries();
    const guarded = guardTools(tools, setGuard().session);
    const run = task("run", async (call: (typeof calls)[0]) => guarded.find(({ name }) => name === call.name)?.invoke(call));
    const flow = entrypoint({ name: "flow", checkpointer: new MemorySaver() }, async (_: string) => {
      await Promise.all(calls.map((call) => run(call)));
      return "done";
    });
    const [shown, ...more] = held((await flow.invoke("go", thread)) as unknown as object);
    expect([shown?.value.actionRequests[0]?.name, more]).toEqual(["pay", []]);
    const next = (await flow.invoke(resume(byId ? { [String(shown?.id)]: approve } : approve), thread)) as unknown as object;
    expect([names(next), ran]).toEqual(byId ? [["refund"], ["pay(50)"]] : [[], []]);
    if (byId) await flow.invoke(resume(approve), thread);
    expect(ran).toEqual(byId ? ["pay(50)", "refund(7)"] : []);
  }
});

test("[nothing-leaves-unchecked] two calls that a person made into others are two questions", async () => {
  const { tools, ran } = canaries();
  const agent = createAgent({
    model: modelCalling([
      { name: "pay", args: { amount: 50 } },
      { name: "pay", args: { amount: 60 } },
    ]),
    tools,
    checkpointer: new MemorySaver(),
    middleware: [holdpointMiddleware(setGuard().session)],
  });
  await agent.invoke(ask, thread);
  const rename = (amount: number) => ({ type: "edit", editedAction: { name: "refund", args: { amount } } });
  expect(names(await agent.invoke(resume({ decisions: [rename(1), rename(2)] }), thread))).toEqual(["refund", "refund"]);
  await agent.invoke(resume(approve), thread);
  expect(ran).toEqual([]);
});

test("[decided-once] an agent that is a tool of another asks through it, and each yes is for its own call", async () => {
  const { session, decisions } = setGuard();
  const { tools, ran } = canaries();
  const inner = createAgent({ model: modelCalling([calls[0] as never]), tools, middleware: [holdpointMiddleware(session)] });
  const refund = tool(async () => told((await inner.invoke(ask)).messages).join(), {
    name: "refund",
    description: "",
    schema: z.object({}),
  });
  const agent = createAgent({
    model: modelCalling([{ name: "refund", args: {} }]),
    tools: [refund],
    checkpointer: new MemorySaver(),
    middleware: [holdpointMiddleware(session)],
  });
  expect(names(await agent.invoke(ask, thread))).toEqual(["refund"]);
  expect(names(await agent.invoke(resume(approve), thread))).toEqual(["pay"]);
  expect(ran).toEqual([]);
  expect(told((await agent.invoke(resume(approve), thread)).messages)).toEqual([["success", "success,did pay 50"]]);
  expect([ran, decisions().length]).toEqual([["pay(50)"], 2]);
});

test("[decided-once] an agent that is a node of a graph asks through that graph", async () => {
  const { session, decisions } = setGuard();
  const { tools, ran } = canaries();
  const inner = createAgent({ model: modelCalling([calls[0] as never]), tools, middleware: [holdpointMiddleware(session)] });
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("agent", inner.graph as never)
    .addEdge(START, "agent")
    .addEdge("agent", END)
    .compile({ checkpointer: new MemorySaver() });
  expect(names(await graph.invoke(ask as never, thread))).toEqual(["pay"]);
  expect(told((await graph.invoke(resume(approve), thread)).messages)).toEqual([["success", "did pay 50"]]);
  expect([ran, decisions().length]).toEqual([["pay(50)"], 1]);
});
