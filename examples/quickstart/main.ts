// One guarded MCP client in front of a real server: one call allowed, one denied by its arguments, one hidden, one over its limit, one held and approved, one
// held and refused; then what the audit sink was told. Checks itself, and exits with 1 on any surprise.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { styleText } from "node:util";
import { type AuditEvent, canaryPrefix, createGuard, type Verdict } from "@holdpoint/core";
import { assertEnforced, guardClient } from "@holdpoint/mcp";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { policy } from "./policy.ts";

// ── The guard: a policy, somebody to ask, and a place for the record ──

const answers: Verdict[] = [
  { approved: true, by: "ann" },
  { approved: false, by: "ann", reason: "not in Chicago" },
];
const events: AuditEvent[] = [];

const guard = createGuard({
  policy,
  approve: (request) => {
    say(
      "person",
      `asked about ${request.tool} ${JSON.stringify(request.arguments)}: ${request.reasons.join(", ")} [${request.fingerprint}]`,
    );
    return answers.shift() ?? { approved: false };
  },
  audit: (event) => void events.push(event),
});

// ── The one changed line: the client is guarded ──

const client = guardClient(new Client({ name: "quickstart", version: "1.0.0" }), guard.session({ user: "demo" }));

const server = createRequire(import.meta.url).resolve("@modelcontextprotocol/server-everything/dist/index.js");
await client.connect(new StdioClientTransport({ command: process.execPath, args: [server, "stdio"], stderr: "ignore" }));

const report = await assertEnforced(client);
say("proof", `a canary was stopped on each of ${report.tested.length} ways to send: ${report.tested.join(", ")}`);

// ── What happens to its calls ──

const { tools } = await client.listTools();
say("list", `${tools.length} tools; get-env is ${tools.some((tool) => tool.name === "get-env") ? "shown" : "not among them"}`);
assert(!tools.some((tool) => tool.name === "get-env"));

await show("allowed", "get-sum", { a: 2, b: 3 }, "The sum of 2 and 3 is 5.");
await show("denied by its argument", "get-sum", { a: 5000, b: 1 }, "[HOLDPOINT DENIED] Sums over 1000 are for the accountant.");
await show("hidden", "get-env", {}, "[HOLDPOINT DENIED] Tool `get-env` is not available.");
await show("allowed", "echo", { message: "one" }, "Echo: one");
await show("allowed", "echo", { message: "two" }, "Echo: two");
await show("over its limit", "echo", { message: "three" }, /^\[HOLDPOINT DENIED\] Limit reached\. Try again in (1 minute|\d+ seconds)\.$/);
await show("held, and approved", "get-structured-content", { location: "New York" }, /"temperature"/);
await show(
  "held, and refused",
  "get-structured-content",
  { location: "Chicago" },
  "[HOLDPOINT DENIED] A person was asked and refused this call: not in Chicago.",
);

await client.close();

// ── The record ──

console.log();
const calls = events.filter((event) => "tool" in event && !event.tool.startsWith(canaryPrefix));
for (const event of calls) {
  if (event.type === "decision") record(event.outcome, `${event.tool} ${event.rule} ${event.detail ?? ""}`);
  else if (event.type === "outcome") record(event.outcome, event.tool);
  else if (event.type.startsWith("approval.") && "approval" in event) record(event.type, `${event.tool} by ${event.by ?? "-"}`);
}
assert.deepEqual(
  calls.flatMap((event) => (event.type === "decision" ? [event.outcome] : [])),
  ["allow", "deny", "deny", "allow", "allow", "deny", "allow", "deny"],
);
assert.equal(calls.filter((event) => event.type === "outcome").length, 4);

async function show(title: string, name: string, args: Record<string, unknown>, expected: string | RegExp): Promise<void> {
  const result = await client.callTool({ name, arguments: args });
  const [block] = result.content as { type: string; text?: string }[];
  const text = block?.text ?? "";
  say(result.isError ? "stopped" : "passed", `${title}: ${name} ${JSON.stringify(args)}\n${" ".repeat(11)}${text.replaceAll("\n", " ")}`);
  if (typeof expected === "string") assert.equal(text, expected);
  else assert.match(text, expected);
}

function say(kind: "passed" | "stopped" | "person" | "list" | "proof", text: string): void {
  const color = ({ passed: "green", stopped: "red", person: "yellow", list: "cyan", proof: "cyan" } as const)[kind];
  console.log(`${styleText(["bold", color], kind.padStart(8))}   ${text}`);
}

function record(kind: string, text: string): void {
  console.log(styleText("dim", `   audit   ${kind.padEnd(18)} ${text}`));
}
