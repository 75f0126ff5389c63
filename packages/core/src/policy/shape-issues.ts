import * as z from "zod";
import { jsonPointer, type PointerToken } from "../arguments/json-pointer.ts";
import { isFields } from "./findings.ts";
import { nearest } from "./nearest.ts";
import type { PolicyIssue } from "./policy-error.ts";
import { listElement, namedParts, policySchema } from "./policy-schema.ts";

type Schema = z.core.$ZodType;
type Issue = z.core.$ZodIssue;
type RawIssue = z.core.$ZodRawIssue;

/**
 * Everything in which a snapshot differs from the shape of a policy. Where the schema leaves a choice, the branch that the author meant is
 * picked by the keys that are there, and only what is wrong with that branch is reported.
 *
 * Tool by tool: the library keeps track of all that it has seen of one value, which for a large policy would be gigabytes.
 */
export function shapeIssues(document: unknown): PolicyIssue[] {
  const issuesOf = (schema: z.ZodType, value: unknown, at: readonly PropertyKey[]) => {
    const result = schema.safeParse(withNamesKept(value), { error: annotate, jitless: true });
    return result.success ? [] : result.error.issues.flatMap((issue) => explain(issue, at, document));
  };
  const tools = isFields(document) && isFields(document["tools"]) ? document["tools"] : undefined;
  if (tools === undefined) return issuesOf(policySchema, document, []);
  const issues = issuesOf(policySchema, Object.assign(Object.create(null), document, { tools: {} }), []);
  for (const [name, rules] of Object.entries(tools)) issues.push(...issuesOf(namedParts.tool, rules, ["tools", keptName(name)]));
  return issues;
}

/**
 * The schema library drops own keys named `__proto__`. It is shown a copy in which they have another name; names that are already so are moved up
 * by one, so that none collide.
 */
function withNamesKept(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withNamesKept);
  if (value === null || typeof value !== "object" || Object.getPrototypeOf(value) !== null) return value;
  const copied: Record<string, unknown> = Object.create(null);
  for (const [key, item] of Object.entries(value)) copied[keptName(key)] = withNamesKept(item);
  return copied;
}

function keptName(key: string): string {
  return /^\0*__proto__$/.test(key) ? `\0${key}` : key;
}

function nameAsWritten(token: PropertyKey): PointerToken {
  return typeof token === "number" ? token : String(token).replace(/^\0(?=\0*__proto__$)/, "");
}

/**
 * The message of an issue carries what the schema knows and the issue does not: of a choice the number of the branch that was meant, of an object its
 * keys, of anything else what was expected.
 */
function annotate(issue: RawIssue): string {
  const schema = (issue.schema ?? issue.inst) as Schema;
  if (issue.code === "unrecognized_keys") return keysOf(schema).join(" ");
  if (issue.code !== "invalid_union" || issue["errors"].length === 0) return expected(schema);
  if (schema === listElement && hasKey(issue.input, "from")) return referenceInList;
  const branch = meantBranch(optionsOf(schema), issue.input);
  return branch === undefined ? expected(schema) : `#${branch}`;
}

const referenceInList = "a list holds no reference";

function hasKey(value: unknown, key: string): boolean {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key);
}

function explain(issue: Issue, above: readonly PropertyKey[], document: unknown): PolicyIssue[] {
  const path = [...above, ...issue.path];
  if (issue.code === "invalid_union" && /^#[0-9]+$/.test(issue.message)) {
    return (issue.errors[Number(issue.message.slice(1))] ?? []).flatMap((inner) => explain(inner, path, document));
  }
  const at = path.map(nameAsWritten);
  if (issue.message === referenceInList) {
    const fix = "write one comparison with `{ from }` for each value, under `any` or `all`; an object that is meant goes into `literal`";
    return [{ pointer: jsonPointer(at), message: referenceInList, fix }];
  }
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map(nameAsWritten).map((key) => unknownKey([...at, key], String(key), issue.message.split(" ")));
  }
  return [{ pointer: jsonPointer(at), ...explainValue(issue, at, valueAt(document, at)) }];
}

function unknownKey(at: readonly PointerToken[], key: string, known: readonly string[]): PolicyIssue {
  return { pointer: jsonPointer(at), message: `unknown key \`${key}\``, fix: oneOf(known, key) };
}

function explainValue(issue: Issue, at: readonly PointerToken[], found: unknown): Omit<PolicyIssue, "pointer"> & { pointer?: string } {
  const key = at.findLast((token) => typeof token === "string") ?? "the policy";
  const choices = choicesOf(issue);
  if (found === absent) {
    const fix = `add \`${key}\`: ${choices?.map(shown).join(", ") ?? issue.message}`;
    return { pointer: jsonPointer(at.slice(0, -1)), message: `the key \`${key}\` is missing`, fix };
  }
  if (choices !== undefined && typeof found === "string") {
    return { message: `unknown ${key === "op" ? "operator" : key} \`${found}\``, fix: oneOf(choices.map(String), found) };
  }
  if (issue.code === "too_small" && issue.origin === "array") return { message: `\`${key}\` is empty`, fix: "give at least one element" };
  if (issue.code === "too_small" && issue.origin === "string") return { message: `\`${key}\` is empty`, fix: "write some text" };
  return { message: `\`${key}\` cannot be ${shown(found)}`, fix: `give ${choices?.map(shown).join(" or ") ?? issue.message}` };
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
  return issue.code === "invalid_union" && "options" in issue ? (issue.options as readonly unknown[]) : undefined;
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

/** The branch whose keys are most like those of the input, or whose kind of value it is; the first where several are. `undefined` where none is. */
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
    // A slip of a key says less than the key itself, and more than an unknown one.
    return Object.keys(input).reduce((sum, key) => sum + (known.includes(key) ? 1 : nearest(key, known) === undefined ? 0 : 0.5), 0);
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

/** What a schema takes, in words: its own where it has some, since a description says more than a kind. */
function expected(schema: Schema): string {
  const { def } = schema._zod as z.core.$ZodTypeInternals & { def: z.core.$ZodTypes["_zod"]["def"] };
  switch (def.type) {
    case "optional":
      return expected(def.innerType);
    case "union":
      return [...new Set(def.options.map(expected))].join(" or ");
    case "array":
      return `a list of ${expected(def.element)}`;
    case "object":
      return `{ ${Object.keys(def.shape)
        .filter((key) => def.shape[key]?._zod.optin === undefined)
        .join(", ")} }`;
    case "literal":
      return def.values.map(shown).join(" or ");
    case "enum":
      return Object.values(def.entries).map(shown).join(" or ");
    case "boolean":
      return "true or false";
    case "null":
      return "null";
    case "string":
      return described(schema, "a text");
    case "number":
      return described(schema, "a number");
    case "record":
      return described(schema, "an object");
    case "lazy":
      return described(schema, "any JSON value");
    default:
      return described(schema, "something else");
  }
}

function described(schema: Schema, kind: string): string {
  return z.globalRegistry.get(schema)?.description ?? kind;
}
