import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Json } from "../arguments/json-snapshot.ts";
import type { Comparison, Operator } from "../policy/policy-schema.ts";
import { compileGlob } from "./glob.ts";
import { checkValue, operatorMeanings } from "./operators.ts";
import { type Path, parsePath } from "./path.ts";
import { compileRegex, type RegularExpression } from "./regular-expression.ts";

const path = parsePath("args.x") as Path;
const date = parsePath("time.date") as Path;
const check = (op: Operator, value: unknown, at = path) => checkValue(op, value as Comparison["value"], at);

test("[strict-load] a value that an operator cannot use says so and names the fix", () => {
  const rows: [Operator, unknown, string][] = [
    ["regex", "(?=a)b", "cannot run in linear time"],
    ["regex", "(?<=a)b", "cannot run in linear time"],
    ["regex", "(a)\\1", "cannot run in linear time"],
    ["regex", "a{1001}", "cannot run in linear time"],
    ["regex", "(", "missing closing )"],
    ["regex", `(?:${"a".repeat(900)}){12}`, "too large"],
    ["glob", "a/***", "write `*`"],
    ["lt", "2026-01-31", "write a number"],
    ["gte", "5", "write a number"],
    ["length_lte", -1, "zero or more"],
    ["length_gte", 1.5, "whole number"],
    ["within_path", "data", "`data` is not absolute"],
    ["within_path", ["/ok", "/a/../b"], "`/a/../b` has a `.` or `..` segment"],
    ["within_path", "~/x", "is not absolute"],
    ["within_path", "C:\\x", "has a backslash"],
    ["within_path", "//host/share", "has an empty segment"],
    ["host_in", ["https://a.com"], "without scheme, port or path"],
    ["host_in", ["a.com:80"], "without scheme, port or path"],
    ["host_in", ["A.com"], "write it in lower case"],
    ["host_in", ["a.com."], "without scheme, port or path"],
    ["host_in", ["*"], "without scheme, port or path"],
    ["host_in", ["a.*.com"], "without scheme, port or path"],
    ["host_in", ["é.com"], "without scheme, port or path"],
    ["host_in", ["127.1"], "no dotted IPv4 address"],
    ["host_in", ["2130706433"], "no dotted IPv4 address"],
    ["host_in", ["0x7f.0.0.1"], "no dotted IPv4 address"],
    ["host_in", ["*.0.0.1"], "subdomains of a number"],
    ["host_in", ["[::ffff:1.2.3.4]"], "without scheme"],
    ["host_in", ["[::ffff:102:304]"], "stands for an IPv4 address"],
    ["cidr_in", ["10.0.0.1/8"], "write `10.0.0.0/8`"],
    ["cidr_in", ["2001:db8::1/32"], "write `2001:db8::/32`"],
    ["cidr_in", ["10.0.0.0/33"], "longer than 32"],
    ["cidr_in", ["::/129"], "longer than 128"],
    ["cidr_in", ["10.0.0.0/08"], "is no network"],
    ["cidr_in", ["10.0.0/8"], "is no network"],
    ["cidr_in", ["::ffff:0:0/96"], "is no network"],
    ["cidr_in", ["localhost"], "is no network"],
    ["eq", { literal: ["\ud800"] }, "lone surrogate"],
    ["in", ["a", { literal: { b: "\udc00" } }], "lone surrogate"],
  ];
  for (const [op, value, words] of rows) expect([op, value, check(op, value)]).toEqual([op, value, expect.stringContaining(words)]);
  for (const value of ["2026-02-30", "2026-1-31", "tomorrow", 20260131, "2026-01-31T00:00:00Z"])
    expect(check("gte", value, date)).toContain("write it as `2026-01-31`");
  for (const other of ["args.date", "context.date", "args.day.date"])
    expect(check("gte", "2026-01-31", parsePath(other) as Path)).toContain("write a number");
});

