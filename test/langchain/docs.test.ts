import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { policy } from "../../examples/ai-sdk/policy.ts";

const repository = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, repository), "utf8");

test("the example runs without a key, and finds what it expects", () => {
  const main = fileURLToPath(new URL("examples/langchain/main.ts", repository));
  const said = execFileSync(process.execPath, ["--conditions=@holdpoint/source", main], { encoding: "utf8", env: {} });
  expect(said).toContain("The sum is 5, and everybody has been greeted.");
});

test("the example's policy is that of the AI SDK's example, but for the local tool that only that one has", () => {
  const { roll, ...tools } = { ...policy.tools };
  expect(JSON.parse(read("examples/langchain/policy.json"))).toEqual({ ...policy, tools });
  expect(roll).toEqual({});
});

test("the page starts with the code to paste, and the example says what to change for a real model", () => {
  expect(read("docs/langchain.md")).toMatch(/^# LangChain\n\n<!-- include: examples\/langchain\/main.ts#setup -->\n```ts\n/);
  expect(read("examples/langchain/main.ts")).toMatch(/\n\/\/ For a real model change this line: .+\nconst model = /);
});
