import { guardOf, HoldpointError, type JsonObject, type Outcome, type Refusal, RefusedError, type Session } from "@holdpoint/core";
import type { Connection, ConnectionOptions } from "./connection.ts";
import { connectionOf, guardTransport, type TransportLike } from "./guard-transport.ts";
import { isObject } from "./message.ts";
import { cleanResult, isRefusal, refusalResult } from "./refusal-result.ts";
import { withoutHidden } from "./tool-lists.ts";

/** What the clients of `@modelcontextprotocol/sdk` 1.x and `@modelcontextprotocol/client` 2.x have in common. */
export interface ClientLike {
  connect(transport: never, options?: never): Promise<unknown>;
  callTool(...given: never): Promise<unknown>;
  listTools(...given: never): Promise<unknown>;
  readonly transport?: TransportLike | undefined;
}

type Method = (...given: unknown[]) => Promise<unknown>;

const guarded = new WeakMap<object, { readonly session: Session; readonly server: string }>();

/**
 * Puts a client under a guard, in place: the object that comes back is the one that was given, connected or not, and stays guarded when it connects again.
 *
 * Its transport is guarded, which covers every way in which a client can send. `callTool` asks before the SDK starts its request timer, so that a person
 * may take as long as the rule allows, and `listTools` leaves hidden tools out of cached lists too. `guard.resume(id)` makes approved calls through it.
 *
 * Throws `HoldpointError` (`configuration`) as `guardTransport` does, and where the client is guarded under another session. Under `onDeny: "throw"`
 * `callTool` rejects with `RefusedError`.
 *
 * @example
 * const client = guardClient(new Client({ name: "agent", version: "1.0.0" }), guard.session({ user: "ann" }));
 * await client.connect(new StdioClientTransport({ command: "files-server" }));
 */
export function guardClient<T extends ClientLike>(client: T, session: Session, options: ConnectionOptions = {}): T {
  const guard = guardOf(session);
  const server = guard.serverName(options.server);
  const known = guarded.get(client);
  if (known?.session === session && known.server === server) return client;
  if (known) {
    const problem = "this client is guarded under another session or server: give each a client of its own";
    throw new HoldpointError("configuration", problem);
  }
  const { connect, callTool, listTools } = client as unknown as Record<"connect" | "callTool" | "listTools", Method>;

  /** The connection of the moment. A transport that came in past `connect` is guarded as soon as it is seen. */
  function adopt(transport: TransportLike | undefined): Connection | undefined {
    if (!transport) return undefined;
    const seen = connectionOf(transport);
    if (seen?.session === session && adopted.has(seen)) return seen;
    guardTransport(transport, session, options);
    const connection = connectionOf(transport) as Connection;
    connection.showEnvelope = () => showEnvelope(client);
    const endRoute = guard.route(session, server, ({ tool, arguments: args }) =>
      (client as unknown as { callTool: Method }).callTool({ name: tool, arguments: args }),
    );
    adopted.add(connection);
    connection.onClosed.add(() => {
      endRoute();
      adopted.delete(connection);
    });
    return connection;
  }
  /** Connections that stand. One that has closed is adopted anew when its transport is started again. */
  const adopted = new WeakSet<Connection>();

  const methods: Record<string, Method> = {
    async connect(transport, ...rest) {
      adopt(transport as TransportLike);
      return connect.call(client, transport, ...rest);
    },
    async listTools(...given) {
      const result = await listTools.apply(client, given);
      return isObject(result) ? withoutHidden({ guard, server }, result) : result;
    },
    async callTool(params, ...rest) {
      const connection = adopt(client.transport);
      const given = speaksVersion2(client) ? [rest[0] ?? rest[1]] : rest;
      // Without a connection nothing can leave, and without a name there is nothing to decide: the SDK, or the transport, says so.
      const call = connection && readCall(params);
      if (!connection || !call) return callTool.call(client, params, ...given);
      const { name, args, others } = call;
      const signal = signalOf(given);
      const closing = connection.closing.signal;
      const waiting = eitherOf(signal, closing);
      const decided = await guard.admit({
        session,
        server,
        tool: name,
        arguments: args,
        catalog: connection.catalog,
        signal: waiting.signal,
        seam: "client",
      });
      waiting.stop();
      if (decided.outcome === "suspended") throw decided.cause;
      if (decided.outcome === "deny") {
        // The SDK rejects a call whose signal is aborted in its own words, before it sends anything.
        if (decided.code === "cancelled" && signal?.aborted) return callTool.call(client, params, ...given);
        if (decided.code === "cancelled" && closing.aborted) throw connectionClosed();
        return refused(decided, guard.onDeny);
      }
      if (closing.aborted || connectionOf(client.transport) !== connection) {
        // INVARIANT (nothing-leaves-unchecked): the client may stand on another connection by now, about which nothing was asked.
        await decided.settle({ kind: "unsent", reason: "the connection closed" });
        throw connectionClosed();
      }
      const bare = args === undefined && Object.keys(decided.arguments).length === 0;
      const checked = bare ? { ...others, name } : { ...others, name, arguments: decided.arguments };
      const sentBefore = connection.sent;
      const whereLost = (reason: string): Outcome => ({ kind: connection.sent === sentBefore ? "unsent" : "unknown", reason });
      try {
        const result = await callTool.call(client, checked, ...given);
        const refusedBelow = isRefusal(result);
        await decided.settle(refusedBelow ? whereLost("refused at the transport") : outcomeOf(result));
        return isObject(result) && !refusedBelow ? cleanResult(result, decided.edited) : result;
      } catch (error) {
        await decided.settle(whereLost("the call rejected"));
        throw error;
      }
    },
  };
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(client, name, { value, writable: true, configurable: true });
  }
  guarded.set(client, { session, server });
  adopt(client.transport);
  return client;
}

