import type { JsonObject } from "@holdpoint/core";
import { isObject } from "./message.ts";

const prefix = "Mcp-Param-";

/**
 * Makes the headers that mirror arguments (`x-mcp-header`, MCP 2026-07-28, Streamable HTTP) from the arguments that are sent, in place of those that the
 * client made from the arguments it was given. What the definition does not declare is left out: the server then answers with a mismatch.
 */
export function mirrorArguments(headers: unknown, inputSchema: unknown, args: JsonObject): Record<string, string> | undefined {
  if (headers === null || typeof headers !== "object") return undefined;
  const given = Object.entries(headers as Record<string, string>);
  const others = given.filter(([name]) => !name.toLowerCase().startsWith(prefix.toLowerCase()));
  if (others.length === given.length) return Object.fromEntries(given);
  return { ...Object.fromEntries(others), ...declaredHeaders(inputSchema, args) };
}

// RFC 9110 §5.1 `token`.
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const mirroredTypes = new Set<unknown>(["string", "integer", "boolean"]);

/** A declaration counts only on a primitive property that is reached through `properties` alone. */
function declaredHeaders(schema: unknown, args: unknown): Record<string, string> {
  if (!isObject(schema) || !isObject(schema.properties) || !isObject(args)) return {};
  const headers: Record<string, string> = {};
  for (const [name, property] of Object.entries(schema.properties)) {
    if (!isObject(property) || !Object.hasOwn(args, name)) continue;
    const header = property["x-mcp-header"];
    const value = primitiveText(args[name]);
    if (typeof header === "string" && token.test(header) && mirroredTypes.has(property.type) && value !== undefined) {
      headers[`${prefix}${header}`] = fieldValue(value);
    }
    Object.assign(headers, declaredHeaders(property, args[name]));
  }
  return headers;
}

function primitiveText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  if (typeof value !== "number" || (Number.isInteger(value) && !Number.isSafeInteger(value))) return undefined;
  return String(value);
}

/** What RFC 9110 §5.5 cannot carry as it is goes as `=?base64?…?=`. */
function fieldValue(text: string): string {
  const plain = /^[\t\x20-\x7e]+$/.test(text) && text === text.trim() && !(text.startsWith("=?base64?") && text.endsWith("?="));
  if (plain) return text;
  const bytes = Array.from(new TextEncoder().encode(text), (byte) => String.fromCodePoint(byte)).join("");
  return `=?base64?${btoa(bytes)}?=`;
}
