// What it costs to begin: the import of each package in a process of its own, and the loading of a policy of 1,000 tools. test/budgets holds the bounds.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { compilePolicy, parsePolicy } from "@holdpoint/core";
import { modules } from "../budgets/budgets.ts";
import { thousandTools } from "../budgets/thousand-tools.ts";
import { bench, measure, report } from "./measure.ts";

const importEntry = join(import.meta.dirname, "../budgets/import-entry.ts");
const rounds = 5;

await bench("imports, each in a process of its own", async () => {
  const entries = ["zod", "@modelcontextprotocol/sdk/client/index.js", ...Object.keys(modules)];
  const taken = new Map<string, { modules: number; ms: number[] }>();
  for (let round = 0; round < rounds; round++) {
    for (const entry of round % 2 === 0 ? entries : entries.toReversed()) {
      const { modules, ms } = JSON.parse(
        execFileSync(process.execPath, ["--conditions=@holdpoint/source", importEntry, entry], { encoding: "utf8" }),
      );
      const times = taken.get(entry)?.ms ?? [];
      taken.set(entry, { modules, ms: [...times, ms] });
    }
  }
  const base = median(taken.get("zod")?.ms ?? []);
  console.log("\nimport (× zod)");
  for (const [entry, { modules, ms }] of taken) {
    const [time, ratio] = [median(ms).toFixed(0), (median(ms) / base).toFixed(2)];
    console.log(`  ${entry.padEnd(42)} ${String(modules).padStart(4)} modules ${time.padStart(6)} ms ${ratio.padStart(6)} ×`);
  }
});

await bench("a policy of 1,000 tools", async () => {
  const text = JSON.stringify(thousandTools);
  const candidates = [
    { name: "JSON round trip", run: () => JSON.stringify(JSON.parse(text)) },
    { name: "parsePolicy", run: () => parsePolicy(text) },
    { name: "parsePolicy and compilePolicy", run: () => compilePolicy(parsePolicy(text)) },
  ];
  report(`${Math.round(text.length / 1000)} kB of policy`, await measure(candidates, { rounds: 7 }), "JSON round trip");
});

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
