import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const repository = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, repository), "utf8");

test("the example runs without a key, and finds what it expects", () => {
  const main = fileURLToPath(new URL("examples/ai-sdk/main.ts", repository));
  const said = execFileSync(process.execPath, ["--conditions=@holdpoint/source", main], { encoding: "utf8", env: {} });
  expect(said).toContain("The sum is 5, and everybody has been greeted.");
});

test("the code of the page is the example's", () => {
  const page = read("docs/ai-sdk.md");
  const included = [...page.matchAll(/<!-- include: (\S+)#(\w+) -->\n```ts\n(.*?)```/gs)];
  for (const [, path, region, code] of included) {
    expect(
      read(path ?? "")
        .split(`// #region ${region}\n`)[1]
        ?.split("// #endregion")[0],
    ).toBe(code);
  }
  expect(included).toHaveLength(page.split("```ts").length - 1);
});

test("the page starts with the code to paste, and the example says what to change for a real model", () => {
  expect(read("docs/ai-sdk.md")).toMatch(/^# Vercel AI SDK\n\n<!-- include: examples\/ai-sdk\/main.ts#setup -->\n```ts\n/);
  expect(read("examples/ai-sdk/main.ts")).toMatch(/\n\/\/ For a real model change this line: .+\nconst model = /);
});
