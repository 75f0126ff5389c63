import { compileInputSchema } from "../arguments/input-schema.ts";
import type { PointerToken } from "../arguments/json-pointer.ts";
import { formatPath, isPathError, type Path, parsePath } from "../conditions/path.ts";
import { parseDuration } from "../limits/window.ts";
import { checkCondition, type Section } from "./condition-checks.ts";
import { type Fields, type IsSound, isFields, listOf, type Report } from "./findings.ts";
import { checkCounters, checkLimit, type PlacedLimit } from "./limit-checks.ts";
import { covers } from "./path-sets.ts";
import { isStandardSchema, type Limit } from "./policy-schema.ts";

const sections: readonly Section[] = ["require", "deny_if", "require_approval"];

/**
 * What the shape of a policy cannot say: paths that parse, values that their operators can compare, limits that agree, entries that can have an effect.
 * The document is a snapshot whose shape may be wrong in places; what is sound around them is looked at all the same, so that one load reports it all.
 */
export function checkPolicy(document: unknown, isSound: IsSound, report: Report): void {
  if (!isFields(document)) return;
  const limits: PlacedLimit[] = [];
  for (const [at, rules] of placesOf(document)) {
    for (const section of sections) {
      for (const [index, entry] of listOf(rules[section]).entries()) checkEntry(entry, [...at, section, index], section, isSound, report);
    }
    for (const [index, limit] of listOf(rules["limits"]).entries()) {
      const place = [...at, "limits", index];
      if (isSound(place) && checkLimit(limit as Limit, place, report)) limits.push({ limit: limit as Limit, at: place });
    }
    if (at[0] === "tools" && isSound([...at, "arguments"])) checkSchema(rules["arguments"], [...at, "arguments"], report);
  }
  checkCounters(limits, report);
  checkNames(document, report);
  checkEffect(document, report);
  checkAudit(document, isSound, report);
}

/** Where rules stand: `all_tools` first, then each tool. */
function placesOf(document: Fields): [at: readonly PointerToken[], rules: Fields][] {
  const tools = isFields(document["tools"]) ? Object.entries(document["tools"]) : [];
  const places: [readonly PointerToken[], unknown][] = [
    [["all_tools"], document["all_tools"]],
    ...tools.map(([name, rules]) => [["tools", name], rules] as [string[], unknown]),
  ];
  return places.filter((place): place is [readonly PointerToken[], Fields] => isFields(place[1]));
}

function checkEntry(entry: unknown, at: readonly PointerToken[], section: Section, isSound: IsSound, report: Report): void {
  if (!isFields(entry)) return;
  const conditions = listOf(entry["conditions"]);
  if (conditions.length === 0) checkCondition(entry, at, { section, alone: true, depth: 1 }, isSound, report);
  for (const [index, condition] of conditions.entries()) {
    checkCondition(condition, [...at, "conditions", index], { section, alone: conditions.length === 1, depth: 1 }, isSound, report);
  }
  checkDuration(entry["timeout"], [...at, "timeout"], isSound, report);
  if (isFields(entry["widen"])) checkDuration(entry["widen"]["for"], [...at, "widen", "for"], isSound, report);
}

function checkDuration(duration: unknown, at: readonly PointerToken[], isSound: IsSound, report: Report): void {
  if (typeof duration !== "string" || !isSound(at)) return;
  try {
    parseDuration(duration);
  } catch (error) {
    report(at, (error as RangeError).message, "write a shorter one");
  }
}

function checkSchema(schema: unknown, at: readonly PointerToken[], report: Report): void {
  if (schema === undefined || isStandardSchema(schema)) return;
  const compiled = compileInputSchema(schema);
  if (!compiled.ok) report(at, `the JSON Schema cannot be used: ${compiled.problem}`, "write a schema that calls can be judged by");
}

function checkNames(document: Fields, report: Report): void {
  const tools = new Set(isFields(document["tools"]) ? Object.keys(document["tools"]) : []);
  for (const name of tools) {
    if (name === "*" || name === "") report(["tools", name], `\`${name}\` is no tool name`, "write rules for every tool under `all_tools`");
  }
  const hidden = new Set<string>();
  for (const [index, entry] of listOf(document["hide"]).entries()) {
    const name = isFields(entry) ? entry["name"] : entry;
    if (typeof name !== "string") continue;
    if (name === "*") report(["hide", index], "`*` is no tool name", 'write `hide: "*"` to hide every tool');
    if (hidden.has(name)) report(["hide", index], `\`${name}\` is hidden twice`, "keep one of the two");
    if (tools.has(name))
      report(["tools", name], `\`${name}\` is hidden, so its rules can have no effect`, "take it out of `hide`, or out of `tools`");
    hidden.add(name);
  }
}

