import type { Json } from "../arguments/json-snapshot.ts";
import type { Truth } from "../conditions/condition.ts";
import { type Explanation, explainCondition } from "../conditions/explain-condition.ts";
import type { Facts } from "../conditions/facts.ts";
import { type CompiledPolicy, type CompiledRule, type Section, toolsOf } from "../policy/compile-policy.ts";

/** One rule as it was judged, with every condition and what it saw. Holds argument values: for tests and the operator's terminal, never for the audit. */
export interface Evaluated {
  readonly rule: string;
  readonly section: Section;
  readonly truth: Truth;
  readonly conditions: readonly Explanation[];
}

/** Judges every rule of the tool again, in the order of decision, and keeps what each condition saw. */
export function evaluateAll(policy: CompiledPolicy, tool: string, facts: Facts): readonly Evaluated[] {
  return toolsOf(policy, tool).flatMap(({ require, denyIf, approvals }) =>
    [...require, ...denyIf, ...approvals].map((rule) => evaluate(rule, facts)),
  );
}

function evaluate(rule: CompiledRule, facts: Facts): Evaluated {
  return {
    rule: rule.id,
    section: rule.section,
    truth: rule.test(facts),
    conditions: rule.conditions.map((condition) => explainCondition(condition, { section: rule.section }, facts)),
  };
}

/** Why a rule refused, for the operator: the conditions that decided, their truths, and the kind of what they saw; never an argument's value. */
export function describeRule(rule: CompiledRule, facts: Facts): string {
  const { conditions } = evaluate(rule, facts);
  if (conditions.length === 0) return "the rule has no conditions, and so always matches";
  const deciding =
    rule.section === "require" ? conditions.filter(({ truth }) => truth !== true) : conditions.filter(({ truth }) => truth !== false);
  return deciding
    .map((condition) => `\`${condition.text}\` is ${condition.truth}${condition.truth === "unknown" ? reasonOf(condition) : ""}`)
    .join(", ");
}

function reasonOf(condition: Explanation): string {
  const { compared } = leafOf(condition);
  if (!compared) return "";
  if (!("saw" in compared)) return `: \`${compared.path}\` is absent`;
  if (!("expected" in compared)) return ": what it is compared with is absent";
  return `: \`${compared.path}\` is ${kindOf(compared.saw)}, which \`${compared.op}\` cannot judge here`;
}

/** The first comparison that made a condition unknown. */
function leafOf(condition: Explanation): Explanation {
  const part = condition.parts.find(({ truth }) => truth === "unknown");
  return part ? leafOf(part) : condition;
}

function kindOf(value: Json | undefined): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return { string: "text", number: "a number", boolean: "a boolean" }[typeof value as string] ?? "an object";
}
