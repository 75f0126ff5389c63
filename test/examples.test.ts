// Every example checks itself and ends with 1 on any surprise. Here each is run as a user runs it, and the pages that show its code are held to it.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const repository = new URL("../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, repository), "utf8");

/** Without any variable of ours: no example needs a key. */
async function run(example: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const main = fileURLToPath(new URL(`examples/${example}/main.ts`, repository));
  const { stdout } = await promisify(execFile)(process.execPath, ["--conditions=@holdpoint/source", main], { env });
  return stdout;
}

test("the quick start shows a call of each outcome, and the record of each", async () => {
  const said = await run("quickstart");
  for (const outcome of ["allowed", "denied", "hidden", "held"]) expect(said).toContain(outcome);
  expect(said).toMatch(/audit +deny +get-structured-content .*require_approval/);
});

for (const [example, title] of [
  ["ai-sdk", "Vercel AI SDK"],
  ["langchain", "LangChain"],
] as const) {
  test(`the example of ${title} runs without a key, and finds what it expects`, async () => {
    expect(await run(example)).toContain("The sum is 5, and everybody has been greeted.");
  });

  test(`the page on ${title} starts with the code to paste, and the example says what to change for a real model`, () => {
    expect(read(`docs/${example}.md`).startsWith(`# ${title}\n\n<!-- include: examples/${example}/main.ts#setup -->\n\`\`\`ts\n`)).toBe(
      true,
    );
    expect(read(`examples/${example}/main.ts`)).toMatch(/\n\/\/ For a real model change this line: .+\nconst model = /);
  });

  test(`the example of ${title} stands under the policy file of both frameworks`, () => {
    expect(read(`examples/${example}/main.ts`)).toContain('new URL("../policy.json"');
  });
}

const redisUrl = process.env["REDIS_URL"];
test.skipIf(!redisUrl)("[no-over-admission] two processes spend one budget on Redis to the last dollar", async () => {
  expect(await run("shared-budget", { REDIS_URL: redisUrl })).toMatch(/: \$1000 of \$1000, after \d+ refusals\n$/);
});
