import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const repository = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, repository), "utf8");

test("the example runs without a key, and finds what it expects", () => {
  const main = fileURLToPath(new URL("examples/langchain/main.ts", repository));
  const said = execFileSync(process.execPath, ["--conditions=@holdpoint/source", main], { encoding: "utf8", env: {} });
  expect(said).toContain("The sum is 5, and everybody has been greeted.");
});

test("the example stands under the policy file of the AI SDK's example", () => {
  for (const example of ["ai-sdk", "langchain"]) expect(read(`examples/${example}/main.ts`)).toContain('new URL("../policy.json"');
});

test("the page starts with the code to paste, and the example says what to change for a real model", () => {
  expect(read("docs/langchain.md")).toMatch(/^# LangChain\n\n<!-- include: examples\/langchain\/main.ts#setup -->\n```ts\n/);
  expect(read("examples/langchain/main.ts")).toMatch(/\n\/\/ For a real model change this line: .+\nconst model = /);
});
