import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { PolicyError } from "../policy/policy-error.ts";
import { compileArguments, compileInputSchema, defaultSchemaBounds, type Judge } from "./input-schema.ts";
import type { JsonObject } from "./json-snapshot.ts";
import { describeProblems } from "./schema-problem.ts";

function judgeOf(schema: unknown): Judge {
  const compiled = compileInputSchema(schema);
  if (!compiled.ok) throw new Error(compiled.problem);
  return compiled.judge;
}

function accepts(schema: unknown, args: unknown): boolean {
  return judgeOf(schema)(args as JsonObject).length === 0;
}

function problemWith(schema: unknown): string {
  const compiled = compileInputSchema(schema);
  return compiled.ok ? "(usable)" : compiled.problem;
}

const keywordCases: [schema: object, valid: unknown[], invalid: unknown[]][] = [
  [{ type: "integer" }, [1, 1.0, -3], [1.5, "1", null]],
  [{ type: ["string", "null"] }, ["a", null], [0, false, []]],
  [{ type: "object" }, [{}], [[], null, "x"]],
  [{ enum: [1, "a", null, { x: [1, 2] }] }, [1, "a", null, { x: [1, 2] }], [2, "1", false, { x: [2, 1] }]],
  [{ const: { a: 1, b: 2 } }, [{ b: 2, a: 1 }], [{ a: 1 }, {}]],
  [{ const: false }, [false], [0, null]],
  [{ minimum: 1, maximum: 3 }, [1, 3, "text"], [0.9, 3.1]],
  [{ exclusiveMinimum: 1, exclusiveMaximum: 3 }, [1.1, 2.9], [1, 3]],
  [{ minimum: 1, exclusiveMinimum: true }, [1.1], [1]],
  [{ minimum: 1, exclusiveMinimum: false }, [1], [0]],
  [{ multipleOf: 0.01 }, [0.07, 19.99, 4.35, 1e300], [0.071]],
  [{ multipleOf: 1e-8 }, [12391239123], [1e-9]],
  [{ minLength: 2, maxLength: 2 }, ["ab", "😀😀"], ["a", "😀", "abc"]],
  [{ pattern: "^a+$" }, ["aa", 5], ["ab", "b"]],
  [{ pattern: "es" }, ["expression"], ["expr"]],
  [{ format: "email" }, ["no address"], []],
  [{ items: { type: "number" } }, [[], [1, 2], {}], [[1, "2"]]],
  [{ prefixItems: [{ type: "string" }], items: false }, [[], ["a"]], [[1], ["a", 1]]],
  [{ items: [{ type: "string" }], additionalItems: { type: "number" } }, [["a"], ["a", 1]], [[1], ["a", "b"]]],
  [{ items: { type: "string" }, additionalItems: false }, [["a", "b"]], [[1]]],
  [{ additionalItems: false }, [[1, 2]], []],
  [{ minItems: 1, maxItems: 2 }, [[1], [1, 2]], [[], [1, 2, 3]]],
  [
    { uniqueItems: true },
    [
      [1, "1", true, [1]],
      [{ a: 1 }, { a: 2 }],
    ],
    [
      [1, 1.0],
      [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ],
    ],
  ],
  [{ contains: { type: "string" } }, [["a", 1]], [[], [1]]],
  [{ contains: { type: "string" }, minContains: 0 }, [[], [1]], []],
  [{ contains: { type: "string" }, minContains: 2, maxContains: 2 }, [["a", "b", 1]], [["a"], ["a", "b", "c"]]],
  [{ required: ["a"] }, [{ a: null }, []], [{ b: 1 }]],
  [{ minProperties: 1, maxProperties: 1 }, [{ a: 1 }], [{}, { a: 1, b: 2 }]],
  [{ properties: { a: { type: "number" } }, additionalProperties: false }, [{}, { a: 1 }], [{ a: "1" }, { b: 1 }]],
  [
    { patternProperties: { "^x-": { type: "number" } }, additionalProperties: { type: "string" } },
    [{ "x-a": 1, b: "s" }],
    [{ "x-a": "1" }, { b: 1 }],
  ],
  [{ propertyNames: { pattern: "^[a-z]+$" } }, [{ abc: 1 }], [{ Abc: 1 }]],
  [{ dependencies: { a: ["b"], c: { required: ["d"] } } }, [{}, { a: 1, b: 2 }, { c: 1, d: 1 }], [{ a: 1 }, { c: 1 }]],
  [{ dependentRequired: { a: ["b"] } }, [{ a: 1, b: 1 }], [{ a: 1 }]],
  [{ dependentSchemas: { a: { required: ["b"] } } }, [{ b: 1 }], [{ a: 1 }]],
  [{ allOf: [{ minimum: 1 }, { maximum: 2 }] }, [1, 2], [0, 3]],
  [{ anyOf: [{ type: "string" }, { minimum: 5 }] }, ["a", 5], [4]],
  [{ oneOf: [{ multipleOf: 2 }, { multipleOf: 3 }] }, [2, 3], [6, 5]],
  [{ not: { required: ["secret"] } }, [{}], [{ secret: 1 }]],
  [
    { if: { properties: { kind: { const: "a" } } }, then: { required: ["x"] }, else: { required: ["y"] } },
    [
      { kind: "a", x: 1 },
      { kind: "b", y: 1 },
    ],
    [{ kind: "a" }, { kind: "b" }],
  ],
  [{ $ref: "#/$defs/n", $defs: { n: { type: "number" } } }, [1], ["1"]],
  [{ $ref: "#/definitions/a~1b%25", definitions: { "a/b%": { type: "number" } } }, [1], ["1"]],
  [
    { $ref: "#/components/schemas/n", components: { schemas: { n: { $ref: "#/components/schemas/m" }, m: { type: "number" } } } },
    [1],
    ["1"],
  ],
  [{ $ref: "#n", $defs: { n: { $anchor: "n", type: "number" } } }, [1], ["1"]],
  [{ $ref: "#n", definitions: { n: { $id: "#n", type: "number" } } }, [1], ["1"]],
  [
    { $id: "T0", properties: { next: { $ref: "T0" }, n: { type: "number" } }, required: ["n"] },
    [{ n: 1, next: { n: 2 } }],
    [{ n: 1, next: {} }],
  ],
  [{ $id: "https://x.example/root", $ref: "part#/$defs/n", $defs: { p: { $id: "part", $defs: { n: { type: "number" } } } } }, [1], ["1"]],
  [{ $ref: "urn:example:n", $defs: { n: { $id: "urn:example:n", type: "number" } } }, [1], ["1"]],
  [{ $dynamicRef: "#n", $defs: { n: { $dynamicAnchor: "n", type: "number" } } }, [1], ["1"]],
  [{ $ref: "#/$defs/n", minimum: 5, $defs: { n: { type: "number" } } }, [5], [4, "5"]],
  [{ allOf: [{ properties: { a: true } }], unevaluatedProperties: false }, [{ a: 1 }], [{ a: 1, b: 1 }]],
  [
    { anyOf: [{ properties: { a: true }, required: ["a", "k"] }, { properties: { b: true } }], unevaluatedProperties: false },
    [{ b: 1 }],
    [{ a: 1, b: 1 }],
  ],
  [{ anyOf: [{ properties: { a: true } }, { properties: { b: true } }], unevaluatedProperties: false }, [{ a: 1, b: 1 }], [{ c: 1 }]],
  [{ if: { properties: { a: { const: 1 } }, required: ["a"] }, unevaluatedProperties: false }, [{ a: 1 }, {}], [{ a: 2 }]],
  [{ not: { not: { properties: { a: true } } }, unevaluatedProperties: false }, [{}], [{ a: 1 }]],
  [
    { $ref: "#/$defs/a", unevaluatedProperties: { type: "number" }, $defs: { a: { properties: { a: true } } } },
    [{ a: "x", b: 1 }],
    [{ b: "x" }],
  ],
  [{ properties: { in: { properties: { a: true } } }, unevaluatedProperties: false }, [{ in: { z: 1 } }], [{ a: 1 }]],
  [
    { prefixItems: [true], contains: { type: "string" }, unevaluatedItems: false },
    [["a"], [1, "a"]],
    [
      [1, 2],
      [1, "a", 2],
    ],
  ],
  [{ unevaluatedProperties: false, unevaluatedItems: false }, ["a", 1], [{ a: 1 }, [1]]],
  [
    { "x-unknown": { type: 5 }, default: { $ref: "nowhere" }, examples: [{ $id: "::" }], const: { $ref: "#/nothing" } },
    [{ $ref: "#/nothing" }],
    [1],
  ],
];

