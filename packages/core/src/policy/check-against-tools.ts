import { canonicalJson } from "../arguments/canonical-json.ts";
import {
  type DeclaredArguments,
  type DeclaredPlace,
  declaredArguments,
  type JsonType,
  jsonTypeOf,
} from "../arguments/declared-arguments.ts";
import { jsonPointer, type PointerToken } from "../arguments/json-pointer.ts";
import type { Json } from "../arguments/json-snapshot.ts";
import { operandOf } from "../conditions/operators.ts";
import { formatPath, isPathError, type Path, parsePath } from "../conditions/path.ts";
import type { ToolDefinition } from "../guard/pins.ts";
import { nearest } from "./nearest.ts";
import type { PolicyIssue } from "./policy-error.ts";
import type { Comparison, Condition, Entry, Limit, Operator, PolicyDocument, RuleLists } from "./policy-schema.ts";

/**
 * Holds a policy that loads against the tools of its server (design §3, "where schemas are known"): names that the server does not have, unless they say
 * `optional: true`; paths that a tool's schema does not declare, unless they say `undeclared: true`; operators and values that the declared type rules
 * out. What a schema leaves open passes, and so does every path of a tool whose schema cannot be read.
 *
 * Rules of `all_tools` are asked of every tool: a path there must be declared by one of them.
 */
export function checkAgainstTools(document: PolicyDocument, tools: readonly ToolDefinition[]): readonly PolicyIssue[] {
  const issues: PolicyIssue[] = [];
  const report: Report = (at, message, fix) => void issues.push({ pointer: jsonPointer(at), message, fix });
  const declared = new Map(tools.map((tool) => [tool.name, declaredArguments(tool.inputSchema ?? true)]));
  checkNames(document, [...declared.keys()], report);

  const every = [...declared.values()];
  checkLists(document.all_tools ?? {}, ["all_tools"], every, report);
  checkPaths(document.audit, ["audit"], every, report);
  checkPaths(document.all_tools?.audit, ["all_tools", "audit"], every, report);
  for (const [name, rules] of Object.entries(document.tools ?? {})) {
    if (!declared.has(name)) continue;
    const own = [declared.get(name)];
    checkLists(rules, ["tools", name], own, report);
    checkPaths(rules.audit, ["tools", name, "audit"], own, report);
  }
  return issues;
}

type At = readonly PointerToken[];
type Report = (at: At, message: string, fix: string) => void;

/** What each of the tools declares; `undefined` for one that may take anything. */
type Schemas = readonly (DeclaredArguments | undefined)[];

function checkNames(document: PolicyDocument, names: readonly string[], report: Report): void {
  const known = new Set(names);
  const missing = (at: At, name: string, harm: string) => {
    const meant = nearest(name, names);
    const fix = meant === undefined ? "" : `write \`${meant}\`, or `;
    report(at, `the server has no tool \`${name}\`${harm}`, `${fix}say \`optional: true\` where it may be absent`);
  };
  for (const [name, rules] of Object.entries(document.tools ?? {})) {
    if (!known.has(name) && rules.optional !== true) missing(["tools", name], name, "");
  }
  for (const [index, entry] of (Array.isArray(document.hide) ? document.hide : []).entries()) {
    if (typeof entry === "string" && !known.has(entry)) missing(["hide", index], entry, ", so this hides nothing");
  }
}

function checkLists(lists: RuleLists, at: At, schemas: Schemas, report: Report): void {
  for (const section of ["require", "deny_if", "require_approval"] as const) {
    for (const [index, entry] of (lists[section] ?? []).entries()) checkEntry(entry, [...at, section, index], schemas, report);
  }
  for (const [index, limit] of (lists.limits ?? []).entries()) checkLimit(limit, [...at, "limits", index], schemas, report);
}

function checkEntry(entry: Entry, at: At, schemas: Schemas, report: Report): void {
  const conditions =
    "conditions" in entry
      ? entry.conditions.map((condition, index) => [condition, ["conditions", index]] as const)
      : [[entry, []] as const];
  for (const [condition, place] of conditions) checkCondition(condition, [...at, ...place], undefined, schemas, report);
}

/** `list` is the path of the list that the innermost enclosing `each` goes through. */
function checkCondition(condition: Condition, at: At, list: Path | undefined, schemas: Schemas, report: Report): void {
  if ("any" in condition || "all" in condition) {
    const [group, parts] = "any" in condition ? (["any", condition.any] as const) : (["all", condition.all] as const);
    for (const [index, part] of parts.entries()) checkCondition(part, [...at, group, index], list, schemas, report);
  } else if ("not" in condition) checkCondition(condition.not, [...at, "not"], list, schemas, report);
  else if ("each" in condition) {
    const { path, conditions } = condition.each;
    const inner = parse(path, list);
    const elements = inner && { ...inner, steps: [...inner.steps, { kind: "elements" as const }] };
    if (inner && !allUndeclared(conditions)) checkPlace(inner, [...at, "each", "path"], schemas, report, isListed);
    for (const [index, part] of conditions.entries()) checkCondition(part, [...at, "each", "conditions", index], elements, schemas, report);
  } else if ("op" in condition) checkComparison(condition, at, list, schemas, report);
}

function allUndeclared(conditions: readonly Condition[]): boolean {
  return conditions.every((part) => "op" in part && part.undeclared === true);
}

function checkComparison(condition: Comparison, at: At, list: Path | undefined, schemas: Schemas, report: Report): void {
  const operand = operandOf(condition);
  if ("from" in operand) {
    const source = parse(operand.from, list);
    if (source) checkPlace(source, [...at, "value", "from"], schemas, report);
  }
  const path = parse(condition.path, list);
  if (condition.undeclared || !path) return;
  checkPlace(path, [...at, "path"], schemas, report, (place) => {
    if (condition.compare === "intercept") return undefined;
    return typeFault(condition.op, place) ?? ("expected" in operand ? valueFault(condition.op, operand.expected, place) : undefined);
  });
}

