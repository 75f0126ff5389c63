import {
  type CompiledPolicy,
  type Condition,
  conditionText,
  type Explanation,
  type MergedPolicy,
  type PolicyDocument,
} from "@holdpoint/core";
import { doesStop } from "./describe-verdict.ts";
import type { TestVerdict } from "./policy-test.ts";

/** Which rules of the policies under test had a part in a verdict. Plain JSON. */
export interface CoverageReport {
  readonly policies: readonly CoveredPolicy[];
}

export interface CoveredPolicy {
  /** SHA-256 of the policy, in hex. */
  readonly digest: string;
  readonly name: string;
  /** How many calls were decided. */
  readonly calls: number;
  readonly tools: readonly { readonly name: string; readonly calls: number }[];
  readonly rules: readonly CoveredRule[];
}

export interface CoveredRule {
  /** The rule's id: a JSON Pointer, or `(hidden)`, `(default deny)`. */
  readonly rule: string;
  readonly section: "require" | "deny_if" | "require_approval" | "limits" | "arguments" | "default" | "hide";
  /** How often it stopped a call, whether or not another rule was named first. */
  readonly fired: number;
  /** How often it was the rule that was named. */
  readonly named: number;
  readonly conditions: readonly CoveredCondition[];
}

/** How often a condition was seen with each truth. Conditions that nest stand one after another, the outer one first. */
export interface CoveredCondition {
  readonly text: string;
  readonly depth: number;
  readonly true: number;
  readonly false: number;
  readonly unknown: number;
  /** False for what is always there to be compared, such as `time.hour`, and for `exists`. */
  readonly canBeUnknown: boolean;
}

/** Collects coverage. */
export interface PolicyCoverage {
  /** Makes a policy known, so that its rules are reported even if no call is decided by it. */
  add(name: string, policy: CompiledPolicy): void;
  record(policy: CompiledPolicy, verdict: TestVerdict): void;
  report(): CoverageReport;
}

/**
 * Collects which rules fired, and which conditions were seen true, false and unknown, over all policy tests that it is given to.
 *
 * @example
 * const coverage = policyCoverage();
 * const refunds = policyTest(policy, { coverage });
 * // … decide calls …
 * console.log(coverageTable(coverage.report()));
 */
export function policyCoverage(): PolicyCoverage {
  const policies = new Map<string, Collecting>();
  return {
    add(name, policy) {
      if (!policies.has(policy.digest)) policies.set(policy.digest, collect(name, policy));
    },
    record(policy, verdict) {
      const collecting = policies.get(policy.digest);
      if (collecting) count(collecting, verdict);
    },
    report: () => ({
      policies: [...policies.values()].map(({ digest, name, calls, tools, rules }) => ({
        digest,
        name,
        calls,
        tools: [...tools].map(([tool, count]) => ({ name: tool, calls: count })),
        rules: [...rules.values()],
      })),
    }),
  };
}

/** Set, to any text, in a process whose policy tests shall collect without being told to; the vitest reporter does. */
export const coverageVariable = "HOLDPOINT_POLICY_COVERAGE";

const key = Symbol.for("holdpoint.policy-coverage");

const shared = globalThis as { [key]?: PolicyCoverage | undefined };

/** The collector of this process; two copies of the package share it. `undefined` where nobody asked for one. */
export function processCoverage(): PolicyCoverage | undefined {
  if (!globalThis.process?.env[coverageVariable]) return undefined;
  shared[key] ??= policyCoverage();
  return shared[key];
}

/** What the process has collected since this was last asked, since one process may run several test files. */
export function takeProcessCoverage(): CoverageReport {
  const collected = shared[key];
  shared[key] = undefined;
  return collected?.report() ?? { policies: [] };
}

export function nameOf(policy: PolicyDocument | MergedPolicy, digest: string): string {
  return ("layers" in policy ? undefined : policy.description) ?? `policy ${digest.slice(0, 8)}`;
}

/** Adds up reports of several processes or runs, policy by policy. */
export function mergeCoverage(reports: readonly CoverageReport[]): CoverageReport {
  const merged = new Map<string, CoveredPolicy>();
  for (const policy of reports.flatMap((report) => report.policies)) {
    const before = merged.get(policy.digest);
    merged.set(policy.digest, before === undefined ? policy : addUp(before, policy));
  }
  return { policies: [...merged.values()] };
}

type Counting<T> = { -readonly [Key in keyof T]: T[Key] extends readonly (infer Part)[] ? Counting<Part>[] : T[Key] };

interface Collecting {
  readonly digest: string;
  readonly name: string;
  calls: number;
  readonly tools: Map<string, number>;
  readonly rules: Map<string, Counting<CoveredRule>>;
  /** The conditions of each rule, by which explanations are counted. */
  readonly conditions: Map<string, readonly Condition[]>;
}

