import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const pages = [
  "README.md",
  ...readdirSync(join(root, "docs"))
    .filter((file) => file.endsWith(".md"))
    .map((file) => join("docs", file)),
  ...readdirSync(join(root, "packages")).map((name) => join("packages", name, "README.md")),
];

interface Fence {
  readonly page: string;
  readonly line: number;
  readonly code: string;
  /** Where the code comes from: a whole file, or with `#` a region of one. Such code is compiled, and run, there. */
  readonly source: string | undefined;
}

/** A fence is ```ts, ```ts file=path, or ```ts under `<!-- include: path#region -->`. */
const fence = /^(?:<!-- include: (\S+) -->\n)?```ts\b(?: file=(\S+))?\n([\s\S]*?)^```$/gm;

function fencesOf(page: string): readonly Fence[] {
  const text = readFileSync(join(root, page), "utf8");
  return [...text.matchAll(fence)].map(({ index, 1: region, 2: file, 3: code = "" }) => ({
    page,
    line: text.slice(0, index).split("\n").length,
    code,
    source: region ?? file,
  }));
}

/** A region stands between `// #region name` and `// #endregion`. */
function sourceOf(source: string): string {
  const [path = "", region] = source.split("#");
  const text = readFileSync(join(root, path), "utf8");
  return region === undefined
    ? text
    : (text.split(`// #region ${region}\n`)[1]?.split("// #endregion")[0] ?? `no region \`${region}\` in ${path}`);
}

const fences = pages.flatMap(fencesOf);

test("code that a page shows from a file is that file", () => {
  for (const { page, line, source, code } of fences) if (source) expect(code.trim(), `${page}:${line}`).toBe(sourceOf(source).trim());
});

test("every other TypeScript block of every page compiles, under the strictest options", () => {
  // Below `test`, so that its imports resolve as a user's would.
  const place = join(import.meta.dirname, "node_modules", ".docs");
  rmSync(place, { recursive: true, force: true });
  const where = new Map<string, string>();
  for (const { page, line, source, code } of fences) {
    if (source?.includes("#")) continue;
    const folder = join(place, dirname(page), basename(page, ".md"));
    mkdirSync(folder, { recursive: true });
    const name = source ? basename(source) : `line-${line}.ts`;
    writeFileSync(join(folder, name), `${code}\nexport {};\n`);
    where.set(join(dirname(page), basename(page, ".md"), name), `${page}:${line}`);
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
