import fc from "fast-check";
import { Compile } from "typebox/schema";
import { expect, test } from "vitest";
import { compileInputSchema } from "./input-schema.ts";
import type { Json, JsonObject } from "./json-snapshot.ts";

/**
 * The verdicts of another implementation, on schemas and values that neither was written for. Left out is where the other is
 * known to differ: names that every object inherits, `unevaluatedProperties` (which it applies to arrays), formats.
 */

const name = fc.constantFrom("a", "b", "c");
const scalar = fc.constantFrom<Json>(null, true, false, 0, 1, 1.5, -2, 6, "", "a", "abc", "é😀");

const { value } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalar,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(name, tie("value"), { maxKeys: 3, noNullPrototype: true }),
  ),
}));

const count = fc.integer({ min: 0, max: 3 });
const limit = fc.constantFrom(-1, 0, 1, 1.5, 3);
const type = fc.constantFrom("null", "boolean", "integer", "number", "string", "array", "object");

function keywordsFor(schema: fc.Arbitrary<Json>): Record<string, fc.Arbitrary<Json>> {
  const schemas = fc.array(schema, { minLength: 1, maxLength: 3 });
  const named = fc.dictionary(name, schema, { maxKeys: 3, noNullPrototype: true });
  return {
    type: fc.oneof(type, fc.uniqueArray(type, { minLength: 1, maxLength: 3 })),
    enum: fc.array(value, { minLength: 1, maxLength: 3 }),
    const: value,
    minimum: limit,
    maximum: limit,
    exclusiveMinimum: limit,
    exclusiveMaximum: limit,
    multipleOf: fc.constantFrom(0.5, 1, 2, 3),
    minLength: count,
    maxLength: count,
    minItems: count,
    maxItems: count,
    uniqueItems: fc.boolean(),
    prefixItems: schemas,
    items: schema,
    contains: schema,
    minContains: count,
    maxContains: count,
    minProperties: count,
    maxProperties: count,
    required: fc.uniqueArray(name, { maxLength: 2 }),
    properties: named,
    patternProperties: fc.dictionary(fc.constantFrom("^a$", "^[ab]$"), schema, { maxKeys: 2, noNullPrototype: true }),
    additionalProperties: schema,
    propertyNames: fc.constantFrom<Json>({ maxLength: 1 }, { enum: ["a", "b"] }, false),
    dependentRequired: fc.dictionary(name, fc.uniqueArray(name, { maxLength: 2 }), { maxKeys: 2, noNullPrototype: true }),
    dependentSchemas: named,
    allOf: schemas,
    anyOf: schemas,
    oneOf: schemas,
    not: schema,
    if: schema,
    then: schema,
    else: schema,
    $ref: fc.constantFrom("#/$defs/one", "#/$defs/two"),
  };
}

const { schema } = fc.letrec<{ schema: Json }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.boolean(),
    fc.record({ type }),
    fc
      .uniqueArray(fc.constantFrom(...Object.keys(keywordsFor(fc.boolean()))), { minLength: 1, maxLength: 4 })
      .chain(
        (names) =>
          fc.record(
            Object.fromEntries(names.map((keyword) => [keyword, keywordsFor(tie("schema"))[keyword]!])),
          ) as fc.Arbitrary<JsonObject>,
      ),
  ),
}));

const document = fc.tuple(schema, schema, schema).map(([root, one, two]): JsonObject => ({ allOf: [root], $defs: { one, two } }));

test("verdicts agree with another implementation", () => {
  fc.assert(
    fc.property(document, fc.array(value, { minLength: 1, maxLength: 6 }), (root, values) => {
      const compiled = compileInputSchema(root);
      // Unusable can only be a reference that leads back to itself: every keyword is well formed.
      if (!compiled.ok) {
        expect(compiled.problem).toContain("applies itself");
        return;
      }
      const other = Compile(root as object);
      for (const each of values)
        expect(compiled.judge(each as JsonObject).length === 0, JSON.stringify({ root, each })).toBe(other.Check(each));
    }),
    { numRuns: 3000 },
  );
});
