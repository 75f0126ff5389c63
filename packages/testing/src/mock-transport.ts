import type { MockConnection, MockServer } from "./mock-server.ts";

/**
 * The client's end of an in-memory connection. It fits `Client.connect` of the MCP SDK 1.x and 2.x, and `createMCPClient({ transport })` of the AI SDK. Its
 * callbacks are methods without `undefined` in their types, so that it is assignable to all three, also under `exactOptionalPropertyTypes`.
 */
export interface MockTransport {
  start(): Promise<void>;
  send(message: unknown, options?: unknown): Promise<void>;
  close(): Promise<void>;
  onclose?(): void;
  onerror?(error: Error): void;
  onmessage?(message: unknown, extra?: unknown): void;
  sessionId?: string;
  setProtocolVersion?(version: string): void;
}

/** A message crosses as JSON text would carry it, so that no side sees the other's objects. */
export function mockTransport(server: MockServer): MockTransport {
  let connection: MockConnection | undefined;

  const transport: MockTransport = {
    async start() {
      if (connection !== undefined) throw new Error("the transport has been started already");
      connection = server.connect({
        send: (message) => queueMicrotask(() => isOpen() && transport.onmessage?.(acrossTheWire(message))),
        lose: () => ended(),
      });
    },
    async send(message) {
      if (connection === undefined) throw new Error("Not connected");
      connection.receive(acrossTheWire(message));
    },
    async close() {
      connection?.end();
      if (isOpen()) ended();
    },
  };
  return transport;

  function isOpen(): boolean {
    return connection !== undefined;
  }

  function ended(): void {
    connection = undefined;
    transport.onclose?.();
  }
}

function acrossTheWire(message: unknown): unknown {
  return JSON.parse(JSON.stringify(message));
}
