import {
  type CompiledPolicy,
  compileInputSchema,
  compilePolicy,
  type DecisionFacts,
  decide,
  type JsonObject,
  mergePolicies,
  type PolicyDocument,
} from "@holdpoint/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { args, context, document, inputSchema, instant, layers, tool } from "./arbitraries.ts";
import { truthOf } from "./conditions.ts";
import { decideByModel, entriesOf, factsOf, type ModelCall } from "./decision.ts";
import { cases } from "./effort.ts";
import { expectAgreement } from "./paste.ts";

const call: fc.Arbitrary<ModelCall> = fc.record({
  server: fc.constantFrom("s", "default"),
  tool,
  args,
  context,
  now: instant,
  inputSchema,
});
const mode = fc.constantFrom("enforce" as const, "enforce" as const, "observe" as const);

const callsEach = 50;

test("the engine decides as the model does, rule for rule", { timeout: 3_600_000 }, () => {
  let compared = 0;
  fc.assert(
    fc.property(
      fc.oneof({ weight: 4, arbitrary: document.map((one) => [one]) }, layers),
      fc.array(call, { minLength: callsEach, maxLength: callsEach }),
      mode,
      (documents, calls, mode) => {
        const policy = compilePolicy(documents.length > 1 ? mergePolicies(...documents) : (documents[0] as PolicyDocument));
        for (const call of calls) {
          compared++;
          expectAgreement({ documents, call, mode }, byEngine(policy, call, mode), byModel(documents, call, mode));
        }
      },
    ),
    { numRuns: cases(40_000) / callsEach },
  );
  expect(compared).toBeGreaterThanOrEqual(cases(40_000));
});

function byEngine(policy: CompiledPolicy, call: ModelCall, mode: "enforce" | "observe") {
  const verdict = decide(
    policy,
    { server: call.server, tool: call.tool, arguments: call.args, context: call.context },
    factsFor(call, mode),
  );
  const denied = verdict.outcome === "deny";
  return {
    outcome: verdict.outcome,
    rule: denied ? verdict.rule : "",
    code: denied ? verdict.code : "allowed",
    debits: denied ? [] : verdict.debits.map(debitText),
    observedDebits: denied ? [] : verdict.observedDebits.map(debitText),
    approvals: denied ? [] : verdict.approvals.map((rule) => rule.id),
    observed: denied ? [] : verdict.observed.map((found) => ("outcome" in found ? found.rule : found.id)),
    truths:
      verdict.evaluated.length === 0
        ? "not asked"
        : verdict.evaluated.map(({ rule, conditions }) => [rule, conditions.map(({ truth }) => truth)]),
  };
}

function debitText({ limit, debit, count }: { limit: { id: string }; debit: { amount: number; max: number }; count: string }): string {
  return `${limit.id}: ${debit.amount} of ${debit.max}, ${count}`;
}

function byModel(documents: readonly PolicyDocument[], call: ModelCall, mode: "enforce" | "observe") {
  const verdict = decideByModel(documents, call, mode);
  const text = ({ rule, amount, max, count }: (typeof verdict.debits)[number]) => `${rule}: ${amount} of ${max}, ${count}`;
  const asked = documents.flatMap((document, index) => {
    const root = documents.length > 1 ? `/layers/${index}` : "";
    return (["require", "deny_if", "require_approval"] as const).flatMap((section) =>
      entriesOf(document, root, call.tool, section).map(({ id, conditions }) => [
        id,
        conditions.map((condition) => truthOf(condition, { section, nots: 0, facts: factsOf(call) })),
      ]),
    );
  });
  const early = ["hidden", "default_deny", "definition_unknown", "arguments_invalid"];
  return {
    ...verdict,
    debits: verdict.debits.map(text),
    observedDebits: verdict.observedDebits.map(text),
    truths:
      asked.length === 0 || (verdict.code !== "hidden" && verdict.code !== "default_deny" && early.includes(verdict.code))
        ? "not asked"
        : asked,
  };
}

function factsFor(call: ModelCall, mode: "enforce" | "observe"): DecisionFacts {
  return {
    now: call.now,
    namespace: "",
    mode,
    definition: call.inputSchema === undefined ? { state: "not_needed" } : definitionOf(call, call.inputSchema),
  };
}

function definitionOf(call: ModelCall, schema: JsonObject): DecisionFacts["definition"] {
  const compiled = compileInputSchema(schema);
  if (!compiled.ok) throw new Error(compiled.problem);
  const facts = { name: call.tool, server: call.server };
  return {
    state: "known",
    digest: "",
    judge: compiled.judge,
    facts,
    declared: new Set(),
    source: { name: call.tool, inputSchema: schema } as never,
  };
}
