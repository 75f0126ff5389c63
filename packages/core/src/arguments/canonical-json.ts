import canonicalize from "canonicalize";
import { sha256Hex } from "./hashing.ts";
import type { Json } from "./json-snapshot.ts";

/**
 * The one text of a JSON value (RFC 8785): equal values, whatever the order of their keys, have equal texts.
 *
 * `JSON.stringify` writes numbers and text as the RFC asks, so all that is left is the order of keys; only keys that look like integers, which engines put
 * first, need the library's slower way.
 */
export function canonicalJson(value: Json): string {
  return inOrder(value) ? JSON.stringify(value) : canonicalOf(value);
}

function canonicalOf(value: Json): string {
  const sorted = sortKeys(value);
  return sorted === hasIntegerKey ? (canonicalize(value) as string) : JSON.stringify(sorted);
}

const hasIntegerKey = Symbol("integer key");

/** Whether every object's keys stand in order already. */
function inOrder(value: Json): boolean {
  if (value === null || typeof value !== "object") return true;
  if (Array.isArray(value)) return value.every(inOrder);
  let last = "";
  for (const key of Object.keys(value)) {
    if (key < last || !inOrder((value as Record<string, Json>)[key] as Json)) return false;
    last = key;
  }
  return true;
}

function sortKeys(value: Json): unknown {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) {
    const elements = value.map(sortKeys);
    return elements.includes(hasIntegerKey) ? hasIntegerKey : elements;
  }
  const sorted: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(value).sort()) {
    const part = sortKeys((value as Record<string, Json>)[key] as Json);
    if (part === hasIntegerKey || startsWithDigit(key)) return hasIntegerKey;
    sorted[key] = part;
  }
  return sorted;
}

function startsWithDigit(key: string): boolean {
  const code = key.charCodeAt(0);
  return code >= 48 && code <= 57;
}

/** SHA-256 over the canonical text, in lower-case hexadecimal. */
export function contentHash(value: Json): string {
  return sha256Hex(canonicalJson(value));
}