test("a value that an operator can use passes", () => {
  const rows: [Operator, unknown][] = [
    ["eq", null],
    ["eq", { literal: { a: [1] } }],
    ["eq", { from: "context.tenant" }],
    ["in", ["a", 1, null, { literal: [1] }]],
    ["regex", "(?i)^[a-z]{1,1000}$"],
    ["glob", "**/*.ts"],
    ["lt", -0.5],
    ["lt", { from: "context.bound" }],
    ["length_lte", 0],
    ["within_path", "/"],
    ["within_path", ["/a", "/b/c/"]],
    ["host_in", ["a.com", "*.a.com", "localhost", "xn--bcher-kva.example", "127.0.0.1", "[::1]", "a_b.com"]],
    ["cidr_in", ["0.0.0.0/0", "10.0.0.1", "::/0", "fe80::/10", "2001:DB8::/32"]],
  ];
  for (const [op, value] of rows) expect([op, value, check(op, value)]).toEqual([op, value, undefined]);
  expect(check("lt", "2028-02-29", date)).toBeUndefined();
});

test("what is no number to compare with is unknown, not false", () => {
  for (const op of ["lt", "lte", "gt", "gte"] as const) {
    for (const odd of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(operatorMeanings[op].prepare(5, path)(odd)).toBe("unknown");
      expect(operatorMeanings[op].prepare(odd, path)(5)).toBe("unknown");
    }
  }
});

test("[fail-closed] what an operator finds elsewhere and cannot compare against leaves it unknown", () => {
  const rows: [Operator, Json, Json, Path?][] = [
    ["exists", "yes", 1],
    ["exists", 1, null],
    ["length_lte", "5", "abc"],
    ["length_gte", null, "abc"],
    ["length_gte", Number.NaN, "abc"],
    ["starts_with", 5, "5"],
    ["ends_with", ["c"], "abc"],
    ["regex", ["b"], "abc"],
    ["gte", ["2026-01-31"], "2026-02-01", date],
    ["gte", "2026-01-31", ["2026-02-01"], date],
    ["gte", "2026-01-31", "2026-02-01", parsePath("args.date") as Path],
    ["eq", { name: "\ud800" }, { name: "a" }],
    ["eq", { name: "a" }, { name: "\ud800" }],
    ["in", [["\ud800"]], ["a"]],
  ];
  for (const [op, expected, actual, at = path] of rows)
    expect([op, expected, actual, operatorMeanings[op].prepare(expected, at)(actual)]).toEqual([op, expected, actual, "unknown"]);
});

test("[fail-closed] property: no operator throws on any pair of JSON values, and neq and not_in are the opposites", () => {
  const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>;
  const anyJson = fc.oneof(json, fc.constantFrom<Json>("\ud800", ["\udc00"], "https://a.com/", "/a/b", "10.0.0.1", "::1", "2026-01-31"));
  const negated = (truth: unknown) => (truth === "unknown" ? truth : !truth);
  fc.assert(
    fc.property(anyJson, anyJson, (actual, expected) => {
      const truth = (op: Operator, value = expected) => operatorMeanings[op].prepare(value, path)(actual);
      for (const op of Object.keys(operatorMeanings) as Operator[]) expect([true, false, "unknown"]).toContain(truth(op));
      expect(truth("neq")).toBe(negated(truth("eq")));
      expect(truth("not_in")).toBe(negated(truth("in")));
      expect(truth("in", [expected])).toBe(truth("eq"));
      expect(operatorMeanings.contains.prepare(expected, path)([actual])).toBe(truth("eq"));
      expect(operatorMeanings.eq.prepare(structuredClone(actual), path)(actual)).not.toBe(false);
    }),
    { numRuns: 300 },
  );
});

test("a regular expression that backtracking engines never finish answers", () => {
  const regex = compileRegex("^(a+)+$") as RegularExpression;
  expect(regex.test(`${"a".repeat(100_000)}!`)).toBe(false);
  expect(regex.test("a".repeat(100_000))).toBe(true);
});

test("a regular expression looks at the whole value", () => {
  const regex = compileRegex("rm +-rf") as RegularExpression;
  expect(regex.test(`${"a".repeat(10_001)}rm  -rf`)).toBe(true);
  expect((compileRegex("drop table") as RegularExpression).test(`${"a".repeat(10_001)}\ndrop table`)).toBe(true);
});

