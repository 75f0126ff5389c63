import { expect, test } from "vitest";
import { parseJson, parseJsonc } from "./json-file.ts";

for (const [text, place] of [
  ['{"a": }', "1:7"],
  ['{\n "a": 1\n "b": 2}', "3:2"],
  ['{"a": [1, 2,]}', "1:13"],
  ['{"a": tru, "b": 1}', "1:7"],
  ['{"a": "one\ntwo"}', "1:11"],
  ['{\n"a": "b', "2:8"],
  ['{\n  "a": "b"\n', "3:1"],
  ["", "1:1"],
  ["{ a: 1 }", "1:3"],
  ['{"a": "\\x"}', "1:9"],
  ['{"a": 1} x', "1:10"],
] as const) {
  test(`a fault is named with line and column: ${JSON.stringify(text)}`, () => {
    expect(() => parseJson("f.json", text)).toThrow(`f.json:${place}: the text is not JSON: `);
  });
}

test("[strict-load] a key that stands twice is named with line and column", () => {
  expect(() => parseJson("f.json", '{"a": 1,\n "b": [{"c": 1, "\\u0063": 2}]}')).toThrow(
    "f.json:2:17: the key `c` stands twice at `/b/0/c`: keep one of the two",
  );
  expect(parseJson("f.json", '{"a": {"b": 1}, "b": {"b": "\\"b\\":"}}')).toEqual({ a: { b: 1 }, b: { b: '"b":' } });
});

test("what is said of a fault holds none of the text, which may be secret", () => {
  expect(() => parseJson("f.json", '{"token": "s3cret" }}')).toThrow(
    /^f\.json:1:21: the text is not JSON: Unexpected non-whitespace character after JSON$/,
  );
  expect(() => parseJson("f.json", '{"token": s3cret }')).toThrow(/Unexpected token 's'$/);
});

test("comments and trailing commas are passed over, and move no fault", () => {
  expect(parseJsonc("f", '{ "a": "http://x, }", /* not\nthis */ "b": [1, 2,], // nor this\n }')).toEqual({
    a: "http://x, }",
    b: [1, 2],
  });
  expect(() => parseJsonc("f", '{\n  // what\n  "a": [1,], /* and\n  more */ b\n}')).toThrow("f:4:11: the text is not JSON");
});