function collect(name: string, policy: CompiledPolicy): Collecting {
  const collecting: Collecting = { digest: policy.digest, name, calls: 0, tools: new Map(), rules: new Map(), conditions: new Map() };
  const { tools, rules, conditions } = collecting;
  const addRule = (rule: string, section: CoveredRule["section"], parts: readonly Condition[] = []) => {
    if (!rules.has(rule)) rules.set(rule, { rule, section, fired: 0, named: 0, conditions: parts.flatMap((part) => blank(part, 0)) });
    conditions.set(rule, parts);
  };
  for (const layer of policy.layers) {
    if (layer.default === "deny") addRule("(default deny)", "default");
    if (layer.hidesAll || [...layer.tools.values()].some((tool) => tool.hidden)) addRule("(hidden)", "hide");
    for (const [toolName, tool] of [...layer.tools, [undefined, layer.others] as const]) {
      if (tool.hidden) continue;
      if (toolName !== undefined) tools.set(toolName, 0);
      if (tool.arguments) addRule(tool.argumentsId, "arguments");
      for (const rule of [...tool.require, ...tool.denyIf, ...tool.approvals]) addRule(rule.id, rule.section, rule.conditions);
      for (const limit of tool.limits) addRule(limit.id, "limits");
    }
  }
  return collecting;
}

function blank(condition: Condition, depth: number): Counting<CoveredCondition>[] {
  const own = { text: conditionText(condition), depth, true: 0, false: 0, unknown: 0, canBeUnknown: canBeUnknown(condition) };
  return [own, ...partsOf(condition).flatMap((part) => blank(part, depth + 1))];
}

function partsOf(condition: Condition): readonly Condition[] {
  if ("any" in condition) return condition.any;
  if ("all" in condition) return condition.all;
  if ("not" in condition) return [condition.not];
  return "each" in condition ? condition.each.conditions : [];
}

function canBeUnknown(condition: Condition): boolean {
  if ("op" in condition) return condition.op !== "exists" && !/^(time|tool\.(name|server)$)/.test(condition.path);
  const parts = partsOf(condition);
  return "each" in condition || parts.length === 0 || parts.some(canBeUnknown);
}

function count(collecting: Collecting, verdict: TestVerdict): void {
  const { tools, rules, conditions } = collecting;
  collecting.calls += 1;
  const calls = tools.get(verdict.call.tool);
  if (calls !== undefined) tools.set(verdict.call.tool, calls + 1);
  const evaluated = verdict.evaluated;
  for (const { rule: id, section, truth, conditions: explanations } of evaluated) {
    const rule = rules.get(id);
    if (rule === undefined) continue;
    if (doesStop({ section, truth })) rule.fired += 1;
    const places = rule.conditions[Symbol.iterator]();
    conditions.get(id)?.forEach((condition, index) => countTruths(condition, [explanations[index]], places));
  }
  const named = rules.get(verdict.rule);
  if (named === undefined) return;
  named.named += 1;
  if (!evaluated.some(({ rule }) => rule === verdict.rule)) named.fired += 1;
}

/** Counts one condition, then its parts, in the order of `blank`. `each` explains its conditions once for every element. */
function countTruths(
  condition: Condition,
  explanations: readonly (Explanation | undefined)[],
  places: Iterator<Counting<CoveredCondition>>,
): void {
  const covered = places.next().value;
  const seen = explanations.filter((explanation) => explanation !== undefined);
  for (const { truth } of seen) covered[`${truth}`] += 1;
  const inner = seen.flatMap((explanation) => ("each" in condition ? explanation.parts : [explanation]));
  partsOf(condition).forEach((part, index) =>
    countTruths(
      part,
      inner.map(({ parts }) => parts[index]),
      places,
    ),
  );
}

function addUp(one: CoveredPolicy, other: CoveredPolicy): CoveredPolicy {
  return {
    ...one,
    calls: one.calls + other.calls,
    tools: one.tools.map((tool, index) => ({ ...tool, calls: tool.calls + (other.tools[index]?.calls ?? 0) })),
    rules: one.rules.map((rule, index) => {
      const same = other.rules[index];
      return {
        ...rule,
        fired: rule.fired + (same?.fired ?? 0),
        named: rule.named + (same?.named ?? 0),
        conditions: rule.conditions.map((condition, at) => {
          const counted = same?.conditions[at];
          return {
            ...condition,
            true: condition.true + (counted?.true ?? 0),
            false: condition.false + (counted?.false ?? 0),
            unknown: condition.unknown + (counted?.unknown ?? 0),
          };
        }),
      };
    }),
  };
}
