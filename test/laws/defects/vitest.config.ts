import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { defects } from "./defects.ts";

const repository = fileURLToPath(new URL("../../..", import.meta.url));
const defect = defects[process.env["HOLDPOINT_DEFECT"] ?? ""];
if (defect === undefined) throw new Error("HOLDPOINT_DEFECT names no defect of test/laws/defects/defects.ts");
const broken = repository + defect.file;

/** The tests of one law on a build with one seeded defect. */
export default defineConfig({
  root: repository,
  ssr: { resolve: { conditions: ["@holdpoint/source"] } },
  plugins: [
    {
      name: "seeded-defect",
      enforce: "pre",
      transform(code, id) {
        return id.split("?")[0] === broken ? code.replace(defect.find, () => defect.replace) : undefined;
      },
    },
  ],
  // What is transformed with one defect is of no use with another.
  test: {
    fsModuleCache: false,
    setupFiles: ["./test/seed.ts"],
    include: [...defect.tests],
    testTimeout: 30_000,
    env: { HOLDPOINT_FUZZ: "0.5" },
  },
});
