import { createGuard, definePolicy, type Session } from "@holdpoint/core";
import { fakeClock, mockUpstream, toolError } from "@holdpoint/testing";
import { expect, test } from "vitest";
import { aiSdkAgent, langchainAgent, mcpAgent, type Told } from "./agents.ts";
import { call, does, obeys, type Script } from "./hijacked-model.ts";

// Nothing in an agent's loop says that it is enough: the goal is vague, two agents hand a question to each other, or an error invites one more try.

const policy = definePolicy({
  version: "1",
  default: "deny",
  all_tools: {
    limits: [
      {
        counter: "calls",
        window: { sliding: "10m" },
        max: 20,
        scope: "run",
        on_deny: "This run has made its 20 calls. Answer with what you have.",
      },
    ],
  },
  tools: {
    search: {},
    ask_agent: { limits: [{ counter: "questions", window: { sliding: "10m" }, max: 4, scope: "tenant" }] },
    book: { limits: [{ counter: "bookings", window: "minute", max: 3 }] },
  },
});

const times = (count: number, turn: Script[number]): Script => Array.from({ length: count }, () => turn);
const refused = (told: Told) => told.filter((text) => text.includes("[HOLDPOINT DENIED]"));

test("runaway loop: a fuzzy goal searches without end, and gets as many calls as a run may make", async () => {
  const script = times(60, does(call("search", { query: "something better" })));
  const run = async (session?: Session) => {
    await using upstream = mockUpstream({ search: ({ query }: { query: string }) => `a hundred results for ${query}` });
    return { told: await aiSdkAgent({ upstream, session }, "Find the best laptop.", script), calls: upstream.calls.length };
  };
  expect((await run()).calls).toBe(60);

  const guard = createGuard({ policy, clock: fakeClock() });
  const guarded = await run(guard.session({ run: "r-1" }));
  expect(guarded.calls).toBe(20);
  expect(guarded.told[19]).toBe("search: a hundred results for something better");
  expect(guarded.told[20]).toBe("search: [HOLDPOINT DENIED] This run has made its 20 calls. Answer with what you have.");
  expect((await run(guard.session({ run: "r-2" }))).calls).toBe(20);
});

test("runaway loop: two agents that ask each other share one budget, whichever of them asks", async () => {
  const run = async (sessionOf: (agent: string) => Session | undefined) => {
    let rounds = 0;
    const asked: string[] = [];
    // Each question runs the other agent, which asks back.
    const pingPong = (agent: string, other: string) =>
      mockUpstream({
        ask_agent: async () => {
          asked.push(`${agent} asks ${other}`);
          if (++rounds < 12) await talk(other, agent);
          return "what do you think?";
        },
      });
    const talk = async (agent: string, other: string): Promise<Told> => {
      await using upstream = pingPong(agent, other);
      return await langchainAgent({ upstream, session: sessionOf(agent) }, "Agree on a date.", [
        does(call("ask_agent", { question: "which date?" })),
      ]);
    };
    await talk("planner", "reviewer");
    return asked;
  };
  expect(await run(() => undefined)).toHaveLength(12);

  const guard = createGuard({ policy, clock: fakeClock() });
  const asked = await run((agent) => guard.session({ agent, tenant: "acme", run: `${agent}-1` }));
  expect(asked).toEqual(["planner asks reviewer", "reviewer asks planner", "planner asks reviewer", "reviewer asks planner"]);
});

test("runaway loop: a storm of retries is stopped by a limit that also counts failed calls", async () => {
  const script = [...times(30, obeys("please try again", call("book", { room: "7" }))), does(call("search", { query: "other rooms" }))];
  const run = async (session?: Session) => {
    await using upstream = mockUpstream({ book: () => toolError("busy, please try again"), search: () => "room 8 is free" });
    const told = await aiSdkAgent({ upstream, session }, "Book room 7; if it is busy, please try again.", script, 6);
    return { told, booked: upstream.callsTo("book").length };
  };
  expect((await run()).booked).toBe(30);

  const { told, booked } = await run(createGuard({ policy, clock: fakeClock() }).session({ run: "r-1" }));
  expect(booked).toBe(3);
  expect(refused(told)).toHaveLength(27);
  expect(told.at(-1)).toBe("search: room 8 is free");
});

test("runaway loop: calls that go out together do not slip past the limit together", async () => {
  await using upstream = mockUpstream({ book: () => "booked" });
  const session = createGuard({ policy, clock: fakeClock() }).session({ run: "r-1" });
  const told = await mcpAgent({ upstream, session }, "Book.", [does(...Array.from({ length: 25 }, () => call("book", { room: "7" })))]);
  expect(upstream.calls).toHaveLength(3);
  expect(refused(told)).toHaveLength(22);
});
