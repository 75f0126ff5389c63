// A LangChain agent in front of a real MCP server, under one policy file: a call that passes, one that is refused, one that interrupts the graph until a person
// has approved it. The model is LangChain's own fake, so it runs without a key and without a network. Checks itself, and exits with 1 on any surprise.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { styleText } from "node:util";
import { createGuard, memoryAudit, parsePolicy } from "@holdpoint/core";
import { assertEnforced, guardMcpServers, holdpointMiddleware, type ReviewRequest } from "@holdpoint/langchain";
import { Command, MemorySaver } from "@langchain/langgraph";
import { MultiServerMCPClient } from "@langchain/mcp-adapters";
import { AIMessage, createAgent, fakeModel, ToolMessage } from "langchain";

const entry = createRequire(import.meta.url).resolve("@modelcontextprotocol/server-everything/dist/index.js");
const everything = { command: process.execPath, args: [entry, "stdio"], stderr: "ignore" as const };
const policy = parsePolicy(await readFile(new URL("../policy.json", import.meta.url), "utf8"));
const audit = memoryAudit();

// For a real model change this line: `const model = "anthropic:claude-sonnet-4-5"`, and the assertions about what it says.
const model = fakeModel()
  .respondWithTools([
    { name: "get-sum", args: { a: 2, b: 3 }, id: "sum" },
    { name: "get-sum", args: { a: 5000, b: 1 }, id: "large-sum" },
    { name: "echo", args: { message: "hello everybody" }, id: "greeting" },
  ])
  .respond(new AIMessage("The sum is 5, and everybody has been greeted."));

// ── The changed lines: the tools of the servers, and the agent, are guarded ──

// #region setup
const guard = createGuard({ policy, audit });
const session = guard.session({ user: "ann" });

const mcp = new MultiServerMCPClient({ mcpServers: { everything } });
const tools = await guardMcpServers(mcp, session);
const agent = createAgent({ model, tools, checkpointer: new MemorySaver(), middleware: [holdpointMiddleware(session)] });
await assertEnforced(agent);
// #endregion

assert(!tools.some(({ name }) => name === "get-env"), "a hidden tool is not in the list");

// ── The first run stops at the call that needs a person ──

const thread = { configurable: { thread_id: "chat-1" } };
const stopped = await agent.invoke({ messages: [{ role: "user", content: "Add things up, and greet everybody." }] }, thread);

const [interrupt] = (stopped as { __interrupt__?: { value: ReviewRequest }[] }).__interrupt__ ?? [];
assert(interrupt, "the graph is interrupted");
const [action] = interrupt.value.actionRequests;
assert(action);
say("person", `is asked:\n${action.description.replaceAll(/^/gm, " ".repeat(13))}`);
assert.deepEqual([action.name, action.args], ["echo", { message: "hello everybody" }]);

// ── The answer resumes it: the same `Command` as for LangChain's human-in-the-loop middleware ──

// #region resume
const done = await agent.invoke(new Command({ resume: { decisions: [{ type: "approve" }] } }), thread);
// #endregion

const told = done.messages.filter((message): message is ToolMessage => ToolMessage.isInstance(message));
for (const { status, text } of told) say(status ?? "success", text);
assert.deepEqual(
  told.map(({ status, text }) => [status, text]),
  [
    ["success", "The sum of 2 and 3 is 5."],
    ["error", "[HOLDPOINT DENIED] Sums over 1000 are for the accountant."],
    ["success", "Echo: hello everybody"],
  ],
);
say("text", done.messages.at(-1)?.text ?? "");
await mcp.close();

// ── The record: one decision for each call, also for the one that was run again when it was resumed ──

const decisions = audit.events.flatMap((event) => (event.type === "decision" && event.code !== "canary" ? [event] : []));
for (const { outcome, tool, rule, callId } of decisions) say("audit", `${outcome} ${tool} ${rule} (${callId})`);
assert.deepEqual(decisions.map(({ outcome, callId }) => `${outcome} ${callId}`).sort(), ["allow greeting", "allow sum", "deny large-sum"]);

function say(kind: string, text: string): void {
  console.log(`${styleText("bold", kind.padStart(8))}   ${text}`);
}
