import { holdpointMiddleware } from "@holdpoint/langchain";
import { createAgent } from "langchain";
import { expect, test } from "vitest";
import { ask, canaries, modelCalling, setGuard } from "./setting.ts";

test("[one-decision-one-record] each call of an agent's turn has one decision, and each that ran one outcome", async () => {
  const { audit, session } = setGuard();
  const { tools, ran } = canaries();
  const model = modelCalling([
    { name: "look", args: {} },
    { name: "pay", args: { amount: 500 } },
    { name: "secret", args: {} },
    { name: "pay", args: { amount: 5 } },
  ]);
  await createAgent({ model, tools, middleware: [holdpointMiddleware(session)] }).invoke(ask);
  const decisions = audit.events.filter((event) => event.type === "decision");
  const outcomes = audit.events.filter((event) => event.type === "outcome");
  expect(decisions.map(({ tool, outcome }) => `${tool} ${outcome}`).sort()).toEqual(["look allow", "pay allow", "pay deny", "secret deny"]);
  expect(new Set(decisions.map(({ call }) => call)).size).toBe(4);
  const allowed = decisions.filter(({ outcome }) => outcome === "allow").map(({ call }) => call);
  expect(outcomes.map(({ call }) => call).sort()).toEqual(allowed.sort());
  expect(ran).toHaveLength(2);
});

test("[one-decision-one-record] no argument value is in the record of an agent's call", async () => {
  const { audit, session } = setGuard();
  const { tools } = canaries();
  const model = modelCalling([{ name: "pay", args: { amount: 17.25 } }]);
  await createAgent({ model, tools, middleware: [holdpointMiddleware(session)] }).invoke(ask);
  expect(JSON.stringify(audit.events)).not.toContain("17.25");
});