for (const [schema, valid, invalid] of keywordCases) {
  test(`${JSON.stringify(schema).slice(0, 110)}`, () => {
    for (const value of valid) expect(judgeOf(schema)(value as JsonObject), JSON.stringify(value)).toEqual([]);
    for (const value of invalid) expect(judgeOf(schema)(value as JsonObject), JSON.stringify(value)).not.toEqual([]);
  });
}

test("[sent-is-checked] no default is applied and nothing is changed", () => {
  const args = Object.freeze({ a: Object.freeze({}) });
  expect(accepts({ properties: { a: { properties: { b: { default: 1 } } }, c: { default: 2 } }, required: ["a"] }, args)).toBe(true);
  expect(args).toEqual({ a: {} });
  expect(accepts({ properties: { c: { default: 2 } }, required: ["c"] }, {})).toBe(false);
});

test("[fail-closed] what every object inherits is not there unless the arguments hold it", () => {
  for (const name of ["constructor", "toString", "hasOwnProperty", "__proto__"]) {
    const own = JSON.parse(`{ "${name}": 1 }`);
    expect(accepts({ required: [name] }, {}), name).toBe(false);
    expect(accepts({ required: [name] }, own), name).toBe(true);
    expect(accepts({ additionalProperties: false }, own), name).toBe(false);
    const declaring = JSON.parse(`{ "properties": { "${name}": { "type": "string" } }, "additionalProperties": false }`);
    expect(accepts(declaring, {}), name).toBe(true);
    expect(judgeOf(declaring)(own), name).toEqual([{ pointer: `/${name}`, message: "expected a string" }]);
    expect(accepts(JSON.parse(`{ "dependentRequired": { "${name}": ["x"] } }`), {}), name).toBe(true);
    expect(accepts(JSON.parse(`{ "dependentRequired": { "${name}": ["x"] } }`), own), name).toBe(false);
  }
  expect(problemWith({ $ref: "#/constructor" })).toContain("refers to nothing");
});

