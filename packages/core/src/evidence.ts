import { type CompiledPolicy, type CompiledRule, type Section, toolOf } from "./compile-policy.ts";
import type { Truth } from "./condition.ts";
import { type Explanation, explainCondition } from "./explain-condition.ts";
import type { Facts } from "./facts.ts";

/** One rule as it was judged, with every condition and what it saw. Holds argument values: for tests and the operator's terminal, never for the audit. */
export interface Evaluated {
  readonly rule: string;
  readonly section: Section;
  readonly truth: Truth;
  readonly conditions: readonly Explanation[];
}

/** Judges every rule of the tool again, in the order of decision, and keeps what each condition saw. */
export function evaluateAll(policy: CompiledPolicy, tool: string, facts: Facts): readonly Evaluated[] {
  return policy.layers.flatMap((layer) => {
    const { require, denyIf, approvals } = toolOf(layer, tool);
    return [...require, ...denyIf, ...approvals].map((rule) => evaluate(rule, facts));
  });
}

function evaluate(rule: CompiledRule, facts: Facts): Evaluated {
  return {
    rule: rule.id,
    section: rule.section,
    truth: rule.test(facts),
    conditions: rule.conditions.map((condition) => explainCondition(condition, { section: rule.section }, facts)),
  };
}
