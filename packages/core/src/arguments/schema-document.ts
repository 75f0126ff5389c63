import { jsonPointer } from "./json-pointer.ts";
import type { Json, JsonObject } from "./json-snapshot.ts";
import { shown } from "./schema-problem.ts";

/** The schema cannot be judged by. The message is for the operator: the place in the schema as a JSON Pointer, and what is wrong there. */
export class UnusableSchema extends Error {
  constructor(pointer: string, problem: string) {
    super(pointer === "" ? problem : `\`${shown(pointer, 200)}\`: ${problem}`);
  }
}

/** A schema with every place in it that a reference can mean. Nothing outside it is ever fetched. */
export interface SchemaDocument {
  readonly usesUnevaluated: boolean;
  /** JSON Pointer of a schema within the document. */
  readonly pointerOf: (schema: JsonObject) => string;
  /** What a `$ref` or `$dynamicRef` in `from` refers to. Throws {@link UnusableSchema}. */
  readonly resolve: (reference: string, from: JsonObject) => Json;
  /** Whether `$id` gives parts of the document identities of their own. */
  readonly isBundle: boolean;
}

/** Where keywords hold schemas: one, a list of them, or an object of them. What is data (`enum`, `const`, `default`, `examples`) is never read as a schema. */
const holdsSchema = [
  "additionalItems",
  "additionalProperties",
  "contains",
  "else",
  "if",
  "items",
  "not",
  "propertyNames",
  "then",
  "unevaluatedItems",
  "unevaluatedProperties",
];
const holdsList = ["allOf", "anyOf", "items", "oneOf", "prefixItems"];
const holdsObject = ["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"];

interface Place {
  readonly pointer: string;
  readonly base: string;
}

/**
 * Indexes the identifiers of a schema: `$id`, `$anchor` and `$dynamicAnchor` of draft 2020-12 (JSON Schema Core §8.2), and the `$id: "#name"` of draft 07.
 * Throws {@link UnusableSchema} where they are malformed or ambiguous.
 */
export function readSchemaDocument(root: JsonObject): SchemaDocument {
  const places = new Map<JsonObject, Place>();
  const resources = new Map<string, JsonObject>([[rootBase, root]]);
  const anchors = new Map<string, JsonObject>();

  function index(schema: Json, pointer: string, outerBase: string): void {
    if (!isSchemaObject(schema)) return;
    const base = identify(schema, pointer, outerBase);
    places.set(schema, { pointer, base });
    for (const { schema: inner, pointer: at } of subschemas(schema, pointer)) index(inner, at, base);
  }

  function identify(schema: JsonObject, pointer: string, outerBase: string): string {
    const id = text(schema, "$id", pointer);
    const isName = id?.startsWith("#") && id.length > 1;
    const base = id === undefined || isName ? outerBase : absolute(id, outerBase, pointer);
    if (base !== outerBase) register(resources, base, schema, pointer);
    for (const name of [isName ? id!.slice(1) : undefined, text(schema, "$anchor", pointer), text(schema, "$dynamicAnchor", pointer)]) {
      if (name !== undefined) register(anchors, `${base}#${name}`, schema, pointer);
    }
    return base;
  }

  /** Places under unknown keywords, such as `components`, are only found when a reference leads to them. */
  function resolvePointer(fragment: string, resource: JsonObject): Json | undefined {
    let found: Json | undefined = resource;
    let pointer = places.get(resource)!.pointer;
    let base = places.get(resource)!.base;
    for (const token of fragment.split("/").slice(1)) {
      const key = token.replaceAll("~1", "/").replaceAll("~0", "~");
      if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return undefined;
      found = (found as JsonObject)[key];
      pointer += `/${token}`;
      if (isSchemaObject(found)) base = places.get(found)?.base ?? base;
    }
    if (isSchemaObject(found) && !places.has(found)) index(found, pointer, base);
    return found;
  }

  function resolve(reference: string, from: JsonObject): Json {
    const { base, pointer } = places.get(from)!;
    const [target, fragment] = split(
      reference.startsWith("#") ? base + reference : absolute(reference, base, pointer, { keepFragment: true }),
    );
    const resource = resources.get(target);
    if (!resource)
      throw new UnusableSchema(pointer, `\`${shown(reference, 200)}\` is outside this schema, and only references within it are followed`);
    const name = decode(fragment);
    const found = name === "" ? resource : name?.startsWith("/") ? resolvePointer(name, resource) : anchors.get(`${target}#${name}`);
    if (found === undefined) throw new UnusableSchema(pointer, `\`${shown(reference, 200)}\` refers to nothing`);
    return found;
  }

  index(root, "", rootBase);
  // Read off the text, which also holds the parts that only a reference will lead to; to find a keyword where there is none does no harm.
  const written = JSON.stringify(root);
  return {
    usesUnevaluated: /"unevaluated(?:Properties|Items)":/.test(written),
    isBundle: [...written.matchAll(/"\$id":/g)].length > (Object.hasOwn(root, "$id") ? 1 : 0),
    pointerOf: (schema) => places.get(schema)?.pointer ?? "",
    resolve,
  };
}

/** What relative identifiers are relative to. No reference can lead out to it, since nothing is fetched. */
const rootBase = "schema:///";

function subschemas(schema: JsonObject, pointer: string): { schema: Json; pointer: string }[] {
  const found: { schema: Json; pointer: string }[] = [];
  for (const key of holdsSchema) if (Object.hasOwn(schema, key)) found.push({ schema: schema[key]!, pointer: `${pointer}/${key}` });
  for (const key of holdsList) {
    const list = Object.hasOwn(schema, key) ? schema[key] : undefined;
    if (Array.isArray(list)) list.forEach((inner, position) => found.push({ schema: inner, pointer: `${pointer}/${key}/${position}` }));
  }
  for (const key of holdsObject) {
    const object = Object.hasOwn(schema, key) ? schema[key]! : null;
    if (isSchemaObject(object))
      for (const [name, inner] of Object.entries(object)) found.push({ schema: inner, pointer: pointer + jsonPointer([key, name]) });
  }
  return found;
}

function register(known: Map<string, JsonObject>, identifier: string, schema: JsonObject, pointer: string): void {
  const other = known.get(identifier);
  if (other && other !== schema) throw new UnusableSchema(pointer, "another part of this schema has the same identifier");
  known.set(identifier, schema);
}

function text(schema: JsonObject, key: string, pointer: string): string | undefined {
  if (!Object.hasOwn(schema, key)) return undefined;
  const value = schema[key];
  if (typeof value !== "string") throw new UnusableSchema(`${pointer}/${key}`, "expected text");
  return value;
}

function absolute(reference: string, base: string, pointer: string, options?: { keepFragment: true }): string {
  if (!URL.canParse(reference, base)) throw new UnusableSchema(pointer, `\`${shown(reference, 200)}\` is no URI reference`);
  const url = new URL(reference, base).href;
  return options?.keepFragment ? url : split(url)[0];
}

function split(uri: string): [string, string] {
  const hash = uri.indexOf("#");
  return hash < 0 ? [uri, ""] : [uri.slice(0, hash), uri.slice(hash + 1)];
}

function decode(fragment: string): string | undefined {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return undefined;
  }
}

export function isSchemaObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
