import canonicalize from "canonicalize";
import { sha256Hex } from "./hashing.ts";
import type { Json, JsonObject } from "./json-snapshot.ts";

/**
 * The one text of a JSON value (RFC 8785): equal values, whatever the order of their keys, have equal texts.
 *
 * `JSON.stringify` writes numbers and text as the RFC asks, so all that is left is the order of keys; only keys that look like integers, which engines put
 * first, need the library's slower way.
 */
export function canonicalJson(value: Json): string {
  if (inOrder(value)) return JSON.stringify(value);
  return hasIntegerKey(value) ? (canonicalize(value) as string) : JSON.stringify(sortKeys(value));
}

/** Whether every object's keys stand in order already. */
function inOrder(value: Json): boolean {
  if (value === null || typeof value !== "object") return true;
  if (Array.isArray(value)) return value.every(inOrder);
  let last = "";
  for (const key of Object.keys(value)) {
    if (key < last || !inOrder((value as JsonObject)[key] as Json)) return false;
    last = key;
  }
  return true;
}

function hasIntegerKey(value: Json): boolean {
  if (value === null || typeof value !== "object") return false;
  if (Array.isArray(value)) return value.some(hasIntegerKey);
  for (const key of Object.keys(value)) if (startsWithDigit(key) || hasIntegerKey((value as JsonObject)[key] as Json)) return true;
  return false;
}

function startsWithDigit(key: string): boolean {
  const code = key.charCodeAt(0);
  return code >= 48 && code <= 57;
}

function sortKeys(value: Json): Json {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(sortKeys);
  // Equal shapes share one layout in the engine, which an object without a prototype never does.
  const sorted: Record<string, Json> = {};
  for (const key of sortedKeys(value as JsonObject)) {
    const part = sortKeys((value as JsonObject)[key] as Json);
    if (key === "__proto__") Object.defineProperty(sorted, key, { value: part, enumerable: true });
    else sorted[key] = part;
  }
  return sorted;
}

/** By UTF-16 code units (RFC 8785 §3.2.3). The engine's sort costs a few keys, which is what objects have, more than writing them out does. */
function sortedKeys(value: JsonObject): readonly string[] {
  const keys = Object.keys(value);
  if (keys.length > 16) return keys.sort();
  for (let end = 1; end < keys.length; end++) {
    const key = keys[end] as string;
    let at = end;
    for (; at > 0 && key < (keys[at - 1] as string); at--) keys[at] = keys[at - 1] as string;
    keys[at] = key;
  }
  return keys;
}

/** SHA-256 over the canonical text, in lower-case hexadecimal. */
export function contentHash(value: Json): string {
  return sha256Hex(canonicalJson(value));
}
