// This file is the whole public surface of `@holdpoint/ai-sdk`: what is added here becomes API. Named exports only.

export { assertEnforced } from "./assert-enforced.ts";
export { type GuardMcpClientOptions, guardMCPClient, type McpClientLike } from "./guard-mcp-client.ts";
export { type GuardToolsOptions, guardTools } from "./guard-tools.ts";
export { type ApprovalQuestion, toolApproval } from "./tool-approval.ts";
export type { IdentifiedCall } from "./tool-seat.ts";
