// Runs the benchmarks named on the command line, or all of them: `pnpm bench`, `pnpm bench decide guard`. Each runs in a process of its own, on the
// sources as Node runs them. Ratios within one run are what counts.

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const here = import.meta.dirname;
const all = readdirSync(here).filter((file) => file.endsWith(".bench.ts"));
const named = process.argv.slice(2);
const unknown = named.filter((name) => !all.includes(`${name}.bench.ts`));
if (unknown.length > 0) {
  console.error(`no benchmark \`${unknown.join("`, `")}\`: there are ${all.map((file) => file.replace(".bench.ts", "")).join(", ")}`);
  process.exit(2);
}
for (const file of named.length > 0 ? named.map((name) => `${name}.bench.ts`) : all) {
  const { status } = spawnSync(process.execPath, ["--conditions=@holdpoint/source", join(here, file)], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}