test("problems name the place and what was expected, and no argument values", () => {
  const judge = judgeOf({
    type: "object",
    properties: {
      amount: { type: "number", maximum: 500 },
      currency: { enum: ["usd", "eur"] },
      lines: { type: "array", items: { type: "object", properties: { sku: { pattern: "^[a-z]+$" } }, required: ["sku"] } },
      to: { anyOf: [{ type: "string" }, { type: "null" }] },
    },
    required: ["amount", "reason"],
    additionalProperties: false,
  });
  expect(judge({ amount: 901, currency: "sek", lines: [{ sku: "ab" }, { sku: "S3CRET" }, {}], to: 77, extra: 1 })).toEqual([
    { pointer: "", message: "missing required property `reason`" },
    { pointer: "/amount", message: "expected a number of at most 500" },
    { pointer: "/currency", message: "expected one of `usd`, `eur`" },
    { pointer: "/lines/1/sku", message: "expected text that matches `^[a-z]+$`" },
    { pointer: "/lines/2", message: "missing required property `sku`" },
    { pointer: "/to", message: "expected a string, or null" },
    { pointer: "/extra", message: "unknown property" },
  ]);
});

test("of several forms the one whose literals are right is explained", () => {
  const form = (kind: string, field: string) => ({
    type: "object",
    properties: { kind: { const: kind }, [field]: { type: "number" }, more: { type: "string" } },
    required: ["kind", field, "more"],
  });
  expect(judgeOf({ oneOf: [form("card", "number"), form("iban", "account"), { type: "string" }] })({ kind: "iban", account: "x" })).toEqual(
    [
      { pointer: "", message: "expected one of 3 forms, and none matches; the nearest one says what follows" },
      { pointer: "", message: "missing required property `more`" },
      { pointer: "/account", message: "expected a number" },
    ],
  );
});

