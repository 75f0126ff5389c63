import { type Json, type JsonObject, takeSnapshot } from "@holdpoint/core";

/** A JSON-RPC message as it will be sent: plain JSON, read once, so that it cannot change its mind between the check and the wire. */
export interface ReadMessage {
  readonly value: Json;
  /** Set where the caller's message was no plain JSON: what is wrong, and where. `value` is then one round trip through JSON text. */
  readonly unfit?: { readonly code: "not_json" | "too_large"; readonly pointer: string; readonly problem: string } | undefined;
}

// The guard's own bounds are for the arguments of calls; answers to a server's requests may be as large as they like.
const unbounded = { maxBytes: Number.MAX_SAFE_INTEGER, maxDepth: 1_000, maxNodes: Number.MAX_SAFE_INTEGER };

/** Reads what a client hands to its transport; `undefined` where it cannot be read at all. */
export function readMessage(message: unknown): ReadMessage | undefined {
  const snapshot = takeSnapshot(message, unbounded);
  if (snapshot.ok) return { value: snapshot.value };
  try {
    return { value: JSON.parse(JSON.stringify(message)) as Json, unfit: snapshot };
  } catch {
    return undefined;
  }
}

export type RequestId = string | number;

export function requestId(message: JsonObject): RequestId | undefined {
  const { id } = message;
  return typeof id === "string" || typeof id === "number" ? id : undefined;
}

export function isObject(value: unknown): value is JsonObject {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

const messageKeys = new Set(["jsonrpc", "id", "method", "params", "result", "error"]);

/**
 * Whether every server reads an outbound message as this package does. Some take an array for text where it names a method; some match keys whatever their
 * case, as Go's `encoding/json` does (by simple folding, in which `ſ` is an `s`), and take the last of two.
 */
export function isClear(message: JsonObject): boolean {
  if (message.method !== undefined && typeof message.method !== "string") return false;
  return Object.keys(message).every((key) => messageKeys.has(key) || !messageKeys.has(key.toUpperCase().toLowerCase()));
}

/** Whether an inbound message could be taken for an answer by any client: all that is no clear request or notification. */
export function isResponse(message: JsonObject): boolean {
  return !Object.hasOwn(message, "method") || Object.hasOwn(message, "result") || Object.hasOwn(message, "error");
}

/** The keys of a `tools/call` (MCP 2025-11-25 and 2026-07-28). What another key would carry is unknown, so it does not pass. */
const callKeys = new Set(["name", "arguments", "task", "_meta", "inputResponses", "requestState"]);

export interface ToolCall {
  readonly name: string;
  readonly arguments: JsonObject | undefined;
  /** The parameters besides name and arguments, as they are sent. */
  readonly rest: JsonObject;
}

/** Reads the parameters of a `tools/call`; text where they are malformed. */
export function readCall(params: Json | undefined): ToolCall | string {
  if (!isObject(params)) return "`params` must be an object";
  for (const key of Object.keys(params)) if (!callKeys.has(key)) return "`params` has a key that no tool call has";
  const { name, arguments: args, _meta: meta, ...rest } = params;
  if (typeof name !== "string") return "`name` must be text";
  if (args !== undefined && !isObject(args)) return "`arguments` must be an object";
  if (rest.task !== undefined && !isObject(rest.task)) return "`task` must be an object";
  if (meta !== undefined && !isObject(meta)) return "`_meta` must be an object";
  if (rest.inputResponses !== undefined && !isObject(rest.inputResponses)) return "`inputResponses` must be an object";
  if (rest.requestState !== undefined && typeof rest.requestState !== "string") return "`requestState` must be text";
  return { name, arguments: args, rest: meta === undefined ? rest : { ...rest, _meta: withoutOwnMeta(meta) } };
}

/** Keys under `holdpoint/` are this process's own: neither side of the wire gets or sets them. */
export function withoutOwnMeta(meta: JsonObject): JsonObject {
  if (!Object.keys(meta).some(isOwnKey)) return meta;
  return Object.fromEntries(Object.entries(meta).filter(([key]) => !isOwnKey(key)));
}

function isOwnKey(key: string): boolean {
  return key.toLowerCase().startsWith("holdpoint/");
}

/** What every request of the 2026-07-28 revision carries in `_meta`; absent from requests of earlier ones. */
export function envelopeOf(params: Json | undefined): JsonObject | undefined {
  const meta = isObject(params) ? params._meta : undefined;
  if (!isObject(meta) || typeof meta[protocolVersionKey] !== "string") return undefined;
  return Object.fromEntries(Object.entries(meta).filter(([key]) => key.startsWith("io.modelcontextprotocol/")));
}

const protocolVersionKey = "io.modelcontextprotocol/protocolVersion";
