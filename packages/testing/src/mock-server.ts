import type { Json, JsonObject } from "@holdpoint/core";
import { describeCall } from "./describe-verdict.ts";
import {
  invalid,
  type MockEnd,
  type MockHandler,
  type MockTool,
  type MockTools,
  type RunningTool,
  type ServerMajor,
  startTool,
} from "./mock-tool.ts";

/** A message that reached the mock upstream. */
export interface MockRequest {
  /** The JSON-RPC method; `undefined` for a response. */
  readonly method: string | undefined;
  readonly params: JsonObject | undefined;
  /** Absent from notifications. */
  readonly id: string | number | undefined;
  /** Names the connection, or the HTTP session. */
  readonly session: string;
  /** Headers of the HTTP request, names in lower case; `undefined` in memory. */
  readonly headers: Readonly<Record<string, string>> | undefined;
}

/** A `tools/call` that reached the mock upstream. */
export interface MockCall<Name extends string = string, Args = JsonObject> {
  readonly tool: Name;
  /** As they came; `{}` where there were none. They may differ from the declared type, as a model's arguments may. */
  readonly arguments: Args;
  readonly request: MockRequest;
}

/** The client's end of a connection. */
export interface MockPeer {
  /** `related` names the request that a notification belongs to. */
  send(message: JsonObject, related?: string | number): void;
  /** The connection breaks. */
  lose(): void;
}

/** The server's end of a connection. */
export interface MockConnection {
  readonly session: string;
  receive(message: unknown, headers?: Readonly<Record<string, string>>): void;
  end(): void;
}

export interface MockServerOptions {
  readonly name: string;
  readonly version: string;
  readonly instructions: string | undefined;
  /** Tools in one page of `tools/list`. */
  readonly pageSize: number;
  readonly like: ServerMajor;
}

export interface MockServer {
  readonly requests: MockRequest[];
  readonly calls: MockCall[];
  /** Calls that should not have been made, each in one line. */
  readonly unexpected: string[];
  readonly definitions: readonly JsonObject[];
  connect(peer: MockPeer): MockConnection;
  /** Adds or changes tools; `null` takes one away. */
  update(tools: { readonly [name: string]: MockTool | MockHandler | null }, notify: boolean): void;
  loseConnections(): void;
}

/** The versions that the MCP SDK's 2025 servers speak, the newest first (MCP, lifecycle, version negotiation). */
export const protocolVersions: readonly string[] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", "2024-10-07"];

/** JSON-RPC 2.0, section 5.1. */
const methodNotFound = -32601;
const invalidParams = -32602;

