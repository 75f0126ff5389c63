import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parsePolicy } from "./load-policy.ts";
import { PolicyError } from "./policy-error.ts";

const valid: readonly { readonly title: string; readonly policy: unknown }[] = JSON.parse(
  readFileSync(new URL("../../test-data/valid-policies.json", import.meta.url), "utf8"),
);

type Edit = (holder: Record<string, unknown>, key: string) => void;
type Place = readonly string[];

/** Every key of a policy that the format gives a meaning to; not the names of tools, nor what stands in a JSON Schema or a literal. */
function structuralKeys(value: unknown, place: Place = []): Place[] {
  if (value === null || typeof value !== "object" || ["literal", "arguments"].includes(place.at(-1) ?? "")) return [];
  return Object.entries(value).flatMap(([key, part]) => {
    const named = Array.isArray(value) || (place.length === 1 && place[0] === "tools");
    return [...(named ? [] : [[...place, key]]), ...structuralKeys(part, [...place, key])];
  });
}

function edited(policy: unknown, place: Place, edit: Edit): unknown {
  const copy = structuredClone(policy);
  const holder = place.slice(0, -1).reduce((part, key) => part[key] as Record<string, unknown>, copy as Record<string, unknown>);
  edit(holder, place.at(-1) as string);
  return copy;
}

const places = valid.flatMap(({ title, policy }) => structuralKeys(policy).map((place) => ({ title, policy, place })));
const known = new Set(places.map(({ place }) => place.at(-1) as string));

test("[strict-load] renaming any key of a policy keeps it from loading", () => {
  const slip = fc.oneof(
    fc
      .record({ at: fc.nat(), with: fc.string({ maxLength: 1 }) })
      .map((slip) => (key: string) => key.slice(0, slip.at % key.length) + slip.with + key.slice((slip.at % key.length) + 1)),
    fc.constantFrom(
      (key: string) => key.toUpperCase(),
      (key: string) => `${key} `,
      () => "__proto__",
      () => "constructor",
      () => "",
    ),
    fc.string().map((other) => () => other),
  );
  fc.assert(
    fc.property(fc.constantFrom(...places), slip, ({ policy, place }, slipped) => {
      const key = slipped(place.at(-1) as string);
      fc.pre(!known.has(key));
      const wrong = edited(policy, place, (holder, former) => {
        Object.defineProperty(holder, key, { value: holder[former], enumerable: true, configurable: true, writable: true });
        if (former !== key) delete holder[former];
      });
      expect(() => parsePolicy(wrong)).toThrow(PolicyError);
    }),
    { numRuns: 300 },
  );
});

const required = [
  "version",
  "default",
  "path",
  "op",
  "value",
  "from",
  "sliding",
  "counter",
  "max",
  "window",
  "unit",
  "is",
  "to",
  "for",
  "uses",
];

test.each(required)("[strict-load] deleting any `%s` keeps a policy from loading", (key) => {
  const affected = places.filter(({ place }) => place.at(-1) === key);
  expect(affected).not.toEqual([]);
  for (const { policy, place } of affected) {
    const wrong = edited(policy, place, (holder, former) => {
      delete holder[former];
    });
    expect(() => parsePolicy(wrong), place.join("/")).toThrow(PolicyError);
  }
});

test("[strict-load] no value of another kind takes the place of any value", () => {
  const others = [null, true, -1, "no such thing", [], ["no such thing"], {}, { "no such key": 1 }];
  // These take any text, any value, or any list of names.
  const free = new Set([
    "$schema",
    "description",
    "value",
    "literal",
    "arguments",
    "name",
    "on_deny",
    "reason",
    "counter",
    "predicate",
    "is",
    "when_missing",
    "hide",
  ]);
  for (const { policy, place } of places.filter(({ place }) => !free.has(place.at(-1) as string))) {
    const original = place.reduce((part: unknown, key) => (part as Record<string, unknown>)[key], policy);
    const loads = others
      .filter((other) => other !== original)
      .filter((other) => {
        try {
          parsePolicy(edited(policy, place, (holder, key) => Object.assign(holder, { [key]: other })));
          return true;
        } catch (error) {
          expect(error).toBeInstanceOf(PolicyError);
          return false;
        }
      });
    // An empty list or object leaves something out; it says nothing that is misunderstood.
    expect(
      loads.filter((other) => JSON.stringify(other) !== "[]" && JSON.stringify(other) !== "{}"),
      place.join("/"),
    ).toEqual([]);
  }
});

test("[strict-load] whatever is given, loading answers a policy or a policy error", () => {
  fc.assert(
    fc.property(fc.oneof(fc.anything({ withNullPrototype: true, withSparseArray: true }), fc.jsonValue(), fc.string()), (input) => {
      try {
        parsePolicy(input);
      } catch (error) {
        expect(PolicyError.is(error)).toBe(true);
      }
    }),
  );
});

test("[strict-load] any value at any place is judged, and never breaks the loader", () => {
  fc.assert(
    fc.property(fc.constantFrom(...places), fc.jsonValue(), ({ policy, place }, value) => {
      try {
        parsePolicy(edited(policy, place, (holder, key) => Object.assign(holder, { [key]: value })));
      } catch (error) {
        expect(PolicyError.is(error), String((error as Error).stack)).toBe(true);
      }
    }),
    { numRuns: 300 },
  );
});
