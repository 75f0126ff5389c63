import type { JsonObject, ToolDefinition } from "@holdpoint/core";
import { type Cassette, cassetteTools } from "./cassette.ts";
import { type MockFetch, type MockHttpOptions, mockHttp } from "./mock-http.ts";
import { createMockServer, type MockCall, type MockRequest } from "./mock-server.ts";
import type { MockHandler, MockTool, MockTools, ServerMajor } from "./mock-tool.ts";
import { type MockTransport, mockTransport } from "./mock-transport.ts";

export interface MockUpstreamOptions {
  /** The server's name and version, as it introduces itself. Default `mock-upstream`, `1.0.0`. */
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  readonly instructions?: string | undefined;
  /** Tools in one page of `tools/list`. Default: all. */
  readonly pageSize?: number | undefined;
  /** The major of the MCP SDK whose server it is like: 1.x refuses an unknown tool by a result, 2.x by a JSON-RPC error. Default `1.x`. */
  readonly like?: ServerMajor | undefined;
  /** What a call to a tool that is not there means: `fail` makes `close` throw, `answer` only answers as a server does. Default `fail`. */
  readonly unexpected?: "fail" | "answer" | undefined;
}

/** The arguments that a handler declares; plain JSON where it declares none. */
export type ArgumentsOf<Tool> = Tool extends (args: infer Args, ...rest: never[]) => unknown
  ? Declared<Args>
  : Tool extends { readonly handle: (args: infer Args, ...rest: never[]) => unknown }
    ? Declared<Args>
    : JsonObject;

type Declared<Args> = unknown extends Args ? JsonObject : Args;

/** A call to one of the tools; narrowed by `tool`. */
export type CallTo<Tools> = { [Name in keyof Tools & string]: MockCall<Name, ArgumentsOf<Tools[Name]>> }[keyof Tools & string];

/** An MCP server for tests, made of plain functions. Every request that reaches it is kept. */
export interface MockUpstream<Tools = MockTools> extends AsyncDisposable {
  /** A new connection in memory, for one client. */
  transport(): MockTransport;
  /** The server over Streamable HTTP, as a function from request to response; `@holdpoint/testing/msw` puts it behind a URL. */
  http(options?: MockHttpOptions): MockFetch;
  /** Every `tools/call` that reached it, in order, also those that it refused. */
  readonly calls: readonly CallTo<Tools>[];
  /** The calls to one tool. */
  callsTo<Name extends keyof Tools & string>(name: Name): readonly MockCall<Name, ArgumentsOf<Tools[Name]>>[];
  /** Every message that reached it. */
  readonly requests: readonly MockRequest[];
  /** The tools as it lists them now; `policyTest` takes them. */
  readonly tools: readonly ToolDefinition[];
  /** Adds tools, changes them, or takes them away (`null`), and tells the clients, unless `notify` is `false`. */
  update(tools: { readonly [name: string]: MockTool | MockHandler | null }, options?: { readonly notify?: boolean | undefined }): void;
  /** Every connection breaks. */
  loseConnections(): void;
  /** Ends every connection. Throws `UnexpectedCallError`, once, where calls reached it that should not have been made. */
  close(): Promise<void>;
}

/** Calls reached a mock upstream that it has no answer for. */
export class UnexpectedCallError extends Error {
  override name = "UnexpectedCallError";
  readonly calls: readonly string[];

  constructor(calls: readonly string[]) {
    super(
      [
        `${calls.length === 1 ? "a call" : `${calls.length} calls`} reached the mock upstream and should not have been made:`,
        ...calls.map((call) => `  ${call}`),
      ].join("\n"),
    );
    this.calls = calls;
  }
}

/**
 * Makes an MCP server out of a plain object of tools: each a handler, or a definition with its `handle`. It answers as the MCP SDK's own server does, is
 * reached in memory or over HTTP, and fails loudly, when it closes, for a call to a tool that it does not have.
 *
 * @example
 * await using upstream = mockUpstream({
 *   get_weather: ({ city }: { city: string }) => `sunny in ${city}`,
 *   pay: { inputSchema: { type: "object", required: ["amount"] }, handle: () => toolError("card declined") },
 * });
 * await client.connect(upstream.transport());
 * await client.callTool({ name: "get_weather", arguments: { city: "Oslo" } });
 * upstream.callsTo("get_weather")[0]?.arguments.city; // "Oslo"
 */
export function mockUpstream<const Tools extends MockTools>(tools: Tools, options: MockUpstreamOptions = {}): MockUpstream<Tools> {
  const {
    name = "mock-upstream",
    version = "1.0.0",
    instructions,
    pageSize = Number.POSITIVE_INFINITY,
    unexpected = "fail",
    like = "1.x",
  } = options;
  const server = createMockServer(tools, { name, version, instructions, pageSize, like });

  async function close(): Promise<void> {
    server.loseConnections();
    const calls = server.unexpected.splice(0);
    if (unexpected === "fail" && calls.length > 0) throw new UnexpectedCallError(calls);
  }

  return {
    transport: () => mockTransport(server),
    http: (httpOptions) => mockHttp(server, httpOptions),
    get calls() {
      return server.calls as unknown as readonly CallTo<Tools>[];
    },
    callsTo: (tool) => server.calls.filter((call) => call.tool === tool) as never,
    requests: server.requests,
    get tools() {
      return server.definitions as unknown as readonly ToolDefinition[];
    },
    update: (changes, { notify = true } = {}) => server.update(changes, notify),
    loseConnections: server.loseConnections,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/**
 * Makes a mock upstream that replays what `recordUpstream` saw: the same tools, and for each recorded call its answer, in the order of the recording. A call
 * that was not recorded, or more often than it was recorded, is unexpected.
 */
mockUpstream.from = function replay(cassette: Cassette, options: MockUpstreamOptions = {}): MockUpstream {
  return mockUpstream(cassetteTools(cassette), { name: cassette.server?.name, version: cassette.server?.version, ...options });
};
