import { HoldpointError } from "@holdpoint/core";
import { assertEnforced, guardTools, holdpointMiddleware, serverToolNames } from "@holdpoint/langchain";
import { AIMessage, type ToolMessage } from "@langchain/core/messages";
import { RunnableLambda } from "@langchain/core/runnables";
import { DynamicStructuredTool, DynamicTool, StructuredTool, tool } from "@langchain/core/tools";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { createAgent, createMiddleware, humanInTheLoopMiddleware } from "langchain";
import { expect, test } from "vitest";
import { z } from "zod";
import { allOf, ask, canaries, loose, modelCalling, setGuard, told } from "./setting.ts";

// The numbers are those of a catalogue of ways round a guard.

const amount = z.object({ amount: z.number() });

/** Every way to run a tool with arguments that the policy denies. */
const entryPoints: Record<string, (guarded: DynamicStructuredTool) => unknown> = {
  invoke: (guarded) => guarded.invoke({ amount: 500 }),
  "invoke with a tool call": (guarded) => guarded.invoke({ type: "tool_call", id: "1", name: "pay", args: { amount: 500 } }),
  call: (guarded) => guarded.call({ amount: 500 }),
  _call: (guarded) => (guarded as never as { _call(args: object): unknown })._call({ amount: 500 }),
  func: (guarded) => guarded.func({ amount: 500 }),
  batch: (guarded) => guarded.batch([{ amount: 500 }, { amount: 501 }]),
  stream: async (guarded) => allOf(await guarded.stream({ amount: 500 })),
  streamEvents: (guarded) => allOf(guarded.streamEvents({ amount: 500 }, { version: "v2" })),
  "withConfig().invoke": (guarded) => guarded.withConfig({ tags: ["x"] }).invoke({ amount: 500 }),
  "withRetry().invoke": (guarded) => guarded.withRetry({ stopAfterAttempt: 2 }).invoke({ amount: 500 }),
  "pipe().invoke": (guarded) =>
    RunnableLambda.from(() => ({ amount: 500 }))
      .pipe(guarded)
      .invoke(""),
  "DynamicStructuredTool.prototype.invoke": (guarded) => DynamicStructuredTool.prototype.invoke.call(guarded, { amount: 500 }),
  "StructuredTool.prototype.call": (guarded) => StructuredTool.prototype.call.call(guarded, { amount: 500 }),
  "DynamicStructuredTool.prototype._call": (guarded) =>
    (DynamicStructuredTool.prototype as never as { _call(args: object): unknown })._call.call(guarded, { amount: 500 }),
  "a destructured func": ({ func }) => func({ amount: 500 }),
  "a spread copy's func": (guarded) => ({ ...guarded }).func({ amount: 500 }),
  "the property's descriptor": (guarded) => Object.getOwnPropertyDescriptor(guarded, "func")?.value({ amount: 500 }),
  "the values of the object": (guarded) =>
    Object.values(guarded)
      .filter((value) => typeof value === "function")
      .map((func) => func({ amount: 500 })),
  "the constructor's arguments": (guarded) => (guarded.lc_kwargs as { func(args: object): unknown }).func({ amount: 500 }),
  "a tool made of its func": (guarded) =>
    new DynamicStructuredTool({ name: "other", description: "", schema: amount, func: guarded.func }).invoke({ amount: 500 }),
  "a tool that calls it": (guarded) =>
    tool((args) => guarded.invoke(args), { name: "outer", description: "", schema: amount }).invoke({ amount: 500 }),
};

for (const [path, send] of Object.entries(entryPoints)) {
  test(`[nothing-leaves-unchecked] a guarded tool is held by ${path} (29, 30)`, async () => {
    const { session, decisions } = setGuard();
    const { pay, ran } = canaries();
    const [guarded] = guardTools([pay], session) as unknown as [DynamicStructuredTool];
    try {
      await send(guarded);
    } catch {}
    await new Promise((done) => setTimeout(done, 5));
    expect(ran).toEqual([]);
    expect(decisions().length).toBeGreaterThan(0);
    expect(decisions().every(({ outcome }) => outcome === "deny")).toBe(true);
    // The canary can run: what held it was the guard.
    expect(await guarded.invoke({ amount: 5 })).toBe("did pay 5");
    expect(ran).toEqual(["pay(5)"]);
  });
}

