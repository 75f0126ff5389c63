import type { Json, JsonObject, Path } from "@holdpoint/core";

/**
 * Arguments that satisfy a plain schema: what it requires, and no more. For a schema that asks for more than types, bounds and choices the example may
 * be wrong; who uses it lets the engine judge.
 */
export function exampleOf(inputSchema: unknown): JsonObject {
  const example = valueFor(inputSchema, 0);
  return isFields(example) ? (example as JsonObject) : {};
}

/** Whether a value is of the type that the schema plainly gives to a place; true where it gives none. */
export function fitsAt(inputSchema: unknown, steps: Path["steps"], value: Json): boolean {
  const [step, ...rest] = steps;
  if (!isFields(inputSchema)) return true;
  if (step !== undefined) {
    const properties = isFields(inputSchema["properties"]) ? inputSchema["properties"] : {};
    return step.kind !== "name" || !Object.hasOwn(properties, step.name) || fitsAt(properties[step.name], rest, value);
  }
  if (Array.isArray(inputSchema["enum"])) return inputSchema["enum"].includes(value);
  const types = [inputSchema["type"]].flat();
  if (types[0] === undefined) return true;
  if (Number.isInteger(value) && types.includes("integer")) return true;
  return types.includes(value === null ? "null" : Array.isArray(value) ? "array" : typeof value);
}

type Fields = Readonly<Record<string, unknown>>;

const deepest = 6;

function valueFor(schema: unknown, depth: number): Json {
  if (!isFields(schema) || depth > deepest) return {};
  if ("const" in schema) return schema["const"] as Json;
  if (Array.isArray(schema["enum"])) return (schema["enum"][0] ?? null) as Json;
  if ("default" in schema) return schema["default"] as Json;
  const form = [schema["anyOf"], schema["oneOf"]].find(Array.isArray)?.[0];
  if (form !== undefined) return valueFor(form, depth + 1);
  const type = Array.isArray(schema["type"]) ? schema["type"][0] : schema["type"];
  switch (type) {
    case "string":
      return "x".repeat(Math.max(1, numberOf(schema["minLength"]) ?? 1));
    case "number":
    case "integer":
      return numberOf(schema["minimum"]) ?? (numberOf(schema["exclusiveMinimum"]) ?? 0) + 1;
    case "boolean":
      return true;
    case "null":
      return null;
    case "array":
      return Array.from({ length: Math.min(8, numberOf(schema["minItems"]) ?? 0) }, () => valueFor(schema["items"], depth + 1));
    default:
      return objectFor(schema, depth);
  }
}

function objectFor(schema: Fields, depth: number): Json {
  const required = Array.isArray(schema["required"]) ? schema["required"].filter((name) => typeof name === "string") : [];
  const properties = isFields(schema["properties"]) ? schema["properties"] : {};
  return Object.fromEntries(required.map((name) => [name, valueFor(Object.hasOwn(properties, name) ? properties[name] : {}, depth + 1)]));
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
