import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { expect, test } from "vitest";
import { HoldpointError } from "../holdpoint-error.ts";
import { printToolTypes } from "./print-types.ts";

/** What is printed for the arguments of one tool, without the map of all tools. */
function printed(inputSchema: unknown): string {
  const source = printToolTypes([{ name: "t", inputSchema }]);
  return source.slice(0, source.indexOf("\nexport interface Tools {"));
}

/** Runs the compiler over the sources and answers what it complains of. */
function compile(sources: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "holdpoint-types-"));
  try {
    for (const [name, text] of Object.entries(sources)) writeFileSync(join(folder, name), text);
    const tsc = fileURLToPath(new URL("../../../../node_modules/typescript/bin/tsc", import.meta.url));
    const files = Object.keys(sources).map((name) => join(folder, name));
    execFileSync(
      process.execPath,
      [tsc, "--noEmit", "--allowImportingTsExtensions", "--strict", "--types", "", "--ignoreConfig", ...files],
      { encoding: "utf8", stdio: "pipe" },
    );
    return "";
  } catch (error) {
    return String((error as { stdout?: unknown }).stdout ?? error);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const refund = {
  type: "object",
  properties: {
    amount: { type: "integer", description: "In cents" },
    currency: { enum: ["usd", "eur"] },
    note: { type: ["string", "null"] },
    items: {
      type: "array",
      items: { anyOf: [{ type: "string" }, { type: "object", properties: { sku: { type: "string" } }, required: ["sku"] }] },
    },
    "odd.key": { type: "boolean" },
  },
  required: ["amount", "items"],
};

test("a tool becomes a named interface, and the tools a map to them", () => {
  expect(printToolTypes([{ name: "create-refund", description: "Gives money back", inputSchema: refund }])).toBe(`/** Gives money back */
export interface CreateRefundArguments {
  /** In cents */
  amount: number;
  currency?: "usd" | "eur";
  note?: string | null;
  items: (string | {
    sku: string;
  })[];
  "odd.key"?: boolean;
}

export interface Tools {
  "create-refund": CreateRefundArguments;
}
`);
});

test.each<[string, unknown, string]>([
  ["no schema", undefined, "export type TArguments = unknown;\n"],
  ["an empty schema", {}, "export type TArguments = unknown;\n"],
  ["the schema `true`", true, "export type TArguments = unknown;\n"],
  ["the schema `false`", false, "export type TArguments = never;\n"],
  ["an object without properties", { type: "object" }, "export interface TArguments {}\n"],
  ["properties without a type", { properties: { a: {} } }, "export interface TArguments {\n  a?: unknown;\n}\n"],
  ["an open object", { type: "object", additionalProperties: true }, "export interface TArguments {\n  [key: string]: unknown;\n}\n"],
  ["a closed object", { type: "object", additionalProperties: false }, "export interface TArguments {}\n"],
  [
    "a record",
    { type: "object", additionalProperties: { type: "number" } },
    "export interface TArguments {\n  [key: string]: number;\n}\n",
  ],
  [
    "pattern properties",
    { type: "object", patternProperties: { "^x": { type: "number" } } },
    "export interface TArguments {\n  [key: string]: unknown;\n}\n",
  ],
  [
    "declared keys and more",
    { type: "object", properties: { a: { type: "string" } }, additionalProperties: { type: "number" } },
    "export interface TArguments {\n  a?: string;\n  [key: string]: unknown;\n}\n",
  ],
  ["a constant", { const: "x" }, 'export type TArguments = "x";\n'],
  [
    "values of several kinds",
    { enum: ["a", 1, -2.5, true, null, { b: 1 }, [1]] },
    'export type TArguments = "a" | 1 | -2.5 | true | null | { [key: string]: unknown } | unknown[];\n',
  ],
  ["no value at all", { enum: [] }, "export type TArguments = never;\n"],
  ["a nullable string", { type: "string", nullable: true }, "export type TArguments = string | null;\n"],
  ["alternatives", { oneOf: [{ type: "string" }, { type: "number" }, { type: "string" }] }, "export type TArguments = string | number;\n"],
  ["an alternative that says nothing", { anyOf: [{ type: "string" }, {}] }, "export type TArguments = unknown;\n"],
  [
    "alternatives that only require",
    { type: "object", properties: { a: {} }, anyOf: [{ required: ["a"] }, {}] },
    "export interface TArguments {\n  a?: unknown;\n}\n",
  ],
  [
    "parts",
    { allOf: [{ properties: { a: { type: "string" } } }, { oneOf: [{ type: "string" }, { type: "null" }] }] },
    "export type TArguments = {\n  a?: string;\n} & (string | null);\n",
  ],
  ["a list of anything", { type: "array" }, "export type TArguments = unknown[];\n"],
  [
    "a tuple",
    { type: "array", prefixItems: [{ type: "string" }, { type: ["number", "null"] }], minItems: 1 },
    "export type TArguments = [item0: string, item1?: number | null];\n",
  ],
  [
    "a tuple that goes on with what it may itself be",
    { type: "array", prefixItems: [{ type: "string" }], items: { $ref: "#" } },
    "export type TArguments = [item0?: string, ...more: unknown[]];\n",
  ],
  ["a tuple that fixes nothing", { type: "array", prefixItems: [], items: { type: "number" } }, "export type TArguments = number[];\n"],
  [
    "a tuple with more",
    { type: "array", items: [{ type: "string" }], additionalItems: { type: "number" } },
    "export type TArguments = [item0?: string, ...more: number[]];\n",
  ],
  ["an external reference", { $ref: "https://example.com/schema" }, "export type TArguments = unknown;\n"],
  ["a reference to nothing", { $ref: "#/$defs/__proto__" }, "export type TArguments = unknown;\n"],
  ["a reference to itself", { $ref: "#" }, "export type TArguments = unknown;\n"],
  [
    "definitions that are nothing but each other",
    { $ref: "#/$defs/a", $defs: { a: { anyOf: [{ $ref: "#/$defs/b" }] }, b: { allOf: [{ $ref: "#/$defs/a" }, { type: "string" }] } } },
    "export type TArguments = string;\n",
  ],
])("%s", (_, schema, types) => {
  expect(printed(schema)).toBe(types);
});

test("a recursive definition becomes a named type", () => {
  const node = {
    type: "object",
    properties: { name: { type: "string" }, children: { type: "array", items: { $ref: "#/$defs/tree~1node" } } },
  };
  expect(
    printed({ type: "object", properties: { root: { $ref: "#/$defs/tree~1node" } }, $defs: { "tree/node": node } }),
  ).toBe(`export interface TArguments {
  root?: TArgumentsTree1node;
}

export interface TArgumentsTree1node {
  name?: string;
  children?: TArgumentsTree1node[];
}
`);
});

test("names that collide are told apart, and the order of the list does not matter", () => {
  const tools = [{ name: "create_refund" }, { name: "create-refund" }, { name: "9 lives" }, { name: "日本" }, { name: "" }];
  const source = printToolTypes(tools);
  expect(source).toContain('"create-refund": CreateRefundArguments;\n  create_refund: CreateRefundArguments2;');
  expect(source).toContain('"9 lives": Tool9LivesArguments;');
  expect(source).toContain('"日本": ToolArguments2;');
  expect(printToolTypes(tools.toReversed())).toBe(source);
});

test("a tool that is listed twice, or a name that is none, is refused", () => {
  expect(() => printToolTypes([{ name: "a" }, { name: "a" }])).toThrow("the tool `a` is listed twice");
  expect(() => printToolTypes([], { interfaceName: "class" })).toThrow("`class` is no name for an interface");
  expect(() => printToolTypes([], { interfaceName: "A {} export const x" })).toThrow(expect.toSatisfy(HoldpointError.is));
  expect(printToolTypes([], { interfaceName: "StripeTools" })).toBe("export interface StripeTools {\n}\n");
});

test("a server's text stays text", () => {
  const hostile = "*/ export const stolen = 1; /* \u202e\u034f\u0007\n@ts-expect-error \\";
  const source = printToolTypes([
    {
      name: 'a"; export const stolen = 1; "',
      description: hostile,
      inputSchema: {
        type: "object",
        properties: {
          [hostile]: { const: hostile, description: `@ts-nocheck\r\n${hostile}` },
          __proto__x: {},
          constructor: { type: "string" },
        },
      },
    },
  ]);
  expect(source).not.toMatch(/[\p{Cf}\p{Default_Ignorable_Code_Point}]/u);
  expect(compile({ "tools.ts": source })).toBe("");
  const thief = 'import { stolen } from "./tools.ts";\nexport default stolen;\n';
  expect(compile({ "tools.ts": source, "thief.ts": thief })).toContain("has no exported member 'stolen'");
});

test("a hostile schema is cut off: too long, too deep, too often", () => {
  const wide = printed({
    type: "object",
    properties: Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`property_${index}`, { type: "string" }])),
  });
  const many = printed({ enum: Array.from({ length: 100_000 }, (_, index) => index) });
  let deep: unknown = { type: "string" };
  for (let level = 0; level < 5000; level++) deep = { type: "object", properties: { a: deep } };
  const doubled: Record<string, unknown> = { d40: { type: "string" } };
  for (let level = 0; level < 40; level++)
    doubled[`d${level}`] = { anyOf: [{ $ref: `#/$defs/d${level + 1}` }, { $ref: `#/$defs/d${level + 1}` }] };
  const sources = [wide, many, printed(deep), printed({ $ref: "#/$defs/d0", $defs: doubled })];
  for (const source of sources) expect(source.length).toBeLessThan(200_000);
  expect(wide).toContain("[key: string]: unknown;");
  expect(sources[2]).toContain("a?: unknown;");
});

