import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const repository = fileURLToPath(new URL("..", import.meta.url));
const biome = join(repository, "node_modules/@biomejs/biome/bin/biome");

const allowed: [file: string, specifier: string][] = [
  ["packages/core/src/decision/decide.ts", "./facts.ts"],
  ["packages/core/src/decision/decide.ts", "@noble/hashes/sha2.js"],
  ["packages/core/src/node/jsonl-audit.ts", "node:fs"],
  ["packages/core/src/node/jsonl-audit.ts", "../audit.ts"],
  ["packages/core/src/decision/decide.test.ts", "node:fs"],
  ["packages/mcp/src/guard-transport.ts", "@holdpoint/core"],
  ["packages/ai-sdk/src/index.ts", "@holdpoint/mcp"],
  ["packages/langchain/src/index.ts", "@holdpoint/core/risk"],
  ["packages/stores/src/redis/index.ts", "@holdpoint/core"],
  ["packages/testing/src/index.ts", "@holdpoint/core/node"],
  ["packages/cli/src/main.ts", "@holdpoint/stores/sqlite"],
  ["test/model/model.test.ts", "@holdpoint/testing/contracts"],
  ["examples/quickstart/main.ts", "@holdpoint/ai-sdk"],
];

const refused: [file: string, specifier: string, reason: string][] = [
  ["packages/core/src/decision/decide.ts", "@holdpoint/mcp", "core imports nothing of ours"],
  ["packages/core/src/node/jsonl-audit.ts", "@holdpoint/stores/sqlite", "core imports nothing of ours"],
  ["packages/core/src/decision/decide.test.ts", "@holdpoint/testing/contracts", "core imports nothing of ours"],
  ["packages/core/src/decision/decide.ts", "@modelcontextprotocol/sdk/types.js", "core knows no framework"],
  ["packages/core/src/decision/decide.ts", "ai", "core knows no framework"],
  ["packages/core/src/decision/decide.ts", "@langchain/core/tools", "core knows no framework"],
  ["packages/core/src/decision/decide.ts", "node:crypto", "core runs wherever JavaScript does"],
  ["packages/core/src/decision/decide.ts", "node:fs/promises", "core runs wherever JavaScript does"],
  ["packages/core/src/decision/decide.ts", "./node/jsonl-audit.ts", "core's main entries must load without Node"],
  ["packages/mcp/src/index.ts", "@holdpoint/ai-sdk", "mcp imports core alone"],
  ["packages/ai-sdk/src/index.ts", "@holdpoint/stores/redis", "an adapter imports core, and mcp"],
  ["packages/langchain/src/index.ts", "@holdpoint/ai-sdk", "an adapter imports core, and mcp"],
  ["packages/stores/src/redis/index.ts", "@holdpoint/mcp", "stores and testing import core alone"],
  ["packages/testing/src/index.ts", "@holdpoint/stores/sqlite", "stores and testing import core alone"],
  ["packages/cli/src/main.ts", "@holdpoint/langchain", "the command imports core, mcp and stores"],
  ["test/model/model.test.ts", "../../packages/core/src/decision/decide.ts", "name the package, not its files"],
];

const said = lint([...allowed, ...refused]);

for (const [index, [file, specifier]] of allowed.entries()) {
  test(`${file} may import ${specifier}`, () => {
    expect(said[index]).toBe("");
  });
}

for (const [index, [file, specifier, reason]] of refused.entries()) {
  test(`${file} may not import ${specifier}: lint says why`, () => {
    expect(said[allowed.length + index]).toContain(reason);
  });
}

/**
 * What lint says of each import in a tree of such files, under the rules of this repository; empty where it says nothing. A file's name is given a
 * number, so that one run looks at all: rules go by folders and endings.
 */
function lint(imports: readonly (readonly [file: string, specifier: string, ...unknown[]])[]): readonly string[] {
  const tree = mkdtempSync(join(tmpdir(), "imports-"));
  try {
    cpSync(join(repository, "biome.jsonc"), join(tree, "biome.jsonc"));
    const files = imports.map(([file, specifier], index) => {
      const path = file.replace(/([^/.]+)((?:\.test)?\.ts)$/, `$1-${index}$2`);
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      writeFileSync(join(tree, path), `import { it } from "${specifier}";\nit();\n`);
      return path;
    });
    const options = ["--only=style/noRestrictedImports", "--vcs-enabled=false", "--reporter=json", "--max-diagnostics=none"];
    const { stdout } = spawnSync(process.execPath, [biome, "lint", ...options], { cwd: tree, encoding: "utf8" });
    const { summary, diagnostics }: Report = JSON.parse(stdout);
    // The configuration is one more.
    expect(summary.unchanged).toBe(files.length + 1);
    return files.map((path) =>
      diagnostics
        .filter(({ location }) => location.path === path)
        .map(({ message }) => message)
        .join("\n"),
    );
  } finally {
    rmSync(tree, { recursive: true });
  }
}

interface Report {
  readonly summary: { readonly unchanged: number };
  readonly diagnostics: readonly { readonly message: string; readonly location: { readonly path: string } }[];
}
