import type { CoverageReport, CoveredCondition, CoveredPolicy, CoveredRule } from "./policy-coverage.ts";

/** How much was seen, of how much there is. */
export interface Share {
  readonly seen: number;
  readonly total: number;
}

export interface CoverageShares {
  /** Rules that stopped at least one call. */
  readonly rules: Share;
  /** Truths of conditions: each counts once for true and once for false. */
  readonly truths: Share;
  /** Conditions that were seen unknown, of those that can be. */
  readonly unknowns: Share;
}

/** The least percentages that a run must reach; what is left out is not asked for. */
export type CoverageThresholds = { readonly [Kind in keyof CoverageShares]?: number | undefined };

export function coverageShares(report: CoverageReport): CoverageShares {
  const rules = report.policies.flatMap((policy) => policy.rules);
  const conditions = rules.flatMap((rule) => rule.conditions);
  const uncertain = conditions.filter((condition) => condition.canBeUnknown);
  const countOf = <T>(list: readonly T[], holds: (each: T) => boolean) => list.filter(holds).length;
  return {
    rules: { seen: countOf(rules, (rule) => rule.fired > 0), total: rules.length },
    truths: {
      seen: countOf(conditions, (condition) => condition.true > 0) + countOf(conditions, (condition) => condition.false > 0),
      total: 2 * conditions.length,
    },
    unknowns: { seen: countOf(uncertain, (condition) => condition.unknown > 0), total: uncertain.length },
  };
}

/** The thresholds that a report misses, one line each: `rules: 6 of 8 (75%), and 90% are asked for`. */
export function missedThresholds(report: CoverageReport, thresholds: CoverageThresholds): readonly string[] {
  const shares = coverageShares(report);
  return (["rules", "truths", "unknowns"] as const).flatMap((kind) => {
    const asked = thresholds[kind];
    return asked === undefined || percentage(shares[kind]) >= asked
      ? []
      : [`${kind}: ${shareText(shares[kind])}, and ${asked}% are asked for`];
  });
}

/**
 * Coverage as a table: every rule with how often it fired, and under it every condition with how often it was seen true, false and unknown. What was never
 * seen is marked.
 */
export function coverageTable(report: CoverageReport): string {
  if (report.policies.length === 0) return "no policy was tested";
  return report.policies.map(policyTable).join("\n\n");
}

const columns = ["fired", "named", "true", "false", "unknown"] as const;

function policyTable(policy: CoveredPolicy): string {
  const rows = policy.rules.flatMap((rule) => [ruleRow(rule), ...rule.conditions.map(conditionRow)]);
  const width = Math.max(4, ...rows.map(({ label }) => label.length));
  const head = `${"rule".padEnd(width)}  ${columns.map((column) => column.padStart(cellWidth(column))).join("  ")}`;
  const shares = coverageShares({ policies: [policy] });
  const uncalled = policy.tools.filter((tool) => tool.calls === 0).map((tool) => tool.name);
  return [
    `${policy.name}: ${policy.calls} ${policy.calls === 1 ? "call" : "calls"}`,
    "",
    head,
    ...rows.map(({ label, cells, missing }) => `${label.padEnd(width)}  ${cells}${missing === "" ? "" : `  ${missing}`}`.trimEnd()),
    "",
    ...(["rules", "truths", "unknowns"] as const).map((kind) => `${`${kind} `.padEnd(9)} ${shareText(shares[kind])}`),
    ...(uncalled.length > 0 ? [`never called: ${uncalled.join(", ")}`] : []),
  ].join("\n");
}

function ruleRow(rule: CoveredRule) {
  const cells = columns.map((column) => (column === "fired" || column === "named" ? String(rule[column]) : "").padStart(cellWidth(column)));
  return { label: rule.rule, cells: cells.join("  "), missing: rule.fired > 0 ? "" : "← never fired" };
}

function conditionRow(condition: CoveredCondition) {
  const truths = ["true", "false", ...(condition.canBeUnknown ? (["unknown"] as const) : [])] as const;
  const never = truths.filter((truth) => condition[truth] === 0);
  const cells = columns.map((column) => {
    if (column === "fired" || column === "named") return "".padStart(cellWidth(column));
    const shown = column === "unknown" && !condition.canBeUnknown && condition.unknown === 0 ? "-" : String(condition[column]);
    return shown.padStart(cellWidth(column));
  });
  return {
    label: `${"  ".repeat(condition.depth + 1)}${condition.text}`,
    cells: cells.join("  "),
    missing: never.length > 0 ? `← never ${never.join(", ")}` : "",
  };
}

function cellWidth(column: string): number {
  return Math.max(5, column.length);
}

function percentage({ seen, total }: Share): number {
  return total === 0 ? 100 : (100 * seen) / total;
}

/** Rounded down, so that 100% means all. */
function shareText(share: Share): string {
  return `${share.seen} of ${share.total} (${Math.floor(percentage(share))}%)`;
}
