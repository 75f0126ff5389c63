import type { PolicyDocument, RuleLists } from "../policy/policy-schema.ts";
import { type Cursor, isObject, readEntries, readFields, readList, readText, readWord, shown } from "./cursor.ts";
import { finishImport, type Imported } from "./finish-import.ts";
import { type ImportLog, openLog } from "./import-log.ts";
import { type RuleContext, type RuleParts, readRule } from "./intercept-rule.ts";
import { readYaml } from "./intercept-yaml.ts";

const format = "Intercept policy";

/**
 * Reads a policy for Intercept, PolicyLayer's proxy: the YAML of its repository, of the tool pages, and of the versions with approvals. Takes the text,
 * or what a YAML reader made of it. Every rule keeps the verdict that Intercept's documentation and code give it, except for its defects, where Holdpoint
 * denies; what Holdpoint reads more strictly is in the notes. `docs/importing.md` has the whole table.
 *
 * @throws {ImportError} with line and column (of a text) and JSON Pointer of everything that has no counterpart.
 *
 * @example
 * const { policy, notes } = fromIntercept(await readFile("intercept.yaml", "utf8"));
 */
export function fromIntercept(source: unknown): Imported {
  const { value, locate } = typeof source === "string" ? readYaml(source) : { value: source, locate: undefined };
  const log = openLog(format, locate);
  return finishImport(format, readPolicy({ value, pointer: "" }, log), log);
}

/** Whether a parsed document has the shape of an Intercept policy: a tool with `rules`, a key that no other policy has. */
export function looksLikeIntercept(document: unknown): boolean {
  if (!isObject(document) || !isObject(document.tools)) return false;
  return Object.values(document.tools).some((tool) => isObject(tool) && "rules" in tool);
}

function readPolicy(at: Cursor, log: ImportLog): PolicyDocument {
  const fields = readFields(at, ["version", "description", "default", "hide", "tools", "approvals", "spend"], log) ?? {};
  if (fields.version && fields.version.value !== "1" && fields.version.value !== 1) {
    log.issue(fields.version.pointer, `version must be "1", got "${shown(fields.version.value)}"`, 'write `version: "1"`');
  }
  if (!fields.default) log.note(at.pointer, "without `default` Intercept allows the tools that are not listed, and so does this policy");
  if (fields.approvals) readApprovals(fields.approvals, log);
  refuseSpend(fields.spend, log);
  const description = readText(fields.description, log);
  const hide = readHide(fields.hide, log);
  const { all_tools, tools } = readTools(fields.tools, log);
  return {
    version: "1",
    ...(description !== undefined && { description }),
    default: readWord(fields.default, ["allow", "deny"], log) ?? "allow",
    ...(hide && { hide }),
    ...(all_tools && { all_tools }),
    tools,
  };
}

function readApprovals(at: Cursor, log: ImportLog): void {
  if (!isObject(at.value)) log.issue(at.pointer, "`approvals` holds settings", "write keys and values here, or remove it");
  log.note(
    at.pointer,
    "settings of Intercept's approval queue are left out: give the guard an approver or an approval store, or calls that need a yes are denied",
  );
}

function refuseSpend(at: Cursor | undefined, log: ImportLog): void {
  if (!at) return;
  const reason = "`spend` caps the price that a server asks before it is paid, which Holdpoint does not see";
  log.issue(at.pointer, reason, "remove it, and cap an amount among the arguments with a `state` rule and `increment_from`", "key");
}

function readHide(at: Cursor | undefined, log: ImportLog): PolicyDocument["hide"] {
  if (at === undefined) return undefined;
  const names = new Set<string>();
  for (const item of readList(at, log)) {
    if (typeof item.value === "string" && item.value.trim() === "")
      log.issue(item.pointer, "a tool name is empty", "write the name, or remove the entry");
    const name = readText(item, log);
    if (name !== undefined && names.has(name)) log.issue(item.pointer, `\`${name}\` is hidden twice`, "keep one of the two");
    if (name !== undefined) names.add(name);
  }
  return names.has("*") ? "*" : [...names];
}

function readTools(at: Cursor | undefined, log: ImportLog): { all_tools?: RuleLists; tools: Record<string, RuleLists> } {
  const counters = new Map<string, string>();
  const tools: [string, RuleLists][] = [];
  let shared: RuleLists | undefined;
  for (const [name, tool] of at && at.value !== null ? (readEntries(at, log) ?? []) : []) {
    if (name.trim() === "") log.issue(tool.pointer, "a tool name is empty", "write the name", "key");
    const rules = readTool(tool, { owner: name === "*" ? "_global" : name, counters, log });
    if (name === "*") shared = rules;
    else tools.push([name, rules]);
  }
  return { ...(shared && { all_tools: shared }), tools: Object.fromEntries(tools) };
}

function readTool(at: Cursor, context: RuleContext): RuleLists {
  const fields = readFields(at, ["rules", "spend"], context.log) ?? {};
  refuseSpend(fields.spend, context.log);
  const parts: RuleParts = { require: [], deny_if: [], require_approval: [], limits: [] };
  for (const rule of readList(fields.rules, context.log)) readRule(rule, parts, context);
  return Object.fromEntries(Object.entries(parts).filter(([, entries]) => entries.length > 0));
}
