import type { Json, JsonObject } from "./json-snapshot.ts";
import { accepts, type Check, charge, checkChild, isSettled, problemsOf, type Run, reject } from "./schema-evaluation.ts";
import type { Keywords } from "./schema-keywords.ts";
import { shown } from "./schema-problem.ts";
import { counted, equalityText } from "./schema-values.ts";

/**
 * What a schema says of the members of objects and arrays (JSON Schema Core §10.3, Validation §6.4 and §6.5; for array-form `items`, `additionalItems` and
 * `dependencies` draft 07). Members are own properties: `constructor` is only there if the arguments hold it. The work is bounded by the size of
 * the value, however many names a schema lists.
 */

export function objectChecks(keywords: Keywords): Check<JsonObject>[] {
  return [requiredCheck, sizeCheck, propertiesCheck, namesCheck].map((check) => check(keywords)).filter((check) => check !== undefined);
}

function requiredCheck(keywords: Keywords): Check<JsonObject> | undefined {
  const required = keywords.names("required");
  if (!required?.length) return undefined;
  return (value, run) => {
    let accepted = true;
    for (const name of required) {
      charge(run, 1);
      if (Object.hasOwn(value, name)) continue;
      accepted = reject(run, "required", `missing required property \`${shown(name)}\``);
      if (isSettled(run)) break;
    }
    return accepted;
  };
}

function sizeCheck(keywords: Keywords): Check<JsonObject> | undefined {
  const fewest = keywords.count("minProperties") ?? 0;
  const most = keywords.count("maxProperties") ?? Number.POSITIVE_INFINITY;
  if (fewest === 0 && most === Number.POSITIVE_INFINITY) return undefined;
  return (value, run) => {
    const size = Object.keys(value).length;
    charge(run, size);
    if (size < fewest)
      return reject(run, "minProperties", `expected at least ${counted(fewest, "property").replace("propertys", "properties")}`);
    return size <= most || reject(run, "maxProperties", `expected at most ${counted(most, "property").replace("propertys", "properties")}`);
  };
}

function propertiesCheck(keywords: Keywords): Check<JsonObject> | undefined {
  const declared = keywords.childMap("properties");
  const patterns = keywords.childPatterns("patternProperties");
  const additional =
    keywords.value("additionalProperties") === false ? unknownProperty("additionalProperties") : keywords.child("additionalProperties");
  if (!declared && patterns.length === 0 && !additional) return undefined;

  return (value, run) => {
    const keys = Object.keys(value);
    charge(run, keys.length);
    let accepted = true;
    for (const key of keys) {
      const member = value[key]!;
      const declaredCheck = declared?.get(key);
      let isKnown = declaredCheck !== undefined;
      if (declaredCheck && !checkChild(declaredCheck, member, key, run)) accepted = false;
      for (const { matches, check } of patterns) {
        if (!matches(key, run)) continue;
        isKnown = true;
        if (!checkChild(check, member, key, run)) accepted = false;
      }
      if (!isKnown && additional && !checkChild(additional, member, key, run)) accepted = false;
      if (!accepted && isSettled(run)) return false;
    }
    return accepted;
  };
}

function unknownProperty(keyword: string): Check {
  return (_value, run) => reject(run, keyword, "unknown property");
}

function namesCheck(keywords: Keywords): Check<JsonObject> | undefined {
  const check = keywords.child("propertyNames");
  if (!check) return undefined;
  return (value, run) => {
    let accepted = true;
    for (const name of Object.keys(value)) {
      const problems = problemsOf(check, name, run);
      if (problems === null) continue;
      accepted = reject(run, "propertyNames", `the property's name is wrong: ${problems[0]?.message ?? "not allowed"}`, name);
      if (isSettled(run)) break;
    }
    return accepted;
  };
}

export function arrayChecks(keywords: Keywords): Check<readonly Json[]>[] {
  return [lengthCheck, itemsCheck, containsCheck, uniqueCheck].map((check) => check(keywords)).filter((check) => check !== undefined);
}

function lengthCheck(keywords: Keywords): Check<readonly Json[]> | undefined {
  const fewest = keywords.count("minItems") ?? 0;
  const most = keywords.count("maxItems") ?? Number.POSITIVE_INFINITY;
  if (fewest === 0 && most === Number.POSITIVE_INFINITY) return undefined;
  return (value, run) => {
    if (value.length < fewest) return reject(run, "minItems", `expected at least ${counted(fewest, "item")}`);
    return value.length <= most || reject(run, "maxItems", `expected at most ${counted(most, "item")}`);
  };
}

function itemsCheck(keywords: Keywords): Check<readonly Json[]> | undefined {
  const isTuple = Array.isArray(keywords.value("items"));
  if (isTuple && keywords.has("prefixItems")) throw keywords.unusable("items", "expected a schema beside `prefixItems`");
  const prefix = keywords.children(isTuple ? "items" : "prefixItems") ?? [];
  const rest = keywords.child(isTuple ? "additionalItems" : "items");
  if (prefix.length === 0 && !rest) return undefined;
  return (value, run) => {
    let accepted = true;
    for (let index = 0; index < value.length; index++) {
      const check = prefix[index] ?? rest;
      if (!check) break;
      if (checkChild(check, value[index]!, index, run)) continue;
      accepted = false;
      if (isSettled(run)) break;
    }
    return accepted;
  };
}

function containsCheck(keywords: Keywords): Check<readonly Json[]> | undefined {
  const check = keywords.child("contains");
  const fewest = keywords.count("minContains") ?? 1;
  const most = keywords.count("maxContains") ?? Number.POSITIVE_INFINITY;
  if (!check) return undefined;
  return (value, run) => {
    let found = 0;
    value.forEach((item, index) => {
      if (accepts((inner) => checkChild(check, inner, index, run), item, run)) found++;
    });
    if (found < fewest)
      return reject(run, "contains", `expected at least ${counted(fewest, "item")} of the form that \`contains\` describes`);
    return found <= most || reject(run, "maxContains", `expected at most ${counted(most, "item")} of the form that \`contains\` describes`);
  };
}

function uniqueCheck(keywords: Keywords): Check<readonly Json[]> | undefined {
  if (!keywords.flag("uniqueItems")) return undefined;
  return (value, run) => {
    const seen = new Set<string>();
    for (const [index, item] of value.entries()) {
      const text = equalityText(item, run);
      if (seen.has(text)) return reject(run, "uniqueItems", "expected an item that differs from those before it", index);
      seen.add(text);
    }
    return true;
  };
}

/** Runs after every other keyword of its schema, which have noted what they evaluated (Core §11). */
export function unevaluatedChecks(keywords: Keywords): Check[] {
  const checks: Check[] = [];
  const properties =
    keywords.value("unevaluatedProperties") === false ? unknownProperty("unevaluatedProperties") : keywords.child("unevaluatedProperties");
  if (properties) checks.push((value, run) => !isObject(value) || remaining(properties, Object.entries(value), run));
  const items = keywords.child("unevaluatedItems");
  if (items) checks.push((value, run) => !Array.isArray(value) || remaining(items, (value as readonly Json[]).entries(), run));
  return checks;
}

function remaining(check: Check, members: Iterable<[string | number, Json]>, run: Run): boolean {
  let accepted = true;
  for (const [key, member] of members) {
    charge(run, 1);
    if (run.evaluated!.has(key) || checkChild(check, member, key, run)) continue;
    accepted = false;
    if (isSettled(run)) break;
  }
  return accepted;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