/** Reads the parameters once. `undefined` where there is no call to decide: the transport then refuses what is sent, in the record too. */
function readCall(params: unknown): { readonly name: string; readonly args: unknown; readonly others: object } | undefined {
  try {
    const { name, arguments: args, ...others } = params as Record<string, unknown>;
    return typeof name === "string" ? { name, args, others } : undefined;
  } catch {
    return undefined;
  }
}

function speaksVersion2(client: object): boolean {
  return typeof (client as { getProtocolEra?: unknown }).getProtocolEra === "function";
}

/** Version 1 takes `(params, resultSchema, options)`; of version 2's `(params, options)` only the options are left by now. */
function signalOf(given: readonly unknown[]): AbortSignal | undefined {
  const options = given.at(-1);
  const signal = options !== null && typeof options === "object" ? (options as { signal?: unknown }).signal : undefined;
  return signal instanceof AbortSignal ? signal : undefined;
}

/** A call that is held is given up by its caller or by the end of its connection. Mostly there is no caller's signal, and nothing to listen to. */
function eitherOf(signal: AbortSignal | undefined, closing: AbortSignal): { readonly signal: AbortSignal; stop(): void } {
  if (signal === undefined) return { signal: closing, stop: () => undefined };
  const either = new AbortController();
  const abort = () => either.abort();
  const signals = [signal, closing];
  for (const each of signals) each.addEventListener("abort", abort, { once: true });
  if (signals.some(({ aborted }) => aborted)) abort();
  return {
    signal: either.signal,
    stop() {
      for (const each of signals) each.removeEventListener("abort", abort);
    },
  };
}

/** The SDKs too reject what is open when a connection closes. */
function connectionClosed(): HoldpointError {
  return new HoldpointError("connection_closed", "the connection closed while the call was held: connect, and make it again");
}

function refused(refusal: Refusal, onDeny: "result" | "throw"): JsonObject {
  if (onDeny === "throw") throw new RefusedError(refusal);
  return refusalResult(refusal);
}

function outcomeOf(result: unknown): Outcome {
  return isObject(result) && result.isError === true ? { kind: "tool_error" } : { kind: "success" };
}

/** In the 2026-07-28 revision each request carries an envelope that only the client can make; one page of a list shows it. */
async function showEnvelope(client: object): Promise<void> {
  const { getProtocolEra, request } = client as { getProtocolEra?: () => unknown; request?: Method };
  if (getProtocolEra?.call(client) !== "modern") return;
  await request?.call(client, { method: "tools/list", params: {} });
}
