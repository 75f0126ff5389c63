import { policyCoverageReporter } from "@holdpoint/testing/vitest-reporter";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    reporters: ["default", policyCoverageReporter({ policies: ["Refunds desk"], thresholds: { rules: 100, truths: 100, unknowns: 100 } })],
  },
});
