import type { StandardSchemaV1 } from "@standard-schema/spec";
import { canonicalJson } from "./canonical-json.ts";
import { jsonPointer } from "./json-pointer.ts";
import { type Json, type JsonObject, takeSnapshot } from "./json-snapshot.ts";
import { generalProblem, type SchemaProblem, shown } from "./schema-problem.ts";

const maxProblems = 8;

/**
 * Judges arguments by a Standard Schema (https://standardschema.dev). The schema only judges: it is given a copy of the arguments, its verdict must be
 * synchronous, and an output that differs from the input, by a default, a coercion or a key taken out, refuses them, since what is sent is what the
 * model wrote. A schema that throws refuses too; neither its error nor a stack is repeated. Never throws.
 */
export function judgeStandardSchema(schema: StandardSchemaV1, args: JsonObject): readonly SchemaProblem[] {
  try {
    const copy = takeSnapshot(args);
    const result: unknown = copy.ok ? schema["~standard"].validate(copy.value) : undefined;
    if (isPromise(result)) {
      result.then(undefined, () => undefined);
      return refused("the schema answers with a promise: use a synchronous schema");
    }
    if (typeof result !== "object" || result === null) return refused("the schema gave no verdict");
    const { issues, value } = result as { issues?: unknown; value?: unknown };
    if (issues !== undefined && issues !== null) return problemsFrom(issues as readonly StandardSchemaV1.Issue[], args);
    const output = takeSnapshot(value);
    const isUnchanged = output.ok && canonicalJson(output.value) === canonicalJson(args);
    return isUnchanged
      ? []
      : refused("the schema changes the arguments instead of judging them: use a strict schema, without defaults, coercion or transforms");
  } catch {
    // INVARIANT (fail-closed): without a verdict the arguments are refused.
    return refused("the schema threw instead of judging");
  }
}

export function isStandardSchema(value: unknown): value is StandardSchemaV1 {
  return value !== null && (typeof value === "object" || typeof value === "function") && "~standard" in value;
}

function isPromise(result: unknown): result is PromiseLike<unknown> {
  return typeof result === "object" && result !== null && "then" in result && typeof result.then === "function";
}

function refused(message: string): readonly SchemaProblem[] {
  return [{ pointer: "", message }];
}

/** Any list of issues is a failure, also an empty one. */
function problemsFrom(issues: readonly StandardSchemaV1.Issue[], args: JsonObject): readonly SchemaProblem[] {
  const problems = [...issues].slice(0, maxProblems).map((issue) => {
    const path = (issue.path ?? []).map((segment) => (typeof segment === "object" ? segment.key : segment));
    const tokens = path.map((key) => (typeof key === "number" ? key : shown(String(key))));
    return { pointer: jsonPointer(tokens), message: withoutValues(issue.message, valueAt(path, args)), isForeign: true };
  });
  return problems.length > 0 ? problems : refused("the arguments do not match the schema");
}

function valueAt(path: readonly PropertyKey[], args: JsonObject): Json | undefined {
  let value: Json | undefined = args;
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as JsonObject)[key as string];
  }
  return value;
}

const maxMessageCharacters = 200;
const maxScreenedLength = 4096;
const maxScreenedValues = 100;

/** Some libraries quote what they received. Where that cannot be told from the schema's own words the whole message is left out. */
function withoutValues(message: unknown, value: Json | undefined): string {
  if (typeof message !== "string" || message === "" || message.length > maxScreenedLength) return generalProblem;
  const texts = value === undefined ? [] : scalarTexts(value);
  if (texts.length > maxScreenedValues) return generalProblem;
  const quotable = texts.filter((text) => text.length <= message.length);
  // The longest first, so that no value is left in pieces by a shorter one inside it.
  const screened = quotable
    .toSorted((left, right) => right.length - left.length)
    .reduce((text, found) => text.replaceAll(standingAlone(found), "…"), message);
  return shown(screened.replaceAll("`", "'"), maxMessageCharacters);
}

function scalarTexts(value: Json): string[] {
  if (typeof value === "string") return [...new Set([value, JSON.stringify(value).slice(1, -1)])].filter((text) => text.trim() !== "");
  if (typeof value === "number") return [String(value)];
  if (typeof value !== "object" || value === null) return [];
  const texts: string[] = [];
  for (const inner of Object.values(value)) {
    texts.push(...scalarTexts(inner));
    if (texts.length > maxScreenedValues) break;
  }
  return texts;
}

/** The text where it is no part of a longer word: the value `a` is not found in "expected". */
function standingAlone(text: string): RegExp {
  const literal = text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
  return new RegExp(`(?<![\\p{L}\\p{N}])${literal}(?![\\p{L}\\p{N}])`, "gu");
}
