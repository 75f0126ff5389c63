import fc from "fast-check";
import { expect, test } from "vitest";
import { ImportError } from "./import-log.ts";
import { readYaml } from "./intercept-yaml.ts";

function issuesOf(text: string): string[] {
  try {
    readYaml(text);
  } catch (error) {
    if (!ImportError.is(error)) throw error;
    return error.issues.map(({ line, column, pointer, message }) => `${line}:${column} ${pointer} ${message}`);
  }
  return [];
}

test("a value is found again by its pointer, a key by the same pointer", () => {
  const { value, locate } = readYaml('tools:\n  "a/b":\n    rules: [1, two]\n');
  expect(value).toEqual({ tools: { "a/b": { rules: [1, "two"] } } });
  expect(locate("/tools/a~1b/rules/1", "value")).toEqual({ line: 3, column: 16 });
  expect(locate("/tools/a~1b", "key")).toEqual({ line: 2, column: 3 });
});

test("a key that stands twice is refused at the second", () => {
  expect(issuesOf("a: 1\nb: 2\na: 3")).toEqual(["3:1 /a the key `a` stands here twice"]);
});

test("several documents in one text are refused", () => {
  expect(issuesOf("a: 1\n---\na: 2")).toEqual(["2:1  the text holds several YAML documents"]);
});

test("an error of syntax says where", () => {
  expect(issuesOf("a:\n  - [b")[0]).toMatch(/^2:7 {2}flow sequence/);
  expect(issuesOf("a:\n\t- b")[0]).toMatch(/^2:1 {2}tabs are not allowed/);
});

test("an alias stands for its anchor, which must come first, be unique, and not hold it", () => {
  expect(readYaml("a: &x [1]\nb: *x").value).toEqual({ a: [1], b: [1] });
  expect(issuesOf("a: *x")).toEqual(["1:4 /a no anchor `&x` stands before this alias"]);
  expect(issuesOf("a: &x [*x]")).toEqual(["1:8 /a/0 this alias stands inside what it stands for"]);
  expect(issuesOf("a: &x 1\nb: &x 2")).toEqual(["2:7 /b the anchor `&x` is set twice"]);
});

test("aliases count for what they stand for: ten lines cannot become ten billion values", () => {
  const lines = Array.from(
    { length: 10 },
    (_, level) =>
      `l${level}: &l${level} [${Array(10)
        .fill(level === 0 ? "1" : `*l${level - 1}`)
        .join(", ")}]`,
  );
  expect(issuesOf(lines.join("\n"))).toEqual([expect.stringContaining("the document holds more than 100000 values, aliases included")]);
});

test("a text that nests or runs too far is refused, not run into the ground", () => {
  expect(issuesOf(`a: ${"[".repeat(70)}${"]".repeat(70)}`)[0]).toContain("nested more than 64 levels deep");
  expect(issuesOf("[".repeat(100_000))[0]).toBeDefined();
  expect(issuesOf(`a: "${"x".repeat(1_048_576)}"`)).toEqual(["1:1  the text is longer than 1 MiB"]);
});

test.for(["0777", "-012", "1_000", "0x1F", "0b11", "0o17", "2026-01-31", "2026-01-31T10:00:00Z"])(
  "%s is a number or date to one reader and text to another, so it needs quotes",
  (written) => {
    expect(issuesOf(`a: ${written}`)).toEqual([`1:4 /a \`${written}\` is read differently by different YAML readers`]);
    expect(readYaml(`a: "${written}"`).value).toEqual({ a: written });
  },
);

test("numbers that cannot be kept exactly are refused", () => {
  for (const written of [".inf", "-.inf", ".nan", "1e400", "9007199254740993"]) expect(issuesOf(`a: ${written}`)).toHaveLength(1);
  expect(readYaml("a: [0, -1, 1.5, .5, 1e3, 10:30, yes]").value).toEqual({ a: [0, -1, 1.5, 0.5, 1000, "10:30", "yes"] });
});

test("tags, directives, merge keys and keys that are no text are refused", () => {
  expect(issuesOf("a: !!str 5")).toEqual(["1:10 /a the tag `tag:yaml.org,2002:str` is not read"]);
  expect(issuesOf("a: !other 5")[0]).toMatch(/unresolved tag/);
  expect(issuesOf("%YAML 1.1\n---\na: yes")).toEqual(["1:1  a `%YAML` directive changes how values are read"]);
  expect(issuesOf("a: &x { b: 1 }\nc:\n  <<: *x")).toEqual(["3:3 /c/<< merge keys are not read"]);
  expect(issuesOf("1: a")).toEqual(["1:1 /1 a key must be text"]);
  expect(issuesOf("? [a]\n: b")).toEqual(["1:3 /? a key must be text"]);
});

test("`__proto__` is a key like any other", () => {
  const value = readYaml("__proto__: { polluted: true }").value as object;
  expect(Object.keys(value)).toEqual(["__proto__"]);
  expect((value as { polluted?: boolean }).polluted).toBeUndefined();
});

test("any text is read or refused: nothing else is thrown", () => {
  const token = fc.constantFrom(
    "a",
    ": ",
    "\n",
    "  ",
    "- ",
    "&x ",
    "*x",
    "[",
    "]",
    "{",
    "}",
    "!!str ",
    "?",
    "|",
    "'",
    '"',
    "<<",
    "---\n",
    "0777",
    "#",
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 30 }), (tokens) => void issuesOf(tokens.join(""))),
    { numRuns: 2000 },
  );
});
