import type * as z from "zod";
import { jsonPointer, type PointerToken } from "./json-pointer.ts";
import { nearest } from "./nearest.ts";
import type { PolicyIssue } from "./policy-error.ts";
import { policySchema } from "./policy-schema.ts";

type Schema = z.core.$ZodType;
type Issue = z.core.$ZodIssue;
type RawIssue = z.core.$ZodRawIssue;

/**
 * Everything in which a snapshot differs from the shape of a policy. Where the schema leaves a choice, the branch that the author meant is
 * picked by the keys that are there, and only what is wrong with that branch is reported.
 */
export function shapeIssues(document: unknown): PolicyIssue[] {
  const result = policySchema.safeParse(withNamesKept(document), { error: annotate });
  return result.success ? [] : result.error.issues.flatMap((issue) => explain(issue, [], document));
}

/**
 * The schema library drops own keys named `__proto__`. It is shown a copy in which they have another name; names that are already so are moved up
 * by one, so that none collide.
 */
function withNamesKept(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withNamesKept);
  if (value === null || typeof value !== "object" || Object.getPrototypeOf(value) !== null) return value;
  const copied: Record<string, unknown> = Object.create(null);
  for (const [key, item] of Object.entries(value)) copied[/^\0*__proto__$/.test(key) ? `\0${key}` : key] = withNamesKept(item);
  return copied;
}

function nameAsWritten(token: PropertyKey): PointerToken {
  return typeof token === "number" ? token : String(token).replace(/^\0(?=\0*__proto__$)/, "");
}

/**
 * The message of an issue carries what the schema knows and the issue does not: of a choice the number of the branch that was meant, of an object its
 * keys, of anything else what was expected.
 */
function annotate(issue: RawIssue): string {
  const schema = issue.inst as Schema;
  if (issue.code === "invalid_union" && Array.isArray(issue["errors"]) && issue["errors"].length > 0) {
    const branch = meantBranch(optionsOf(schema), issue.input);
    return branch === undefined ? expected(schema) : `#${branch}`;
  }
  return issue.code === "unrecognized_keys" ? keysOf(schema).join(" ") : expected(schema);
}

function explain(issue: Issue, above: readonly PropertyKey[], document: unknown): PolicyIssue[] {
  const path = [...above, ...issue.path];
  const at = path.map(nameAsWritten);
  const found = valueAt(document, at);
  const key = [...at].reverse().find((token) => typeof token === "string") ?? "the document";

  if (issue.code === "invalid_union" && /^#\d+$/.test(issue.message)) {
    return (issue.errors[Number(issue.message.slice(1))] ?? []).flatMap((inner) => explain(inner, path, document));
  }
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((unknown) => {
      const name = String(nameAsWritten(unknown));
      const known = issue.message.split(" ");
      return { pointer: jsonPointer([...at, name]), message: `unknown key \`${name}\``, fix: oneOf(known, name) };
    });
  }
  if (found === absent) {
    const choices = issue.code === "invalid_union" ? `: ${issue.options?.join(", ")}` : `: ${issue.message}`;
    return [{ pointer: jsonPointer(at.slice(0, -1)), message: `the key \`${key}\` is missing`, fix: `add \`${key}\`${choices}` }];
  }
  const choices = choicesOf(issue);
  if (choices !== undefined && typeof found === "string") {
    return [{ pointer: jsonPointer(at), message: `unknown ${nounOf(key)} \`${found}\``, fix: oneOf(choices.map(String), found) }];
  }
  if (issue.code === "too_small" && issue.origin === "array") {
    return [{ pointer: jsonPointer(at), message: `\`${key}\` is empty`, fix: "give at least one element" }];
  }
  if (issue.code === "too_small" && issue.origin === "string") {
    return [{ pointer: jsonPointer(at), message: `\`${key}\` is empty`, fix: "write some text, or leave it out" }];
  }
  return [{ pointer: jsonPointer(at), message: `\`${key}\` cannot be ${shown(found)}`, fix: `give ${choices?.map(shown).join(" or ") ?? issue.message}` }];
}

const absent = Symbol("absent");

function valueAt(document: unknown, path: readonly PointerToken[]): unknown {
  let value = document;
  for (const token of path) {
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, token)) return absent;
    value = (value as Record<PointerToken, unknown>)[token];
  }
  return value;
}

function choicesOf(issue: Issue): readonly unknown[] | undefined {
  if (issue.code === "invalid_value") return issue.values;
  return issue.code === "invalid_union" && "options" in issue ? (issue.options as readonly unknown[] | undefined) : undefined;
}

function nounOf(key: PointerToken): string {
  return key === "op" ? "operator" : String(key);
}

function oneOf(known: readonly string[], written: string): string {
  const guess = nearest(written, known);
  return `use one of ${known.join(", ")}${guess === undefined ? "" : `; did you mean \`${guess}\`?`}`;
}

/** What was found, short enough for a message. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "function") return "a function";
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(value);
  return `\`${text.length > 60 ? `${text.slice(0, 60)}…` : text}\``;
}

/** The branch whose keys are most like those of the input, or the only kind of value that it could be; the first where several are. */
function meantBranch(options: readonly Schema[], input: unknown): number | undefined {
  let best: number | undefined;
  let most = -1;
  for (const [index, option] of options.entries()) {
    const likeness = likenessOf(option, input);
    if (likeness > most) [best, most] = [index, likeness];
  }
  return best;
}

function likenessOf(schema: Schema, input: unknown): number {
  const { def } = schema._zod as z.core.$ZodTypeInternals & { def: z.core.$ZodTypes["_zod"]["def"] };
  if (def.type === "lazy") return likenessOf(def.getter(), input);
  if (def.type === "union") return Math.max(...def.options.map((option) => likenessOf(option, input)));
  if (def.type === "array") return Array.isArray(input) ? 0 : -1;
  if (def.type === "enum" || def.type === "literal") return typeof input === "string" ? 0 : -1;
  if (def.type === "object" || def.type === "record") {
    if (input === null || typeof input !== "object" || Array.isArray(input)) return -1;
    const known = keysOf(schema);
    return Object.keys(input).filter((key) => known.includes(key)).length;
  }
  return def.type === typeof input ? 0 : -1;
}

function optionsOf(schema: Schema): readonly Schema[] {
  const { def } = schema._zod as { def: { type: string; options?: readonly Schema[] } };
  return def.options ?? [];
}

function keysOf(schema: Schema): readonly string[] {
  const { def } = schema._zod as { def: { type: string; shape?: Record<string, Schema> } };
  return Object.keys(def.shape ?? {});
}

/** What a schema takes, in words. */
function expected(schema: Schema): string {
  const { def } = schema._zod as z.core.$ZodTypeInternals & { def: z.core.$ZodTypes["_zod"]["def"] };
  switch (def.type) {
    case "string":
      return "a text";
    case "number":
      return "a number";
    case "boolean":
      return "true or false";
    case "null":
      return "null";
    case "literal":
      return def.values.map(shown).join(" or ");
    case "enum":
      return Object.values(def.entries).map(shown).join(" or ");
    case "array":
      return `a list of ${expected(def.element)}`;
    case "record":
      return "an object";
    case "object":
      return `{ ${Object.keys(def.shape).filter((key) => def.shape[key]?._zod.optin === undefined).join(", ")} }`;
    case "lazy":
      return "a condition";
    case "optional":
      return expected(def.innerType);
    case "union":
      return [...new Set(def.options.map(expected))].join(" or ");
    default:
      return "a function";
  }
}
