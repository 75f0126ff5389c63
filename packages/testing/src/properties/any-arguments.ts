import { compileInputSchema, type Json, type JsonObject, type ToolDefinition } from "@holdpoint/core";
import fc, { type Arbitrary } from "fast-check";
import type { TestCall } from "../policy-test.ts";

export interface AnyCallOptions {
  /** Only arguments that the schema accepts. Default `false`: about one call in three is just beside it. */
  readonly valid?: boolean | undefined;
}

/**
 * Any call of a tool, made from its `inputSchema`: arguments that fit it, and arguments that nearly do (a required one missing, a bound passed, another type,
 * one too many).
 *
 * It reads the keywords that tools use (types, properties, bounds, lengths, `enum`, `const`, `pattern`, `items`, `anyOf`, `oneOf`, `allOf` of objects, `$ref`
 * within the document) and keeps, of what it makes, what the schema accepts. Throws a `TypeError` for a schema that cannot be used.
 *
 * @example
 * fc.assert(fc.asyncProperty(anyCallFor(tools[0]), async (call) => { … }));
 */
export function anyCallFor(
  tool: Pick<ToolDefinition, "name" | "inputSchema">,
  options: AnyCallOptions = {},
): Arbitrary<TestCall & { readonly arguments: JsonObject }> {
  return anyArgumentsFor((tool.inputSchema ?? { type: "object" }) as JsonObject, options).map((args) => ({
    tool: tool.name,
    arguments: args,
  }));
}

/** Any arguments for a JSON Schema, as `anyCallFor` makes them. */
export function anyArgumentsFor(schema: JsonObject, { valid = false }: AnyCallOptions = {}): Arbitrary<JsonObject> {
  const compiled = compileInputSchema(schema);
  if (!compiled.ok) throw new TypeError(`the schema cannot be used: ${compiled.problem}`);
  const { judge } = compiled;
  const fitting = valuesOf(schema, schema, 0)
    .map((value) => (isObject(value) ? value : {}))
    .filter((args) => judge(args).length === 0);
  if (valid) return fitting;
  const beside = fitting.chain((args) => nearMiss(args)).filter((args) => judge(args).length > 0);
  return fc.oneof({ weight: 2, arbitrary: fitting }, { weight: 1, arbitrary: canMiss(judge) ? beside : fitting });
}

/** A schema that accepts everything has nothing beside it. */
function canMiss(judge: (args: JsonObject) => readonly unknown[]): boolean {
  const probes: JsonObject[] = [{}, { unheard_of: 1 }];
  return probes.some((probe) => judge(probe).length > 0);
}

const deepest = 4;

function valuesOf(schema: Json | undefined, root: JsonObject, depth: number): Arbitrary<Json> {
  if (!isObject(schema)) return anyJson;
  if (typeof schema.$ref === "string") return depth > deepest ? fc.constant(null) : valuesOf(resolve(root, schema.$ref), root, depth + 1);
  if ("const" in schema) return fc.constant(schema.const as Json);
  if (Array.isArray(schema.enum) && schema.enum.length > 0) return fc.constantFrom(...(schema.enum as Json[]));
  const choices = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(choices) && choices.length > 0) {
    const { anyOf: _any, oneOf: _one, ...rest } = schema;
    return fc.oneof(...choices.map((choice) => valuesOf({ ...rest, ...(choice as JsonObject) }, root, depth + 1)));
  }
  if (Array.isArray(schema.allOf)) {
    const { allOf, ...rest } = schema;
    return valuesOf((allOf as JsonObject[]).reduce(merge, rest), root, depth + 1);
  }
  const types = (Array.isArray(schema.type) ? schema.type : [schema.type ?? impliedType(schema)]) as readonly string[];
  return fc.oneof(...types.map((type) => ofType(type, schema, root, depth)));
}

const anyJson = fc.jsonValue({ maxDepth: 1 }) as Arbitrary<Json>;

function ofType(type: string, schema: JsonObject, root: JsonObject, depth: number): Arbitrary<Json> {
  switch (type) {
    case "object":
      return objectOf(schema, root, depth);
    case "array":
      return fc.array(valuesOf(schema.items as Json, root, depth + 1), {
        minLength: numberIn(schema.minItems, 0),
        maxLength: depth > deepest ? numberIn(schema.minItems, 0) : numberIn(schema.maxItems, numberIn(schema.minItems, 0) + 3),
      });
    case "string":
      return textOf(schema);
    case "integer":
    case "number":
      return numberOf(schema, type === "integer");
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    default:
      return anyJson;
  }
}

