import {
  type CompiledPolicy,
  type Condition,
  compilePolicy,
  formatPath,
  isPathError,
  type Json,
  loadPolicy,
  type Operator,
  parsePath,
} from "@holdpoint/core";

export type Truth = true | false | "unknown";
type Section = "require" | "deny_if" | "require_approval";
export type Rule = CompiledPolicy["layers"][number]["others"]["require"][number];
export type Facts = Parameters<Rule["test"]>[0];
type Comparison = Extract<Condition, { op: Operator }>;

/**
 * A condition that is not made of others. Two atoms with one key have one truth for every call; what an atom says is only ever found by asking the
 * engine, so that the analysis cannot disagree with it.
 */
export interface Atom {
  readonly key: string;
  /** The path that decides it and nothing else does; absent where the analysis does not see what decides it. */
  readonly path: string | undefined;
  readonly op: Operator | undefined;
  /** The literal that it compares with. */
  readonly expected: Json | undefined;
  readonly ask: (facts: Facts) => Truth;
}

/** A condition, with atoms for leaves. */
export type Formula =
  | { readonly atom: Atom }
  | { readonly any: readonly Formula[] }
  | { readonly all: readonly Formula[] }
  | { readonly not: Formula };

/** What the conditions of a rule say together. */
export function formulaOf(rule: Pick<Rule, "conditions" | "section">): Formula {
  return { all: rule.conditions.map((condition) => read(condition, rule.section, false)) };
}

function read(condition: Condition, section: Section, negated: boolean): Formula {
  if ("any" in condition) return { any: condition.any.map((part) => read(part, section, negated)) };
  if ("all" in condition) return { all: condition.all.map((part) => read(part, section, negated)) };
  if ("not" in condition) return { not: read(condition.not, section, !negated) };
  return { atom: atomOf(condition, section, negated) };
}

export function atomsOf(formula: Formula): readonly Atom[] {
  if ("atom" in formula) return [formula.atom];
  if ("not" in formula) return atomsOf(formula.not);
  return ("any" in formula ? formula.any : formula.all).flatMap(atomsOf);
}

/** Three-valued, as the engine combines them: `not` keeps unknown; `all` is false if any is false, `any` true if any is true, else unknown if any is. */
export function truthOf(formula: Formula, truthOfAtom: (atom: Atom) => Truth): Truth {
  if ("atom" in formula) return truthOfAtom(formula.atom);
  if ("not" in formula) {
    const truth = truthOf(formula.not, truthOfAtom);
    return truth === "unknown" ? truth : !truth;
  }
  const [parts, decisive] = "any" in formula ? [formula.any, true] : [formula.all, false];
  let result: Truth = !decisive;
  for (const part of parts) {
    const truth = truthOf(part, truthOfAtom);
    if (truth === decisive) return truth;
    if (truth === "unknown") result = truth;
  }
  return result;
}

function atomOf(condition: Condition, section: Section, negated: boolean): Atom {
  const ask = asking(condition, section, negated);
  const path = "op" in condition ? onePlace(condition.path) : undefined;
  if (!("op" in condition) || path === undefined) {
    return { key: keyOf(condition, section, negated), path: undefined, op: undefined, expected: undefined, ask };
  }
  const { op, value, compare, when_missing } = condition;
  const expected = literalOf(condition);
  // Intercept's equality also compares a number with its text, in Go's way of writing numbers: too many texts to see through.
  const seen = expected !== undefined && !(compare === "intercept" && equalities.has(op));
  return {
    key: JSON.stringify({ path, op, value: expected === undefined ? value : { expected }, compare, when_missing }),
    path: seen ? path : undefined,
    op,
    expected,
    ask,
  };
}

/** The canonical text of a path that names one place; absent where it names many, or one that is far down a list. */
function onePlace(text: string): string | undefined {
  const path = parsePath(text, { within: "each" });
  if (isPathError(path) || path.root === "item") return undefined;
  const isNear = path.steps.every((step) => step.kind === "name" || (step.kind === "index" && step.index < 100));
  return isNear ? formatPath(path) : undefined;
}

const equalities: ReadonlySet<string> = new Set(["eq", "neq", "in", "not_in"]);

/** What is written with `literal` and without it is one value. */
function literalOf({ value }: Comparison): Json | undefined {
  return typeof value === "object" && value !== null && "from" in value ? undefined : unwrapped(value);
}

function unwrapped(value: Exclude<Comparison["value"], { from: string }>): Json {
  if (typeof value !== "object" || value === null) return value;
  return "literal" in value ? (value.literal as Json) : value.map(unwrapped);
}

/** Functions have no content to compare: each is only like itself. */
const functions = new WeakMap<object, number>();
let functionsSeen = 0;

/** How `[*]` and `each` quantify depends on where they stand, so that does make two atoms of one condition. */
function keyOf(condition: Condition, section: Section, negated: boolean): string {
  const text = JSON.stringify(condition, (_, value) => (typeof value === "function" ? `function ${identityOf(value)}` : value));
  return `${section === "require"} ${negated} ${text}`;
}

function identityOf(value: object): number {
  const known = functions.get(value) ?? ++functionsSeen;
  functions.set(value, known);
  return known;
}

const asked = new WeakMap<object, Map<string, Atom["ask"]>>();

/** The engine's own closure for a condition that stands at such a place. */
function asking(condition: Condition, section: Section, negated: boolean): Atom["ask"] {
  const known = asked.get(condition) ?? new Map<string, Atom["ask"]>();
  asked.set(condition, known);
  const place = `${section} ${negated}`;
  const ask = known.get(place) ?? compileAlone(condition, section, negated);
  known.set(place, ask);
  return ask;
}

function compileAlone(condition: Condition, section: Section, negated: boolean): Atom["ask"] {
  const document = loadPolicy({
    version: "1",
    default: "allow",
    tools: { t: { [section]: [{ conditions: [negated ? { not: condition } : condition] }] } },
  });
  const tool = compilePolicy(document).layers[0]?.tools.get("t");
  const rule = tool && [...tool.require, ...tool.denyIf, ...tool.approvals][0];
  if (!rule) throw new Error("a policy of one rule has one rule");
  return (facts) => {
    const truth = rule.test(facts);
    return negated && truth !== "unknown" ? !truth : truth;
  };
}
