import { type PolicyDocument, parsePolicy, type ToolRules } from "@holdpoint/core";
import type { Category } from "@holdpoint/core/risk";
import { jsonText } from "./visible-text.ts";

/** What a person chose for one tool. */
export type Choice = { readonly kind: "allow" | "approve" | "deny" | "hide" } | { readonly kind: "limit"; readonly perMinute: number };

/** What is preselected, by what the tool does: the same that `recommendPolicy` writes. */
export function recommendedChoice(category: Category): Choice {
  switch (category) {
    case "read":
      return { kind: "allow" };
    case "write":
      return { kind: "limit", perMinute: 30 };
    case "execute":
      return { kind: "limit", perMinute: 10 };
    case "financial":
      return { kind: "approve" };
    case "destructive":
      return { kind: "hide" };
  }
}

/** The policy that says what was chosen; tools that nobody chose for are denied. */
export function policyFrom(description: string, choices: ReadonlyMap<string, Choice>): PolicyDocument {
  const hidden = [...choices].filter(([, { kind }]) => kind === "hide").map(([name]) => name);
  const listed = [...choices].filter(([, { kind }]) => kind !== "hide");
  return parsePolicy({
    version: "1",
    description,
    default: "deny",
    ...(hidden.length > 0 && { hide: hidden }),
    ...(listed.length > 0 && { tools: Object.fromEntries(listed.map(([name, choice]) => [name, rulesFor(name, choice)])) }),
  });
}

function rulesFor(name: string, choice: Choice): ToolRules {
  if (choice.kind === "limit") return { limits: [{ counter: `${name}_rate`, window: "minute", max: choice.perMinute, scope: "grant" }] };
  if (choice.kind === "approve") return { require_approval: [{ conditions: [] }] };
  // Denied but still listed: the model sees the tool and is told that it may not call it.
  if (choice.kind === "deny") return { deny_if: [{ conditions: [] }] };
  return {};
}

/** A test of that policy for vitest: one row for each tool, so that a change of the policy is a change of the test. */
export function policyTestFrom(policyFile: string, choices: ReadonlyMap<string, Choice>): string {
  const named = (kind: Choice["kind"]) => [...choices].filter(([, choice]) => choice.kind === kind).map(([name]) => name);
  const limited = [...choices].flatMap(([name, choice]) => (choice.kind === "limit" ? [[name, choice.perMinute] as const] : []));
  const parts = [
    rows(named("allow"), "%s is allowed", "(tool) => expect(policy).toAllow({ tool })"),
    limited.length === 0
      ? ""
      : `test.each([\n${limited.map(([name, max]) => `  [${jsonText(name)}, ${max}] as const,\n`).join("")}])("%s is allowed %i times a minute", (tool, max) => expect(policy).toAdmitExactly(max, { tool }));\n`,
    rows(named("approve"), "%s waits for a person", "(tool) => expect(policy).toHold({ tool })"),
    rows(named("deny"), "%s is denied", "(tool) => expect(policy).toDeny({ tool })"),
    rows(named("hide"), "%s is hidden", '(tool) => expect(policy).toDeny({ tool }, { rule: "(hidden)" })'),
    'test("a tool that the policy does not list is denied", () => expect(policy).toDeny({ tool: "a_tool_of_tomorrow" }, { rule: "(default deny)" }));\n',
  ];
  return `${importsOf(policyFile)}\n${parts.filter((part) => part !== "").join("\n")}`;
}

function rows(names: readonly string[], title: string, body: string): string {
  if (names.length === 0) return "";
  return `test.each([\n${names.map((name) => `  ${jsonText(name)},\n`).join("")}])(${JSON.stringify(title)}, ${body});\n`;
}

function importsOf(policyFile: string): string {
  const matchers = 'import "@holdpoint/testing/vitest";\nimport { expect, test } from "vitest";\n';
  const path = JSON.stringify(`./${policyFile}`);
  if (policyFile.endsWith(".ts")) return `${matchers}import policy from ${path};\n`;
  const read = `readFileSync(new URL(${path}, import.meta.url), "utf8")`;
  if (policyFile.endsWith(".json")) {
    return `import { readFileSync } from "node:fs";\nimport { parsePolicy } from "@holdpoint/core";\n${matchers}\nconst policy = parsePolicy(${read});\n`;
  }
  return `import { readFileSync } from "node:fs";\nimport { parsePolicy } from "@holdpoint/core";\nimport { readYaml } from "@holdpoint/core/import";\n${matchers}\nconst policy = parsePolicy(readYaml(${read}).value);\n`;
}
