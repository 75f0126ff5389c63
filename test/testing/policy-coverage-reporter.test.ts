import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const example = join(import.meta.dirname, "..", "..", "examples", "policy-tests");

/** A run of its own, as a user's would be: nothing of this one's vitest may reach it. */
async function run(args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VITEST|VITE|NODE_OPTIONS|TEST|FORCE_COLOR)/.test(name)),
  );
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ["--conditions=@holdpoint/source", ...args], {
      cwd: example,
      env: { ...env, NO_COLOR: "1" },
    });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

const withReporter = (options: string) => `
  import { policyCoverageReporter } from "@holdpoint/testing/vitest-reporter";
  import { startVitest } from "vitest/node";
  const reporter = policyCoverageReporter(${options});
  const vitest = await startVitest("test", [], { watch: false, configLoader: "native", reporters: ["default", reporter] }, { ssr: { resolve: { conditions: ["@holdpoint/source"] } } });
  await vitest.close();
`;

test("the example runs alone, covers its policy, and prints the table that stands beside it", async () => {
  const { code, stdout, stderr } = await run(["main.ts"]);
  expect(stdout).toContain(readFileSync(join(example, "coverage.txt"), "utf8"));
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

test("a threshold that is missed, or a policy that nobody tested, fails a run whose tests all pass", async () => {
  const options = `{ policies: ["Refunds desk", "Payouts"], thresholds: { rules: 101 }, table: false, onReport: (report) => console.log(JSON.stringify(report)) }`;
  const { code, stdout, stderr } = await run(["--input-type=module", "--eval", withReporter(options)]);
  expect(stdout).toMatch(/Tests\s+[0-9]+ passed \(/);
  expect(stderr).toBe(
    "policy coverage: `Payouts`: no test decides a call by it\npolicy coverage: rules: 6 of 6 (100%), and 101% are asked for\n",
  );
  expect(code).toBe(1);
  const [line] = stdout.split("\n").filter((each) => each.startsWith("{"));
  expect(JSON.parse(line as string).policies[0]).toMatchObject({ name: "Refunds desk", calls: 42 });
});