function checkLimit(limit: Limit, at: At, schemas: Schemas, report: Report): void {
  const { increment_from: amount, unit } = limit;
  const path = amount === undefined ? undefined : parse(amount, undefined);
  if (path) checkPlace(path, [...at, "increment_from"], schemas, report, ({ types }) => among(types, ["number", "string"], "no amount"));
  const unitPath = typeof unit === "object" ? parse(unit.path, undefined) : undefined;
  if (unitPath)
    checkPlace(unitPath, [...at, "unit", "path"], schemas, report, (place) => valueFault("eq", (unit as { is: string }).is, place));
}

function checkPaths(audit: PolicyDocument["audit"], at: At, schemas: Schemas, report: Report): void {
  for (const key of ["record", "secret"] as const) {
    for (const [index, text] of (audit?.[key] ?? []).entries()) {
      const path = parse(text, undefined);
      if (path) checkPlace(path, [...at, key, index], schemas, report, () => undefined, "name a declared argument");
    }
  }
}

/** A path into the arguments, with what `item` stands for put in its place; `undefined` for paths elsewhere. */
function parse(text: string, list: Path | undefined): Path | undefined {
  const path = parsePath(text, { within: "each" });
  if (isPathError(path)) return undefined;
  if (path.root === "item") return list && { root: list.root, steps: [...list.steps, ...path.steps] };
  return path.root === "args" ? path : undefined;
}

/** What is wrong with a declared place, and the fix. */
type Fault = readonly [message: string, fix: string] | undefined;

function checkPlace(
  path: Path,
  at: At,
  schemas: Schemas,
  report: Report,
  faultOf: (place: DeclaredPlace) => Fault = () => undefined,
  otherwise = "say `undeclared: true` where the tool takes it all the same",
): void {
  if (path.root !== "args") return;
  const places = schemas.map((schema) => (schema ? schema.placeOf(path.steps) : open)).filter((place) => place !== undefined);
  if (places.length === 0) {
    const meant = schemas.length > 0 ? suggestion(path, schemas) : undefined;
    const fix = meant === undefined ? otherwise : `write \`${meant}\`, or ${otherwise}`;
    report(at, `${schemas.length === 1 ? "the tool's schema does not declare" : "no tool declares"} \`${formatPath(path)}\``, fix);
    return;
  }
  const faults = places.map(faultOf);
  const [fault] = faults;
  if (fault && !faults.includes(undefined)) report(at, `\`${formatPath(path)}\` ${fault[0]}`, fault[1]);
}

const open: DeclaredPlace = { types: undefined, values: undefined };

/** The path with the first undeclared name replaced by the declared one that is most like it. */
function suggestion({ root, steps }: Path, schemas: Schemas): string | undefined {
  const at = steps.findIndex((_, index) => schemas.every((schema) => schema?.placeOf(steps.slice(0, index + 1)) === undefined));
  const step = steps[at];
  if (step?.kind !== "name") return undefined;
  const meant = nearest(
    step.name,
    schemas.flatMap((schema) => schema?.namesAt(steps.slice(0, at)) ?? []),
  );
  return meant && formatPath({ root, steps: [...steps.slice(0, at), { kind: "name", name: meant }, ...steps.slice(at + 1)] });
}

/** The types that an operator can compare; others leave the condition unknown for every call. */
const comparable: Partial<Record<Operator, readonly JsonType[]>> = {
  lt: ["number"],
  lte: ["number"],
  gt: ["number"],
  gte: ["number"],
  length_lte: ["string", "array"],
  length_gte: ["string", "array"],
  contains: ["string", "array"],
  regex: ["string"],
  glob: ["string"],
  starts_with: ["string"],
  ends_with: ["string"],
  within_path: ["string"],
  host_in: ["string"],
  cidr_in: ["string"],
};

function typeFault(op: Operator, { types }: DeclaredPlace): Fault {
  const wanted = comparable[op];
  return wanted && among(types, wanted, `nothing that \`${op}\` compares`);
}

function isListed({ types }: DeclaredPlace): Fault {
  return among(types, ["array"], "no list");
}

function among(types: DeclaredPlace["types"], wanted: readonly JsonType[], what: string): Fault {
  if (types === undefined || wanted.some((type) => types.has(type))) return undefined;
  const found = types.size === 0 ? "nothing" : [...types].join(" or ");
  return [`is ${found}, ${what}`, `compare ${wanted.join(" or ")}, or use an operator that fits`];
}

/** A value that the place can never hold makes the comparison say the same of every call. */
function valueFault(op: Operator, expected: Json, { types, values }: DeclaredPlace): Fault {
  if (op !== "eq" && op !== "neq" && op !== "in" && op !== "not_in") return undefined;
  const list = (op === "in" || op === "not_in") && Array.isArray(expected) ? (expected as readonly Json[]) : [expected];
  const strange = list.find(
    (value) => (types && !types.has(jsonTypeOf(value))) || (values && !values.some((each) => isEqual(each, value))),
  );
  if (strange === undefined) return undefined;
  const allowed = values ? `one of ${values.map((value) => JSON.stringify(value)).join(", ")}` : [...(types ?? [])].join(" or ");
  return [`is never \`${JSON.stringify(strange)}\``, `compare with ${allowed || "what it can hold"}`];
}

function isEqual(one: Json, other: Json): boolean {
  return canonicalJson(one) === canonicalJson(other);
}
