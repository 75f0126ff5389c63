import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { definePolicy } from "@holdpoint/core";
import { checkMutants } from "@holdpoint/testing";
import { expect, test } from "vitest";
import { refunds } from "../../examples/policy-tests/policy.ts";
import "@holdpoint/testing/vitest";

const docs = join(import.meta.dirname, "..", "..", "docs");
const pages = ["testing-a-policy.md", "testing-an-agent.md"];

/** Blocks that are no file of an example: each is a program whose assertions hold. */
const programs = pages.flatMap((page) => {
  const text = readFileSync(join(docs, page), "utf8");
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(({ index, 1: code = "" }) => ({
    name: `${page}:${text.slice(0, index).split("\n").length}`,
    code,
  }));
});

test.each(programs)("the program at $name runs, and its assertions hold", async ({ code }) => {
  // In this folder, so that its imports resolve as a user's would.
  const args = ["--conditions=@holdpoint/source", "--input-type=module-typescript", "--eval", code];
  await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
});

test("the page shows what a failed test says, to the letter", async () => {
  const said = await expect(refunds)
    .toAllow({ tool: "create_refund", arguments: { amount: 150_00, reason: "arrived late" } })
    .then(
      () => "nothing",
      (error: Error) => error.message,
    );
  expect(readFileSync(join(docs, "testing-a-policy.md"), "utf8")).toContain(`\`\`\`text\n${said}\n\`\`\``);
});

test("the page shows the coverage table of the example", () => {
  const table = readFileSync(join(docs, "..", "examples", "policy-tests", "coverage.txt"), "utf8");
  expect(readFileSync(join(docs, "testing-a-policy.md"), "utf8")).toContain(`\`\`\`text\n${table}\`\`\``);
});

test("the page shows mistakes that no test noticed in the form in which they are told", async () => {
  const policy = definePolicy({
    version: "1",
    default: "deny",
    tools: { pay: { limits: [{ counter: "payments", window: "hour", max: 3 }] } },
  });
  const { text } = await checkMutants(policy, async (mutant) => expect(mutant).toAllow({ tool: "pay" }));
  const page = readFileSync(join(docs, "testing-a-policy.md"), "utf8");
  expect(page).toContain("mistakes tried, and no test noticed 2:\n  /tools/create_refund/deny_if/0/op: `gt` became `gte`\n");
  expect(text).toMatch(/^\d+ mistakes tried, and no test noticed \d:\n {2}\/\S+: /);
});
