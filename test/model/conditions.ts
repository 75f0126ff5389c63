import type { Condition, Json } from "@holdpoint/core";
import { RE2JS } from "re2js";
import { globMatches, hostIn, networkHolds, pathWithin } from "./places.ts";

/*
 * The reference model of conditions: what design §3 says, read anew from the document for every call. It shares no code with the engine;
 * only linear expressions and IP literals are read by the same libraries.
 */

export type Truth = true | false | "unknown";
export type Section = "require" | "deny_if" | "require_approval";

export interface ModelFacts {
  readonly args: Json;
  readonly context: Json;
  readonly tool: Json;
  readonly time: Json;
}

/** Where a condition is asked: in which section, under how many `not`s, and for which element of an enclosing `each`. */
export interface Asked {
  readonly section: Section;
  readonly nots: number;
  readonly facts: ModelFacts;
  readonly item?: Json | undefined;
}

export function truthOf(condition: Condition, asked: Asked): Truth {
  if ("all" in condition) return allOf(condition.all.map((part) => truthOf(part, asked)));
  if ("any" in condition) return anyOf(condition.any.map((part) => truthOf(part, asked)));
  if ("not" in condition) return notOf(truthOf(condition.not, { ...asked, nots: asked.nots + 1 }));
  if ("each" in condition) {
    const { path, conditions } = condition.each;
    const perElement = (item: Json) => truthsOf(conditions, { ...asked, item });
    return along(`${path}[*]`, asked, "unknown", perElement);
  }
  if ("predicate" in condition) {
    try {
      const answer: unknown = condition.check(structuredClone(asked.facts) as never);
      return typeof answer === "boolean" ? answer : "unknown";
    } catch {
      return "unknown";
    }
  }
  const absent = condition.when_missing ?? (condition.op === "exists" ? condition.value === false : "unknown");
  const truth = along(condition.path, asked, absent, (found) => compare(condition, found, asked));
  return condition.compare === "intercept" ? truth === true : truth;
}

/** The conditions of a rule are ANDed. */
export function truthsOf(conditions: readonly Condition[], asked: Asked): Truth {
  return allOf(conditions.map((condition) => truthOf(condition, asked)));
}

function notOf(truth: Truth): Truth {
  return truth === "unknown" ? "unknown" : !truth;
}

function allOf(truths: readonly Truth[]): Truth {
  if (truths.includes(false)) return false;
  return truths.includes("unknown") ? "unknown" : true;
}

function anyOf(truths: readonly Truth[]): Truth {
  if (truths.includes(true)) return true;
  return truths.includes("unknown") ? "unknown" : false;
}

type Step = { readonly name: string } | { readonly index: number } | "elements";

