import type { Json } from "../arguments/json-snapshot.ts";
import type { Comparison, Condition, Operator } from "../policy/policy-schema.ts";
import { compileCondition, conditionText, type Place, type Truth } from "./condition.ts";
import type { Facts } from "./facts.ts";
import { operandOf } from "./operators.ts";
import { formatPath, isPathError, type Path, parsePath, readPath } from "./path.ts";

/** How a condition came to its truth. It holds argument values: for the one who runs the check, never for the model or the audit record. */
export interface Explanation {
  /** The condition, with the index of the element in place of `[*]`. */
  readonly text: string;
  readonly truth: Truth;
  /** What a comparison looked at. `expected` and `saw` are missing where their path was absent. */
  readonly compared?: { readonly path: string; readonly op: Operator; readonly expected?: Json; readonly saw?: Json } | undefined;
  /** What the truth was made of: the parts of `any`, `all` and `not`, and one part for each element of a list. */
  readonly parts: readonly Explanation[];
}

/**
 * Explains what `compileCondition` answers for the same facts, part by part. Slow: it compiles each part and asks it, so that there is one meaning
 * only. Throws as `compileCondition` does.
 */
export function explainCondition(condition: Condition, place: Place, facts: Facts, item?: Json): Explanation {
  const truth = compileCondition(condition, place)(facts, item);
  return { text: conditionText(condition), truth, ...evidence(condition, place, facts, item) };
}

function evidence(condition: Condition, place: Place, facts: Facts, item: Json | undefined): Pick<Explanation, "compared" | "parts"> {
  const explain = (part: Condition, where: Place = place, bound = item) => explainCondition(part, where, facts, bound);
  if ("any" in condition) return { parts: condition.any.map((part) => explain(part)) };
  if ("all" in condition) return { parts: condition.all.map((part) => explain(part)) };
  if ("not" in condition) return { parts: [explain(condition.not, { ...place, negated: place.negated !== true })] };
  if ("predicate" in condition) return { parts: [] };
  if ("each" in condition) {
    const { path, conditions } = condition.each;
    const spread = spreadFirst(path, facts, item);
    if (spread !== undefined) return { parts: spread.map((each) => explain({ each: { path: each, conditions } })) };
    const list = readPath(parsed(path), facts, item);
    const inner: Place = { ...place, within: "each" };
    return {
      parts: Array.isArray(list)
        ? list.map((element: Json, index) => explainElement(`${path}[${index}]`, conditions, inner, facts, element))
        : [],
    };
  }
  const spread = spreadFirst(condition.path, facts, item);
  if (spread !== undefined) return { parts: spread.map((path) => explain({ ...condition, path })) };
  return { compared: compared(condition, facts, item), parts: [] };
}

function explainElement(text: string, conditions: readonly Condition[], place: Place, facts: Facts, element: Json): Explanation {
  return { ...explainCondition({ all: conditions }, place, facts, element), text };
}

function compared(comparison: Comparison, facts: Facts, item: Json | undefined): NonNullable<Explanation["compared"]> {
  const operand = operandOf(comparison);
  const saw = readPath(parsed(comparison.path), facts, item);
  const expected = "from" in operand ? readPath(parsed(operand.from), facts, item) : operand.expected;
  const path = formatPath(parsed(comparison.path));
  return { path, op: comparison.op, ...(expected !== undefined && { expected }), ...(saw !== undefined && { saw }) };
}

/** The paths that a path with `[*]` stands for, its first `[*]` replaced by each index; none over what is no list. `undefined` without `[*]`. */
function spreadFirst(text: string, facts: Facts, item: Json | undefined): string[] | undefined {
  const { root, steps } = parsed(text);
  const at = steps.findIndex((step) => step.kind === "elements");
  if (at === -1) return undefined;
  const list = readPath({ root, steps: steps.slice(0, at) }, facts, item);
  const withIndex = (index: number) =>
    formatPath({ root, steps: steps.map((step, position) => (position === at ? { kind: "index", index } : step)) });
  return Array.isArray(list) ? list.map((_, index) => withIndex(index)) : [];
}

function parsed(text: string): Path {
  const path = parsePath(text, { within: "each" });
  if (isPathError(path)) throw new Error(`\`${text}\`: ${path.error}`);
  return path;
}
