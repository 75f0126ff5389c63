import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Mutants stand in a copy of the sources; the packages' links still lead to the sources themselves. */
const mutated = fileURLToPath(new URL("../../packages/core/src/index.ts", import.meta.url));

/** A mutant is dead at the first test that notices it: the dearest tests are asked last, and late those in which a call that nobody answers waits. */
const dearest = ["/test/model/", "/test/laws/storm", "/test/laws/", "/approvals/", "/guard/", "/audit/", ""];

class CheapestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => dearest.findIndex((part) => moduleId.includes(part));
    return files.toSorted((one, other) => rank(other) - rank(one));
  }
}

/**
 * What a mutant has to get past: the tests of core that reach the mutated files, the laws of a guard, and the reference model with fewer cases. Stryker runs
 * the tests of one mutant in one worker, and another mutant in another: files may share their modules.
 */
export default defineConfig({
  ssr: { resolve: { conditions: ["@holdpoint/source"] } },
  resolve: { alias: [{ find: /^@holdpoint\/core$/, replacement: mutated }] },
  test: {
    include: [
      "packages/core/src/{approvals,audit,conditions,decision,guard,limits}/*.test.ts",
      "packages/core/src/arguments/{redact,standard-schema-judge}.test.ts",
      "packages/core/src/policy/{check-against-tools,load-policy,merge-policies,predicate}.test.ts",
      "test/laws/{deny-wins,fail-closed,refused-spends-nothing,release,sent-is-checked,storm}.test.ts",
      "test/model/*.test.ts",
    ],
    setupFiles: ["./test/seed.ts"],
    isolate: false,
    sequence: { sequencer: CheapestFirst },
    env: { HOLDPOINT_FUZZ: "0.04" },
    testTimeout: 20_000,
  },
});
