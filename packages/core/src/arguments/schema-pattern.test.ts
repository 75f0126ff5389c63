import { expect, test } from "vitest";
import type { Run } from "./schema-evaluation.ts";
import { compilePattern } from "./schema-pattern.ts";

const patterns = [
  ["^\\d{3}-\\w+$", "\\/a\\-", "^https?:\\/\\/", "^[^/]+/[^/]+$", "^[a-zA-Z0-9_-]{1,64}$", "[\\w.-]+@[\\w-]+\\.\\w+", "^\\S+@\\S+$"],
  ["\\u0041", "\\u{1F600}", "\\uD83D\\uDE00", "[\\uD83D\\uDE00]", "\\cA", "\\0", "\\x41", "\\t", "\\v", "\\n", "é"],
  [
    ".",
    "^.$",
    "[.]",
    "[^]",
    "[]",
    "[[]",
    "[(?:]+$",
    "[$]",
    "[\\[\\]]",
    "[\\]]",
    "[a-z&&b]",
    "[^\\x00-\\x1F]",
    "\\^",
    "\\$",
    "\\*",
    "a{,2}",
  ],
  ["\\s", "[^\\s]", "[\\S]", "[\\s-x]", "[-\\s]", "[\\w-.]", "[\\d-z]", "\\D", "[\\D]", "\\W", "[\\b]", "\\bfoo\\b"],
  ["(?<y>\\d{4})-(?<m>\\d\\d)", "^(?:a|b)+?$", "x*?", "(a|b|)", "a|", "^$", "\\p{Lu}", "\\P{L}", "\\p{Script=Greek}", "\\p{gc=Lu}"],
].flat();

const texts = [
  ..."aZ09_- .,/\\\n\r\t\v\f\u00a0\u2028\ufeff\u3000\u0001\u0000\b@:[](){}^$&?*+|#xoé\u{1F600}αΩbym",
  ...[
    "",
    "2024-01",
    "123-abc",
    "/a-",
    "foo",
    "a foo b",
    "foo@bar.com",
    "https://x",
    "x/y",
    "a{,2}",
    "(?:",
    "-x",
    "[]",
    " a",
    "a\n",
    "\n\n",
    "A\u2029",
  ],
];

const unbounded = (): Run => ({ problems: null, maxProblems: 8, path: [], steps: Number.POSITIVE_INFINITY, depth: 0, evaluated: null });

test("patterns mean to the linear engine what they mean in ECMA-262", () => {
  for (const source of patterns) {
    const compiled = compilePattern(source, 10_000);
    if ("error" in compiled) throw new Error(`${source}: ${compiled.error}`);
    const native = nativePattern(source);
    for (const text of texts) expect(compiled.matches(text, unbounded()), JSON.stringify({ source, text })).toBe(native.test(text));
  }
});

/** With the `u` flag where the pattern allows it; servers also send what only the older syntax does. */
function nativePattern(source: string): RegExp {
  try {
    return new RegExp(source, "u");
  } catch {
    return new RegExp(source);
  }
}

test("what RE2 cannot run, or would read with another meaning, is an error", () => {
  for (const source of [
    "(?=a)",
    "(?!a)",
    "(?<=a)",
    "(?<!a)",
    "(a)\\1",
    "(?<y>a)\\k<y>",
    "\\Z",
    "\\A",
    "\\Qa\\E",
    "\\C",
    "\\z",
    "\\a",
    "\\u{D800}",
    "\\uD800",
    "\\xZ",
    "\\c1",
    "\\07",
    "a{1001}",
    "a**",
    "(",
    "[z-a]",
  ]) {
    expect(compilePattern(source, 10_000), source).toHaveProperty("error");
  }
});

test("inline flags of other dialects keep their one meaning", () => {
  const compiled = compilePattern("(?i)^abc$", 10_000);
  expect("matches" in compiled && compiled.matches("ABC", unbounded())).toBe(true);
});

test("the work of a match is charged before it is done", () => {
  const compiled = compilePattern("^a{0,900}$", 10_000);
  if ("error" in compiled) throw new Error(compiled.error);
  expect(compiled.instructions).toBeGreaterThan(900);
  expect(() => compiled.matches("a".repeat(10_000), { ...unbounded(), steps: 1000 })).toThrow();
  expect(compilePattern("^a{0,900}$", 900)).toHaveProperty("error");
});
