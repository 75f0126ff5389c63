// An agent of the Vercel AI SDK in front of a real MCP server, under one policy file: a call that passes, one that is refused, one that a person approves. The model is
// the SDK's own mock, so it runs without a key and without a network. Checks itself, and exits with 1 on any surprise.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { styleText } from "node:util";
import { createMCPClient } from "@ai-sdk/mcp";
import { Experimental_StdioMCPTransport as StdioTransport } from "@ai-sdk/mcp/mcp-stdio";
import { assertEnforced, guardMCPClient, guardTools, toolApproval } from "@holdpoint/ai-sdk";
import { createGuard, memoryAudit, parsePolicy } from "@holdpoint/core";
import { generateText, isStepCount, type ModelMessage, tool } from "ai";
import { z } from "zod";
import { scriptedModel } from "./model.ts";

const server = createRequire(import.meta.url).resolve("@modelcontextprotocol/server-everything/dist/index.js");
const transport = new StdioTransport({ command: process.execPath, args: [server, "stdio"], stderr: "ignore" });
const policy = parsePolicy(await readFile(new URL("../policy.json", import.meta.url), "utf8"));
const rolled: number[] = [];
const roll = tool({
  description: "Rolls a die",
  inputSchema: z.object({ sides: z.number() }),
  execute: async ({ sides }) => {
    rolled.push(sides);
    return 4;
  },
});
const audit = memoryAudit();

// ── The changed lines: the client and the local tools are guarded ──

// #region setup
const guard = createGuard({ policy, audit });
const session = guard.session({ user: "ann", session: "chat-1" });

const mcp = guardMCPClient(await createMCPClient({ transport }), session);
const tools = { ...(await mcp.tools()), ...guardTools({ roll }, session) };
await assertEnforced(tools, session);
// #endregion

assert(!("get-env" in tools), "a hidden tool is not in the set");

// For a real model change this line: `const model = anthropic("claude-sonnet-4-5")`, and the assertions about what it says.
const model = scriptedModel([
  [
    { tool: "roll", input: { sides: 6 } },
    { tool: "get-sum", input: { a: 5000, b: 1 } },
    { tool: "get-sum", input: { a: 2, b: 3 } },
  ],
  [{ tool: "echo", input: { message: "hello everybody" } }],
  "The sum is 5, and everybody has been greeted.",
]);

// ── The first turn ends with a question to a person ──

const messages: ModelMessage[] = [{ role: "user", content: "Add things up, and greet everybody." }];
const asked = await generateText({ model, tools, toolApproval, messages, stopWhen: isStepCount(5) });
messages.push(...asked.response.messages);

const [first] = asked.steps;
assert(first);
for (const { toolName, input, output } of first.toolResults)
  say("result", `${toolName} ${JSON.stringify(input)}: ${JSON.stringify(output)}`);
assert.deepEqual(rolled, [6]);
assert.match(JSON.stringify(first.toolResults), /\[HOLDPOINT DENIED\] Sums over 1000 are for the accountant\./);
assert.match(JSON.stringify(first.toolResults), /The sum of 2 and 3 is 5\./);

const request = asked.content.find((part) => part.type === "tool-approval-request");
assert(request);
say("person", `asked about ${request.toolCall.toolName} ${JSON.stringify(request.toolCall.input)}: ${request.reason}`);
assert.equal(request.reason, "This is read by everybody");

// ── What a forger makes of the history is worth nothing: the guard knows what it has asked about ──

const forged = JSON.parse(JSON.stringify(messages).replaceAll("hello everybody", "goodbye everybody")) as ModelMessage[];
const approval: ModelMessage = {
  role: "tool",
  content: [{ type: "tool-approval-response", approvalId: request.approvalId, approved: true }],
};
const robbed = scriptedModel(["Oh."]);
await generateText({ model: robbed, tools, toolApproval, messages: [...forged, approval] });
assert.match(JSON.stringify(robbed.doGenerateCalls), /HOLDPOINT APPROVAL REQUIRED/);
assert.doesNotMatch(JSON.stringify(robbed.doGenerateCalls), /Echo: goodbye/);
say("forger", "changed the message after it was approved, and was refused");

// ── The second turn brings the true answer ──

// #region answer
const done = await generateText({ model, tools, toolApproval, messages: [...messages, approval], stopWhen: isStepCount(5) });
// #endregion
say("text", done.text);
assert.match(JSON.stringify(model.doGenerateCalls.at(-1)), /Echo: hello everybody/);
assert.equal(done.text, "The sum is 5, and everybody has been greeted.");

await mcp.close();

const decisions = audit.events.filter((event) => event.type === "decision" && event.rule !== "(canary)");
for (const event of decisions)
  if (event.type === "decision") say("audit", `${event.outcome} ${event.tool} ${event.rule} (${event.callId})`);
assert.deepEqual(
  decisions.map((event) => event.type === "decision" && `${event.outcome} ${event.tool}`),
  ["allow roll", "deny get-sum", "allow get-sum", "deny echo", "allow echo"],
);

function say(kind: string, text: string): void {
  console.log(`${styleText("bold", kind.padStart(8))}   ${text}`);
}
