import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { withoutIdleTests } from "../laws/laws.ts";

// The pages that promise something name the test that shows it, as a link: its title, or part of it, and its file.

const root = join(import.meta.dirname, "..", "..");
const read = (file: string) => readFileSync(join(root, file), "utf8");
const pages = ["SECURITY.md", "docs/attacks.md"] as const;

interface Citation {
  readonly page: string;
  readonly title: string;
  readonly file: string;
}

/** Links to files of tests whose text is no file name. */
function citationsOf(page: string): readonly Citation[] {
  return [...read(page).matchAll(/\[([^[\]]+)\]\((?:\.\.\/)?((?:test|packages)\/[^)\s]+\.test\.ts)\)/g)].flatMap(
    ([, title = "", file = ""]) => (title.startsWith("`") && title.endsWith(".ts`") ? [] : [{ page, title, file }]),
  );
}

/** The titles of a file's tests that are run, as they are written there. */
function titlesOf(file: string): readonly string[] {
  return [...withoutIdleTests(read(file)).matchAll(/(?:\btest|titled|\))\(\s*(["'`])((?:\\.|(?!\1)[^\\])*)\1/g)].map(
    ([, , title = ""]) => title,
  );
}

test("every test that a page names is there", () => {
  const citations = pages.flatMap(citationsOf);
  expect(citations.length).toBeGreaterThan(80);
  const gone = citations.filter(({ file, title }) => !existsSync(join(root, file)) || !titlesOf(file).some((each) => each.includes(title)));
  expect(gone).toEqual([]);
});

test("every file that a page links to is there", () => {
  for (const page of pages) {
    const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, link = ""]) => join(page, "..", link));
    expect(
      links.filter((link) => !existsSync(join(root, link))),
      page,
    ).toEqual([]);
  }
});

test("every attack is on the page, and the page shows the very policy that its test runs", () => {
  const page = read("docs/attacks.md");
  const files = readdirSync(import.meta.dirname).filter((file) => file.endsWith(".test.ts") && file !== "claims.test.ts");
  expect(files.length).toBeGreaterThan(14);
  for (const file of files) {
    const titles = titlesOf(`test/attacks/${file}`).filter((title) => !title.includes("an unguarded agent"));
    for (const title of titles) expect(page).toContain(`[${title}](../test/attacks/${file})`);
    expect(titles.length, file).toBeGreaterThan(0);
    expect(page, file).toContain(`[\`${file}\`](../test/attacks/${file})`);
  }
  const tests = files.map((file) => read(`test/attacks/${file}`));
  const fences = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code = ""]) => code);
  expect(fences.length).toBeGreaterThanOrEqual(files.length);
  for (const fence of fences) {
    const shown = fence
      .replaceAll(/^import .*\n/gm, "")
      .replaceAll(/^export /gm, "")
      .trim();
    expect(
      tests.some((text) => shown.split("\n\n").every((part) => text.includes(part))),
      shown,
    ).toBe(true);
  }
});