test("tools that take a text, classes of one's own with private fields, and tools that stream are held", async () => {
  const policy = {
    version: "1",
    default: "deny",
    tools: Object.fromEntries(
      ["text", "own", "chunks"].map((name) => [
        name,
        { deny_if: [{ path: "args.input", op: "contains", value: "bad", when_missing: false }] },
      ]),
    ),
  } as const;
  const { session, count } = setGuard({ policy: policy as never });
  const ran: unknown[] = [];
  class Own extends StructuredTool {
    name = "own";
    description = "";
    schema = z.object({ input: z.string() });
    readonly #log = ran;
    protected async _call({ input }: { input: string }) {
      this.#log.push(input);
      return `own ${input}`;
    }
  }
  const text = new DynamicTool({ name: "text", description: "", func: async (input) => `text ${ran.push(input) && input}` });
  const chunks = tool(
    async function* ({ input }) {
      ran.push(input);
      yield "one";
      yield "two";
      return `chunks ${input}`;
    },
    { name: "chunks", description: "", schema: z.object({ input: z.string() }) },
  );
  for (const guarded of guardTools<StructuredTool>([text, new Own(), chunks] as never, session)) {
    expect(await guarded.invoke({ input: "good" } as never)).toBe(`${guarded.name} good`);
    expect(await guarded.invoke({ input: "bad" } as never)).toContain("[HOLDPOINT DENIED]");
    expect(guarded).toBeInstanceOf(StructuredTool);
  }
  expect(ran).toEqual(["good", "good", "good"]);
  expect([count("decision"), count("outcome")]).toEqual([6, 3]);
});

test("what cannot be held is refused at start: runnables, provider tools, and classes with entry points of their own (25)", () => {
  const { session } = setGuard();
  const runnable = RunnableLambda.from((input: { amount: number }) => input).asTool({ name: "pay", schema: amount });
  class Shortcut extends DynamicTool {
    override async invoke() {
      return "ran" as never;
    }
  }
  const shortcut = new Shortcut({ name: "pay", description: "", func: async () => "" });
  const patched = Object.assign(new DynamicTool({ name: "pay", description: "", func: async () => "" }), { batch: async () => ["ran"] });
  const problems = {
    "is a runnable": runnable,
    "runs at the model's provider": { type: "web_search", name: "web_search" },
    "has an `invoke` of its own": shortcut,
    "has an `batch` of its own": patched,
  };
  for (const [problem, unholdable] of Object.entries(problems)) {
    expect(() => guardTools([unholdable as never], session)).toThrow(problem);
  }
});

test("[decided-once] a tool that is guarded twice, or under a middleware of the same guard, is decided about once", async () => {
  const { session, guard, decisions, audit } = setGuard();
  const { pay } = canaries();
  const [twice] = guardTools(guardTools([pay], session), guard.session({ user: "bob" }));
  await twice?.invoke({ amount: 5 });
  expect(audit.events.filter((event) => event.type === "decision")).toMatchObject([{ identity: { user: "bob" } }]);
  const agent = createAgent({
    model: modelCalling([{ name: "pay", args: { amount: 5 } }]),
    tools: [twice as typeof pay],
    middleware: [holdpointMiddleware(session)],
  });
  expect(told((await agent.invoke(ask)).messages)).toEqual([["success", "did pay 5"]]);
  expect(decisions()).toHaveLength(2);
  const stricter = setGuard({ policy: { version: "1", default: "deny" } });
  const [both] = guardTools(guardTools([pay], stricter.session), session);
  expect(await both?.invoke({ amount: 5 })).toContain("not available");
});

test("a ToolNode of guarded tools answers each call: results, refusals as errors, artifacts in their place", async () => {
  const { session } = setGuard();
  const { tools, ran } = canaries();
  const look = tool(() => ["seen", { pixels: 3 }], {
    name: "look",
    description: "",
    schema: z.object({ deny: z.string().optional() }),
    responseFormat: "content_and_artifact",
  });
  const guarded = guardTools([look, ...tools.slice(1)], session);
  expect(guarded.map(({ name }) => name)).toEqual(["look", "pay", "refund", "unlisted"]);
  const calls = [
    { name: "look", args: {} },
    { name: "pay", args: { amount: 500 } },
    { name: "secret", args: {} },
  ].map((call, index) => ({ ...call, id: `c${index}`, type: "tool_call" as const }));
  const { messages } = await new ToolNode(guarded).invoke({ messages: [new AIMessage({ content: "", tool_calls: calls })] });
  expect(messages.map(({ status, content, tool_call_id, artifact }: ToolMessage) => [tool_call_id, status, content, artifact])).toEqual([
    ["c0", "success", "seen", { pixels: 3 }],
    ["c1", "error", "[HOLDPOINT DENIED] At most 100.", undefined],
    ["c2", "error", expect.stringContaining('Tool "secret" not found'), undefined],
  ]);
  expect(ran).toEqual([]);
  const refusing = setGuard({ policy: { version: "1", default: "deny" } });
  const [denied] = guardTools([look], refusing.session);
  const output = await denied?.invoke({ type: "tool_call", id: "c", name: "look", args: {} } as never);
  expect(output).toMatchObject({ status: "error", tool_call_id: "c" });
  expect((output as unknown as ToolMessage).artifact).toBeUndefined();
  expect(await denied?.invoke({})).toContain("[HOLDPOINT DENIED]");
});

