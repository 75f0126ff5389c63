import type { Step } from "../conditions/path.ts";
import { compileRegex } from "../conditions/regular-expression.ts";
import { compileInputSchema } from "./input-schema.ts";
import { type Json, type JsonObject, takeSnapshot } from "./json-snapshot.ts";
import { isSchemaObject, readSchemaDocument, type SchemaDocument } from "./schema-document.ts";

export type JsonType = "null" | "boolean" | "number" | "string" | "array" | "object";

/** What a schema says of one place: `undefined` where it leaves it open. */
export interface DeclaredPlace {
  readonly types: ReadonlySet<JsonType> | undefined;
  /** The only values that can stand there. */
  readonly values: readonly Json[] | undefined;
}

/** What a tool's `inputSchema` declares. */
export interface DeclaredArguments {
  /** The place that steps from the arguments lead to; `undefined` where the schema declares none. */
  placeOf(steps: readonly Step[]): DeclaredPlace | undefined;
  /** Names that are declared beside the last step, for "did you mean". */
  namesAt(steps: readonly Step[]): readonly string[];
}

/**
 * Reads what a schema declares, so that a policy's paths can be held against it. It errs on the side of the policy: a place is declared if any form of
 * the schema declares it, an object or list of which nothing is said is open, and only what every form rules out counts as ruled out.
 *
 * Answers `undefined` for a schema that cannot be read; calls to such a tool are denied anyway.
 */
export function declaredArguments(inputSchema: unknown): DeclaredArguments | undefined {
  const copied = takeSnapshot(inputSchema);
  // A schema that compiles has no reference that leads nowhere or never ends, which all below relies on.
  if (!copied.ok || !isSchemaObject(copied.value) || !compileInputSchema(copied.value).ok) return undefined;
  const root = copied.value;
  const document = readSchemaDocument(root);
  return {
    placeOf(steps) {
      const found = follow([root], steps, document);
      return found && { types: union(found, (schema) => typesOf(schema, document, 0)), values: valuesOf(found, document) };
    },
    namesAt: (steps) => (follow([root], steps, document) ?? []).flatMap((schema) => formsOf(schema, document)).flatMap(namesOf),
  };
}

/** The schemas that can describe the place; `undefined` where it is not declared. `true` stands for a place of which nothing is said. */
function follow(from: readonly Json[], steps: readonly Step[], document: SchemaDocument): readonly Json[] | undefined {
  let schemas = from;
  for (const step of steps) {
    schemas = schemas.flatMap((schema) => stepInto(schema, step, document));
    if (schemas.length === 0) return undefined;
  }
  return schemas;
}

function stepInto(schema: Json, step: Step, document: SchemaDocument): readonly Json[] {
  if (schema === true) return [true];
  const types = typesOf(schema, document, 0);
  if (types && !types.has(step.kind === "name" ? "object" : "array")) return [];
  const forms = formsOf(schema, document);
  const found = forms.flatMap((form) => (step.kind === "name" ? propertyOf(form, step.name) : elementOf(form, step)));
  if (found.length > 0) return found;
  const says = step.kind === "name" ? ["properties", "patternProperties", "additionalProperties"] : ["items", "prefixItems"];
  return forms.some((form) => says.some((keyword) => Object.hasOwn(form, keyword))) ? [] : [true];
}

function propertyOf(form: JsonObject, name: string): readonly Json[] {
  const declared = own(own(form, "properties"), name);
  if (declared !== undefined) return declared === false ? [] : [declared];
  const patterns = own(form, "patternProperties");
  const matching = isSchemaObject(patterns) ? Object.entries(patterns).filter(([pattern]) => matches(pattern, name)) : [];
  if (matching.length > 0) return matching.map(([, schema]) => schema);
  const others = own(form, "additionalProperties");
  return others === true || isSchemaObject(others) ? [others] : [];
}

function elementOf(form: JsonObject, step: Step): readonly Json[] {
  const lists = [own(form, "prefixItems"), own(form, "items")].filter((list) => Array.isArray(list)) as (readonly Json[])[];
  const rest = [own(form, "items"), own(form, "additionalItems")].filter((schema) => schema === true || isSchemaObject(schema)) as Json[];
  if (step.kind === "index") {
    const placed = lists.flatMap((list) => list[step.index] ?? []);
    if (placed.length > 0) return placed;
    return rest;
  }
  return [...lists.flat(), ...rest];
}