test("keys are the model's text: cut, escaped, and at most eight problems", () => {
  const [problem] = judgeOf({ additionalProperties: false })({ [`a/b\u202e\u034f\n\`${"x".repeat(5000)}`]: 1 });
  expect(problem?.pointer).toMatch(/^\/a~1b\\u\{202e\}\\u\{34f\}\\u\{a\}\\u\{60\}x+…$/);
  expect(problem?.pointer.length).toBeLessThan(100);
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}`, 1]));
  expect(judgeOf({ additionalProperties: false })(many)).toHaveLength(8);
});

test("problems in one sentence", () => {
  const problem = { pointer: "/a", message: "expected a number" };
  expect(describeProblems([{ pointer: "", message: "missing required property `b`" }, problem])).toBe(
    "missing required property `b`; at `/a`: expected a number",
  );
  expect(
    describeProblems(
      Array.from({ length: 8 }, () => problem),
      2,
    ),
  ).toBe("at `/a`: expected a number; at `/a`: expected a number; and 6 more");
});

test("[fail-closed] a keyword whose form has no meaning makes the schema unusable, and its place is named", () => {
  expect(problemWith({ properties: { a: { required: true } } })).toBe("`/properties/a/required`: expected a list of names");
  expect(problemWith({ properties: { a: { type: "any" } } })).toMatch(/^`\/properties\/a\/type`: expected some of null, boolean/);
  for (const schema of [
    { minLength: -1 },
    { maxItems: 1.5 },
    { minimum: "1" },
    { multipleOf: 0 },
    { enum: "a" },
    { items: 5 },
    { properties: [] },
    { allOf: [] },
    { not: null },
    { uniqueItems: 1 },
    { pattern: 1 },
    { $ref: 1 },
    { $id: 5 },
    { type: [] },
    { $recursiveRef: "#" },
    { if: 1 },
  ]) {
    expect(problemWith(schema), JSON.stringify(schema)).toMatch(/^`\//);
  }
  for (const schema of [null, undefined, 5, "x", [], () => true, { type: () => "string" }, { type: "object", maximum: 1n }, new Date()]) {
    expect(problemWith(schema)).not.toBe("(usable)");
  }
});

test("references that leave the document, lead nowhere or are ambiguous make it unusable", () => {
  expect(problemWith({ properties: { a: { $ref: "https://evil.example/x.json" } } })).toBe(
    "`/properties/a`: `https://evil.example/x.json` is outside this schema, and only references within it are followed",
  );
  expect(problemWith({ $ref: "other.json#/x" })).toContain("is outside this schema");
  expect(problemWith({ $ref: "#/$defs/missing" })).toContain("refers to nothing");
  expect(problemWith({ $ref: "#/%E0%A4%A" })).toContain("refers to nothing");
  expect(problemWith({ $ref: "http://[" })).toContain("is no URI reference");
  expect(problemWith({ $defs: { a: { $id: "x" }, b: { $id: "x" } } })).toContain("same identifier");
  expect(problemWith({ $defs: { a: { $id: "x", $dynamicAnchor: "n" } }, $dynamicRef: "#n", $dynamicAnchor: "n" })).toContain("$dynamicRef");
});

test("a schema that applies itself to the same value without end is unusable, and recursion over members is not", () => {
  expect(problemWith({ $ref: "#" })).toContain("applies itself");
  expect(
    problemWith({
      properties: { a: { $ref: "#/$defs/x" } },
      $defs: { x: { anyOf: [{ type: "string" }, { $ref: "#/$defs/y" }] }, y: { not: { $ref: "#/$defs/x" } } },
    }),
  ).toContain("applies itself");
  expect(accepts({ properties: { child: { $ref: "#" }, n: { type: "number" } } }, { child: { child: { n: 1 } } })).toBe(true);
  expect(judgeOf({ properties: { child: { $ref: "#" }, n: { type: "number" } } })({ child: { child: { n: "1" } } })).toEqual([
    { pointer: "/child/child/n", message: "expected a number" },
  ]);
});

test("a schema over 256 KiB or 64 levels is unusable", () => {
  expect(problemWith({ description: "x".repeat(256 * 1024) })).toContain("larger than");
  let deep: object = {};
  for (let level = 0; level < 64; level++) deep = { not: deep };
  expect(problemWith(deep)).toContain("deeper than 64 levels");
  expect(problemWith({ properties: { a: { type: "string" } } })).toBe("(usable)");
});

