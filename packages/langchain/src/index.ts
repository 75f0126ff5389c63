// This file is the whole public surface of `@holdpoint/langchain`: what is added here becomes API. Named exports only.

export { type AgentLike, assertEnforced } from "./assert-enforced.ts";
export { guardMcpServers, type McpServersOptions, type MultiServerClientLike } from "./guard-mcp-servers.ts";
export { guardTools } from "./guard-tools.ts";
export type { ReviewRequest } from "./human-review.ts";
export type { HostContext, ToolLike } from "./langchain-shapes.ts";
export { type HoldpointMiddleware, holdpointMiddleware, type MiddlewareOptions, type ToolRequest } from "./middleware.ts";
export type { GuardOptions } from "./seat.ts";
export { type NameOptions, serverToolNames, type ToolPlace } from "./tool-names.ts";
