import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const runner = fileURLToPath(new URL("./vitest.mjs", import.meta.resolve("vitest/package.json")));
const reporter = fileURLToPath(import.meta.resolve("./reporter.ts"));

/** Runs the given files as a suite of their own, in a process of its own, as a user would. */
function runSuite(files: Record<string, string>, ...flags: string[]): Promise<{ lines: string[]; exitCode: number }> {
  const root = mkdtempSync(join(tmpdir(), "suite-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
  const options = ["--globals", "--testTimeout=300000", "--reporter=default", `--reporter=${reporter}`];
  const command = [runner, "run", "--root", root, ...options, ...flags];
  return new Promise((resolve) => {
    const child = execFile(process.execPath, command, { env: { ...process.env, CI: "true" } }, (_, stdout) => {
      rmSync(root, { recursive: true });
      resolve({ lines: stdout.trimEnd().split("\n").slice(-2), exitCode: child.exitCode ?? -1 });
    });
  });
}

test("a run that passes ends with its count and exit code 0", async () => {
  const { lines, exitCode } = await runSuite({ "a.test.js": `test("one", () => {}); test("two", () => {});` });
  expect(lines.at(-1)).toBe("2 passed, 0 failed");
  expect(exitCode).toBe(0);
});

test("a failing test is counted beside those that pass", async () => {
  const { lines, exitCode } = await runSuite({
    "a.test.js": `test("one", () => {}); test("two", () => { throw new Error("two"); });`,
    "b.test.js": `test("three", () => {});`,
  });
  expect(lines.at(-1)).toBe("2 passed, 1 failed");
  expect(exitCode).toBe(1);
});

test("skipped and unwritten tests are named apart and never counted as passed", async () => {
  const { lines, exitCode } = await runSuite({
    "a.test.js": `test("one", () => {}); test.skip("two", () => {}); test.todo("three"); test("four", ({ skip }) => skip());`,
  });
  expect(lines).toEqual(["3 skipped", "1 passed, 0 failed"]);
  expect(exitCode).toBe(0);
});

test("an expected failure passes while it fails, and fails once it passes", async () => {
  const { lines, exitCode } = await runSuite({
    "a.test.js": `test.fails("known gap", () => { throw new Error("gap"); }); test.fails("mended", () => {});`,
  });
  expect(lines.at(-1)).toBe("1 passed, 1 failed");
  expect(exitCode).toBe(1);
});

test("a file that does not load is a failure", async () => {
  const { lines, exitCode } = await runSuite({
    "a.test.js": `test("one", () => {});`,
    "b.test.js": `import "./missing.js"; test("never", () => {});`,
    "c.test.js": `throw new Error("at load");`,
  });
  expect(lines.at(-1)).toBe("1 passed, 2 failed");
  expect(exitCode).toBe(1);
});

test("a suite whose set-up throws is a failure, and its tests did not pass", async () => {
  const { lines, exitCode } = await runSuite({
    "a.test.js": `describe("suite", () => { beforeAll(() => { throw new Error("set-up"); }); test("one", () => {}); });`,
  });
  expect(lines.at(-1)).toBe("0 passed, 1 failed");
  expect(exitCode).toBe(1);
});

test("an unhandled error is a failure even where every test passes", async () => {
  const { lines, exitCode } = await runSuite({
    "a.test.js": `test("one", async () => { Promise.reject(new Error("nobody listens")); await new Promise((r) => setTimeout(r, 20)); });`,
  });
  expect(lines.at(-1)).toBe("1 passed, 1 failed");
  expect(exitCode).toBe(1);
});

test("a missed coverage threshold is a failure, a met one is none", async () => {
  const files = {
    "code.js": `export const sign = (n) => { if (n < 0) { return "-"; } else { return "+"; } };`,
    "a.test.js": `import { sign } from "./code.js"; test("one", () => { expect(sign(1)).toBe("+"); });`,
  };
  const coverage = ["--coverage.enabled", "--coverage.provider=v8", "--coverage.reporter=text-summary"];
  const missed = await runSuite(files, ...coverage, "--coverage.thresholds.branches=100");
  expect(missed.lines.at(-1)).toBe("1 passed, 1 failed");
  expect(missed.exitCode).toBe(1);
  const met = await runSuite(files, ...coverage, "--coverage.thresholds.branches=50");
  expect(met.lines.at(-1)).toBe("1 passed, 0 failed");
  expect(met.exitCode).toBe(0);
});

test("a run without any test is a failure", async () => {
  const { lines, exitCode } = await runSuite({ "code.js": `` });
  expect(lines.at(-1)).toBe("0 passed, 1 failed");
  expect(exitCode).toBe(1);
});