test("property: a plain word gives the verdict that the engine gives", () => {
  const letter = fc.constantFrom("a", "b", "-", " ", "/", "\n", "😀", "\ud800");
  const text = fc.array(letter, { maxLength: 6 }).map((letters) => letters.join(""));
  const word = fc.array(fc.constantFrom("a", "b", "-", " ", "/"), { minLength: 1, maxLength: 3 }).map((letters) => letters.join(""));
  const anchors = fc.constantFrom(["", ""], ["^", ""], ["", "$"], ["^", "$"]) as fc.Arbitrary<[string, string]>;
  fc.assert(
    fc.property(word, anchors, text, (literal, [start, end], given) => {
      const shortcut = compileRegex(`${start}${literal}${end}`) as RegularExpression;
      const engine = compileRegex(`(?:${start}${literal}${end})`) as RegularExpression;
      expect(shortcut.test(given)).toBe(engine.test(given));
    }),
    { numRuns: 500 },
  );
});

/** The meaning of a glob, without an engine: what may be left of the text after each part of the pattern. */
function globMatches(pattern: string, text: string): boolean {
  if (pattern === "") return text === "";
  const double = pattern.startsWith("**");
  if (!pattern.startsWith("*")) return text.startsWith(pattern[0] as string) && globMatches(pattern.slice(1), text.slice(1));
  const rest = pattern.slice(double ? 2 : 1);
  for (let taken = 0; taken <= text.length; taken += 1) {
    if (globMatches(rest, text.slice(taken))) return true;
    if (!double && text[taken] === "/") return false;
  }
  return false;
}

test("property: a glob means what its parts mean", () => {
  const part = fc.constantFrom("*", "**", "a", "/", ".", "?", "\n", "[", "\\");
  const pattern = fc.array(part, { maxLength: 6 }).map((parts) => parts.join("").replace(/\*{3,}/g, "**"));
  const text = fc.array(fc.constantFrom("a", "/", ".", "?", "\n", "[", "\\"), { maxLength: 6 }).map((letters) => letters.join(""));
  fc.assert(
    fc.property(pattern, text, (glob, given) => {
      expect((compileGlob(glob) as RegularExpression).test(given)).toBe(globMatches(glob, given));
    }),
    { numRuns: 1000 },
  );
});

test("a glob of many stars answers on a long text", () => {
  const glob = compileGlob(`${"*a".repeat(50)}*b`) as RegularExpression;
  expect(glob.test("a".repeat(100_000))).toBe(false);
});

test("property: a path that is within a root begins with its segments, and one with `..` is never placed", () => {
  const segment = fc.constantFrom("a", "b", "ab", "..", ".", "", "~", "c d");
  const segments = fc.array(segment, { maxLength: 5 });
  fc.assert(
    fc.property(segments, fc.array(fc.constantFrom("a", "b", "ab"), { minLength: 1, maxLength: 2 }), (parts, root) => {
      const actual = `/${parts.join("/")}`;
      const found = operatorMeanings.within_path.prepare(`/${root.join("/")}`, path)(actual);
      if (parts.includes("..") || parts.includes(".")) expect(found).toBe("unknown");
      if (found === true) expect(actual.split("/").slice(1, root.length + 1)).toEqual(root);
      if (found === false) expect(parts.slice(0, root.length)).not.toEqual(root);
    }),
    { numRuns: 1000 },
  );
});

test("property: a host that is placed is the host that the URL parser finds, and the text says so plainly", () => {
  const piece = fc.constantFrom(
    "http://",
    "https:",
    "//",
    "/",
    "\\",
    "a.com",
    "evil.com",
    "@",
    ":",
    "80",
    "?",
    "#",
    ".",
    "%61",
    "\t",
    "A",
    "ⓐ",
    "127.1",
    "0x7f",
    "[::1]",
    "\u00ad",
  );
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 8 }), (pieces) => {
      const url = pieces.join("");
      const found = operatorMeanings.host_in.prepare(["a.com", "*.a.com"], path)(url);
      if (found === "unknown") return;
      const { hostname, username } = new URL(url);
      expect(username).toBe("");
      expect(url.toLowerCase()).toMatch(new RegExp(`^https?://${hostname.replace(/[.[\]]/g, "\\$&")}`));
      expect(found).toBe(hostname === "a.com" || hostname.endsWith(".a.com"));
    }),
    { numRuns: 2000 },
  );
});
