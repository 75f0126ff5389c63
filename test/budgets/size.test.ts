import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { expect, test } from "vitest";
import { budgets } from "./budgets.ts";

const packages = join(import.meta.dirname, "../../packages");

/** What docs/performance.md says of entries, in kB: `@holdpoint/core/node`, and after it in the same row `/otel`. */
const [, sizes = ""] = readFileSync(join(import.meta.dirname, "../../docs/performance.md"), "utf8").split(/^## (?:Size|Start)$/m);
const documented = new Map(
  [...sizes.matchAll(/^\| (`@holdpoint\/.*?`) \| ([0-9., ]+) \| /gm)].flatMap(([, names = "", kilobytes = ""]) => {
    const [first = "", ...others] = names.replaceAll("`", "").split(", ");
    const parent = first.split("/").slice(0, 2).join("/");
    const entries = [first, ...others.map((other) => parent + other)];
    return kilobytes.split(", ").map((each, index) => [entries[index], Number(each)] as const);
  }),
);

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, { readonly "@holdpoint/source"?: string }>>;
}

for (const [name, budget] of Object.entries(budgets)) {
  const manifest: Manifest = JSON.parse(readFileSync(join(packages, name, "package.json"), "utf8"));

  test(`@holdpoint/${name} stays within its budget of dependencies and bytes`, async () => {
    // No room here: one more, or one fewer, is said on purpose.
    expect(Object.keys(manifest.dependencies ?? {}).length, "direct runtime dependencies").toBe(budget.dependencies);
    const entries = entriesOf(manifest);
    expect(Object.keys(budget.bytes), "entries with a budget").toEqual(Object.keys(entries));
    for (const [entry, source] of Object.entries(entries)) {
      const bytes = await gzippedSize(join(packages, name, source), Object.keys(manifest.peerDependencies ?? {}));
      expect(bytes, `bytes of ${entry}`).toBeLessThanOrEqual(budget.bytes[entry] ?? 0);
      // A budget that is far above what it bounds would let a doubling pass.
      expect(bytes, `bytes of ${entry}, of a budget to be lowered`).toBeGreaterThan((budget.bytes[entry] ?? 0) * 0.6);
      const told = documented.get(`@holdpoint/${name}${entry.slice(1)}`);
      if (told !== undefined) expect(Math.abs(told * 1_000 - bytes) / bytes, `kB of ${entry} in docs/performance.md`).toBeLessThan(0.05);
    }
  });
}

/** The sources of the entries that can be imported; the command has one, which is run. */
function entriesOf(manifest: Manifest): Readonly<Record<string, string>> {
  const sources = Object.entries(manifest.exports).flatMap(([entry, { "@holdpoint/source": source }]) => (source ? [[entry, source]] : []));
  return sources.length > 0 ? Object.fromEntries(sources) : { ".": "./src/main.ts" };
}

async function gzippedSize(input: string, peers: readonly string[]): Promise<number> {
  const build = await rolldown({
    input,
    platform: "node",
    external: (id) => /^(?:node:|@holdpoint\/)/.test(id) || peers.some((peer) => id === peer || id.startsWith(`${peer}/`)),
    resolve: { conditionNames: ["@holdpoint/source", "import", "default"] },
    logLevel: "silent",
  });
  const { output } = await build.generate({ format: "esm", minify: true });
  await build.close();
  return output.reduce((total, part) => total + gzipSync(part.type === "chunk" ? part.code : part.source, { level: 9 }).length, 0);
}

test("the page tells the size of every package that runs in an agent", () => {
  expect([...documented.keys()]).toEqual(
    expect.arrayContaining(["@holdpoint/core", "@holdpoint/core/otel", "@holdpoint/stores/postgres", "@holdpoint/cli"]),
  );
});
