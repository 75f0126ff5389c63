import type { Reporter, TestModule } from "vitest/node";
import { type CoverageThresholds, coverageTable, missedThresholds } from "./coverage-table.ts";
import { type CoverageReport, coverageVariable, mergeCoverage } from "./policy-coverage.ts";
import type {} from "./vitest.ts";

export interface PolicyCoverageOptions {
  /** The policies to report, by name: `policyTest`'s `name`, else the policy's `description`. Default: all that were tested. */
  readonly policies?: readonly string[] | undefined;
  /** The least percentages. A run that misses one, or that tests none of `policies`, fails. */
  readonly thresholds?: CoverageThresholds | undefined;
  /** Prints the table. Default `true`. */
  readonly table?: boolean | undefined;
  /** Takes the merged report as data, such as to write it to a file. */
  readonly onReport?: ((report: CoverageReport) => void | Promise<void>) | undefined;
}

/**
 * A vitest reporter: after a run it prints which rules fired and which conditions were seen true, false and unknown, over all workers, and fails the run where
 * a threshold is missed. The test files, or a setup file, import `@holdpoint/testing/vitest`.
 *
 * @example
 * // vitest.config.ts
 * export default defineConfig({
 *   test: {
 *     setupFiles: ["@holdpoint/testing/vitest"],
 *     reporters: ["default", policyCoverageReporter({ policies: ["Refunds desk"], thresholds: { rules: 100, truths: 100 } })],
 *   },
 * });
 */
export function policyCoverageReporter({ policies, thresholds = {}, table = true, onReport }: PolicyCoverageOptions = {}): Reporter {
  // Workers inherit the environment, and collect where they find this.
  process.env[coverageVariable] = "1";
  return {
    async onTestRunEnd(testModules: readonly TestModule[]) {
      const merged = mergeCoverage(testModules.flatMap((module) => module.meta().holdpointCoverage ?? []));
      const report = { policies: merged.policies.filter(({ name }) => policies === undefined || policies.includes(name)) };
      const untested = (policies ?? []).filter((name) => !report.policies.some((policy) => policy.name === name));
      const missed = [...untested.map((name) => `\`${name}\`: no test decides a call by it`), ...missedThresholds(report, thresholds)];
      if (table) process.stdout.write(`\n${coverageTable(report)}\n`);
      for (const line of missed) process.stderr.write(`policy coverage: ${line}\n`);
      if (missed.length > 0) process.exitCode = 1;
      await onReport?.(report);
    },
  };
}
