import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import canonicalize from "canonicalize";
import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson, contentHash } from "./canonical-json.ts";
import { hmacSha256, sha256Hex } from "./hashing.ts";
import { type Json, takeSnapshot } from "./json-snapshot.ts";

const keys = fc.oneof(
  fc.string(),
  fc.constantFrom("__proto__", "constructor", "10", "9", "-1", "a", "B", "é", "\u20ac", "\ud83d\ude00", "\ufb33", ""),
);
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true }),
    fc.integer(),
    fc.string({ unit: "grapheme" }),
    tie("list"),
    tie("object"),
  ),
  list: fc.array(tie("value"), { maxLength: 4 }),
  object: fc.dictionary(keys, tie("value"), { maxKeys: 6, noNullPrototype: false }),
})).value;

test("the canonical text is that of the RFC 8785 library, for keys in any order", () => {
  fc.assert(
    fc.property(json, (value) => {
      const snapshot = takeSnapshot(value);
      if (!snapshot.ok) return;
      expect(canonicalJson(snapshot.value)).toBe(canonicalize(snapshot.value));
    }),
    { numRuns: 2000 },
  );
});

test("keys that look like integers are sorted as text, as the RFC asks and engines do not", () => {
  expect(canonicalJson({ b: 1, "10": 1, "9": 1, a: { z: 1, "2": 1 } })).toBe('{"10":1,"9":1,"a":{"2":1,"z":1},"b":1}');
  expect(canonicalJson({ "9": 1, "10": 1 })).toBe('{"10":1,"9":1}');
});

test("objects of many keys are sorted as those of few", () => {
  fc.assert(
    fc.property(fc.dictionary(keys, fc.boolean(), { minKeys: 14, maxKeys: 40, noNullPrototype: true }), (value) => {
      expect(canonicalJson(value)).toBe(canonicalize(value));
    }),
  );
});

test("`__proto__` is a key whose value counts", () => {
  const one = JSON.parse('{ "b": 1, "__proto__": { "x": 1 } }') as Json;
  const other = JSON.parse('{ "b": 1, "__proto__": { "x": 2 } }') as Json;
  expect(canonicalJson(one)).toBe('{"__proto__":{"x":1},"b":1}');
  expect(contentHash(one)).not.toBe(contentHash(other));
});

test("hashes are the same with the runtime's own crypto and without", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.uint8Array({ minLength: 1, maxLength: 100 }), (text, key) => {
      expect(sha256Hex(text)).toBe(bytesToHex(sha256(utf8ToBytes(text))));
      expect(hmacSha256(key)(text)).toBe(bytesToHex(hmac(sha256, key, utf8ToBytes(text))));
    }),
  );
});
