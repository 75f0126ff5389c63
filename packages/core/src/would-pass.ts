import { type CompiledPolicy, type CompiledRule, toolOf } from "./compile-policy.ts";
import type { Call, Denial, Plan } from "./decide.ts";
import type { Json, JsonObject } from "./json-snapshot.ts";
import { isPathError, parsePath, type Step } from "./path.ts";
import type { Comparison, Condition } from "./policy-schema.ts";

/** A bound on one argument. `exists: false` means: leave it out. */
export interface Bound {
  readonly path: string;
  readonly op: "lte" | "lt" | "gte" | "gt" | "eq" | "in" | "exists";
  readonly value: Json;
}

/** Changes which, applied together, would let the call pass. Verified by deciding again, never guessed. */
export interface Bounds {
  readonly arguments: readonly Bound[];
  /** Milliseconds to wait, where a limit lacks room. */
  readonly waitMs?: number | undefined;
}

type DecideAgain = (call: Call) => Denial | Plan;

/** A call that fails for more reasons than this gets no bounds. */
const mostBounds = 8;

/**
 * Looks for the arguments that would pass: it mends one refusing rule after another, by the literal that the rule compares with, and decides each mended
 * call again. `undefined` where it finds none; what it finds is a way, not every way.
 */
export function findBounds(policy: CompiledPolicy, call: Call, denial: Denial, decideAgain: DecideAgain): Bounds | undefined {
  const found: Bound[] = [];
  let current = call;
  let verdict: Denial | Plan = denial;
  while (verdict.outcome === "deny") {
    if (found.length >= mostBounds) return undefined;
    const rule = ruleNamed(policy, call.tool, verdict.rule);
    const step: Mended | undefined = rule && mend(rule, current, verdict, decideAgain);
    if (!step) return undefined;
    found.push(...step.bounds);
    current = step.call;
    verdict = step.verdict;
  }
  return { arguments: found };
}

/** The bounds as a sentence: `It would pass with args.amount ≤ 500.` */
export function describeBounds({ arguments: bounds, waitMs }: Bounds): string {
  const parts = bounds.map(({ path, op, value }) => {
    if (op === "exists") return `without ${path}`;
    if (op === "in") return `${path} one of ${(value as readonly Json[]).map((each) => JSON.stringify(each)).join(", ")}`;
    return `${path} ${signs[op]} ${JSON.stringify(value)}`;
  });
  if (waitMs !== undefined) parts.push(`in ${Math.ceil(waitMs / 1000)} s`);
  return `It would pass with ${parts.join(" and ")}.`;
}

const signs = { lte: "≤", lt: "<", gte: "≥", gt: ">", eq: "=" } as const;

function ruleNamed(policy: CompiledPolicy, tool: string, id: string): CompiledRule | undefined {
  for (const layer of policy.layers) {
    const { require, denyIf } = toolOf(layer, tool);
    const rule = [...require, ...denyIf].find((each) => each.id === id);
    if (rule) return rule;
  }
  return undefined;
}

interface Mended {
  readonly call: Call;
  readonly verdict: Denial | Plan;
  readonly bounds: readonly Bound[];
}

/** A `require` rule needs every condition, so they are mended together; a `deny_if` rule is mended by any one of its conditions. */
function mend(rule: CompiledRule, call: Call, denial: Denial, decideAgain: DecideAgain): Mended | undefined {
  const wanted = rule.section === "require";
  const changes = rule.conditions.map((condition) => changesFor(condition, wanted));
  const candidates = wanted ? [changes.flatMap((each) => each.slice(0, 1))] : changes.flatMap((each) => each.map((change) => [change]));
  for (const candidate of candidates) {
    if (candidate.length === 0) continue;
    const changed = { ...call, arguments: candidate.reduce(apply, call.arguments) };
    const verdict = decideAgain(changed);
    const progressed = verdict.outcome !== "deny" || verdict.rule !== denial.rule;
    if (progressed) return { call: changed, verdict, bounds: candidate.map(({ bound }) => bound) };
  }
  return undefined;
}

interface Change {
  readonly bound: Bound;
  readonly steps: readonly Step[];
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
    steps: path.steps,
    value: tried,
  }));
}

type Candidate = readonly [op: Bound["op"], value: Json, tried: Json | undefined];

function boundsFor({ op, value: operand }: Comparison, wanted: boolean): readonly Candidate[] {
  if (op === "exists") return operand === wanted ? [] : [["exists", false, undefined]];
  if (op === "in" || op === "not_in") {
    const list = Array.isArray(operand) ? operand.map(literalOf) : [];
    const [first] = list;
    return (op === "in") === wanted && first !== undefined ? [["in", list as Json, first]] : [];
  }
  const value = literalOf(operand);
  if (value === undefined) return [];
  if (op === "eq" || op === "neq") return (op === "eq") === wanted ? [["eq", value, value]] : [];
  const order = wanted ? op : opposite[op];
  if (typeof value !== "number") return [];
  if (order === "lte" || order === "gte") return [[order, value, value]];
  if (order === "lt") return [[order, value, value - 1]];
  return order === "gt" ? [[order, value, value + 1]] : [];
}

const opposite: Readonly<Record<string, string | undefined>> = { gt: "lte", gte: "lt", lt: "gte", lte: "gt" };

/** The literal of an operand; `undefined` where it is read from elsewhere. */
function literalOf(operand: unknown): Json | undefined {
  if (operand === null || typeof operand !== "object") return operand as Json;
  return "literal" in operand ? (operand.literal as Json) : undefined;
}

function apply(args: JsonObject, { steps, value }: Change): JsonObject {
  const [step, ...rest] = steps;
  if (step?.kind !== "name") return args;
  const copy: Record<string, Json> = { ...args };
  if (rest.length === 0) {
    if (value === undefined) delete copy[step.name];
    else Object.defineProperty(copy, step.name, { value, enumerable: true, configurable: true, writable: true });
    return copy;
  }
  const inner = Object.hasOwn(args, step.name) ? args[step.name] : {};
  if (inner === null || typeof inner !== "object" || Array.isArray(inner)) return args;
  copy[step.name] = apply(inner as JsonObject, { bound: { path: "", op: "eq", value: null }, steps: rest, value });
  return copy;
}
