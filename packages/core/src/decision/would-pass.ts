import type { Json, JsonObject } from "../arguments/json-snapshot.ts";
import { operandOf, operatorMeanings } from "../conditions/operators.ts";
import { compileSteps, isPathError, type Path, parsePath } from "../conditions/path.ts";
import { formatAmount } from "../limits/amount.ts";
import type { CompiledLimit } from "../limits/limits.ts";
import { type CompiledPolicy, toolsOf } from "../policy/compile-policy.ts";
import type { Comparison, Condition } from "../policy/policy-schema.ts";
import type { Call, Denial, Plan } from "./decide.ts";

/** A bound on one argument. `exists: false` means: leave it out. */
export interface Bound {
  readonly path: string;
  readonly op: "lte" | "lt" | "gte" | "gt" | "eq" | "in" | "exists";
  readonly value: Json;
}

/**
 * Changes which, applied together, would let the call pass. Verified by deciding again, never guessed: an order at its edge, a list at every value that it
 * names.
 */
export interface Bounds {
  readonly arguments: readonly Bound[];
  /** True where a person would still be asked, about some of the values of a list at least. */
  readonly asks?: true | undefined;
  /** Milliseconds to wait, where a limit lacks room. */
  readonly waitMs?: number | undefined;
}

type DecideAgain = (call: Call) => Denial | Plan;

/** A call that fails for more reasons than this gets no bounds. */
const mostSteps = 8;
/** Lists are cut to the values that pass; beyond so many combinations of such values, to the one that was tried. */
const mostCombinations = 1_000;

/**
 * Looks for the arguments that would pass: it mends one rule that refuses or holds after another, by the literal that the rule compares with, and decides
 * each mended call again. `undefined` where it finds none; what it finds is a way, not every way.
 */
export function findBounds(policy: CompiledPolicy, call: Call, denial: Denial, decideAgain: DecideAgain): Bounds | undefined {
  const found = new Map<string, Change>();
  let current = call;
  let verdict: Denial | Plan = denial;
  for (let step = 0; verdict.outcome !== "allow"; step++) {
    const mended: Mended | undefined = step < mostSteps ? mend(policy, current, verdict, decideAgain) : undefined;
    if (!mended) {
      if (verdict.outcome !== "hold") return undefined;
      return { arguments: narrowed([...found.values()], current, (call) => decideAgain(call).outcome !== "deny"), asks: true };
    }
    // A later bound on the same argument was found under the earlier one, and is the tighter.
    for (const change of mended.changes) found.set(`${change.bound.path} ${change.bound.op}`, change);
    current = mended.call;
    verdict = mended.verdict;
  }
  return { arguments: narrowed([...found.values()], current, (call) => decideAgain(call).outcome === "allow") };
}

/**
 * The bounds that the mended call keeps to, one of a value that was left out in the end being none; with only those values in each list that pass together
 * with every value that was kept in the lists before it.
 */
function narrowed(changes: readonly Change[], mended: Call, passes: (call: Call) => boolean): readonly Bound[] {
  let combinations: readonly Call[] = [mended];
  return changes
    .filter((change) => keepsTo(mended.arguments, change))
    .map((change) => {
      const { bound, path } = change;
      if (bound.op !== "in") return bound;
      const listed = bound.value as readonly Json[];
      const asked = combinations.length * listed.length > mostCombinations ? [compileSteps(path.steps)(mended.arguments) as Json] : listed;
      const withValue = (call: Call, value: Json): Call => ({ ...call, arguments: apply(call.arguments, path.steps, value) });
      const kept = asked.filter((value) => combinations.every((call) => passes(withValue(call, value))));
      combinations = combinations.flatMap((call) => kept.map((value) => withValue(call, value)));
      return { ...bound, value: kept };
    });
}

function keepsTo(args: JsonObject, { bound: { op, value }, path }: Change): boolean {
  const found = compileSteps(path.steps)(args);
  return found === undefined ? op === "exists" : operatorMeanings[op].prepare(value, path)(found) === true;
}

/** The bounds as a sentence: `It would pass with args.amount ≤ 500.` */
export function describeBounds({ arguments: bounds, asks, waitMs }: Bounds): string {
  const parts = bounds.map(({ path, op, value }) => {
    if (op === "exists") return `without ${path}`;
    if (op === "in") return `${path} one of ${(value as readonly Json[]).map((each) => JSON.stringify(each)).join(", ")}`;
    return `${path} ${signs[op]} ${JSON.stringify(value)}`;
  });
  const changed = parts.length > 0 ? ` with ${parts.join(" and ")}` : "";
  const wait = waitMs === undefined ? "" : ` in ${Math.ceil(waitMs / 1000)} s`;
  return `It would ${asks ? "go to a person" : "pass"}${changed}${wait}.`;
}

const signs = { lte: "≤", lt: "<", gte: "≥", gt: ">", eq: "=" } as const;

interface Mended {
  readonly call: Call;
  readonly verdict: Denial | Plan;
  readonly changes: readonly Change[];
}

