import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import CountReporter from "./test/reporter.ts";

/** Workspace sources run without a build: every project resolves `@holdpoint/*` to its TypeScript. */
const fromSource = { ssr: { resolve: { conditions: ["@holdpoint/source"] } } };

/** Real servers, stores and frameworks start inside tests, on machines with few cores: patience costs nothing where a test passes. */
const patience = { testTimeout: 300_000, hookTimeout: 120_000, expect: { poll: { timeout: 60_000 } } };

/** Many tests start processes of their own, which load the same sources: each is compiled once. */
const env = { NODE_COMPILE_CACHE: `${import.meta.dirname}/node_modules/.cache/compile` };

const seeded = { setupFiles: ["./test/seed.ts"], env };

/** Loading takes longer than most tests: the files of a worker share its modules, and none may rest on being the first to load one. */
const shared = { ...seeded, isolate: false };

/** These start many processes or compilers, and take nearly as long as all others together: `pnpm check:processes` runs them, `npm test` does not. */
const startingProcesses = [
  "packages/core/src/policy/{print-types,define-policy.editor}.test.ts",
  "test/{budgets,conformance}/*.test.ts",
  "test/edge/adapters-without-node.test.ts",
  "test/cli/init.test.ts",
  "test/examples.test.ts",
  "test/{docs,reporter}.test.ts",
  "test/stores/no-over-admission.test.ts",
  "test/testing/{docs,policy-coverage-reporter}.test.ts",
];

/** These put something else in the place of a module, which must not have been loaded before. */
const isolated = ["packages/core/src/node/jsonl-audit.test.ts"];

export default defineConfig({
  test: {
    reporters: ["default", new CountReporter()],
    globalSetup: ["./test/store-requirements.ts", "./test/scratch-folder.ts"],
    // Many tests wait for servers, stores and timers: one worker for each core but one, the default, leaves a small machine idle.
    maxWorkers: Math.max(4, availableParallelism()),
    coverage: { include: ["packages/*/src/**/*.ts"], exclude: ["**/*.test.ts", "**/*.test-d.ts"] },
    projects: [
      {
        ...fromSource,
        test: {
          name: "packages",
          include: ["packages/*/src/**/*.test.ts"],
          exclude: [...isolated, ...startingProcesses],
          ...shared,
          ...patience,
        },
      },
      { ...fromSource, test: { name: "isolated", include: isolated, ...seeded, ...patience } },
      {
        ...fromSource,
        test: {
          name: "test",
          include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
          exclude: ["**/node_modules/**", "test/packaging/**", ...startingProcesses],
          ...shared,
          ...patience,
        },
      },
      { ...fromSource, test: { name: "processes", include: startingProcesses, ...shared, ...patience } },
      {
        test: {
          name: "types",
          include: [],
          typecheck: {
            enabled: true,
            only: true,
            include: ["{packages,test}/**/*.test-d.ts"],
            tsconfig: "./tsconfig.test.json",
          },
        },
      },
    ],
  },
});
