import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Mutants stand in a copy of the sources; the packages' links still lead to the sources themselves. */
const mutated = fileURLToPath(new URL("../../packages/core/src/index.ts", import.meta.url));

/** What a mutant of the deciding files has to get past: their own tests, and the reference model with fewer cases. */
export default defineConfig({
  ssr: { resolve: { conditions: ["@holdpoint/source"] } },
  resolve: { alias: [{ find: /^@holdpoint\/core$/, replacement: mutated }] },
  test: {
    include: [
      "packages/core/src/*/{admission,amount,approvals,condition,decide,definitions,guard,limits,load-policy,memory-store,merge-policies,operators,predicate,window}.test.ts",
      "test/model/*.test.ts",
      "test/laws/{fail-closed,refused-spends-nothing,release}.test.ts",
    ],
    env: { HOLDPOINT_FUZZ: "0.04" },
    testTimeout: 30_000,
  },
});