/** Tries each way to get past the rule that stops the call, and takes the first that does. */
function mend(policy: CompiledPolicy, call: Call, verdict: Denial | Plan, decideAgain: DecideAgain): Mended | undefined {
  for (const changes of waysPast(policy, call, verdict)) {
    const changed = { ...call, arguments: changes.reduce((args, { path, value }) => apply(args, path.steps, value), call.arguments) };
    const next = decideAgain(changed);
    if (isPast(verdict, next)) return { call: changed, verdict: next, changes };
  }
  return undefined;
}

function isPast(before: Denial | Plan, after: Denial | Plan): boolean {
  if (before.outcome === "deny") return after.outcome !== "deny" || after.rule !== before.rule;
  return after.outcome !== "deny" && !after.approvals.some((rule) => rule === before.approvals[0]);
}

/** A `require` rule needs every condition, so they are mended together; any other is mended by any one of its conditions. */
function waysPast(policy: CompiledPolicy, call: Call, verdict: Denial | Plan): readonly (readonly Change[])[] {
  const tools = toolsOf(policy, call.tool);
  if (verdict.outcome === "deny") {
    const limit = tools.flatMap(({ limits }) => limits).find(({ id }) => id === verdict.rule);
    if (limit) return withinLimit(limit);
  }
  const rule =
    verdict.outcome === "deny"
      ? tools.flatMap(({ require, denyIf }) => [...require, ...denyIf]).find(({ id }) => id === verdict.rule)
      : verdict.approvals[0];
  if (!rule) return [];
  const wanted = rule.section === "require";
  const changes = rule.conditions.map((condition) => changesFor(condition, wanted));
  if (!wanted) return changes.flatMap((each) => each.map((change) => [change]));
  const together = changes.flatMap((each) => each.slice(0, 1));
  return together.length > 0 ? [together] : [];
}

/** An amount that is more than its limit ever allows; what is left of the counter is the store's to know. */
function withinLimit({ limit, max }: CompiledLimit): readonly (readonly Change[])[] {
  const { increment_from: from } = limit;
  if (from === undefined) return [];
  return changesFor({ path: from, op: "lte", value: Number(formatAmount(max)) }, true).map((change) => [change]);
}

interface Change {
  readonly bound: Bound;
  readonly path: Path;
  /** What the argument becomes to try the bound; `undefined` takes it away. */
  readonly value: Json | undefined;
}

/** What would give a condition the wanted truth, as far as its own literal says. */
function changesFor(condition: Condition, wanted: boolean): readonly Change[] {
  if ("not" in condition) return changesFor(condition.not, !wanted);
  if ("any" in condition && wanted) return condition.any.flatMap((part) => changesFor(part, wanted));
  if ("all" in condition && !wanted) return condition.all.flatMap((part) => changesFor(part, wanted));
  if (!("op" in condition)) return [];
  const path = parsePath(condition.path);
  if (isPathError(path) || path.root !== "args" || path.steps.some((step) => step.kind !== "name")) return [];
  return boundsFor(condition, wanted).map(([op, value, tried]) => ({
    bound: { path: condition.path, op, value },
    path,
    value: tried,
  }));
}

type Candidate = readonly [op: Bound["op"], value: Json, tried: Json | undefined];

function boundsFor(comparison: Comparison, wanted: boolean): readonly Candidate[] {
  const { op } = comparison;
  if (op === "exists") return comparison.value === wanted ? [] : [["exists", false, undefined]];
  const operand = operandOf(comparison);
  if ("from" in operand) return [];
  const value = operand.expected;
  if (op === "in" || op === "not_in") {
    const [first] = Array.isArray(value) ? (value as readonly Json[]) : [];
    return (op === "in") === wanted && first !== undefined ? [["in", value, first]] : [];
  }
  if (op === "eq" || op === "neq") return (op === "eq") === wanted ? [["eq", value, value]] : [];
  const order = wanted ? op : opposite[op];
  if (typeof value !== "number") return [];
  if (order === "lte" || order === "gte") return [[order, value, value]];
  if (order === "lt") return [[order, value, value - 1]];
  return order === "gt" ? [[order, value, value + 1]] : [];
}

const opposite: Readonly<Record<string, string | undefined>> = { gt: "lte", gte: "lt", lt: "gte", lte: "gt" };

/** The arguments with another value at the end of the steps; `undefined` takes it away. */
function apply(args: JsonObject, [step, ...rest]: Path["steps"], value: Json | undefined): JsonObject {
  if (step?.kind !== "name") return args;
  const copy: Record<string, Json> = { ...args };
  if (rest.length === 0) {
    if (value === undefined) delete copy[step.name];
    else Object.defineProperty(copy, step.name, { value, enumerable: true, configurable: true, writable: true });
    return copy;
  }
  const inner = Object.hasOwn(args, step.name) ? args[step.name] : {};
  if (inner === null || typeof inner !== "object" || Array.isArray(inner)) return args;
  copy[step.name] = apply(inner as JsonObject, rest, value);
  return copy;
}
