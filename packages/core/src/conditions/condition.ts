import type { Json } from "../arguments/json-snapshot.ts";
import type { Comparison, Condition, Predicate, PredicateFacts } from "../policy/policy-schema.ts";
import type { Facts } from "./facts.ts";
import { interceptMatchers } from "./intercept-equality.ts";
import { checkValue, negate, operandOf, operatorMeanings, type Truth } from "./operators.ts";
import { compileSteps, formatPath, isPathError, type Path, parsePath, rootValue, type Step } from "./path.ts";

export type { Truth } from "./operators.ts";

/** Asks a condition of one call's facts. `item` is the element that the innermost enclosing `each` has bound. Never throws. */
export type Test = (facts: Facts, item?: Json) => Truth;

/** Where a condition stands, which decides how `[*]` and `each` quantify. */
export interface Place {
  readonly section: "require" | "deny_if" | "require_approval";
  /** Under an odd number of `not`s. */
  readonly negated?: boolean | undefined;
  /** Inside `each`, where paths may start at `item`. */
  readonly within?: "each" | undefined;
}

/**
 * Compiles a condition into a closure that allocates nothing for comparisons with literals. Three-valued (design §3): `not` keeps unknown; `all` is
 * false if any is false, else unknown if any is; `any` is true if any is true, else unknown if any is.
 *
 * Throws an `Error` for a path, expression or value that does not load; a policy that `load-policy.ts` accepted never makes it throw.
 *
 * @example
 * const test = compileCondition({ path: "args.amount", op: "lte", value: 500 }, { section: "require" });
 * test(facts); // true, false or "unknown"
 */
export function compileCondition(condition: Condition, place: Place): Test {
  if ("op" in condition) return compileComparison(condition, place);
  if ("predicate" in condition) return compilePredicate(condition);
  if ("any" in condition) return anyOf(condition.any.map((part) => compileCondition(part, place)));
  if ("all" in condition) return compileConditions(condition.all, place);
  if ("each" in condition) return compileEach(condition.each, place);
  const inner = compileCondition(condition.not, { ...place, negated: place.negated !== true });
  return (facts, item) => negate(inner(facts, item));
}

/** Conditions ANDed, as those of a rule are; none at all is true. */
export function compileConditions(conditions: readonly Condition[], place: Place): Test {
  const tests = conditions.map((condition) => compileCondition(condition, place));
  const [first, second] = tests;
  if (first === undefined) return () => true;
  if (second === undefined) return first;
  if (tests.length === 2) return both(first, second);
  return function all(facts, item) {
    let result: Truth = true;
    for (const test of tests) {
      const truth = test(facts, item);
      if (truth === false) return false;
      if (truth !== true) result = truth;
    }
    return result;
  };
}

function both(first: Test, second: Test): Test {
  return function both(facts, item) {
    const truth = first(facts, item);
    if (truth === false) return false;
    const other = second(facts, item);
    return truth === true || other === false ? other : truth;
  };
}

/** The last part of a rule's id for this condition: `args.amount-gt`, `args.items-each`, `any`, `not`, or the name of a predicate. */
export function conditionToken(condition: Condition): string {
  if ("op" in condition) return `${canonicalText(condition.path)}-${condition.op}`;
  if ("each" in condition) return `${canonicalText(condition.each.path)}-each`;
  if ("predicate" in condition) return condition.predicate;
  return "any" in condition ? "any" : "all" in condition ? "all" : "not";
}

/** The condition as a line for the operator, made of paths, operators and the policy's own literals, never of values: `args.amount gt 100`. */
export function conditionText(condition: Condition): string {
  if ("op" in condition) {
    const operand = operandOf(condition);
    return `${canonicalText(condition.path)} ${condition.op} ${"from" in operand ? canonicalText(operand.from) : JSON.stringify(operand.expected)}`;
  }
  if ("each" in condition)
    return `each of ${canonicalText(condition.each.path)} (${condition.each.conditions.map(conditionText).join(" and ")})`;
  if ("predicate" in condition) return condition.predicate;
  if ("not" in condition) return `not (${conditionText(condition.not)})`;
  return "any" in condition
    ? `any (${condition.any.map(conditionText).join(", ")})`
    : `all (${condition.all.map(conditionText).join(", ")})`;
}

function canonicalText(text: string): string {
  const path = parsePath(text, { within: "each" });
  return isPathError(path) ? text : formatPath(path);
}

function anyOf(tests: readonly Test[]): Test {
  return function any(facts, item) {
    let result: Truth = false;
    for (const test of tests) {
      const truth = test(facts, item);
      if (truth === true) return true;
      if (truth !== false) result = truth;
    }
    return result;
  };
}

