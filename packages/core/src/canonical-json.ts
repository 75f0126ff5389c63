import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import canonicalize from "canonicalize";
import type { Json } from "./json-snapshot.ts";

/** The one text of a JSON value (RFC 8785): equal values, whatever the order of their keys, have equal texts. */
export function canonicalJson(value: Json): string {
  return canonicalize(value) as string;
}

/** SHA-256 over the canonical text, in lower-case hexadecimal. */
export function contentHash(value: Json): string {
  return bytesToHex(sha256(utf8ToBytes(canonicalJson(value))));
}
