import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { modules } from "./budgets.ts";

const loadRatio = join(import.meta.dirname, "load-ratio.ts");
const importEntry = join(import.meta.dirname, "import-entry.ts");

for (const [entry, budget] of Object.entries(modules)) {
  test(`an import of ${entry} loads at most ${budget} modules`, async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ["--conditions=@holdpoint/source", importEntry, entry]);
    const loaded = JSON.parse(stdout).modules;
    expect(loaded).toBeLessThanOrEqual(budget);
    // A budget that is far above what it bounds would let a doubling pass.
    expect(loaded).toBeGreaterThan(budget * 0.6);
  });
}

test("a policy of 1,000 tools loads at the cost of at most 150 JSON round trips of its text, and one of many parts that meet many others of at most 300", async () => {
  // In a process of its own: in a worker, the garbage of the tests before it falls on whoever allocates more.
  const { stdout } = await promisify(execFile)(process.execPath, ["--conditions=@holdpoint/source", loadRatio]);
  const { thousandTools, manyWithMany } = JSON.parse(stdout);
  expect(thousandTools).toBeLessThanOrEqual(150);
  expect(Object.keys(manyWithMany)).toHaveLength(3);
  expect(Object.entries(manyWithMany).filter(([, ratio]) => (ratio as number) > 300)).toEqual([]);
});
