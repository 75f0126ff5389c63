import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { compilePolicy, parsePolicy } from "@holdpoint/core";
import { expect, test } from "vitest";
import { modules } from "./budgets.ts";
import { thousandTools } from "./thousand-tools.ts";

const importEntry = join(import.meta.dirname, "import-entry.ts");

for (const [entry, budget] of Object.entries(modules)) {
  test(`an import of ${entry} loads at most ${budget} modules`, async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ["--conditions=@holdpoint/source", importEntry, entry]);
    expect(JSON.parse(stdout).modules).toBeLessThanOrEqual(budget);
  });
}

test("a policy of 1,000 tools loads at the cost of at most 150 JSON round trips of its text", () => {
  const text = JSON.stringify(thousandTools);
  const load = () => compilePolicy(parsePolicy(text));
  const roundTrip = () => JSON.stringify(JSON.parse(text));
  let [loading, roundTrips] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  // The least of turns taken by turns: whatever else the machine does can only make a turn longer, and falls on both.
  for (let turn = 0; turn < 5; turn++) {
    loading = Math.min(loading, timeOf(load));
    for (let more = 0; more < 5; more++) roundTrips = Math.min(roundTrips, timeOf(roundTrip));
  }
  expect(loading / roundTrips).toBeLessThanOrEqual(150);
});

function timeOf(run: () => unknown): number {
  const started = performance.now();
  run();
  return performance.now() - started;
}
