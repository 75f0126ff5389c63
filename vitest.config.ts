import { defineConfig } from "vitest/config";

/** Workspace sources run without a build: every project resolves `@holdpoint/*` to its TypeScript. */
const fromSource = { ssr: { resolve: { conditions: ["@holdpoint/source"] } } };

export default defineConfig({
  test: {
    projects: [
      { ...fromSource, test: { name: "packages", include: ["packages/*/{src,test}/**/*.test.ts"] } },
      { ...fromSource, test: { name: "test", include: ["test/**/*.test.ts"] } },
    ],
  },
});
