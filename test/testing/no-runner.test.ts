import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

/** Imports an entry in a process where test runners and their kind cannot be resolved. */
function importWithout(entry: string, forbidden: string): string {
  const program = `
    import { registerHooks } from "node:module";
    registerHooks({
      resolve(specifier, context, next) {
        if (new RegExp(${JSON.stringify(forbidden)}).test(specifier)) throw new Error("not installed: " + specifier);
        return next(specifier, context);
      },
    });
    import(${JSON.stringify(entry)}).then(() => console.log("loaded"), (error) => console.log(error.message));
  `;
  const args = ["--conditions=@holdpoint/source", "--input-type=module", "--eval", program];
  return execFileSync(process.execPath, args, { cwd: import.meta.dirname, encoding: "utf8" }).trim();
}

test.each([
  ["@holdpoint/testing", "^(vitest|msw|fast-check|node:.*)(/|$)"],
  ["@holdpoint/testing/contracts", "^(vitest|msw|fast-check)(/|$)"],
  ["@holdpoint/testing/msw", "^(vitest|fast-check)(/|$)"],
  ["@holdpoint/testing/properties", "^(vitest|msw)(/|$)"],
])("%s loads where none of %s is installed", (entry, forbidden) => {
  expect(importWithout(entry, forbidden)).toBe("loaded");
});

test("what is not installed is noticed", () => {
  expect(importWithout("@holdpoint/testing/msw", "^msw(/|$)")).toBe("not installed: msw");
});
