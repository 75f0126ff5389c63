// Prints what loading each of some policies costs, in JSON round trips of its text.

import { compilePolicy, PolicyError, parsePolicy } from "@holdpoint/core";
import { manyWithMany } from "./many-with-many.ts";
import { thousandTools } from "./thousand-tools.ts";

const ofThousandTools = ratioOf(JSON.stringify(thousandTools), 9);
const ratios = Object.entries(manyWithMany).map(([name, text]) => [name, ratioOf(text, 3)]);
console.log(JSON.stringify({ thousandTools: ofThousandTools, manyWithMany: Object.fromEntries(ratios) }));

function ratioOf(text: string, turns: number): number {
  let [loading, roundTrip] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  // The least of turns taken by turns, in time on a processor: whatever else the machine does can only make a turn longer, and falls on both.
  for (let turn = 0; turn < turns; turn++) {
    loading = Math.min(
      loading,
      timeOf(() => load(text)),
    );
    roundTrip = Math.min(
      roundTrip,
      timeOf(() => {
        for (let more = 0; more < 5; more++) JSON.stringify(JSON.parse(text));
      }) / 5,
    );
  }
  return loading / roundTrip;
}

function load(text: string): void {
  try {
    compilePolicy(parsePolicy(text));
  } catch (error) {
    if (!PolicyError.is(error)) throw error;
  }
}

function timeOf(run: () => unknown): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
