import canonicalize from "canonicalize";
import type { Json } from "../arguments/json-snapshot.ts";
import type { Comparison, Operator } from "../policy/policy-schema.ts";
import { compileGlob } from "./glob.ts";
import type { Path } from "./path.ts";
import { canonicalHost, hostProblem, isAddressIn, isHostIn, isWithinPath, type Network, parseNetwork, pathProblem } from "./places.ts";
import { compileRegex } from "./regular-expression.ts";

/** The three values of a condition. Unknown: it cannot be said, and the section that asks decides what that means (design §3). */
export type Truth = true | false | "unknown";

/** An operator with what it compares against, ready to be asked. */
export type Matcher = (actual: Json) => Truth;

export interface OperatorMeaning {
  /** Prepares the comparison against `expected`. What the operator cannot compare against is unknown for every actual value; nothing throws. */
  readonly prepare: (expected: Json, path: Path) => Matcher;
  /** What is wrong with a literal value, and the fix; `undefined` where it is fine. Types that the policy's shape excludes are not asked about. */
  readonly check: (expected: Json, path: Path) => string | undefined;
}

/**
 * What a condition compares against: another path, or a value with its `literal` wrappers taken off.
 */
export function operandOf({ value }: Pick<Comparison, "value">): { readonly from: string } | { readonly expected: Json } {
  return typeof value === "object" && value !== null && "from" in value ? { from: value.from } : { expected: unwrapped(value) };
}

/** What is inside of `literal` is as it is; a list around it is read element by element. */
function unwrapped(value: Exclude<Comparison["value"], { from: string }>): Json {
  if (typeof value !== "object" || value === null) return value;
  return "literal" in value ? (value.literal as Json) : value.map(unwrapped);
}

/** The part of loading that looks at one value: a message without place, or `undefined`. A `{ from }` value is looked at where paths are known. */
export function checkValue(op: Operator, value: Comparison["value"], path: Path): string | undefined {
  const operand = operandOf({ value });
  return "from" in operand ? undefined : operatorMeanings[op].check(operand.expected, path);
}

/** Three-valued `not`. */
export function negate(truth: Truth): Truth {
  return truth === "unknown" ? truth : !truth;
}

const unknown: Matcher = () => "unknown";
const fine = () => undefined;

/**
 * Every operator, by name. Nothing is coerced: a value of a type that the operator does not compare is unknown, and so are values of two types where
 * it compares by equality.
 */
export const operatorMeanings: { readonly [Op in Operator]: OperatorMeaning } = {
  eq: { prepare: equalTo, check: checkText },
  neq: { prepare: (expected) => not(equalTo(expected)), check: checkText },
  in: { prepare: oneOf, check: checkText },
  not_in: { prepare: (expected) => not(oneOf(expected)), check: checkText },
  contains: { prepare: containing, check: checkText },
  lt: ordering((expected, ordered) => (actual) => (ordered(actual) ? actual < expected : "unknown")),
  lte: ordering((expected, ordered) => (actual) => (ordered(actual) ? actual <= expected : "unknown")),
  gt: ordering((expected, ordered) => (actual) => (ordered(actual) ? actual > expected : "unknown")),
  gte: ordering((expected, ordered) => (actual) => (ordered(actual) ? actual >= expected : "unknown")),
  length_lte: { prepare: (expected) => lengthThat(expected, (length, bound) => length <= bound), check: checkLength },
  length_gte: { prepare: (expected) => lengthThat(expected, (length, bound) => length >= bound), check: checkLength },
  exists: { prepare: (expected) => (typeof expected === "boolean" ? (actual) => (actual !== null) === expected : unknown), check: fine },
  regex: pattern(compileRegex),
  glob: pattern(compileGlob),
  starts_with: text((actual, expected) => actual.startsWith(expected)),
  ends_with: text((actual, expected) => actual.endsWith(expected)),
  within_path: place(pathProblem, String, isWithinPath),
  host_in: place(hostProblem, canonicalHost, isHostIn),
  cidr_in: place(networkProblem, (text) => parseNetwork(text) as Network, isAddressIn),
};

function not(matcher: Matcher): Matcher {
  return (actual) => negate(matcher(actual));
}

/** Values of one JSON type are equal or not; objects and arrays by canonical JSON (RFC 8785). -0 equals 0. */
function equalTo(expected: Json): Matcher {
  const type = jsonType(expected);
  if (type !== "object" && type !== "array") return (actual) => (actual === expected ? true : typeof actual === type ? false : "unknown");
  const canonical = canonicalJson(expected);
  return function equalJson(actual) {
    if (canonical === undefined || jsonType(actual) !== type) return "unknown";
    const found = canonicalJson(actual);
    return found === undefined ? "unknown" : found === canonical;
  };
}

/** Equal to one of the list; unknown where the list holds no value of the type that was found. */
function oneOf(expected: Json): Matcher {
  if (!Array.isArray(expected)) return unknown;
  const list = expected as readonly Json[];
  const types = new Set(list.map(jsonType));
  const scalars = new Set<Json>(list.filter((entry) => typeof entry !== "object" || entry === null));
  const structures = list
    .filter((entry) => typeof entry === "object" && entry !== null)
    .map((entry) => ({ type: jsonType(entry), equals: equalTo(entry) }));
  if (structures.length === 0 && types.size === 1 && !types.has("null")) {
    const [type] = types;
    return (actual) => (typeof actual === type ? scalars.has(actual) : "unknown");
  }
  return function inList(actual) {
    if (scalars.has(actual)) return true;
    const type = jsonType(actual);
    if (!types.has(type)) return "unknown";
    return anyOf(structures, (structure) => structure.type === type && structure.equals(actual));
  };
}