test("a schema is copied: later mutation changes nothing, and getters are not run", () => {
  const schema = { type: "object", required: ["a"] };
  const judge = judgeOf(schema);
  schema.required.length = 0;
  expect(judge({})).not.toEqual([]);
  let reads = 0;
  const getter = Object.defineProperty({}, "type", { enumerable: true, get: () => ++reads });
  expect(problemWith(getter)).toContain("accessor");
  expect(reads).toBe(0);
});

const doubling = (keyword: string) => ({
  $ref: "#/$defs/a30",
  $defs: Object.fromEntries([
    ["a0", { type: "string" }],
    ...Array.from({ length: 30 }, (_, index) => [
      `a${index + 1}`,
      { [keyword]: [{ $ref: `#/$defs/a${index}` }, { $ref: `#/$defs/a${index}` }] },
    ]),
  ]),
});

test("[fail-closed] a judgement that takes too much work refuses", () => {
  const tooMuch = [{ pointer: "", message: "the arguments are too much work to judge by this schema: send fewer or smaller values" }];
  expect(judgeOf(doubling("allOf"))("x" as never)).toEqual(tooMuch);
  expect(judgeOf(doubling("anyOf"))({})).toEqual(tooMuch);
  expect(judgeOf({ not: doubling("oneOf"), $defs: doubling("oneOf").$defs })({})).toEqual(tooMuch);
  expect(judgeOf({ pattern: "^(([a-z]){0,30}([a-y]){0,30}){0,16}x$" })("a".repeat(500_000) as never)).toEqual(tooMuch);
  const listOf = (items: object) => judgeOf({ properties: { a: { items } } })({ a: Array.from({ length: 90_000 }, () => 1.5) } as never);
  expect(listOf({ allOf: Array.from({ length: 20_000 }, () => true) })).toEqual(tooMuch);
  expect(listOf({ allOf: Array.from({ length: 5_000 }, () => ({ multipleOf: 0.5 })) })).toEqual(tooMuch);
  const chain = Object.fromEntries(Array.from({ length: 4000 }, (_, index) => [`c${index + 1}`, { $ref: `#/$defs/c${index}` }]));
  expect(judgeOf({ $ref: "#/$defs/c4000", $defs: { c0: true, ...chain } })({})).toEqual(tooMuch);
});

test("large lists are within the bounds of a judgement", () => {
  const list = Array.from({ length: 99_000 }, (_, index) => index);
  expect(
    accepts({ properties: { a: { uniqueItems: true, items: { anyOf: [{ type: "string" }, { type: "number" }] } } } }, { a: list }),
  ).toBe(true);
  expect(accepts({ properties: { a: { uniqueItems: true } } }, { a: [...list, 5] })).toBe(false);
});

test("a pattern that backtracking engines choke on is judged, and one that the linear engine cannot run makes the schema unusable", () => {
  expect(accepts({ pattern: "^(a+)+$" }, `${"a".repeat(50_000)}b`)).toBe(false);
  expect(accepts({ patternProperties: { "^(a+)+$": false } }, { [`${"a".repeat(50_000)}b`]: 1 })).toBe(true);
  for (const pattern of ["(?=a)b", "(?<!a)b", "(a)\\1", "(?<x>a)\\k<x>", "a{2000}", "(((abc){100}){100}){100}", "["]) {
    expect(problemWith({ properties: { p: { pattern } } }), pattern).toMatch(/^`\/properties\/p\/pattern`: the pattern/);
    expect(problemWith({ patternProperties: { [pattern]: true } }), pattern).toMatch(/^`\/patternProperties`: the pattern/);
    expect(problemWith({ propertyNames: { pattern } }), pattern).toMatch(/^`\/propertyNames\/pattern`: the pattern/);
  }
  for (const start of ["[", "(?<", "\\p{", "(?P<", "(", "\\u{1", "{1", "[^"])
    expect(problemWith({ pattern: start.repeat(40_000) }), start).toContain("cannot be used");
  const patterns = Array.from({ length: 500 }, (_, index) => ({ pattern: `^a{0,900}b${index}` }));
  expect(problemWith({ allOf: patterns })).toContain("all patterns of the schema together");
});

