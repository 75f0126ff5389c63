import { formatPath, type Step } from "../conditions/path.ts";
import { compileRegex } from "../conditions/regular-expression.ts";
import type { Comparison } from "../policy/policy-schema.ts";
import { type Cursor, type Fields, kindOf, readFields, readText, readWord } from "./cursor.ts";
import type { ImportLog } from "./import-log.ts";

/** The eleven operators that both reference systems have. */
const operators = ["eq", "neq", "lt", "lte", "gt", "gte", "in", "not_in", "exists", "regex", "contains"] as const;
export type ReferenceOperator = (typeof operators)[number];

type Scalar = string | number | boolean;

/** One `{ path, op, value }` of a reference policy. The path is still as it was written, since what its first part may be differs. */
export interface ReferenceCondition {
  readonly path: string;
  readonly op: ReferenceOperator;
  readonly value: Scalar | readonly Scalar[];
  readonly pointer: string;
}

export const conditionKeys = ["path", "op", "value"] as const;

/** Reads one condition. Undefined, and an issue, where anything of it has no meaning. */
export function readCondition(at: Cursor, log: ImportLog): ReferenceCondition | undefined {
  const fields = readFields(at, conditionKeys, log);
  return fields && conditionOf(fields, at.pointer, log);
}

/** The condition that the keys of an object make up. */
export function conditionOf(
  fields: Fields<(typeof conditionKeys)[number]>,
  pointer: string,
  log: ImportLog,
): ReferenceCondition | undefined {
  const path = readText(fields.path, log);
  const op = readWord(fields.op, operators, log);
  for (const key of conditionKeys) {
    if (fields[key] === undefined) log.issue(pointer, `the condition has no \`${key}\``, `add \`${key}\``);
  }
  if (path === undefined || op === undefined || fields.value === undefined) return undefined;
  const { value } = fields.value;
  const fault = faultOfValue(op, value);
  if (fault) log.issue(fields.value.pointer, ...fault);
  return fault ? undefined : { path, op, value: value as ReferenceCondition["value"], pointer };
}

/**
 * The condition as Holdpoint writes it. `"intercept"` gives it the verdicts of Intercept's code: numbers are compared as numbers and all else as text, a
 * missing path or a type that the operator does not compare is false. Without, nothing is coerced, and both are unknown.
 */
export function comparison({ op, value }: ReferenceCondition, path: string, compare?: "intercept"): Comparison {
  return { path, op, value, ...(compare && { compare }) } as Comparison;
}

/**
 * A dotted path into the arguments as Holdpoint writes it. In a reference policy a path walks through objects by key, and has neither elements nor quotes:
 * `args.items[0]` asks for a key that is called `items[0]`, which is why it needs a word with its author. Undefined, and an issue, where it is no such path.
 */
export function argumentPath(text: string, pointer: string, log: ImportLog): { path: string; odd: boolean } | undefined {
  const [root, ...names] = text.split(".");
  if (root !== "args" || names.length === 0 || names.includes("")) {
    log.issue(pointer, `\`${text}\` is no path into the arguments`, "write `args.` and a field, with dots between fields");
    return undefined;
  }
  const steps: Step[] = names.map((name) => ({ kind: "name", name }));
  return { path: formatPath({ root: "args", steps }), odd: /[[\]"*]/.test(text) };
}

function faultOfValue(op: ReferenceOperator, value: unknown): [message: string, fix: string] | undefined {
  switch (op) {
    case "lt":
    case "lte":
    case "gt":
    case "gte":
      return typeof value === "number" ? undefined : [`\`${op}\` needs a number, found ${kindOf(value)}`, "write a number, without quotes"];
    case "exists":
      return typeof value === "boolean"
        ? undefined
        : [`\`exists\` needs true or false, found ${kindOf(value)}`, "write `true` or `false`, without quotes"];
    case "regex":
      return faultOfRegex(value);
    case "in":
    case "not_in":
      if (Array.isArray(value) && value.length > 0 && value.every(isScalar)) return undefined;
      return [
        `\`${op}\` needs a list of values, found ${Array.isArray(value) ? listFault(value) : kindOf(value)}`,
        "list texts, numbers or booleans",
      ];
    case "eq":
    case "neq":
    case "contains":
      if (isScalar(value)) return undefined;
      return [
        `\`${op}\` needs one value, found ${kindOf(value)}`,
        value === null ? "ask for absence with `exists`" : `write a text, a number or a boolean, or use \`in\` with a list`,
      ];
  }
}

function faultOfRegex(value: unknown): [message: string, fix: string] | undefined {
  if (typeof value !== "string") return [`\`regex\` needs text, found ${kindOf(value)}`, "put the expression in quotes"];
  const compiled = compileRegex(value);
  return "error" in compiled ? [compiled.error, "write it in RE2 syntax"] : undefined;
}

function listFault(list: readonly unknown[]): string {
  return list.length === 0 ? "an empty list" : `${kindOf(list.find((value) => !isScalar(value)))} in the list`;
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === "string" || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value));
}