test("a middleware after Holdpoint's that rewrites a call is decided about again, and start-up names it (31)", async () => {
  const { session, decisions } = setGuard();
  const { tools, ran } = canaries();
  const rewrite = createMiddleware({
    name: "Rewrite",
    wrapToolCall: (request, handler) => handler({ ...request, toolCall: { ...request.toolCall, args: { amount: 500 } } }),
  });
  const agent = createAgent({
    model: modelCalling([{ name: "pay", args: { amount: 5 } }]),
    tools,
    middleware: [holdpointMiddleware(session), rewrite],
  });
  expect(told((await agent.invoke(ask)).messages)).toEqual([["error", "[HOLDPOINT DENIED] At most 100."]]);
  expect(ran).toEqual([]);
  expect(decisions()).toMatchObject([{ code: "deny_if" }]);
  await expect(assertEnforced(agent)).rejects.toThrow("`Rewrite`: may change a call that has been checked: put `holdpointMiddleware` last");
});

test("a middleware after Holdpoint's that swaps the tool meets the guard where the tools are guarded themselves (31)", async () => {
  const { session } = setGuard();
  const { tools, unlisted, ran } = canaries();
  const [guarded] = guardTools([unlisted], session);
  const swap = createMiddleware({ name: "Swap", wrapToolCall: (request, handler) => handler({ ...request, tool: guarded }) });
  const agent = createAgent({ model: modelCalling([{ name: "look", args: {} }]), tools, middleware: [holdpointMiddleware(session), swap] });
  expect(told((await agent.invoke(ask)).messages)).toEqual([["error", "[HOLDPOINT DENIED] Tool `unlisted` is not available."]]);
  expect(ran).toEqual([]);
});

test("calls that another middleware changed after the model spoke are the ones that are checked (31)", async () => {
  const { session } = setGuard();
  const { tools, ran } = canaries();
  const after = createMiddleware({
    name: "After",
    afterModel: (state) => {
      const last = state.messages.at(-1) as AIMessage;
      for (const call of last.tool_calls ?? []) call.args = { amount: 500 };
      return { messages: [last] };
    },
  });
  const agent = createAgent({
    model: modelCalling([{ name: "pay", args: { amount: 5 } }]),
    tools,
    middleware: [after, holdpointMiddleware(session)],
  });
  expect(told((await agent.invoke(ask)).messages)).toEqual([["error", "[HOLDPOINT DENIED] At most 100."]]);
  expect(ran).toEqual([]);
});

test("a hidden tool that the model guesses does not run (32)", async () => {
  const { session } = setGuard();
  const { tools, ran } = canaries();
  const agent = createAgent({ model: modelCalling([{ name: "secret", args: {} }]), tools, middleware: [holdpointMiddleware(session)] });
  await agent.invoke(ask);
  expect(ran).toEqual([]);
});

test("what the host's context says to other middlewares loosens nothing here (34)", async () => {
  const { session } = setGuard();
  const { tools, ran } = canaries();
  const review = (humanInTheLoopMiddleware as (options: object) => { readonly name: string })({ interruptOn: { pay: true } });
  const agent = createAgent({
    model: modelCalling([{ name: "pay", args: { amount: 50 } }]),
    tools,
    middleware: [loose(review), holdpointMiddleware(session)],
  });
  const config = { context: { interruptOn: { pay: false } }, metadata: { timeoutMs: 1 } };
  const { messages } = await agent.invoke(ask, config as never);
  expect(told(messages)).toMatchObject([["error", expect.stringContaining("requires approval")]]);
  expect(ran).toEqual([]);
});

test("near-miss names are other tools, and names of objects are names (15)", async () => {
  const { session } = setGuard();
  const ran: string[] = [];
  const names = ["pay ", "Pay", "рay", "constructor", "__proto__", "toString", "hasOwnProperty"];
  const tools = names.map((name) => tool(() => String(ran.push(name)), { name, description: "", schema: z.object({}) }));
  for (const each of guardTools(tools, session)) expect(await each.invoke({})).toContain("is not available");
  const agent = createAgent({
    model: modelCalling(names.map((name) => ({ name, args: {} }))),
    tools,
    middleware: [holdpointMiddleware(session)],
  });
  expect(told((await agent.invoke(ask)).messages).every(([status]) => status === "error")).toBe(true);
  expect(ran).toEqual([]);
});

