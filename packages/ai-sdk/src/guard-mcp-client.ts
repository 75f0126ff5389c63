import { guardOf, HoldpointError, type Session } from "@holdpoint/core";
import { type ConnectionOptions, guardTransport, type TransportLike } from "@holdpoint/mcp";
import { type GuardToolsOptions, guardTools } from "./guard-tools.ts";

/** What the clients of `@ai-sdk/mcp` 1.x and 2.x have in common. */
export interface McpClientLike {
  tools(options?: never): Promise<object>;
  toolsFromDefinitions(...given: never): object;
  listTools(options?: never): Promise<unknown>;
  close(): Promise<void>;
}

export interface GuardMcpClientOptions extends ConnectionOptions, Omit<GuardToolsOptions, "server" | "nameOf"> {}

const sessions = new WeakMap<object, Session>();

/**
 * Puts a client of `@ai-sdk/mcp` under a guard, in place: the object that comes back is the one that was given, and other references to it are guarded with it.
 *
 * Its transport is guarded, the built-in ones for `http` and `sse` too, which covers every way in which the client can send; each retry of the client
 * (`maxRetries`) is decided and charged. `tools()` and `toolsFromDefinitions()` give tools guarded as by `guardTools`, so that approvals become the
 * SDK's own and refusals its denied output. `guard.resume(id)` makes approved calls through it.
 *
 * Throws `HoldpointError` (`configuration`) for a client without a transport to guard, or one that is guarded under another session.
 *
 * @example
 * const mcp = guardMCPClient(await createMCPClient({ transport: { type: "http", url } }), session);
 * const { text } = await generateText({ model, tools: await mcp.tools(), prompt });
 */
export function guardMCPClient<T extends McpClientLike>(client: T, session: Session, options: GuardMcpClientOptions = {}): T {
  const known = sessions.get(client);
  if (known === session) return client;
  if (known)
    throw new HoldpointError("configuration", "this client is guarded under another session: give each session a client of its own");
  guardTransport(transportOf(client), session, options);

  const { server, identify, approval } = options;
  const guarded = (tools: object) => guardTools(tools as Record<string, object>, session, { server, identify, approval });
  // Version 1 calls a tool's arguments `args`, version 2 `arguments`.
  const { tools, toolsFromDefinitions, callTool, close } = client as unknown as Record<string, (...given: unknown[]) => unknown>;
  const endRoute = guardOf(session).route(session, server, async ({ tool, arguments: args }) =>
    callTool?.call(client, { name: tool, arguments: args, args }),
  );
  const methods: Record<string, (...given: unknown[]) => unknown> = {
    tools: async (...given) => guarded((await tools?.apply(client, given)) as object),
    toolsFromDefinitions: (...given) => guarded(toolsFromDefinitions?.apply(client, given) as object),
    close(...given) {
      endRoute();
      return close?.apply(client, given);
    },
  };
  for (const [name, value] of Object.entries(methods)) Object.defineProperty(client, name, { value, writable: true, configurable: true });
  sessions.set(client, session);
  return client;
}

/** The client keeps its transport to itself in its types alone; guarding it there covers what no wrapper of the client's methods could. */
function transportOf(client: object): TransportLike {
  const { transport } = client as { readonly transport?: Partial<TransportLike> };
  if (typeof transport?.send === "function" && typeof transport.close === "function") return transport as TransportLike;
  throw new HoldpointError(
    "configuration",
    "this client has no transport that can be guarded: pass `createMCPClient` a `guardTransport(…)` as its `transport`, and its tools to `guardTools`",
  );
}