function matches(pattern: string, name: string): boolean {
  const compiled = compileRegex(pattern);
  return "error" in compiled || compiled.test(name);
}

function namesOf(form: JsonObject): readonly string[] {
  const properties = own(form, "properties");
  return isSchemaObject(properties) ? Object.keys(properties) : [];
}

const alternatives = ["anyOf", "oneOf"];
const conditionals = ["then", "else"];

/** The schema itself, and each schema that it applies to the same value. */
function formsOf(schema: Json, document: SchemaDocument): readonly JsonObject[] {
  const forms = new Set<JsonObject>();
  function visit(each: Json | undefined): void {
    if (!isSchemaObject(each) || forms.has(each)) return;
    forms.add(each);
    for (const keyword of ["allOf", ...alternatives]) for (const part of listOf(own(each, keyword))) visit(part);
    for (const keyword of conditionals) visit(own(each, keyword));
    visit(referred(each, document));
  }
  visit(schema);
  return [...forms];
}

const jsonTypes: readonly JsonType[] = ["null", "boolean", "number", "string", "array", "object"];
/** A schema that refers to itself is read this far; below, it is open. */
const deepest = 16;

function typesOf(schema: Json, document: SchemaDocument, depth: number): ReadonlySet<JsonType> | undefined {
  if (schema === false) return new Set();
  if (!isSchemaObject(schema) || depth > deepest) return undefined;
  const restrictions = [ownTypes(schema), ...listOf(own(schema, "allOf")).map((part) => typesOf(part, document, depth + 1))];
  for (const keyword of alternatives) {
    const parts = listOf(own(schema, keyword));
    if (parts.length > 0) restrictions.push(union(parts, (part) => typesOf(part, document, depth + 1)));
  }
  const target = referred(schema, document);
  if (target !== undefined) restrictions.push(typesOf(target, document, depth + 1));
  const known = restrictions.filter((types) => types !== undefined);
  return known.length === 0 ? undefined : new Set(jsonTypes.filter((type) => known.every((types) => types.has(type))));
}

function ownTypes(schema: JsonObject): ReadonlySet<JsonType> | undefined {
  const values = ownValues(schema);
  if (values) return new Set(values.map(jsonTypeOf));
  const type = own(schema, "type");
  if (type === undefined) return undefined;
  return new Set((Array.isArray(type) ? type : [type]).map((name) => (name === "integer" ? "number" : name)) as JsonType[]);
}

function union(
  schemas: readonly Json[],
  typesOfOne: (schema: Json) => ReadonlySet<JsonType> | undefined,
): ReadonlySet<JsonType> | undefined {
  const types = schemas.map(typesOfOne);
  return types.includes(undefined) ? undefined : new Set(types.flatMap((each) => [...(each ?? [])]));
}

function valuesOf(schemas: readonly Json[], document: SchemaDocument): readonly Json[] | undefined {
  const lists = schemas.map((schema) => valuesOfOne(schema, document, 0));
  return lists.includes(undefined) ? undefined : lists.flatMap((list) => list ?? []);
}

function valuesOfOne(schema: Json, document: SchemaDocument, depth: number): readonly Json[] | undefined {
  if (!isSchemaObject(schema) || depth > deepest) return undefined;
  const listed = ownValues(schema) ?? valuesOfTarget(schema, document, depth);
  if (listed) return listed;
  for (const keyword of alternatives) {
    const parts = listOf(own(schema, keyword)).map((part) => valuesOfOne(part, document, depth + 1));
    if (parts.length > 0 && !parts.includes(undefined)) return parts.flatMap((part) => part ?? []);
  }
  return undefined;
}

function valuesOfTarget(schema: JsonObject, document: SchemaDocument, depth: number): readonly Json[] | undefined {
  const target = referred(schema, document);
  return target === undefined ? undefined : valuesOfOne(target, document, depth + 1);
}

function ownValues(schema: JsonObject): readonly Json[] | undefined {
  if (Object.hasOwn(schema, "const")) return [schema["const"] as Json];
  const values = own(schema, "enum");
  return Array.isArray(values) ? values : undefined;
}

function referred(schema: JsonObject, document: SchemaDocument): Json | undefined {
  const reference = own(schema, "$ref");
  return typeof reference === "string" ? document.resolve(reference, schema) : undefined;
}

function own(value: Json | undefined, key: string): Json | undefined {
  return isSchemaObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

export function jsonTypeOf(value: Json): JsonType {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : (typeof value as JsonType);
}