test("prefixed names are read exactly, and what no server owns is denied (15)", async () => {
  const policies = { a: { version: "1", default: "allow" }, a__b: { version: "1", default: "deny" } } as const;
  const { session } = setGuard({ policy: undefined, policies });
  const serverOf = serverToolNames(["a", "a__b"], { additionalToolNamePrefix: "mcp" });
  expect(serverOf("mcp__a__b__read")).toEqual({ server: "a__b", tool: "read" });
  expect(serverOf("a__read")).toBeUndefined();
  const named = (name: string) => tool(() => "ran", { name, description: "", schema: z.object({}) });
  const results = await Promise.all(
    guardTools(["mcp__a__read", "mcp__a__b__read", "a__read", "other"].map(named), session, { serverOf }).map((each) => each.invoke({})),
  );
  expect(results.map((result) => result === "ran")).toEqual([true, false, false, false]);
  expect(() => guardTools([named("a__read")], session)).toThrow("say which with `server`");
});

test("[sent-is-checked] getters, proxies, `toJSON` and arguments that change while a person thinks send nothing else (9, 10)", async () => {
  const sent: unknown[] = [];
  let change = () => {};
  const { session } = setGuard({
    approve: () => {
      change();
      return { approved: true };
    },
  });
  const loose = { type: "object", properties: {} } as const;
  const pay = tool((args) => String(sent.push(args)), { name: "pay", description: "", schema: loose });
  const [guarded] = guardTools([pay], session) as unknown as [DynamicStructuredTool];
  const args = { amount: 50 };
  change = () => {
    args.amount = 500;
  };
  await guarded.func(args);
  let reads = 0;
  await guarded.func({
    get amount() {
      return ++reads > 1 ? 500 : 5;
    },
  });
  await guarded.func(
    new Proxy(
      { amount: 5 },
      {
        getOwnPropertyDescriptor: (target, key) =>
          ({ ...Reflect.getOwnPropertyDescriptor(target, key), value: ++reads > 2 ? 500 : 5 }) as never,
      },
    ),
  );
  await guarded.func({ amount: 5, toJSON: () => ({ amount: 500 }) });
  await guarded.func({ amount: 5n });
  const cyclic: Record<string, unknown> = { amount: 5 };
  cyclic.self = cyclic;
  await guarded.func(cyclic);
  expect(sent.every((each) => Number((each as typeof args).amount) <= 50)).toBe(true);
  expect(sent[0]).toEqual({ amount: 50 });
});

test("start-up proves every path, and names what it cannot try", async () => {
  const { session, count } = setGuard();
  const { tools, ran } = canaries();
  const { tested, untested } = await assertEnforced(guardTools(tools, session));
  expect(tested).toEqual(
    expect.arrayContaining(["invoke", "call", "_call", "func", "batch", "stream", "withConfig", "a prototype's invoke"]),
  );
  expect(untested).toHaveLength(1);
  await expect(assertEnforced(tools)).rejects.toThrow("`look`, `pay`, `refund`, `secret`, `unlisted`: not guarded");
  const agent = createAgent({ model: modelCalling(), tools, middleware: [holdpointMiddleware(session)] });
  const report = await assertEnforced(agent);
  expect(report.tested).toContain("the agent's tool node");
  expect(report.untested.map(({ path }) => path)).toContain("`look`, `pay`, `refund`, `secret`, `unlisted`");
  const bare = await assertEnforced(createAgent({ model: modelCalling(), tools })).catch((error: unknown) => error);
  expect(bare).toMatchObject({ code: "not_enforced", message: "the agent has no `holdpointMiddleware`" });
  expect(HoldpointError.is(bare)).toBe(true);
  expect(ran).toEqual([]);
  expect(count("canary")).toBe(tested.length + report.tested.length);
});

test("[nothing-leaves-unchecked] calls that share an id and their arguments are calls of their own: one yes makes one of them", async () => {
  const answers = [true, false, false];
  let asked = 0;
  const { session } = setGuard({ approve: () => ({ approved: answers[asked++] ?? false }) });
  const { tools, ran } = canaries();
  const same = { name: "pay", args: { amount: 50 }, id: "same", type: "tool_call" as const };
  await new ToolNode(guardTools(tools, session)).invoke({ messages: [new AIMessage({ content: "", tool_calls: [same, same, same] })] });
  expect(ran).toEqual(["pay(50)"]);
  expect(asked).toBeGreaterThan(1);
});

test("[decided-once] a decision is for one call and one send: a thousand inner calls are a thousand decisions", async () => {
  const { session, charged, decisions } = setGuard();
  const { look, ran } = canaries();
  const [inner] = guardTools([look], session);
  const outer = tool(
    async () => {
      for (let call = 0; call < 1000; call++) await inner?.invoke({});
      return "done";
    },
    { name: "look", description: "", schema: z.object({}) },
  );
  await guardTools([outer], session)[0]?.invoke({});
  expect(ran).toHaveLength(4);
  expect([charged("looks"), decisions().length]).toEqual([5, 1001]);
});
