import { HoldpointError, type Session } from "@holdpoint/core";
import { type Connection, type ConnectionOptions, closed, createConnection, holdsNothingMore } from "./connection.ts";
import { receive } from "./incoming.ts";
import { sendThrough } from "./outgoing.ts";

/** What every MCP transport is, in `@modelcontextprotocol/sdk` 1.x, `@modelcontextprotocol/client` 2.x and `@ai-sdk/mcp`. */
export interface TransportLike {
  start(): Promise<unknown>;
  send(message: never, options?: never): Promise<unknown>;
  close(): Promise<unknown>;
  onmessage?: ((message: never, extra?: never) => void) | undefined;
  onclose?: (() => void) | undefined;
}

const connections = new WeakMap<object, Connection>();

/**
 * Puts a transport under a guard, in place: the object that comes back is the one that was given, whoever holds it, before or after it is connected.
 * From then on no `tools/call` leaves through it unless the guard admits it, lists of tools come without those that the policy hides, and an answer
 * passes only where its request has left.
 *
 * A connection belongs to one session. Guarding twice under the same one changes nothing; under another it throws `HoldpointError` (`configuration`), as do
 * a transport that cannot be changed, and a guard of several servers without `server`.
 *
 * @example
 * await client.connect(guardTransport(new StdioClientTransport({ command: "files-server" }), session));
 */
export function guardTransport<T extends TransportLike>(transport: T, session: Session, options: ConnectionOptions = {}): T {
  const known = connections.get(transport);
  if (known) {
    if (known.session === session && (options.server ?? known.server) === known.server) return transport;
    throw new HoldpointError(
      "configuration",
      "this transport is guarded under another session or server: give each session a connection of its own",
    );
  }
  const { send, close } = transport as unknown as Record<"send" | "close", (...given: unknown[]) => Promise<unknown>>;
  let handler: MessageHandler | undefined;
  /** Messages on their way to the client. A client that chains an earlier handler hands it the very same object, which need not be checked again. */
  const passed = new WeakSet<object>();
  function pass(given: MessageHandler | undefined, message: unknown, ...extra: unknown[]): void {
    if (message !== null && typeof message === "object") passed.add(message);
    try {
      given?.(message, ...extra);
    } finally {
      if (message !== null && typeof message === "object") passed.delete(message);
    }
  }
  const connection = createConnection(session, options, {
    send: (message, sendOptions) => send.call(transport, message, sendOptions),
    deliver: (message) => pass(handler, message),
    joinedLate: transport.onmessage !== undefined,
  });

  define(transport, "send", { value: (message: unknown, sendOptions?: unknown) => sendThrough(connection, message, sendOptions) });
  // Writable: a client of 2.x puts a `close` of its own over this one while it probes. Nothing leaves by closing.
  define(transport, "close", {
    writable: true,
    async value(...given: unknown[]) {
      holdsNothingMore(connection);
      try {
        return await close.apply(transport, given);
      } finally {
        closed(connection);
      }
    },
  });
  intercept<MessageHandler>(transport, "onmessage", (given) => {
    handler = given;
    if (typeof given !== "function") return given;
    return (message, ...extra) => {
      if (message !== null && typeof message === "object" && passed.has(message)) return given(message, ...extra);
      receive(connection, message, (checked) => pass(given, checked, ...extra));
    };
  });
  intercept<() => void>(transport, "onclose", (given) => () => {
    closed(connection);
    given?.();
  });
  connections.set(transport, connection);
  return transport;
}

/** The guard's side of a guarded transport. */
export function connectionOf(transport: unknown): Connection | undefined {
  return transport !== null && typeof transport === "object" ? connections.get(transport) : undefined;
}

/** Whether calls through this transport are checked by this copy of the package. */
export function isGuarded(transport: unknown): boolean {
  return connectionOf(transport) !== undefined;
}

type MessageHandler = (message: unknown, ...extra: unknown[]) => void;

function define(transport: object, name: string, property: PropertyDescriptor): void {
  try {
    Object.defineProperty(transport, name, property);
  } catch (error) {
    throw new HoldpointError(
      "configuration",
      `this transport cannot be guarded, since its \`${name}\` cannot be replaced: do not freeze it, and guard it once`,
      { cause: error },
    );
  }
}

/**
 * Stands between a transport and the handler that a client sets on it. The transport reads the intercepted handler; a client that reads and sets it back
 * (to chain, or to restore after a probe) gets its own again.
 */
function intercept<H>(transport: object, name: "onmessage" | "onclose", wrap: (given: H | undefined) => H | undefined): void {
  const setter = inheritedSetter(transport, name);
  const givenBy = new WeakMap<object, H | undefined>();
  let current: H | undefined;
  function set(handler: H | undefined): void {
    const isWrapped = typeof handler === "function" && givenBy.has(handler);
    const given = isWrapped ? givenBy.get(handler as object) : handler;
    current = wrap(given);
    if (typeof current === "function") givenBy.set(current, given);
    setter?.call(transport, current);
  }
  set((transport as Record<string, H | undefined>)[name]);
  define(transport, name, { get: () => current, set, enumerable: true });
}

/** A transport around another one often hands its handlers on in a setter; that must still happen. */
function inheritedSetter(transport: object, name: string): ((value: unknown) => void) | undefined {
  for (let at: object | null = transport; at !== null; at = Object.getPrototypeOf(at)) {
    const property = Object.getOwnPropertyDescriptor(at, name);
    if (property) return property.set;
  }
  return undefined;
}