/** A tool that nothing admits needs no rules: whoever wrote some meant another policy. */
function checkEffect(document: Fields, report: Report): void {
  const tools = isFields(document["tools"]) ? Object.keys(document["tools"]).length : 0;
  const shared = isFields(document["all_tools"]) && Object.keys(document["all_tools"]).length > 0;
  if (document["hide"] === "*") {
    if (tools > 0) report(["tools"], "every tool is hidden, so `tools` can have no effect", "hide tools by name, or leave `tools` out");
    if (shared)
      report(["all_tools"], "every tool is hidden, so `all_tools` can have no effect", "hide tools by name, or leave `all_tools` out");
  } else if (
    shared &&
    document["default"] === "deny" &&
    (document["tools"] === undefined || (isFields(document["tools"]) && tools === 0))
  ) {
    report(
      ["all_tools"],
      "no tool is admitted, so `all_tools` can have no effect",
      "list the tools under `tools`: `all_tools` admits none",
    );
  }
}

interface Field {
  readonly path: Path;
  readonly at: readonly PointerToken[];
}

function checkAudit(document: Fields, isSound: IsSound, report: Report): void {
  const shared = [fieldsOf(document["audit"], ["audit"], isSound, report)];
  const tools: (typeof shared)[number][] = [];
  for (const [at, rules] of placesOf(document)) {
    (at[0] === "tools" ? tools : shared).push(fieldsOf(rules["audit"], [...at, "audit"], isSound, report));
  }
  const secretEverywhere = shared.flatMap(({ secret }) => secret);
  const recordedEverywhere = byArgument(shared.flatMap(({ record }) => record));
  checkSecrets(recordedEverywhere, secretEverywhere, report);
  for (const { record, secret } of tools) {
    if (record.length > 0) checkSecrets(byArgument(record), [...secretEverywhere, ...secret], report);
    checkSecrets(recordedEverywhere, secret, report);
  }
}

function fieldsOf(audit: unknown, at: readonly PointerToken[], isSound: IsSound, report: Report): { record: Field[]; secret: Field[] } {
  function fields(key: "record" | "secret"): Field[] {
    const found: Field[] = [];
    for (const [index, text] of listOf(isFields(audit) ? audit[key] : undefined).entries()) {
      const place = [...at, key, index];
      if (typeof text !== "string" || !isSound(place)) continue;
      const path = parsePath(text);
      if (isPathError(path)) report(place, path.error, path.fix);
      else if (path.root !== "args")
        report(place, `\`${text}\` is no argument`, "start the path at `args`: identity and tool are in every record");
      else found.push({ path, at: place });
    }
    return found;
  }
  return { record: fields("record"), secret: fields("secret") };
}

/** Fields, and those of one argument: a path that starts at an argument covers none of another. */
interface ByArgument {
  readonly fields: readonly Field[];
  readonly of: ReadonlyMap<string | undefined, readonly Field[]>;
}

function byArgument(fields: readonly Field[]): ByArgument {
  return { fields, of: Map.groupBy(fields, ({ path }) => argumentOf(path)) };
}

function argumentOf({ steps: [first] }: Path): string | undefined {
  return first?.kind === "name" ? first.name : undefined;
}

function checkSecrets(record: ByArgument, secret: readonly Field[], report: Report): void {
  const coveredBy = new Map<Field, Field>();
  for (const outer of secret) {
    const argument = argumentOf(outer.path);
    for (const field of argument === undefined ? record.fields : (record.of.get(argument) ?? [])) {
      if (!coveredBy.has(field) && covers(outer.path, field.path)) coveredBy.set(field, outer);
    }
  }
  for (const field of coveredBy.size > 0 ? record.fields : []) {
    const covering = coveredBy.get(field);
    if (covering === undefined) continue;
    report(
      field.at,
      `\`${formatPath(field.path)}\` is secret by \`${formatPath(covering.path)}\`, so it is never recorded`,
      "take it out of `record`, or out of `secret`",
    );
  }
}
