// A question that outlives its process: the checkpoint is in a database, and each process has a connection, a guard, an agent and tools of its own.

import type { PolicyDocument } from "@holdpoint/core";
import { holdpointMiddleware, type ReviewRequest } from "@holdpoint/langchain";
import { Command } from "@langchain/langgraph";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import { createAgent } from "langchain";
import { Pool } from "pg";
import { afterAll, expect, test } from "vitest";
import { ask, canaries, modelCalling, refunds, setGuard, told } from "./setting.ts";

const url = process.env["DATABASE_URL"];
const postgresTest = test.skipIf(!url);
const schema = `test_${crypto.randomUUID().replaceAll("-", "").slice(0, 12)}`;
const savers: PostgresSaver[] = [];

afterAll(async () => {
  for (const saver of savers) await saver.end();
  if (!url) return;
  const pool = new Pool({ connectionString: url });
  await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
  await pool.end();
});

/** An app whose model makes a payment of 50 and a look. Its processes share the model's service and the database, and nothing else. */
function app() {
  const model = modelCalling([
    { name: "pay", args: { amount: 50 } },
    { name: "look", args: { amount: 1 } },
  ]);
  return async function startProcess(policy: PolicyDocument = refunds) {
    const checkpointer = PostgresSaver.fromConnString(url ?? "", { schema });
    savers.push(checkpointer);
    await checkpointer.setup();
    const setting = setGuard({ policy });
    const { tools, ran } = canaries();
    const agent = createAgent({ model, tools, checkpointer, middleware: [holdpointMiddleware(setting.session)] });
    return { ...setting, agent, ran };
  };
}

const thread = () => ({ configurable: { thread_id: crypto.randomUUID() } });
const decide = (decision: object) => new Command({ resume: { decisions: [decision] } }) as never;
const asked = (result: object) =>
  ((result as { __interrupt__?: { value: ReviewRequest }[] }).__interrupt__ ?? []).flatMap(({ value }) =>
    value.actionRequests.map(({ name }) => name),
  );

postgresTest("[decided-once] a yes that comes to another process makes the call once, there, and no second time", async () => {
  const chat = thread();
  const startProcess = app();
  const first = await startProcess();
  expect(asked(await first.agent.invoke(ask, chat))).toEqual(["pay"]);
  const second = await startProcess();
  const result = await second.agent.invoke(decide({ type: "approve" }), chat);
  expect(asked(result)).toEqual([]);
  expect(told(result.messages)).toEqual([
    ["success", "did pay 50"],
    ["success", "did look 1"],
  ]);
  expect(second.charged("payments")).toBe(1);
  const third = await startProcess();
  await third.agent.invoke(decide({ type: "approve" }), chat);
  expect([first.ran, second.ran.toSorted(), third.ran]).toEqual([[], ["look(1)", "pay(50)"], []]);
});

postgresTest("[nothing-leaves-unchecked] another process decides an edit, and a policy that is stricter by then, for itself", async () => {
  const answered = async (decision: object, policy?: PolicyDocument) => {
    const chat = thread();
    const startProcess = app();
    expect(asked(await (await startProcess()).agent.invoke(ask, chat))).toEqual(["pay"]);
    const { agent, ran } = await startProcess(policy);
    const { messages } = await agent.invoke(decide(decision), chat);
    expect(ran).toEqual(["look(1)"]);
    return told(messages)[0];
  };
  const edit = { type: "edit", editedAction: { name: "pay", args: { amount: 500 } } };
  expect(await answered(edit)).toEqual(["error", "[HOLDPOINT DENIED] At most 100."]);
  expect(await answered({ type: "approve" }, { ...refunds, tools: { look: {} } })).toEqual([
    "error",
    "[HOLDPOINT DENIED] Tool `pay` is not available.",
  ]);
});
