import { parsePolicy } from "@holdpoint/core";
import { readYaml } from "@holdpoint/core/import";
import { expect, test } from "vitest";
import { policyFrom, policyTestFrom } from "./chosen-policy.ts";
import { recommendationFor } from "./recommended-policy.ts";
import { jsonText } from "./visible-text.ts";
import { writtenPolicy } from "./written-policy.ts";

const hostile = 'x"; process.exit(1); //\n\u2028*/ evil \u202e\u200b\u009b2J\u{e0041}\u034f\ufe0f\u{e0100}\u3164';
const invisible = /[\u007f-\u009f]|\p{Cf}|\p{Zl}|\p{Zp}|\p{Default_Ignorable_Code_Point}/u;
const list = {
  server: hostile,
  tools: [
    { name: "get_weather" },
    { name: "write-file", inputSchema: { type: "object", properties: { [hostile]: {} } } },
    { name: "__proto__" },
    { name: hostile },
    { name: "delete_all", description: hostile },
  ],
};

for (const ending of ["json", "yaml"] as const) {
  test(`a policy written as ${ending} is read back as it was, whatever the server's texts hold`, () => {
    const { policy, comments } = recommendationFor(list);
    const text = writtenPolicy(`policy.${ending}`, policy, comments);
    expect(text).not.toMatch(invisible);
    const read = ending === "json" ? parsePolicy(text) : parsePolicy(readYaml(text).value);
    expect(JSON.stringify(read)).toBe(JSON.stringify(parsePolicy(policy)));
  });
}

test("a policy written in TypeScript is the same document, with the reasons as comments on lines of their own", async () => {
  const { policy, comments } = recommendationFor(list);
  const text = writtenPolicy("policy.ts", policy, comments);
  expect(text).not.toMatch(invisible);
  expect(text).toContain("// read (low): the name's verb is `get`");
  const script = text.replace(/^import .*$/gm, "").replace("export default definePolicy(", "export default (");
  const { default: written } = await import(`data:text/javascript,${encodeURIComponent(script)}`);
  expect(JSON.stringify(parsePolicy(written))).toBe(JSON.stringify(parsePolicy(policy)));
});

test("what was chosen is what the policy says, and what its test expects", () => {
  const policy = policyFrom(
    "d",
    new Map([
      ["a", { kind: "allow" }],
      ["l", { kind: "limit", perMinute: 3 }],
      ["p", { kind: "approve" }],
      ["n", { kind: "deny" }],
      ["h", { kind: "hide" }],
    ] as const),
  );
  expect(JSON.parse(JSON.stringify(policy))).toEqual({
    version: "1",
    description: "d",
    default: "deny",
    hide: ["h"],
    tools: {
      a: {},
      l: { limits: [{ counter: "l_rate", window: "minute", max: 3, scope: "grant" }] },
      p: { require_approval: [{ conditions: [] }] },
      n: { deny_if: [{ conditions: [] }] },
    },
  });
  const text = policyTestFrom(
    "desk.ts",
    new Map([
      ["a", { kind: "allow" }],
      [hostile, { kind: "hide" }],
    ] as const),
  );
  expect(text).toContain('import policy from "./desk.ts";');
  expect(text).toContain(jsonText(hostile));
});

test("another ending is refused", () => {
  expect(() => writtenPolicy("policy.toml", { version: "1", default: "deny" }, { heading: "", tools: new Map() })).toThrow(
    "`.ts`, `.yaml` or `.json`",
  );
});

test("the test of a policy shows the names of tools as they can be read", () => {
  const text = policyTestFrom(
    "policy.json",
    new Map([
      [hostile, { kind: "allow" }],
      [`${hostile}2`, { kind: "limit", perMinute: 3 }],
    ] as const),
  );
  expect(text).not.toMatch(invisible);
  expect(text).toContain("\\u202e");
});