/** Three-valued `any`. */
function anyOf<Part>(parts: readonly Part[], truthOf: (part: Part) => Truth): Truth {
  let found: Truth = false;
  for (const part of parts) {
    const truth = truthOf(part);
    if (truth === true) return true;
    if (truth !== false) found = truth;
  }
  return found;
}

/**
 * A text that contains a text, or a list with an element equal to the value. An element of another type leaves it unknown unless another one is
 * equal: a list must not slip past `contains` by wrapping what is looked for.
 */
function containing(expected: Json): Matcher {
  const equals = equalTo(expected);
  return function contains(actual) {
    if (typeof actual === "string") return typeof expected === "string" ? actual.includes(expected) : "unknown";
    return Array.isArray(actual) ? anyOf(actual as readonly Json[], equals) : "unknown";
  };
}

type Ordered = number | string;

/**
 * Numbers are ordered; texts only on `time.date`, where both are dates. Each operator makes its own closure, so that the engine can inline the
 * comparison.
 */
function ordering(compare: (expected: Ordered, isOrdered: (actual: Json) => actual is Ordered) => Matcher): OperatorMeaning {
  return {
    prepare(expected, path) {
      const isOrdered = isDatePath(path) ? isDate : isFiniteNumber;
      return isOrdered(expected) ? compare(expected, isOrdered) : unknown;
    },
    check(expected, path) {
      if (isDatePath(path)) return isDate(expected) ? undefined : "`time.date` is compared with a date: write it as `2026-01-31`";
      return isFiniteNumber(expected) ? undefined : "only numbers are ordered, and dates on `time.date`: write a number";
    },
  };
}

/** A number that is not finite is no JSON; were there one, every comparison with it would be false, and `deny_if` would let it pass. */
function isFiniteNumber(value: Json): value is number {
  return typeof value === "number" && value - value === 0;
}

function isDatePath({ root, steps: [first] }: Path): boolean {
  return root === "time" && first?.kind === "name" && first.name === "date";
}

function isDate(value: Json): value is string {
  if (typeof value !== "string" || !/^\d{4}-\d{2}-\d{2}$/.test(value)) return false;
  const day = new Date(`${value}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(value);
}

/** The length of a text in code points, or of a list in elements. */
function lengthThat(expected: Json, holds: (length: number, bound: number) => boolean): Matcher {
  if (typeof expected !== "number" || Number.isNaN(expected)) return unknown;
  return function lengthMatches(actual) {
    if (typeof actual === "string") return holds(codePoints(actual), expected);
    return Array.isArray(actual) ? holds(actual.length, expected) : "unknown";
  };
}

function codePoints(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at += (text.codePointAt(at) as number) > 0xffff ? 2 : 1) count += 1;
  return count;
}

function checkLength(expected: Json): string | undefined {
  return Number.isSafeInteger(expected) && (expected as number) >= 0 ? undefined : "a length is a whole number, zero or more";
}

function pattern(compile: typeof compileRegex): OperatorMeaning {
  return {
    prepare(expected) {
      if (typeof expected !== "string") return unknown;
      const compiled = compile(expected);
      return "error" in compiled ? unknown : (actual) => (typeof actual === "string" ? compiled.test(actual) : "unknown");
    },
    check(expected) {
      const compiled = compile(expected as string);
      return "error" in compiled ? compiled.error : undefined;
    },
  };
}

function text(holds: (actual: string, expected: string) => boolean): OperatorMeaning {
  return {
    prepare: (expected) =>
      typeof expected === "string" ? (actual) => (typeof actual === "string" ? holds(actual, expected) : "unknown") : unknown,
    check: fine,
  };
}

/** Where a text is among places, each read once. A list with one entry that has a problem places nothing. */
function place<Place>(
  problemOf: (text: string) => string | undefined,
  read: (text: string) => Place,
  isIn: (actual: string, places: readonly Place[]) => Truth,
): OperatorMeaning {
  return {
    prepare(expected) {
      const texts = textsOf(expected);
      if (texts === undefined || texts.some((entry) => problemOf(entry) !== undefined)) return unknown;
      const places = texts.map(read);
      return (actual) => (typeof actual === "string" ? isIn(actual, places) : "unknown");
    },
    check(expected) {
      const entry = textsOf(expected)?.find((text) => problemOf(text) !== undefined);
      return entry === undefined ? undefined : `\`${entry}\` ${problemOf(entry)}`;
    },
  };
}

/** One text or a list of at least one; `undefined` for anything else. */
function textsOf(expected: Json): readonly string[] | undefined {
  const list = typeof expected === "string" ? [expected] : expected;
  return Array.isArray(list) && list.length > 0 && list.every((entry) => typeof entry === "string") ? (list as string[]) : undefined;
}

function networkProblem(text: string): string | undefined {
  const network = parseNetwork(text);
  return typeof network === "string" ? network : undefined;
}

/** Canonical JSON does not exist for lone surrogates (RFC 8785, section 3.2.2.2); such a value equals nothing. */
function checkText(expected: Json): string | undefined {
  return canonicalJson(expected) === undefined ? "the value holds a lone surrogate or no JSON: no argument can equal it" : undefined;
}

function canonicalJson(value: Json): string | undefined {
  try {
    return canonicalize(value);
  } catch {
    return undefined;
  }
}

function jsonType(value: Json): "null" | "boolean" | "number" | "string" | "array" | "object" {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : (typeof value as "boolean" | "number" | "string" | "object");
}