test("whatever schemas a server lists, the types compile", compileRandomTools);

test("intersections that contain themselves through several lists compile", () => {
  const pair = (second: unknown) => ({ type: ["array", "string"], prefixItems: [{ type: "null" }, second] });
  const inner = { allOf: [{ type: "array", prefixItems: [{ allOf: [{ $ref: "#" }, { type: "string" }] }] }, { type: ["number", "null"] }] };
  const source = printToolTypes([{ name: "t", inputSchema: { allOf: [pair({ type: "string" }), pair(inner)] } }]);
  expect(source).toContain("TArguments & string");
  expect(compile({ "tools.ts": source })).toBe("");
});

function compileRandomTools(): void {
  const { schema } = fc.letrec<{ schema: unknown }>((tie) => ({
    schema: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<unknown>(
        { type: "string" },
        { type: ["integer", "null"] },
        true,
        false,
        {},
        { $ref: "#" },
        { $ref: "#/$defs/a" },
        { $ref: "#/properties/b" },
        { const: "`*/\n" },
        5,
        null,
      ),
      fc.record(
        {
          type: fc.constantFrom("object", "array", ["object", "array", "string"]),
          properties: fc.dictionary(fc.string(), tie("schema"), { maxKeys: 3 }),
          required: fc.constantFrom(["a"], "a"),
          additionalProperties: tie("schema"),
          items: fc.oneof(tie("schema"), fc.array(tie("schema"), { maxLength: 2 })),
          prefixItems: fc.array(tie("schema"), { maxLength: 2 }),
          anyOf: fc.array(tie("schema"), { maxLength: 2 }),
          allOf: fc.array(tie("schema"), { maxLength: 2 }),
          $ref: fc.constantFrom("#", "#/$defs/a", "#/$defs/b", "#a"),
          $defs: fc.record({ a: tie("schema"), b: tie("schema") }),
          enum: fc.array(fc.jsonValue(), { maxLength: 3 }),
          description: fc.string({ unit: "binary" }),
          nullable: fc.boolean(),
        },
        { requiredKeys: [] },
      ),
    ),
  }));
  const tools = fc
    .tuple(
      fc.uniqueArray(fc.string({ unit: "binary" }), { minLength: 200, maxLength: 200 }),
      fc.array(schema, { minLength: 200, maxLength: 200 }),
    )
    .map(([names, schemas]) => names.map((name, index) => ({ name, description: name, inputSchema: schemas[index] })));
  // The compiler takes longest to start: it is given all servers at once.
  const servers = fc.array(tools, { minLength: 5, maxLength: 5 });
  fc.assert(
    fc.property(servers, (lists) => {
      expect(compile(Object.fromEntries(lists.map((list, index) => [`tools-${index}.ts`, printToolTypes(list)])))).toBe("");
    }),
    { numRuns: 1, endOnFailure: true },
  );
}
