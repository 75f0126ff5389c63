import { type Json, loadPolicy, type PolicyDocument, PolicyError, policyDigest } from "@holdpoint/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { document } from "../model/arbitraries.ts";
import { cases } from "../model/effort.ts";
import { literalOf } from "../model/paste.ts";

/** A policy without functions: what JSON can hold. */
const written = document
  .filter((each) => !literalOf(each).includes("predicate("))
  .map((each) => JSON.parse(JSON.stringify(each)) as PolicyDocument);
const anything = fc.oneof(
  fc.constantFrom<Json>("deny", "allow", "a", "args.a", "gt", true, false, null, 1, 2, "5", "minute", "grant", "1h"),
  fc.jsonValue({ maxDepth: 1 }) as fc.Arbitrary<Json>,
);

function leavesOf(value: Json, place: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (value === null || typeof value !== "object") return [place];
  return Object.entries(value).flatMap(([key, part]) => leavesOf(part as Json, [...place, key]));
}

function withLeaf(document: PolicyDocument, place: readonly (string | number)[], value: Json): PolicyDocument {
  const copy = structuredClone(document);
  const holder = place.slice(0, -1).reduce((part, key) => part[key] as never, copy as unknown as Record<string, unknown>);
  Object.defineProperty(holder, place.at(-1) as string, { value, enumerable: true, configurable: true, writable: true });
  return copy;
}

function digestOf(document: PolicyDocument): string | undefined {
  try {
    return policyDigest(loadPolicy(document));
  } catch (error) {
    if (!PolicyError.is(error)) throw error;
    return undefined;
  }
}

test("[strict-load] a policy with any value changed is another policy by its digest, or none", () => {
  fc.assert(
    fc.property(written, fc.nat(), anything, (document, which, value) => {
      const leaves = leavesOf(document as unknown as Json);
      const place = leaves[which % leaves.length] as readonly string[];
      const former = place.reduce<unknown>((part, key) => (part as Record<string, unknown>)[key], document);
      fc.pre(former !== value);
      expect(digestOf(withLeaf(document, place, value))).not.toBe(digestOf(document));
    }),
    { numRuns: cases(300) },
  );
});

test("[strict-load] the order of keys is no part of what a policy says", () => {
  const reversed = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(reversed);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(
      Object.entries(value)
        .toReversed()
        .map(([key, part]) => [key, reversed(part)]),
    );
  };
  fc.assert(
    fc.property(written, (document) => {
      expect(digestOf(reversed(document) as PolicyDocument)).toBe(digestOf(document));
    }),
    { numRuns: cases(100) },
  );
});
