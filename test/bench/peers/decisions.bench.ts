// The same policy and the same calls through each engine. Goals: at least 10 × faster than agent-governance-sdk, cedar-wasm and json-rules-engine, not
// slower than CASL, within 3 × of hand-written closures. A row that misses its goal says so.

import { bench, type Measured, measure, report } from "../measure.ts";
import { agentGovernance, casl, cedar, handWritten, holdpoint, jsonRulesEngine } from "./peers.ts";
import { callOf, calls, most } from "./policy.ts";

const own = holdpoint();
/** How many times faster than the peer Holdpoint is to be. */
const peers = [
  { peer: handWritten(), goal: 1 / 3 },
  { peer: casl(), goal: 1 },
  { peer: agentGovernance(), goal: 10 },
  { peer: jsonRulesEngine(), goal: 10 },
  { peer: cedar(), goal: 10 },
];

for (const { call, allowed } of calls) {
  for (const peer of [own, ...peers.map(({ peer }) => peer)]) {
    if ((await peer.allows(call)) !== allowed) throw new Error(`\`${peer.name}\` gives another verdict on ${JSON.stringify(call)}`);
  }
}
console.log(`every engine gives the same verdict on each of ${calls.length} calls`);
console.log("left out: @ai-sdk/policy-opa. It runs policies compiled to WebAssembly, and no compiler of Rego was found on npm");

for (const [title, call] of [
  ["a call that is allowed", callOf("tool_7")],
  ["a call that is refused", callOf("tool_7", { amount: most + 1 })],
] as const) {
  await bench(title, async () => {
    const candidates = [own, ...peers.map(({ peer }) => peer)].map(({ name, allows, awaited = false }) => ({
      name,
      awaited,
      run: () => allows(call),
    }));
    const measured = await measure(candidates);
    report(title, measured, own.name);
    for (const { peer, goal } of peers) console.log(`  ${outcome(measured, peer.name, goal)}`);
  });
}

function outcome(measured: readonly Measured[], name: string, goal: number): string {
  const time = (wanted: string) => measured.find((row) => row.name === wanted)?.us ?? Number.NaN;
  const faster = time(name) / time(own.name);
  return `${faster >= goal ? "met   " : "MISSED"} ${name}: ${faster.toFixed(2)} × its speed, the goal is ${goal.toFixed(2)} ×`;
}
