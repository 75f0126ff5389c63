import type { Json, JsonObject } from "@holdpoint/core";

/** The few keywords of JSON Schema that generated policies use; the engine's own suite shows the others. */
export function schemaHolds(schema: JsonObject, value: Json): boolean {
  const {
    type,
    required = [],
    properties = {},
    maximum,
    enum: members,
  } = schema as {
    type?: string;
    required?: readonly string[];
    properties?: Readonly<Record<string, JsonObject>>;
    maximum?: number;
    enum?: readonly Json[];
  };
  if (type !== undefined && !isType(value, type)) return false;
  if (members !== undefined && !members.includes(value)) return false;
  if (maximum !== undefined && typeof value === "number" && value > maximum) return false;
  if (!isType(value, "object")) return true;
  const fields = value as JsonObject;
  if (!required.every((name) => Object.hasOwn(fields, name))) return false;
  return Object.entries(properties).every(([name, part]) => !Object.hasOwn(fields, name) || schemaHolds(part, fields[name] as Json));
}

function isType(value: Json, type: string): boolean {
  if (type === "integer") return Number.isInteger(value);
  return type === (value === null ? "null" : Array.isArray(value) ? "array" : typeof value);
}
