// What a graph asks in one process may be answered to another, which has the checkpoint and nothing else: a guard of its own stands for each process here.

import { memoryStore, type PolicyDocument } from "@holdpoint/core";
import { guardTools, holdpointMiddleware, type ReviewRequest } from "@holdpoint/langchain";
import { AIMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { Command, END, interrupt, MemorySaver, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { createAgent } from "langchain";
import { expect, test } from "vitest";
import { z } from "zod";
import { ask, type Calls, canaries, modelCalling, setGuard, told } from "./setting.ts";

const thread = { configurable: { thread_id: "t" } };
const decide = (...decisions: object[]) => new Command({ resume: { decisions } }) as never;
const approve = decide({ type: "approve" });

/** The names of the calls that the graph asks about. */
function asked(result: object): string[] {
  const held = (result as { __interrupt__?: { value: ReviewRequest }[] }).__interrupt__ ?? [];
  return held.flatMap(({ value }) => value.actionRequests.map(({ name }) => name));
}

/** An agent whose model pays once; each call of what comes back is a process. */
function agents(tools = canaries().tools) {
  const checkpointer = new MemorySaver();
  const model = modelCalling([{ name: "pay", args: { amount: 50 } }]);
  return (setting = setGuard()) => createAgent({ model, tools, checkpointer, middleware: [holdpointMiddleware(setting.session)] });
}

/** A graph with a `ToolNode` of guarded tools, where all calls share a step. */
function graphs(calls: Calls, tools = canaries().tools) {
  const checkpointer = new MemorySaver();
  const toolCalls = calls.map((call, index) => ({ ...call, id: `c${index}`, type: "tool_call" as const }));
  return (setting = setGuard()) =>
    new StateGraph(MessagesAnnotation)
      .addNode("model", () => ({ messages: [new AIMessage({ content: "", tool_calls: toolCalls })] }))
      .addNode("tools", new ToolNode(guardTools(tools, setting.session)))
      .addEdge(START, "model")
      .addEdge("model", "tools")
      .addEdge("tools", END)
      .compile({ checkpointer });
}

test("a process that has only the checkpoint asks nothing twice, and makes the call once", async () => {
  const { tools, ran } = canaries();
  const start = agents(tools);
  await start().invoke(ask, thread);
  const later = setGuard();
  const result = await start(later).invoke(approve, thread);
  expect([asked(result), told(result.messages)]).toEqual([[], [["success", "did pay 50"]]]);
  expect([ran, later.count("decision"), later.charged("payments")]).toEqual([["pay(50)"], 1, 1]);
});

test("[nothing-leaves-unchecked] a yes does not cover rules that the person was not told of: a process with another policy asks anew", async () => {
  const { tools, ran } = canaries();
  const start = agents(tools);
  await start().invoke(ask, thread);
  const stricter: PolicyDocument = {
    version: "1",
    default: "deny",
    tools: {
      pay: {
        require_approval: [
          { conditions: [{ path: "args.amount", op: "gt", value: 20 }], reason: "Over 20" },
          { conditions: [], reason: "The board" },
        ],
      },
    },
  };
  const later = setGuard({ policy: stricter });
  expect(asked(await start(later).invoke(approve, thread))).toEqual(["pay"]);
  expect(ran).toEqual([]);
  expect(told((await start(later).invoke(approve, thread)).messages)).toEqual([["success", "did pay 50"]]);
  expect(ran).toEqual(["pay(50)"]);
});

test("[fail-closed] an answer that comes after the request has expired is no yes in another process either", async () => {
  const { tools, ran } = canaries();
  const start = agents(tools);
  let now = Date.UTC(2026, 0, 1);
  await start(setGuard({ clock: () => now })).invoke(ask, thread);
  now += 24 * 60 * 60_000;
  const { messages } = await start(setGuard({ clock: () => now })).invoke(approve, thread);
  expect(told(messages)).toMatchObject([["error", expect.stringContaining("after the request had expired")]]);
  expect(ran).toEqual([]);
});

test("[nothing-leaves-unchecked] in a ToolNode a yes is for the call that was asked about, whichever asks first in another process", async () => {
  const { tools, ran } = canaries();
  const calls = [
    { name: "pay", args: { amount: 50 } },
    { name: "refund", args: { amount: 7 } },
  ];
  const start = graphs(calls, tools);
  expect(asked(await start().invoke({ messages: [] }, thread))).toEqual(["pay"]);
  const store = memoryStore();
  const slow = {
    ...store,
    look: async (...given: Parameters<typeof store.look>) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return store.look(...given);
    },
  };
  const later = setGuard({ store: slow });
  const second = await start(later).invoke(approve, thread);
  expect(ran).not.toContain("refund(7)");
  expect(asked(second)).toEqual(["refund"]);
  await start(later).invoke(decide({ type: "reject" }), thread);
  expect(ran).toEqual(["pay(50)"]);
});

test("[nothing-leaves-unchecked] in a ToolNode one yes makes one call, also where each answer comes to a process of its own", async () => {
  const { tools, ran } = canaries();
  const start = graphs(
    [
      { name: "pay", args: { amount: 50 } },
      { name: "refund", args: { amount: 7 } },
    ],
    tools,
  );
  await start().invoke({ messages: [] }, thread);
  expect(asked(await start().invoke(approve, thread))).toEqual(["refund"]);
  const third = start();
  expect(asked(await third.invoke(approve, thread))).toEqual(["pay"]);
  expect(ran.filter((call) => call.startsWith("pay"))).toEqual(["pay(50)"]);
  const { messages } = await third.invoke(decide({ type: "reject" }), thread);
  expect(told(messages).map(([status]) => status)).toEqual(["error", "success"]);
  expect(ran).toEqual(["pay(50)", "refund(7)"]);
});

test("[nothing-leaves-unchecked] the answer to a tool's own question, of the same shape, approves no call", async () => {
  const got: unknown[] = [];
  const question = { actionRequests: [{ name: "inner", args: {}, description: "?" }], reviewConfigs: [] };
  const pay = tool(
    ({ amount }) => {
      got.push(`started ${amount}`);
      return `paid ${JSON.stringify(interrupt(question))}`;
    },
    { name: "pay", description: "", schema: z.object({ amount: z.number() }) },
  );
  const start = agents([pay] as never);
  await start().invoke(ask, thread);
  const inner = await start().invoke(approve, thread);
  expect([asked(inner), got]).toEqual([["inner"], ["started 50"]]);
  expect(asked(await start().invoke(approve, thread))).toEqual(["pay"]);
  expect(got).toEqual(["started 50"]);
});

test("[nothing-leaves-unchecked] going back to an earlier checkpoint asks again, in the same process and in another", async () => {
  const { tools, ran } = canaries();
  let now = Date.UTC(2026, 0, 1);
  const start = agents(tools);
  const first = start(setGuard({ clock: () => now }));
  await first.invoke(ask, thread);
  await first.invoke(approve, thread);
  expect(ran).toEqual(["pay(50)"]);
  // The question of before has long expired; this is another one.
  now += 24 * 60 * 60_000;
  const history: { next: string[]; config: typeof thread }[] = [];
  for await (const state of (first.graph as unknown as { getStateHistory(of: object): AsyncIterable<(typeof history)[0]> }).getStateHistory(
    thread,
  ))
    history.push(state);
  const earlier = history.filter(({ next }) => next[0] === "tools" || next[0]?.includes("after_model")).slice(-2);
  expect(earlier.map(({ next }) => next[0])).toEqual(["tools", "HoldpointMiddleware.after_model"]);
  for (const { config } of earlier) {
    for (const process of [first, start(setGuard({ clock: () => now }))]) {
      expect(asked(await process.invoke(null as never, config))).toEqual(["pay"]);
      expect(ran).toEqual(["pay(50)"]);
    }
  }
  await first.invoke(approve, thread).catch(() => undefined);
  expect(ran).toEqual(["pay(50)", "pay(50)"]);
});