/** Judges a value that was found, with the facts for what it is compared with. */
type Judge = (found: Json, facts: Facts, item: Json | undefined) => Truth;

function compileComparison(comparison: Comparison, place: Place): Test {
  const path = pathOf(comparison.path, place);
  const intercept = comparison.compare === "intercept";
  const absent = comparison.when_missing ?? (comparison.op === "exists" ? comparison.value === false : "unknown");
  const test = overPath(path, absent, compileOperand(comparison, path, place), place);
  return intercept ? (facts, item) => test(facts, item) === true : test;
}

function pathOf(text: string, place: Place): Path {
  const path = parsePath(text, { within: place.within });
  if (isPathError(path)) throw new Error(`\`${text}\`: ${path.error}: ${path.fix}`);
  return path;
}

function compileOperand(comparison: Comparison, path: Path, place: Place): Judge {
  const { op, value } = comparison;
  const problem = checkValue(op, value, path);
  if (problem !== undefined) throw new Error(`\`${comparison.path}\` ${op}: ${problem}`);
  const meaning = operatorMeanings[op];
  const prepare = (comparison.compare === "intercept" ? interceptMatchers[op] : undefined) ?? meaning.prepare;
  const operand = operandOf(comparison);
  if ("expected" in operand) return prepare(operand.expected, path);
  const source = pathOf(operand.from, place);
  const readSource = compileSteps(source.steps);
  return function compareWithFact(found, facts, item) {
    const expected = readSource(rootValue(source.root, facts, item));
    return expected === undefined ? "unknown" : prepare(expected, path)(found);
  };
}

/** Reads the path and judges what it finds; `absent` is the answer where it finds nothing. */
function overPath({ root, steps }: Path, absent: Truth, judge: Judge, place: Place): Test {
  const [first, second] = steps;
  if (root === "args" && first?.kind === "name" && second === undefined) {
    const { name } = first;
    return function readArgument(facts, item) {
      const { args } = facts;
      return Object.hasOwn(args, name) ? judge(args[name] as Json, facts, item) : absent;
    };
  }
  const walk = overSteps(steps, absent, judge, place);
  return function readFrom(facts, item) {
    return walk(rootValue(root, facts, item), facts, item);
  };
}

function overSteps(
  steps: readonly Step[],
  absent: Truth,
  judge: Judge,
  place: Place,
): (start: Json | undefined, facts: Facts, item: Json | undefined) => Truth {
  const at = steps.findIndex((step) => step.kind === "elements");
  const read = compileSteps(at === -1 ? steps : steps.slice(0, at));
  const next = at === -1 ? judge : overElements(overSteps(steps.slice(at + 1), absent, judge, place), place);
  return function readSteps(start, facts, item) {
    const found = read(start);
    return found === undefined ? absent : next(found, facts, item);
  };
}

/**
 * Every element where the condition must be true for the call to pass, some where it would stop it; a `not` swaps the two. Over an empty list it
 * is unknown in `require` and false elsewhere, whatever the `not`s; over what is no list, unknown.
 */
function overElements(judge: Judge, { section, negated }: Place): Judge {
  const every = (section === "require") !== (negated === true);
  const whenEmpty: Truth = section === "require" ? "unknown" : false;
  return function quantify(list, facts, item) {
    if (!Array.isArray(list)) return "unknown";
    if (list.length === 0) return whenEmpty;
    let result: Truth = every;
    for (const element of list as readonly Json[]) {
      const truth = judge(element, facts, item);
      if (truth === !every) return truth;
      if (truth !== every) result = "unknown";
    }
    return result;
  };
}

function compileEach(each: { path: string; conditions: readonly Condition[] }, place: Place): Test {
  const path = pathOf(each.path, place);
  const conditions = compileConditions(each.conditions, { ...place, within: "each" });
  const perElement: Judge = (element, facts) => conditions(facts, element);
  return overPath({ root: path.root, steps: [...path.steps, { kind: "elements" }] }, "unknown", perElement, place);
}

function compilePredicate({ check }: Predicate): Test {
  return function ask({ args, context, time }) {
    try {
      const answer: unknown = check(deepFreeze({ args, context, time }) as PredicateFacts);
      if (typeof answer === "boolean") return answer;
      // A promise is no answer; left alone, its rejection would end the process.
      Promise.resolve(answer).catch(() => {});
      return "unknown";
    } catch {
      return "unknown";
    }
  };
}

/** Roots known to be frozen all through: the snapshot and the context are asked about by many predicates. */
const frozen = new WeakSet<object>();

function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null || frozen.has(value)) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  frozen.add(Object.freeze(value));
  return value;
}
