import { defineConfig } from "vitest/config";
import CountReporter from "../reporter.ts";

/** Checks what users would install. Not part of the daily run: it needs the build, and compiles it with more than one compiler. */
export default defineConfig({
  test: {
    name: "packaging",
    dir: "test/packaging",
    reporters: ["default", new CountReporter()],
    testTimeout: 300_000,
    hookTimeout: 120_000,
  },
});
