// What the AI SDK lets a host do to a call between the model and the tool's `execute`: repair it, refine its input, watch it, wrap it. What reaches the
// tool is what is decided, and nothing that stands in between is a way past the decision.

import { guardTools } from "@holdpoint/ai-sdk";
import { createGuard, definePolicy, memoryAudit } from "@holdpoint/core";
import { jsonSchema, type ModelMessage, registerTelemetry, type Telemetry, tool } from "ai";
import { afterEach, expect, test } from "vitest";
import { type Major, majors, shownOutputs } from "./majors.ts";

const policy = definePolicy({
  version: "1",
  default: "deny",
  tools: {
    pay: {
      deny_if: [{ conditions: [{ path: "args.n", op: "gt", value: 100 }], on_deny: "Too much." }],
      require_approval: [{ conditions: [{ path: "args.n", op: "gt", value: 10 }] }],
      limits: [{ counter: "payments", window: { sliding: "1h" }, max: 3, scope: "grant" }],
    },
  },
});
const denied = { type: "execution-denied", reason: "[HOLDPOINT DENIED] Too much." };

/** Guarded tools that write down that they ran. The policy lists only `pay`. */
function desk() {
  const ran: string[] = [];
  const audit = memoryAudit();
  const canary = (name: string) =>
    tool({
      inputSchema: jsonSchema<{ n: number }>(
        { type: "object", properties: { n: { type: "number" } } },
        {
          validate: (value) => {
            const input = value as { n: number };
            return typeof input.n === "number" ? { success: true, value: input } : { success: false, error: new Error("`n` is no number") };
          },
        },
      ),
      execute: async ({ n }) => {
        ran.push(`${name} ${n}`);
        return `did ${name} ${n}`;
      },
    });
  const tools = guardTools({ pay: canary("pay"), wipe: canary("wipe") }, createGuard({ policy, audit }).session());
  const decisions = () => audit.events.filter((event) => event.type === "decision").map(({ outcome, tool: name }) => `${outcome} ${name}`);
  return { ran, tools, decisions };
}

/** Has the SDK turn a call that it could not read into this one. */
function repairedTo(toolName: string, n: number) {
  const repairToolCall = async ({ toolCall }: { toolCall: object }) => ({ ...toolCall, toolName, input: JSON.stringify({ n }) });
  return { repairToolCall, experimental_repairToolCall: repairToolCall } as object;
}

const unreadable = { id: "c1", tool: "pay", input: { n: "five" } };
const unknown = { id: "c1", tool: "payment", input: { n: 5 } };

for (const major of majors) {
  const { name, sdk, model: scripted, steps } = major;

  for (const [what, call] of Object.entries({ "input that the schema does not take": unreadable, "a tool that there is not": unknown })) {
    test(`[nothing-leaves-unchecked] a call with ${what} is decided as what it was repaired to, ${name}`, async () => {
      for (const streamed of [false, true]) {
        const { ran, tools, decisions } = desk();
        const go = async (repaired: object) => {
          const model = scripted([[call], "done"]);
          const request = { model, tools, prompt: "go", stopWhen: steps(3), ...repaired };
          await (streamed ? sdk.streamText(request).text : sdk.generateText(request));
          return shownOutputs(model, 1)["c1"];
        };
        expect(await go(repairedTo("pay", 5))).toEqual({ type: "text", value: "did pay 5" });
        expect(await go(repairedTo("pay", 500))).toEqual(denied);
        expect(await go(repairedTo("wipe", 5))).toEqual({
          type: "execution-denied",
          reason: "[HOLDPOINT DENIED] Tool `wipe` is not available.",
        });
        expect(ran).toEqual(["pay 5"]);
        expect(decisions()).toEqual(["allow pay", "deny pay", "deny wipe"]);
      }
    });
  }

  test(`[sent-is-checked] a person is asked about the repaired call, and the yes is for that one, ${name}`, async () => {
    const { ran, tools } = desk();
    const first = await sdk.generateText({
      model: scripted([[unreadable], "done"]),
      tools,
      prompt: "go",
      stopWhen: steps(3),
      ...repairedTo("pay", 50),
    });
    const request = first.content.find((part) => part.type === "tool-approval-request");
    expect(request?.toolCall.input).toEqual({ n: 50 });
    expect(ran).toEqual([]);
    await answer(major, tools, first.response.messages, request?.approvalId);
    expect(ran).toEqual(["pay 50"]);
  });
}