export function stepsOf(path: string): readonly Step[] {
  const text = path.replace(/^[a-z]+/, "");
  return [...text.matchAll(/\.([^.[\]"]+)|\[(\d+)\]|\[(\*)\]|\[("(?:[^"\\]|\\.)*")\]/g)].map(([, name, index, star, quoted]): Step => {
    if (star !== undefined) return "elements";
    if (index !== undefined) return { index: Number(index) };
    return { name: name ?? (JSON.parse(quoted as string) as string) };
  });
}

function rootOf(path: string, { facts, item }: Asked): Json | undefined {
  const root = /^[a-z]+/.exec(path)?.[0] as keyof ModelFacts | "item";
  return root === "item" ? item : facts[root];
}

function along(path: string, asked: Asked, absent: Truth, ask: (found: Json) => Truth): Truth {
  function walk(value: Json | undefined, steps: readonly Step[]): Truth {
    if (value === undefined) return absent;
    const [step, ...rest] = steps;
    if (step === undefined) return ask(value);
    if (step !== "elements") return walk(stepInto(value, step), rest);
    if (!Array.isArray(value)) return "unknown";
    if (value.length === 0) return asked.section === "require" ? "unknown" : false;
    const truths = (value as readonly Json[]).map((element) => walk(element, rest));
    const mustHoldToPass = (asked.section === "require") === (asked.nots % 2 === 0);
    return mustHoldToPass ? allOf(truths) : anyOf(truths);
  }
  return walk(rootOf(path, asked), stepsOf(path));
}

function stepInto(value: Json, step: Exclude<Step, "elements">): Json | undefined {
  if ("index" in step) return Array.isArray(value) ? (value as readonly Json[])[step.index] : undefined;
  if (typeOf(value) !== "object") return undefined;
  return Object.entries(value as object).find(([key]) => key === step.name)?.[1] as Json | undefined;
}

type Comparison = Extract<Condition, { op: string }>;

function compare({ path, op, value, compare: manner }: Comparison, found: Json, asked: Asked): Truth {
  const expected = expectedOf(value, asked);
  if (expected === undefined) return "unknown";
  if (op === "not_in") return notOf(compare({ path, op: "in", value: { literal: expected }, compare: manner } as never, found, asked));
  if (op === "neq") return notOf(compare({ path, op: "eq", value: { literal: expected }, compare: manner } as never, found, asked));
  const equal = manner === "intercept" ? equalAsIntercept : equalTo;
  switch (op) {
    case "exists":
      return typeof expected === "boolean" ? (found !== null) === expected : "unknown";
    case "eq":
      return equal(found, expected);
    case "in": {
      if (!Array.isArray(expected)) return "unknown";
      if (manner === "intercept") return expected.some((entry) => equal(found, entry) === true);
      const comparable = expected.filter((entry) => typeOf(entry) === typeOf(found));
      return comparable.length === 0 ? "unknown" : anyOf(comparable.map((entry) => equal(found, entry)));
    }
    case "contains":
      if (typeof found === "string") return typeof expected === "string" ? found.includes(expected) : "unknown";
      return Array.isArray(found) ? anyOf(found.map((element) => equal(element, expected))) : "unknown";
    case "lt":
    case "lte":
    case "gt":
    case "gte":
      return ordered(op, found, expected, path === "time.date");
    case "length_lte":
    case "length_gte": {
      const length = typeof found === "string" ? Array.from(found).length : Array.isArray(found) ? found.length : undefined;
      if (length === undefined || typeof expected !== "number") return "unknown";
      return op === "length_lte" ? length <= expected : length >= expected;
    }
    case "within_path":
      return placed(found, expected, pathWithin);
    case "host_in":
      return placed(found, expected, hostIn);
    case "cidr_in":
      return placed(found, expected, networkHolds);
    default:
      if (typeof found !== "string" || typeof expected !== "string") return "unknown";
      if (op === "starts_with") return found.slice(0, expected.length) === expected;
      if (op === "ends_with") return expected === "" || found.slice(-expected.length) === expected;
      if (op === "glob") return expected.includes("***") ? "unknown" : globMatches(expected, found);
      return RE2JS.compile(expected).matcher(found).find();
  }
}

function expectedOf(value: Comparison["value"], asked: Asked): Json | undefined {
  if (typeof value !== "object" || value === null) return value;
  if ("from" in value) {
    let source: Json | undefined = rootOf(value.from, asked);
    for (const step of stepsOf(value.from)) source = source === undefined || step === "elements" ? undefined : stepInto(source, step);
    return source;
  }
  return withoutLiteral(value);
}

/** Design §3: a list is a literal; an object says by its key that it is one. */
function withoutLiteral(value: unknown): Json {
  if (Array.isArray(value)) return value.map(withoutLiteral);
  return (value !== null && typeof value === "object" ? (value as { literal: Json }).literal : value) as Json;
}

function typeOf(value: Json): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}

function equalTo(found: Json, expected: Json): Truth {
  return typeOf(found) === typeOf(expected) ? sameJson(found, expected) : "unknown";
}

function sameJson(one: Json, other: Json): boolean {
  if (one === null || other === null || typeof one !== "object" || typeof other !== "object") return one === other;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const keys = Object.keys(one);
  if (keys.length !== Object.keys(other).length) return false;
  return keys.every((key) => Object.hasOwn(other, key) && sameJson(one[key as never], other[key as never]));
}

function ordered(op: "lt" | "lte" | "gt" | "gte", found: Json, expected: Json, dates: boolean): Truth {
  const isOrdered = (value: Json) => (dates ? isDate(value) : typeof value === "number");
  if (!isOrdered(found) || !isOrdered(expected)) return "unknown";
  const [one, other] = [found as number, expected as number];
  return { lt: one < other, lte: one <= other, gt: one > other, gte: one >= other }[op];
}

function isDate(value: Json): boolean {
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(String(value)) ?? [];
  const instant = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  return typeof value === "string" && instant.getUTCMonth() === Number(month) - 1 && instant.getUTCDate() === Number(day);
}

function placed(found: Json, expected: Json, isIn: (text: string, places: readonly string[]) => Truth): Truth {
  const places = typeof expected === "string" ? [expected] : expected;
  if (typeof found !== "string" || !Array.isArray(places) || places.length === 0) return "unknown";
  return places.every((place) => typeof place === "string") ? isIn(found, places) : "unknown";
}

/** Numbers by value, anything else by the text that Go prints for it. */
function equalAsIntercept(found: Json, expected: Json): Truth {
  if (typeof found === "number" && typeof expected === "number") return found === expected;
  return goText(found) === goText(expected);
}

function goText(value: Json): string {
  if (value === null) return "<nil>";
  if (Object.is(value, -0)) return "-0";
  if (typeof value === "number")
    return Math.abs(value) < 1e-4 && value !== 0 ? value.toExponential().replace(/e-(\d)$/, "e-0$1") : String(value);
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return `[${value.map(goText).join(" ")}]`;
  const keys = Object.keys(value).sort();
  return `map[${keys.map((key) => `${key}:${goText((value as { [key: string]: Json })[key] as Json)}`).join(" ")}]`;
}
