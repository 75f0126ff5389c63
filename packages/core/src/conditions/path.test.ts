import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Json, JsonObject } from "../arguments/json-snapshot.ts";
import type { Facts } from "./facts.ts";
import { formatPath, isPathError, isQuantified, type Path, type PathError, parsePath, readPath, type Step } from "./path.ts";

function factsOf(args: JsonObject): Facts {
  return {
    args,
    context: { tenant: "acme" },
    tool: { name: "t", annotations: { readOnlyHint: true } },
    time: { hour: 9, weekday: 6, date: "2026-01-31" },
  };
}

function read(text: string, args: JsonObject, item?: Json): Json | undefined {
  return readPath(parsePath(text, { within: "each" }) as Path, factsOf(args), item);
}

test("a path reads names, elements and quoted keys", () => {
  const args = { amount: 5, list: [{ a: 1 }, [2, 3]], "a.b": { "c]": 4 }, "resource-group": 6, $id_1: 7, größe: 8, "": 9, "two words": 10 };
  const rows: [string, Json | undefined][] = [
    ["args.amount", 5],
    ["args.list[0].a", 1],
    ["args.list[1][1]", 3],
    ["args.list[2]", undefined],
    ['args["a.b"]["c]"]', 4],
    ['args["amount"]', 5],
    ['args["\\u0061mount"]', 5],
    ["args.resource-group", 6],
    ["args.$id_1", 7],
    ["args.größe", 8],
    ['args[""]', 9],
    ["args.two words", 10],
    ["args", args],
    ["context.tenant", "acme"],
    ["tool.annotations.readOnlyHint", true],
    ["time.weekday", 6],
  ];
  for (const [text, value] of rows) expect([text, read(text, args)]).toEqual([text, value]);
});

test("a path finds no properties of strings and arrays, no elements of objects, and nothing inherited", () => {
  const args = { text: "ab", list: [1, 2], object: { "0": "zero" }, nothing: null };
  const absent = [
    "args.text.length",
    "args.text[0]",
    "args.list.length",
    "args.list.map",
    'args.list["0"]',
    "args.object[0]",
    "args.nothing.a",
    "args.toString",
    "args.object.__proto__",
  ];
  for (const text of absent) expect([text, read(text, args)]).toEqual([text, undefined]);
  expect(read("args.nothing", args)).toBe(null);
  expect(read("args.object.0", args)).toBe("zero");
});

test("a polluted prototype is not read", () => {
  const prototype = Object.prototype as { approved?: boolean };
  prototype.approved = true;
  try {
    for (const text of ["args.approved", "args.a.approved", "args.a.b.approved"]) expect(read(text, { a: { b: {} } })).toBeUndefined();
  } finally {
    delete prototype.approved;
  }
});

test("item is read inside each, and absent where none is bound", () => {
  expect(read("item.price", {}, { price: 3 })).toBe(3);
  expect(read("item", {}, [1])).toEqual([1]);
  expect(read("item[0]", {}, [1])).toBe(1);
  expect(read("item", {})).toBeUndefined();
});

test("a path with [*] names no single value", () => {
  expect(isQuantified(parsePath("args.a[*].b") as Path)).toBe(true);
  expect(isQuantified(parsePath('args.a["*"]') as Path)).toBe(false);
  expect(read("args.a[*]", { a: [1] })).toBeUndefined();
});

test("[strict-load] what is no path says what is wrong, where, and the fix", () => {
  const rows: [string, number, string][] = [
    ["", 0, "cannot start"],
    ["amount", 0, "cannot start like `amount`"],
    ["argsx.a", 0, "cannot start"],
    ["Args.a", 0, "cannot start"],
    [" args.a", 0, "cannot start"],
    ["state.counter", 0, "cannot start"],
    ["item.a", 0, "stands only inside `each`"],
    ["context", 7, "alone names no value"],
    ["tool", 4, "alone names no value"],
    ["time", 4, "alone names no value"],
    ["args[0]", 4, "has no elements"],
    ["args[*].a", 4, "has no elements"],
    ["context[0]", 7, "has no elements"],
    ["time.minute", 4, "has no field `minute`"],
    ["time.hour.a", 9, "holds no fields"],
    ["tool.inputSchema", 4, "has no field `inputSchema`"],
    ["tool.name[0]", 9, "holds no fields"],
    ["args.", 4, "a name is missing"],
    ["args..a", 4, "a name is missing"],
    ["args.a.", 6, "a name is missing"],
    ["args.[0]", 4, "dot before a bracket"],
    ["args.a[01]", 6, "does not start with an element"],
    ["args.a[-1]", 6, "does not start with an element"],
    ["args.a[1.5]", 6, "does not start with an element"],
    ["args.a[ 1]", 6, "does not start with an element"],
    ["args.a[1e3]", 6, "does not start with an element"],
    ["args.a[99999999999999999999]", 6, "does not start with an element"],
    ["args.a[]", 6, "does not start with an element"],
    ["args.a[**]", 6, "does not start with an element"],
    ["args.a['b']", 6, "does not start with an element"],
    ["args.a[b]", 6, "does not start with an element"],
    ["args.a[0", 6, "does not start with an element"],
    ["args.a[0]b", 9, "without a dot or bracket"],
    ["args.*", 4, "a key that is called `*`"],
    ["args.items.*.sku", 10, "a key that is called `*`"],
    ["args.items.*[0]", 10, "a key that is called `*`"],
    ["args.a]", 6, "without a dot or bracket"],
    ['args.a"b', 6, "without a dot or bracket"],
    ['args["a]', 4, "no JSON string"],
    ['args["\\x"]', 4, "no JSON string"],
    ["args.a\nb", 6, "without a dot or bracket"],
    ["args.a\u0000", 6, "without a dot or bracket"],
  ];
  for (const [text, at, words] of rows) {
    const parsed = parsePath(text) as PathError;
    expect([text, isPathError(parsed), parsed.at, parsed.fix]).toEqual([text, true, at, expect.stringMatching(/./)]);
    expect(parsed.error).toContain(words);
  }
});

test("one path has one canonical text", () => {
  const rows = [
    ['args["amount"]', "args.amount"],
    ['args["a.b"][0][*].c', 'args["a.b"][0][*].c'],
    ['args["\\u0061"]', "args.a"],
    ['args["*"]', 'args["*"]'],
    ["args.a*", "args.a*"],
    ['args["0"]', "args.0"],
    ['args["q\\"q"]', 'args["q\\"q"]'],
  ] as const;
  for (const [text, canonical] of rows) expect(formatPath(parsePath(text) as Path)).toBe(canonical);
});

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.string({ unit: "binary" }).map((name) => ({ kind: "name", name }) as const),
  fc.nat().map((index) => ({ kind: "index", index }) as const),
  fc.constant({ kind: "elements" } as const),
);

test("property: a formatted path parses to itself", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 5 }), (steps) => {
      const path: Path = { root: "item", steps };
      expect(parsePath(formatPath(path), { within: "each" })).toEqual(path);
    }),
  );
});

test("property: any text is a path or an error inside it, and canonical text is stable", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((rest) => `args.${rest}`),
        fc.string().map((rest) => `item[${rest}`),
      ),
      (text) => {
        const parsed = parsePath(text, { within: "each" });
        if (isPathError(parsed)) {
          expect(parsed.at).toBeGreaterThanOrEqual(0);
          expect(parsed.at).toBeLessThanOrEqual(text.length);
        } else expect(formatPath(parsePath(formatPath(parsed), { within: "each" }) as Path)).toBe(formatPath(parsed));
      },
    ),
  );
});