/** The server's side of MCP, without a wire: what a connection receives, what it answers, and what is remembered of it. */
export function createMockServer(tools: MockTools, options: MockServerOptions): MockServer {
  const running = new Map(Object.entries(tools).map(([name, tool]) => [name, startTool(name, tool, options.like)]));
  const connections = new Map<MockConnection, MockPeer>();
  const requests: MockRequest[] = [];
  const calls: MockCall[] = [];
  const unexpected: string[] = [];
  let sessions = 0;

  function connect(peer: MockPeer): MockConnection {
    const open = new Map<string | number, AbortController>();
    const session = `mock-session-${++sessions}`;
    const connection: MockConnection = {
      session,
      receive(message, headers) {
        const request = readRequest(message, session, headers);
        requests.push(request);
        if (request.method === "notifications/cancelled") open.get(request.params?.requestId as string | number)?.abort();
        if (request.method === undefined || request.id === undefined) return;
        const { id } = request;
        const abort = new AbortController();
        open.set(id, abort);
        void answer(request, peer, abort.signal).then((ended) => {
          open.delete(id);
          if (abort.signal.aborted) return;
          if (ended.kind === "result") peer.send({ jsonrpc: "2.0", id, result: ended.result });
          else if (ended.kind === "error") peer.send({ jsonrpc: "2.0", id, error: ended.error as JsonObject });
          else if (ended.kind === "lost") lose(connection, peer);
        });
      },
      end() {
        connections.delete(connection);
        for (const abort of open.values()) abort.abort();
      },
    };
    connections.set(connection, peer);
    return connection;
  }

  function lose(connection: MockConnection, peer: MockPeer): void {
    connection.end();
    peer.lose();
  }

  /** What the server answers. Starts in a later turn, as a message that came over a wire does. */
  async function answer(request: MockRequest, peer: MockPeer, signal: AbortSignal): Promise<MockEnd> {
    await undefined;
    const { method, params = {} } = request;
    if (method === "initialize") return { kind: "result", result: initialized(params) };
    if (method === "ping") return { kind: "result", result: {} };
    if (method === "tools/list") return listed(params);
    if (method === "tools/call") return called(request, params, peer, signal);
    return { kind: "error", error: { code: methodNotFound, message: "Method not found" } };
  }

  function initialized({ protocolVersion }: JsonObject): JsonObject {
    const asked = protocolVersions.find((version) => version === protocolVersion);
    return {
      protocolVersion: asked ?? (protocolVersions[0] as string),
      capabilities: { tools: { listChanged: true } },
      serverInfo: { name: options.name, version: options.version },
      ...(options.instructions !== undefined && { instructions: options.instructions }),
    };
  }

  function listed({ cursor }: JsonObject): MockEnd {
    const start = cursor === undefined ? 0 : Number(cursor);
    const all = definitions();
    if (!Number.isInteger(start) || start < 0 || start > all.length)
      return { kind: "error", error: { code: invalidParams, message: "Invalid cursor" } };
    const next = start + options.pageSize;
    return { kind: "result", result: { tools: all.slice(start, next), ...(next < all.length && { nextCursor: String(next) }) } };
  }

  async function called(request: MockRequest, params: JsonObject, peer: MockPeer, signal: AbortSignal): Promise<MockEnd> {
    const { name, arguments: args = {}, _meta: meta } = params;
    if (typeof name !== "string" || !isObject(args))
      return { kind: "error", error: { code: invalidParams, message: "Invalid request parameters" } };
    calls.push({ tool: name, arguments: args, request });
    const tool = running.get(name);
    if (tool === undefined) {
      unexpected.push(`${describeCall({ tool: name, arguments: args })}: the tools are ${[...running.keys()].join(", ") || "none"}`);
      const message = `Tool ${name} not found`;
      return options.like === "1.x" ? invalid("1.x", message) : { kind: "error", error: { code: invalidParams, message } };
    }
    const ended = await tool.run(args, {
      signal,
      call: calls.filter((call) => call.tool === name).length,
      meta: isObject(meta) ? meta : undefined,
      progress(progress, total, message) {
        const token = isObject(meta) ? meta.progressToken : undefined;
        if (token === undefined || signal.aborted) return;
        const told = { progressToken: token, progress, ...(total !== undefined && { total }), ...(message !== undefined && { message }) };
        peer.send({ jsonrpc: "2.0", method: "notifications/progress", params: told }, request.id);
      },
    });
    if (ended.kind !== "unexpected") return ended;
    unexpected.push(`${describeCall({ tool: name, arguments: args })}: ${ended.problem}`);
    return invalid(options.like, ended.problem);
  }

  function definitions(): readonly JsonObject[] {
    return [...running.values()].map((tool: RunningTool) => tool.definition);
  }

  return {
    requests,
    calls,
    unexpected,
    get definitions() {
      return definitions();
    },
    connect,
    update(changes, notify) {
      for (const [name, tool] of Object.entries(changes)) {
        if (tool === null) running.delete(name);
        else running.set(name, startTool(name, tool, options.like));
      }
      if (notify) for (const peer of connections.values()) peer.send({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
    },
    loseConnections() {
      for (const [connection, peer] of [...connections]) lose(connection, peer);
    },
  };
}

function readRequest(message: unknown, session: string, headers: Readonly<Record<string, string>> | undefined): MockRequest {
  const { method, params, id } = isObject(message) ? message : {};
  return {
    method: typeof method === "string" ? method : undefined,
    params: isObject(params) ? params : undefined,
    id: typeof id === "string" || typeof id === "number" ? id : undefined,
    session,
    headers,
  };
}

function isObject(value: unknown): value is { readonly [key: string]: Json } {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
