// Prints what loading a policy of 1,000 tools costs, in JSON round trips of its text.

import { compilePolicy, parsePolicy } from "@holdpoint/core";
import { thousandTools } from "./thousand-tools.ts";

const text = JSON.stringify(thousandTools);
let [loading, roundTrip] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
// The least of turns taken by turns: whatever else the machine does can only make a turn longer, and falls on both.
for (let turn = 0; turn < 9; turn++) {
  loading = Math.min(
    loading,
    timeOf(() => compilePolicy(parsePolicy(text))),
  );
  for (let more = 0; more < 5; more++)
    roundTrip = Math.min(
      roundTrip,
      timeOf(() => JSON.stringify(JSON.parse(text))),
    );
}
console.log(JSON.stringify({ roundTrips: loading / roundTrip }));

function timeOf(run: () => unknown): number {
  const started = performance.now();
  run();
  return performance.now() - started;
}