test("what was refused is not called unknown as well", () => {
  const judge = judgeOf({ properties: { a: { type: "number" } }, unevaluatedProperties: false });
  expect(judge({ a: "x" })).toEqual([{ pointer: "/a", message: "expected a number" }]);
  expect(judge({ a: 1, b: 1 })).toEqual([{ pointer: "/b", message: "unknown property" }]);
});

test("keywords in parts that only a reference leads to count", () => {
  const schema = { $ref: "#/components/closed", components: { closed: { properties: { a: true }, unevaluatedProperties: false } } };
  expect(judgeOf(schema)({ a: 1 })).toEqual([]);
  expect(judgeOf(schema)({ b: 1 })).toEqual([{ pointer: "/b", message: "unknown property" }]);
});

test("a verdict does not depend on the calls before", () => {
  const judge = judgeOf({
    anyOf: [
      { properties: { a: {}, k: {} }, required: ["a", "k"] },
      { properties: { b: {} }, required: ["b"] },
    ],
    unevaluatedProperties: false,
  });
  expect(judge({ b: 1, a: 1 })).not.toEqual([]);
  expect(judge({ a: 1, k: 1 })).toEqual([]);
  expect(judge({ b: 1, a: 1 })).not.toEqual([]);
});

test("verdicts are the same where eval is forbidden", () => {
  const module = new URL("./input-schema.ts", import.meta.url).href;
  const program = `
    import { readFileSync } from "node:fs";
    import { compileInputSchema } from ${JSON.stringify(module)};
    let forbidden = false;
    try { new Function("return 1") } catch { forbidden = true }
    const cases = JSON.parse(readFileSync(0, "utf8"));
    const verdicts = cases.map(([schema, valid, invalid]) => [...valid, ...invalid].map((value) => compileInputSchema(schema).judge(value)));
    console.log(JSON.stringify({ forbidden, verdicts }));`;
  const output = execFileSync(process.execPath, ["--disallow-code-generation-from-strings", "--input-type=module", "--eval", program], {
    input: JSON.stringify(keywordCases),
    encoding: "utf8",
  });
  const verdicts = keywordCases.map(([schema, valid, invalid]) =>
    [...valid, ...invalid].map((value) => judgeOf(schema)(value as JsonObject)),
  );
  expect(JSON.parse(output)).toEqual({ forbidden: true, verdicts });
});

const published: { server: string; tool: string; inputSchema: { properties?: object; required?: string[] } }[] = JSON.parse(
  readFileSync(new URL("../../test-data/input-schemas.json", import.meta.url), "utf8"),
);

test("the input schemas of published servers are usable", () => {
  expect(published.length).toBeGreaterThan(40);
  for (const { server, tool, inputSchema } of published) {
    const judge = judgeOf(inputSchema);
    const isEmptyAccepted = judge({}).length === 0;
    expect(isEmptyAccepted, `${server} ${tool}`).toBe((inputSchema.required ?? []).length === 0);
  }
});

test("a published tool's arguments are judged", () => {
  const { inputSchema } = published.find(({ tool }) => tool === "create_entities")!;
  expect(accepts(inputSchema, { entities: [{ name: "a", entityType: "b", observations: ["c"] }] })).toBe(true);
  expect(judgeOf(inputSchema)({ entities: [{ name: "a", entityType: 5 }] })).toEqual([
    { pointer: "/entities/0", message: "missing required property `observations`" },
    { pointer: "/entities/0/entityType", message: "expected a string" },
  ]);
});

test("[strict-load] a policy's own JSON Schema that cannot be used does not load", () => {
  expect(compileArguments({ required: ["a"] }, "/tools/t/arguments")({})).toEqual([
    { pointer: "", message: "missing required property `a`" },
  ]);
  expect(() => compileArguments({ required: "a" }, "/tools/t/arguments")).toThrow(PolicyError);
  expect(() => compileArguments({ required: "a" }, "/tools/t/arguments")).toThrow(
    "/tools/t/arguments: the JSON Schema cannot be used: `/required`: expected a list of names",
  );
});

test("the bounds can be set", () => {
  const compiled = compileInputSchema({ items: {} }, { ...defaultSchemaBounds, maxSteps: 10, maxProblems: 2 });
  expect(compiled.ok && compiled.judge(Array.from({ length: 20 }, () => 1) as never)).toHaveLength(1);
});
