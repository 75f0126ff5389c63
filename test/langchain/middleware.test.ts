import { isRefusal, RefusedError } from "@holdpoint/core";
import { guardTools, holdpointMiddleware } from "@holdpoint/langchain";
import { tool } from "@langchain/core/tools";
import { createAgent, createMiddleware, toolErrorMiddleware, toolRetryMiddleware } from "langchain";
import { expect, test } from "vitest";
import { z } from "zod";
import { ask, canaries, loose, modelCalling, setGuard, told, toolMessages } from "./setting.ts";

test("[well-formed-refusal] parallel calls each get their message: refused ones as errors, the others their results", async () => {
  const { session, decisions } = setGuard();
  const { tools, ran } = canaries();
  const model = modelCalling([
    { name: "look", args: {} },
    { name: "pay", args: { amount: 500 } },
    { name: "unlisted", args: {} },
    { name: "pay", args: { amount: 5 } },
  ]);
  const agent = createAgent({ model, tools, middleware: [holdpointMiddleware(session)] });
  const { messages } = await agent.invoke(ask);
  expect(told(messages)).toEqual([
    ["success", "did look "],
    ["error", "[HOLDPOINT DENIED] At most 100."],
    ["error", "[HOLDPOINT DENIED] Tool `unlisted` is not available."],
    ["success", "did pay 5"],
  ]);
  expect(ran).toEqual(["look()", "pay(5)"]);
  expect(
    decisions()
      .map(({ outcome }) => outcome)
      .sort(),
  ).toEqual(["allow", "allow", "deny", "deny"]);
  const refusals = toolMessages(messages).filter((message) => message.status === "error");
  expect(refusals.every(isRefusal)).toBe(true);
  expect(refusals[0]?.additional_kwargs["holdpoint/decision"]).toMatchObject({ outcome: "deny", code: "deny_if" });
});

test("[no-over-admission] of twenty parallel calls of a turn on a limit of five, five run, in whichever way they are made", async () => {
  const calls = Array.from({ length: 20 }, () => ({ name: "look", args: {} }));
  const inAgent = setGuard();
  const { tools, ran } = canaries();
  const agent = createAgent({ model: modelCalling(calls), tools, middleware: [holdpointMiddleware(inAgent.session)] });
  const { messages } = await agent.invoke(ask);
  expect([ran.length, told(messages).filter(([status]) => status === "error").length]).toEqual([5, 15]);

  const byHand = setGuard();
  const { look, ran: made } = canaries();
  const [guarded] = guardTools([look], byHand.session);
  await Promise.all(calls.map((_, index) => (index % 2 === 0 ? guarded?.invoke({}) : guarded?.batch([{}]))));
  expect(made).toHaveLength(5);
});

test("hidden tools are not offered, and a call of one reads like a call of a tool that does not exist", async () => {
  const { session, count } = setGuard();
  const { tools, ran } = canaries();
  const offered: string[][] = [];
  const spy = createMiddleware({
    name: "Spy",
    wrapModelCall: (request, handler) => {
      offered.push(request.tools.map((each) => String(each.name)));
      return handler(request);
    },
  });
  const model = modelCalling([
    { name: "secret", args: {} },
    { name: "nowhere", args: {} },
  ]);
  const agent = createAgent({ model, tools, middleware: [holdpointMiddleware(session), spy] });
  const { messages } = await agent.invoke(ask);
  expect(offered[0]).toEqual(["look", "pay", "refund", "unlisted"]);
  expect(told(messages)).toEqual([
    ["error", "[HOLDPOINT DENIED] Tool `secret` is not available."],
    ["error", "[HOLDPOINT DENIED] Tool `nowhere` is not available."],
  ]);
  expect(ran).toEqual([]);
  expect(count("decision")).toBe(2);
});

test("a tool that the agent does not have is refused alike where the policy allows everything", async () => {
  const { session } = setGuard({ policy: { version: "1", default: "allow", hide: ["secret"] } });
  const { tools } = canaries();
  const agent = createAgent({ model: modelCalling([{ name: "nowhere", args: {} }]), tools, middleware: [holdpointMiddleware(session)] });
  expect(told((await agent.invoke(ask)).messages)).toEqual([["error", "[HOLDPOINT DENIED] Tool `nowhere` is not available."]]);
});

test("streamed agents are guarded alike", async () => {
  const { session } = setGuard();
  const { tools, ran } = canaries();
  const model = modelCalling([
    { name: "pay", args: { amount: 500 } },
    { name: "pay", args: { amount: 5 } },
  ]);
  const agent = createAgent({ model, tools, middleware: [holdpointMiddleware(session)] });
  const seen: unknown[] = [];
  for await (const chunk of await agent.stream(ask, { streamMode: "updates" })) {
    if ("tools" in chunk) seen.push(...told((chunk.tools as { messages: never[] }).messages));
  }
  expect(seen).toEqual([
    ["error", "[HOLDPOINT DENIED] At most 100."],
    ["success", "did pay 5"],
  ]);
  expect(ran).toEqual(["pay(5)"]);
});

test("[sent-is-checked] what runs is what was checked: defaults of the schema are judged, later changes do not arrive", async () => {
  const { session, decisions } = setGuard();
  const got: unknown[] = [];
  const args = { to: { name: "ann" } };
  const pay = tool(
    (given) => {
      got.push(given);
      return "ok";
    },
    { name: "pay", description: "", schema: z.object({ amount: z.number().default(5), to: z.object({ name: z.string() }) }) },
  );
  const model = modelCalling([{ name: "pay", args }], [{ name: "pay", args: { amount: "5", to: { name: "bob" } } }]);
  const agent = createAgent({ model, tools: [pay], middleware: [holdpointMiddleware(session)] });
  await agent.invoke(ask);
  expect(got).toEqual([{ amount: 5, to: { name: "ann" } }]);
  expect((got[0] as typeof args).to).not.toBe(args.to);
  expect(decisions()).toHaveLength(1);
});

