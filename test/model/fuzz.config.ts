import { defineConfig } from "vitest/config";

/** The model and the laws with many more cases than `npm test` has time for: some ten minutes on two cores. */
export default defineConfig({
  ssr: { resolve: { conditions: ["@holdpoint/source"] } },
  test: { include: ["test/{model,laws}/**/*.test.ts"], env: { HOLDPOINT_FUZZ: "20" }, testTimeout: 3_600_000 },
});
