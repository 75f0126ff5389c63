import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const pages = [
  "README.md",
  ...readdirSync(join(root, "docs"))
    .filter((file) => file.endsWith(".md"))
    .map((file) => join("docs", file)),
];

interface Fence {
  readonly page: string;
  readonly line: number;
  /** What follows `ts` on the fence's first line, such as `file=examples/quickstart/policy.ts`. */
  readonly info: string;
  readonly code: string;
}

function fencesOf(page: string): readonly Fence[] {
  const text = readFileSync(join(root, page), "utf8");
  return [...text.matchAll(/^```ts\b(.*)\n([\s\S]*?)^```$/gm)].map(({ index, 1: info = "", 2: code = "" }) => ({
    page,
    line: text.slice(0, index).split("\n").length,
    info: info.trim(),
    code,
  }));
}

const fences = pages.flatMap(fencesOf);

test("code that a page shows from a file is that file", () => {
  for (const { page, line, info, code } of fences) {
    const [, file] = /^file=(\S+)$/.exec(info) ?? [];
    if (file) expect(code.trim(), `${page}:${line}`).toBe(readFileSync(join(root, file), "utf8").trim());
  }
});

test("every TypeScript block of every page compiles, under the strictest options", () => {
  // Below `test`, so that its imports resolve as a user's would.
  const place = join(import.meta.dirname, "node_modules", ".docs");
  rmSync(place, { recursive: true, force: true });
  const where = new Map<string, string>();
  for (const { page, line, info, code } of fences) {
    const folder = join(place, basename(page, ".md"));
    mkdirSync(folder, { recursive: true });
    const [, file] = /^file=(\S+)$/.exec(info) ?? [];
    const name = file ? basename(file) : `line-${line}.ts`;
    writeFileSync(join(folder, name), `${code}\nexport {};\n`);
    where.set(`${basename(page, ".md")}/${name}`, `${page}:${line}`);
  }
  const options = {
    extends: join(root, "tsconfig.base.json"),
    compilerOptions: {
      composite: false,
      declaration: false,
      declarationMap: false,
      noEmit: true,
      allowImportingTsExtensions: true,
      rewriteRelativeImportExtensions: false,
      types: ["node"],
      lib: ["es2024", "esnext.disposable", "dom"],
    },
    include: ["**/*.ts"],
  };
  writeFileSync(join(place, "tsconfig.json"), JSON.stringify(options));
  expect(where.size).toBeGreaterThan(5);
  const typescript = createRequire(join(root, "package.json")).resolve("typescript/package.json");
  let problems = "";
  try {
    execFileSync(process.execPath, [join(typescript, "..", "bin", "tsc"), "-p", place], { cwd: place, encoding: "utf8" });
  } catch (error) {
    problems = String((error as { stdout?: string }).stdout ?? error).replace(
      /^(\S+?\.ts)\((\d+)/gm,
      (_, file: string, row: string) => `${where.get(file) ?? file} + ${row}`,
    );
  }
  expect(problems).toBe("");
});