test("[transparent-allow] a tool's error is the message that it would be without any middleware, and holds no stack", async () => {
  const { session } = setGuard();
  const boom = tool(
    () => {
      throw new TypeError("boom");
    },
    { name: "look", description: "", schema: z.object({}) },
  );
  const strict = tool(() => "never", { name: "pay", description: "", schema: z.object({ amount: z.number() }) });
  const calls = [
    { name: "look", args: {} },
    { name: "pay", args: { amount: "x" } },
  ];
  const without = await createAgent({ model: modelCalling(calls), tools: [boom, strict] }).invoke(ask);
  const guarded = await createAgent({
    model: modelCalling(calls),
    tools: [boom, strict],
    middleware: [holdpointMiddleware(session)],
  }).invoke(ask);
  const [plainBoom, plainSchema] = told(without.messages);
  const [ourBoom, ourSchema] = told(guarded.messages);
  expect(ourBoom).toEqual(plainBoom);
  expect(ourBoom).toEqual(["error", "TypeError: boom\n Please fix your mistakes."]);
  expect(plainSchema?.[1]).toMatch(/\n {4}at /);
  expect(ourSchema?.[1]).not.toMatch(/\n {4}at |node_modules|file:/);
  expect(ourSchema?.[1]).toMatch(
    /^Error invoking tool 'pay' with kwargs {"amount":"x"} with error: Error: Received tool input did not match expected schema/,
  );
});

test("[decided-once] a retry is charged for each attempt and asked about once", async () => {
  let asked = 0;
  const { session, charged, decisions, count } = setGuard({ approve: () => ({ approved: ++asked > 0 }) });
  let runs = 0;
  class Flaky extends Error {}
  const pay = tool(
    () => {
      if (++runs < 3) throw new Flaky("not yet");
      return "paid";
    },
    { name: "pay", description: "", schema: z.object({ amount: z.number() }) },
  );
  const retry = toolRetryMiddleware({ maxRetries: 3, initialDelayMs: 1, retryOn: [Flaky] });
  const agent = createAgent({
    model: modelCalling([{ name: "pay", args: { amount: 50 } }]),
    tools: [pay],
    middleware: [loose(retry), holdpointMiddleware(session)],
  });
  expect(told((await agent.invoke(ask)).messages)).toEqual([["success", "paid"]]);
  expect([runs, asked, charged("payments"), count("approval.requested")]).toEqual([3, 1, 3, 1]);
  expect(decisions().map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
});

test("a middleware outside of Holdpoint's still handles a tool's errors by their class", async () => {
  const { session } = setGuard();
  class Teapot extends Error {
    readonly status = 418;
  }
  const look = tool(
    () => {
      throw new Teapot("short and stout");
    },
    { name: "look", description: "", schema: z.object({}) },
  );
  const handle = toolErrorMiddleware({ onError: (error) => (error instanceof Teapot ? `status ${error.status}` : undefined) });
  const agent = createAgent({
    model: modelCalling([{ name: "look", args: {} }]),
    tools: [look],
    middleware: [handle, holdpointMiddleware(session)],
  });
  expect(told((await agent.invoke(ask)).messages)).toEqual([["error", "status 418"]]);
});

test("an abort ends the run, and a call that is held then never leaves", async () => {
  const stop = new AbortController();
  const { session, decisions } = setGuard({
    approve: () => {
      stop.abort(new Error("enough"));
      return new Promise(() => undefined);
    },
  });
  const { tools, ran } = canaries();
  const agent = createAgent({
    model: modelCalling([{ name: "pay", args: { amount: 50 } }]),
    tools,
    middleware: [holdpointMiddleware(session)],
  });
  await expect(agent.invoke(ask, { signal: stop.signal })).rejects.toThrow();
  expect(ran).toEqual([]);
  expect(decisions()).toMatchObject([{ code: "cancelled" }]);
});

test('`onDeny: "throw"` ends the run with the refusal', async () => {
  const { session } = setGuard({ onDeny: "throw" });
  const { tools } = canaries();
  const agent = createAgent({
    model: modelCalling([{ name: "pay", args: { amount: 500 } }]),
    tools,
    middleware: [holdpointMiddleware(session)],
  });
  const thrown = await agent.invoke(ask).catch((error: unknown) => error);
  expect(RefusedError.is(thrown)).toBe(true);
});

test("each run can have its own identity", async () => {
  const { session, audit } = setGuard();
  const { tools } = canaries();
  const agent = createAgent({
    model: modelCalling([{ name: "look", args: {} }]),
    tools,
    contextSchema: z.object({ user: z.string() }),
    middleware: [
      holdpointMiddleware(session, {
        identify: ({ context, configurable }) => ({ user: (context as { user: string }).user, run: String(configurable?.thread_id) }),
      }),
    ],
  });
  await agent.invoke(ask, { context: { user: "bob" }, configurable: { thread_id: "t-1" } });
  expect(audit.events.find((event) => event.type === "decision")).toMatchObject({ identity: { user: "bob", run: "t-1" } });
});

test("tools that the model's provider runs end the run, unless the host allows them", async () => {
  const { session } = setGuard();
  const run = (options?: { providerTools: "allow" }) =>
    createAgent({
      model: modelCalling(),
      tools: [{ type: "web_search", name: "web_search" }],
      middleware: [holdpointMiddleware(session, options)],
    }).invoke(ask);
  await expect(run()).rejects.toThrow("`web_search`: run by the model's provider, where no call can be held");
  await expect(run({ providerTools: "allow" })).resolves.toBeDefined();
});
