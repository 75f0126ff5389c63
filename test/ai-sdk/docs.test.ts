import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const repository = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, repository), "utf8");

test("the example runs, and finds what it expects", () => {
  const main = fileURLToPath(new URL("examples/ai-sdk/main.ts", repository));
  const said = execFileSync(process.execPath, ["--conditions=@holdpoint/source", main], { encoding: "utf8" });
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
