import { describeBounds, type Evaluated, type Explanation, printable } from "@holdpoint/core";
import type { TestVerdict } from "./policy-test.ts";

/**
 * A verdict as a person reads it when a test fails: the call, who made it and when, what was decided by which rule, and every condition with the value that
 * it saw.
 */
export function describeVerdict(verdict: TestVerdict): string {
  const { call } = verdict;
  return [
    `call      ${describeCall(call)}`,
    `context   ${jsonText(call.context)}`,
    `time      ${new Date(call.at).toISOString()}`,
    ...describeOutcome(verdict),
    ...describeRules(verdict.evaluated),
  ].join("\n");
}

/** `create_refund {"amount":500}`. */
export function describeCall({ tool, arguments: args }: { readonly tool: string; readonly arguments?: unknown }): string {
  return `${printable(tool)} ${jsonText(args ?? {})}`;
}

function describeOutcome(verdict: TestVerdict): string[] {
  const by = verdict.rule === "" ? "" : `, by ${verdict.rule}`;
  const lines = [`verdict   ${verdict.outcome}${by}`];
  if (verdict.message !== "") lines.push(`message   ${verdict.message}`);
  if (verdict.detail !== "" && verdict.detail !== verdict.message) lines.push(`detail    ${verdict.detail}`);
  if (verdict.retryAfterMs !== undefined) lines.push(`retry     in ${Math.ceil(verdict.retryAfterMs / 1000)} s`);
  else if (verdict.wouldPass) lines.push(`hint      ${describeBounds(verdict.wouldPass)}`);
  for (const { rule, code } of verdict.observed) lines.push(`observed  ${code}, by ${rule}`);
  for (const { limit, remaining } of verdict.room) lines.push(`room      ${remaining} left, in ${limit}`);
  return lines;
}

function describeRules(evaluated: readonly Evaluated[]): string[] {
  if (evaluated.length === 0) return [];
  return [
    "rules",
    ...evaluated.flatMap((rule) => [
      `  ${effectOf(rule)}  ${rule.rule}`,
      ...rule.conditions.flatMap((condition) => describeCondition(condition, 1)),
    ]),
  ];
}

/** Whether a rule stopped the call: `require` by what is not true, the others by what is not false. */
export function doesStop({ section, truth }: Pick<Evaluated, "section" | "truth">): boolean {
  return section === "require" ? truth !== true : truth !== false;
}

function effectOf(rule: Evaluated): string {
  if (!doesStop(rule)) return "passes";
  return rule.section === "require_approval" ? "holds " : "denies";
}

function describeCondition({ text, truth, compared, parts }: Explanation, depth: number): string[] {
  const indent = " ".repeat(8 + 2 * depth);
  const line = `${indent}${String(truth).padEnd(7)}  ${text}${compared ? seen(text, compared) : ""}`;
  return [line, ...parts.flatMap((part) => describeCondition(part, depth + 1))];
}

function seen(text: string, { expected, saw }: NonNullable<Explanation["compared"]>): string {
  const found = saw === undefined ? "nothing there" : `saw ${jsonText(saw)}`;
  const literal = expected !== undefined && text.endsWith(JSON.stringify(expected));
  const compared = literal ? "" : `, compared with ${expected === undefined ? "nothing" : jsonText(expected)}`;
  return `    (${found}${compared})`;
}

/** JSON where it is JSON; what a test may pass besides is named for what it is. */
function jsonText(value: unknown): string {
  return printable(textOf(value), 500);
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch (error) {
    return `(no JSON: ${error instanceof Error ? error.message : String(error)})`;
  }
}
