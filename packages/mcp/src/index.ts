// This file is the whole public surface of `@holdpoint/mcp`: what is added here becomes API. Named exports only.

export { assertEnforced, type EnforcementReport } from "./assert-enforced.ts";
export type { ConnectionOptions } from "./connection.ts";
export { type ClientLike, guardClient } from "./guard-client.ts";
export { guardTransport, isGuarded, type TransportLike } from "./guard-transport.ts";
export { isRefusal, refusalOf, refusedErrorCode } from "./refusal-result.ts";