function objectOf(schema: JsonObject, root: JsonObject, depth: number): Arbitrary<JsonObject> {
  const properties = isObject(schema.properties) ? schema.properties : {};
  const required = Array.isArray(schema.required) ? (schema.required as string[]) : [];
  const names = [...new Set([...Object.keys(properties), ...required])].filter((name) => depth <= deepest || required.includes(name));
  const entries = names.map((name) => {
    const value = valuesOf(Object.hasOwn(properties, name) ? properties[name] : true, root, depth + 1).map(
      (made) => [[name, made]] as [string, Json][],
    );
    return required.includes(name)
      ? value
      : fc.oneof({ weight: 3, arbitrary: value }, { weight: 1, arbitrary: fc.constant<[string, Json][]>([]) });
  });
  return fc.tuple(...entries).map((made) => Object.fromEntries(made.flat()));
}

function textOf(schema: JsonObject): Arbitrary<string> {
  const least = numberIn(schema.minLength, 0);
  const most = numberIn(schema.maxLength, least + 12);
  if (typeof schema.pattern === "string") {
    try {
      return fc.stringMatching(new RegExp(schema.pattern, "u"), { maxLength: Math.max(most, least) });
    } catch {
      // The linear engine knows forms that JavaScript does not: such texts are left to chance.
    }
  }
  return fc.string({ unit: "grapheme-ascii", minLength: least, maxLength: Math.max(most, least) });
}

function numberOf(schema: JsonObject, whole: boolean): Arbitrary<number> {
  const step = typeof schema.multipleOf === "number" ? schema.multipleOf : undefined;
  const edge = whole ? 1 : 0.5;
  const min =
    typeof schema.exclusiveMinimum === "number"
      ? schema.exclusiveMinimum + edge
      : numberIn(schema.minimum, Math.min(0, numberIn(schema.maximum, 0)) - 1_000);
  const max =
    typeof schema.exclusiveMaximum === "number" ? schema.exclusiveMaximum - edge : numberIn(schema.maximum, Math.max(0, min) + 1_000);
  const bounds = { min: Math.ceil(min), max: Math.max(Math.ceil(min), Math.floor(max)) };
  const integers = fc.oneof(fc.constantFrom(bounds.min, bounds.max), fc.integer(bounds));
  if (step !== undefined)
    return fc
      .integer({ min: Math.ceil(min / step), max: Math.max(Math.ceil(min / step), Math.floor(max / step)) })
      .map((times) => times * step);
  if (whole) return integers;
  return fc.oneof(
    integers,
    fc.double({ min, max: Math.max(min, max), noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(min, Math.max(min, max)),
  );
}

/** One thing changed: left out, of another type, moved past its bound, or one too many. */
function nearMiss(args: JsonObject): Arbitrary<JsonObject> {
  const extra = fc.constant<JsonObject>({ ...args, unheard_of: 1 });
  const names = Object.keys(args);
  if (names.length === 0) return extra;
  const changed = fc.constantFrom(...names).chain((name) => {
    const { [name]: value, ...rest } = args;
    const others: Json[] = [
      null,
      "",
      "x".repeat(300),
      -1,
      1e9,
      0.5,
      [],
      {},
      true,
      ...(isObject(value) && Object.keys(value).length > 0 ? [{}] : []),
    ];
    return fc.oneof(
      fc.constant<JsonObject>(rest),
      fc.constantFrom(...others).map((other): JsonObject => Object.fromEntries([...Object.entries(rest), [name, other]])),
      isObject(value) ? nearMiss(value).map((inner): JsonObject => Object.fromEntries([...Object.entries(rest), [name, inner]])) : extra,
    );
  });
  return fc.oneof({ weight: 4, arbitrary: changed }, { weight: 1, arbitrary: extra });
}

function merge(one: JsonObject, other: JsonObject): JsonObject {
  const properties = { ...(one.properties as JsonObject), ...(other.properties as JsonObject) };
  const required = [...((one.required as string[]) ?? []), ...((other.required as string[]) ?? [])];
  return { ...one, ...other, properties, required };
}

function impliedType(schema: JsonObject): string {
  if ("properties" in schema || "required" in schema) return "object";
  if ("items" in schema || "minItems" in schema) return "array";
  if ("pattern" in schema || "minLength" in schema || "maxLength" in schema) return "string";
  return "minimum" in schema || "maximum" in schema ? "number" : "any";
}

function resolve(root: JsonObject, ref: string): Json | undefined {
  const tokens = ref
    .replace(/^#\/?/, "")
    .split("/")
    .filter((token) => token !== "");
  return tokens.reduce<Json | undefined>((value, token) => {
    const key = decodeURIComponent(token).replaceAll("~1", "/").replaceAll("~0", "~");
    return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  }, root);
}

function numberIn(value: unknown, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}

function isObject(value: unknown): value is JsonObject {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