async function answer({ sdk, model, steps }: Major, tools: ReturnType<typeof desk>["tools"], asked: ModelMessage[], approvalId?: string) {
  const messages = [
    { role: "user", content: "go" },
    ...asked,
    { role: "tool", content: [{ type: "tool-approval-response", approvalId, approved: true }] },
  ] as ModelMessage[];
  await sdk.generateText({ model: model(["done"]), tools, messages, stopWhen: steps(3) });
}

const seven = majors[0];

/** One step of these payments on AI SDK 7: what the model is shown of each. */
async function pay(tools: ReturnType<typeof desk>["tools"], amounts: readonly number[], more: object) {
  const model = seven.model([amounts.map((n) => ({ id: `c${n}`, tool: "pay", input: { n } })), "done"]);
  await seven.sdk.generateText({ model, tools, prompt: "go", stopWhen: seven.steps(3), ...more });
  return shownOutputs(model, 1);
}

test("[sent-is-checked] input that `experimental_refineToolInput` made is what is decided", async () => {
  const { ran, tools } = desk();
  const shown = await pay(tools, [5], { experimental_refineToolInput: { pay: ({ n }: { n: number }) => ({ n: n * 100 }) } });
  expect(shown).toEqual({ c5: denied });
  expect(ran).toEqual([]);
});

// What is registered stays so for the whole process, and the SDK has no way to take it back.
afterEach(() => {
  globalThis.AI_SDK_TELEMETRY_INTEGRATIONS = undefined;
});

/** A telemetry integration whose wrapper notes each call that it was put around. */
function watcher(wrap: (run: () => PromiseLike<unknown>, call: { input: unknown }) => PromiseLike<unknown>) {
  const wrapped: string[] = [];
  const integration = {
    executeTool: ({ execute, toolCall }: { execute: () => PromiseLike<unknown>; toolCall: { toolCallId: string; input: unknown } }) => {
      wrapped.push(toolCall.toolCallId);
      return wrap(execute, toolCall);
    },
  };
  return { wrapped, integration: integration as unknown as Telemetry };
}

test("[nothing-leaves-unchecked] telemetry that wraps the execution, is left out of one call, or is off, is no part of the decision", async () => {
  const global = watcher((run) => run());
  const local = watcher((run) => run());
  registerTelemetry(global.integration);
  for (const telemetry of [undefined, { integrations: [local.integration] }, { integrations: [] }, { isEnabled: false }]) {
    const { ran, tools } = desk();
    expect(await pay(tools, [5, 500], { telemetry })).toEqual({ c5: { type: "text", value: "did pay 5" }, c500: denied });
    expect(ran).toEqual(["pay 5"]);
  }
  expect([global.wrapped, local.wrapped]).toEqual([
    ["c5", "c500"],
    ["c5", "c500"],
  ]);
});

test("[nothing-leaves-unchecked] a wrapper of telemetry that changes the input, or runs the tool again, gets a decision for each", async () => {
  const { ran, tools, decisions } = desk();
  const changes = watcher((run, call) => {
    Object.assign(call.input as object, { n: 500 });
    return run();
  });
  await pay(tools, [5], { telemetry: { integrations: [changes.integration] } });
  expect(ran).toEqual([]);
  const repeats = watcher(async (run) => {
    for (let time = 0; time < 5; time++) await run();
  });
  await pay(tools, [6], { telemetry: { integrations: [repeats.integration] } });
  expect(ran).toEqual(["pay 6", "pay 6", "pay 6"]);
  expect(decisions().slice(-5)).toEqual(["allow pay", "allow pay", "allow pay", "deny pay", "deny pay"]);
});

test("a wrapper of telemetry that keeps the refusal's error to itself has run nothing", async () => {
  const ran: number[] = [];
  const guarded = guardTools(
    { pay: tool({ inputSchema: jsonSchema<{ n: number }>({ type: "object" }), execute: async ({ n }) => void ran.push(n) }) },
    createGuard({ policy, onDeny: "throw" }).session(),
  );
  const swallows = watcher((run) => run().then(undefined, () => undefined));
  const model = seven.model([[{ id: "c1", tool: "pay", input: { n: 500 } }], "done"]);
  await seven.sdk.generateText({
    model,
    tools: guarded,
    prompt: "go",
    stopWhen: seven.steps(3),
    telemetry: { integrations: [swallows.integration] },
  });
  expect(swallows.wrapped).toEqual(["c1"]);
  expect(ran).toEqual([]);
});
