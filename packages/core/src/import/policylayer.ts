import { parseJsonText } from "../policy/json-text.ts";
import type { Comparison, Entry, Limit, PolicyDocument, ToolRules } from "../policy/policy-schema.ts";
import { type Cursor, isObject, readEntries, readFields, readList, readText, readWholeNumber, readWord } from "./cursor.ts";
import { asImport, finishImport, type Imported } from "./finish-import.ts";
import { type ImportLog, openLog } from "./import-log.ts";
import { argumentPath, comparison, conditionKeys, conditionOf, type ReferenceCondition, readCondition } from "./reference-condition.ts";

type Section = "require" | "deny_if";

const format = "PolicyLayer policy";

/**
 * Reads a PolicyLayer `policy.json` (version 1), its text or the value that was parsed from it, with PolicyLayer's meaning where that is known, and the stricter reading where it is not:
 *
 * - In `deny_if` a missing path, or a type that the operator does not compare, does not match; `eq` and its kin also match a number and its text.
 * - In `require` both deny, and nothing is coerced.
 * - A limit counts per grant, in calendar windows in UTC; what was sent counts, whatever came of it.
 *
 * Text is the safer of the two: a key that stands twice is an error, where `JSON.parse` would silently keep the last.
 *
 * To read the same file with Holdpoint's own, stricter meaning use `parsePolicy`.
 *
 * @throws {ImportError} with every key and value that has no known meaning.
 *
 * @example
 * const { policy, notes } = fromPolicyLayer(await readFile("policy.json", "utf8"));
 */
export function fromPolicyLayer(json: unknown): Imported {
  const value = typeof json === "string" ? asImport(format, () => parseJsonText(json)) : json;
  const log = openLog(format);
  return finishImport(format, readPolicy({ value, pointer: "" }, log), log);
}

function readPolicy(at: Cursor, log: ImportLog): PolicyDocument {
  const fields = readFields(at, ["version", "default", "hide", "all_tools", "tools"], log) ?? {};
  for (const key of ["version", "default"] as const) {
    if (isObject(at.value) && fields[key] === undefined) log.issue(at.pointer, `the policy has no \`${key}\``, `add \`${key}\``);
  }
  readWord(fields.version, ["1"], log);
  const limits = fields.all_tools && readLimits(readFields(fields.all_tools, ["limits"], log)?.limits, log);
  const hide = readHide(fields.hide, log);
  const tools = fields.tools && readEntries(fields.tools, log)?.map(([name, tool]) => [name, readTool(name, tool, log)] as const);
  return {
    version: "1",
    default: readWord(fields.default, ["allow", "deny"], log) ?? "deny",
    ...(hide && { hide }),
    ...(limits && { all_tools: { limits } }),
    ...(tools && { tools: Object.fromEntries(tools) }),
  };
}

function readHide(at: Cursor | undefined, log: ImportLog): PolicyDocument["hide"] {
  if (at === undefined) return undefined;
  const names = readList(at, log).flatMap((item) => {
    const name = readText(item, log);
    if (name === undefined && item.value === "") log.issue(item.pointer, "a tool name is empty", "write the name, or remove the entry");
    return name ?? [];
  });
  return names.includes("*") ? "*" : [...new Set(names)];
}

function readTool(name: string, at: Cursor, log: ImportLog): ToolRules {
  if (name === "*") log.issue(at.pointer, "`*` is no tool name", "write limits for every tool in `all_tools`", "key");
  const fields = readFields(at, ["require", "deny_if", "limits"], log) ?? {};
  return {
    ...(fields.require && { require: readRules(fields.require, "require", log) }),
    ...(fields.deny_if && { deny_if: readRules(fields.deny_if, "deny_if", log) }),
    ...(fields.limits && { limits: readLimits(fields.limits, log) }),
  };
}

function readRules(at: Cursor, section: Section, log: ImportLog): Entry[] {
  return readList(at, log).flatMap((entry) => readRule(entry, section, log) ?? []);
}

/** No source shows an entry of `require`: both shapes are read, since either can only mean that the conditions must hold. */
function readRule(at: Cursor, section: Section, log: ImportLog): Entry | undefined {
  if (isObject(at.value) && "path" in at.value) return readSingleRule(at, section, log);
  const fields = readFields(at, ["conditions", "on_deny"], log);
  if (!fields) return undefined;
  if (!fields.conditions) log.issue(at.pointer, "the entry has no `conditions`", "add them; in `deny_if` an empty list always denies");
  const items = readList(fields.conditions, log);
  if (fields.conditions && items.length === 0 && section === "require") {
    log.issue(fields.conditions.pointer, "a `require` without conditions requires nothing", "add a condition, or remove the entry");
  }
  const conditions = items.flatMap((item) => inSection(readCondition(item, log), section, log) ?? []);
  return { conditions, ...refusal(fields.on_deny, log) };
}

function readSingleRule(at: Cursor, section: Section, log: ImportLog): Entry | undefined {
  const fields = readFields(at, [...conditionKeys, "on_deny"], log) ?? {};
  const condition = inSection(conditionOf(fields, at.pointer, log), section, log);
  const words = refusal(fields.on_deny, log);
  return condition && { ...condition, ...words };
}

function refusal(at: Cursor | undefined, log: ImportLog): { on_deny?: string } {
  const text = readText(at, log);
  return text === undefined ? {} : { on_deny: text };
}

function inSection(condition: ReferenceCondition | undefined, section: Section, log: ImportLog): Comparison | undefined {
  if (!condition) return undefined;
  const place = `${condition.pointer}/path`;
  const found = argumentPath(condition.path, place, log);
  if (!found) return undefined;
  if (found.odd)
    log.issue(place, "no source says what brackets, quotes and stars mean in a path", "name fields alone, with dots between them");
  return comparison(condition, found.path, section === "deny_if" ? "intercept" : undefined);
}

function readLimits(at: Cursor | undefined, log: ImportLog): Limit[] {
  return readList(at, log).flatMap((limit) => readLimit(limit, log) ?? []);
}

/** Only what the pages show is read. A limit that adds an argument instead of 1 exists, but no page names its key, so that it is an unknown key here. */
function readLimit(at: Cursor, log: ImportLog): Limit | undefined {
  const keys = ["counter", "window", "max", "scope"] as const;
  const fields = readFields(at, keys, log);
  if (!fields) return undefined;
  for (const key of keys) if (fields[key] === undefined) log.issue(at.pointer, `the limit has no \`${key}\``, `add \`${key}\``);
  const counter = readText(fields.counter, log);
  const window = readWord(fields.window, ["minute", "hour", "day"], log);
  const max = readWholeNumber(fields.max, 0, log);
  const scope = readWord(fields.scope, ["grant"], log);
  if (fields.counter?.value === "") log.issue(fields.counter.pointer, "the counter has no name", "name it");
  return counter === undefined || window === undefined || max === undefined || scope === undefined
    ? undefined
    : { counter, window, max, scope };
}
