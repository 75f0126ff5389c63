import type { JsonObject } from "@holdpoint/core";
import { type MockConnection, type MockPeer, type MockServer, protocolVersions } from "./mock-server.ts";

export interface MockHttpOptions {
  /** How requests are answered: one JSON body, which has no room for progress, or a stream of events. Default `json`. */
  readonly answers?: "json" | "sse" | undefined;
  /** Gives each client a session by `mcp-session-id`, and with it the stream that tells of changed tool lists. Default `true`. */
  readonly sessions?: boolean | undefined;
}

/** Answers one HTTP request; rejects with a `TypeError`, as `fetch` does, where the connection is lost. */
export type MockFetch = (request: Request) => Promise<Response>;

/** What waits for the answer to one POST. */
interface Waiting {
  readonly left: Set<string | number>;
  take(message: JsonObject): void;
  lose(): void;
}

interface HttpSession {
  readonly connection: MockConnection;
  readonly waiting: Set<Waiting>;
  /** The standing stream of a GET. */
  stream: ReadableStreamDefaultController<Uint8Array> | undefined;
}

/** MCP's Streamable HTTP transport (MCP 2025-11-25, transports), with the statuses and messages of the MCP SDK's server. */
export function mockHttp(server: MockServer, { answers = "json", sessions: hasSessions = true }: MockHttpOptions = {}): MockFetch {
  const sessions = new Map<string, HttpSession>();

  function open(): HttpSession {
    const session: HttpSession = { connection: server.connect(peerOf(() => session)), waiting: new Set(), stream: undefined };
    if (hasSessions) sessions.set(session.connection.session, session);
    return session;
  }

  function close(session: HttpSession): void {
    sessions.delete(session.connection.session);
    session.connection.end();
    session.stream?.close();
  }

  function peerOf(session: () => HttpSession): MockPeer {
    return {
      send(message, related) {
        const { id = related } = message as { readonly id?: string | number };
        const waiting = [...session().waiting].find(({ left }) => id !== undefined && left.has(id));
        if (waiting) waiting.take(message);
        else session().stream?.enqueue(event(message));
      },
      lose() {
        const { connection, waiting, stream } = session();
        sessions.delete(connection.session);
        for (const each of [...waiting]) each.lose();
        stream?.error(lost());
      },
    };
  }

  /** The session that a request belongs to, or what is answered where there is none. */
  function find(request: Request): HttpSession | Response {
    if (!hasSessions) return open();
    const id = request.headers.get("mcp-session-id");
    if (!id) return refusal(400, -32000, "Bad Request: Mcp-Session-Id header is required");
    return sessions.get(id) ?? refusal(404, -32001, "Session not found");
  }

  async function post(request: Request): Promise<Response> {
    const accepted = request.headers.get("accept") ?? "";
    if (!accepted.includes("application/json") || !accepted.includes("text/event-stream")) {
      return refusal(406, -32000, "Not Acceptable: Client must accept both application/json and text/event-stream");
    }
    if (!/^application\/json\s*(;|$)/i.test(request.headers.get("content-type") ?? "")) {
      return refusal(415, -32000, "Unsupported Media Type: Content-Type must be application/json");
    }
    const messages = await messagesOf(request);
    if (messages === undefined) return refusal(400, -32700, "Parse error: Invalid JSON");
    const initializes = messages.some(({ method }) => method === "initialize");
    const session = initializes ? open() : find(request);
    if (session instanceof Response) return session;
    const headers = Object.fromEntries(request.headers);
    const answered = waitFor(
      session,
      messages.flatMap(({ method, id }) => (typeof method === "string" && id !== undefined ? [id as string | number] : [])),
    );
    for (const message of messages) session.connection.receive(message, headers);
    if (!hasSessions && answered instanceof Response) close(session);
    return answered;
  }

  function waitFor(session: HttpSession, ids: readonly (string | number)[]): Promise<Response> | Response {
    if (ids.length === 0) return new Response(null, { status: 202 });
    const headers: Record<string, string> = hasSessions ? { "mcp-session-id": session.connection.session } : {};
    return new Promise((resolve, reject) => {
      const wait = answers === "sse" ? eventStream(resolve, reject, headers) : jsonBody(resolve, reject, headers);
      const left = new Set(ids);
      const waiting: Waiting = {
        left,
        take(message) {
          if ("id" in message) left.delete(message.id as string | number);
          wait.take(message, left.size === 0);
          if (left.size > 0) return;
          session.waiting.delete(waiting);
          if (!hasSessions) close(session);
        },
        lose: () => wait.lose(lost()),
      };
      session.waiting.add(waiting);
    });
  }

  function get(request: Request): Response {
    if (!hasSessions) return notAllowed();
    if (!request.headers.get("accept")?.includes("text/event-stream"))
      return refusal(406, -32000, "Not Acceptable: Client must accept text/event-stream");
    const session = find(request);
    if (session instanceof Response) return session;
    if (session.stream) return refusal(409, -32000, "Conflict: Only one SSE stream is allowed per session");
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        session.stream = controller;
      },
      cancel() {
        session.stream = undefined;
      },
    });
    return new Response(body, { headers: { ...eventHeaders, "mcp-session-id": session.connection.session } });
  }

  return async (request) => {
    const version = request.headers.get("mcp-protocol-version");
    if (version !== null && !protocolVersions.includes(version)) {
      const supported = protocolVersions.join(", ");
      return refusal(400, -32000, `Bad Request: Unsupported protocol version: ${version} (supported versions: ${supported})`);
    }
    if (request.method === "POST") return post(request);
    if (request.method === "GET") return get(request);
    if (request.method !== "DELETE" || !hasSessions) return notAllowed();
    const session = find(request);
    if (session instanceof Response) return session;
    close(session);
    return new Response(null, { status: 200 });
  };
}

interface Wait {
  take(message: JsonObject, isLast: boolean): void;
  lose(error: Error): void;
}

type Resolve = (response: Response) => void;
type Reject = (error: Error) => void;

function jsonBody(resolve: Resolve, reject: Reject, headers: Record<string, string>): Wait {
  const answers: JsonObject[] = [];
  return {
    take(message, isLast) {
      if ("id" in message) answers.push(message);
      if (isLast) resolve(Response.json(answers.length === 1 ? answers[0] : answers, { headers }));
    },
    lose: reject,
  };
}

const eventHeaders = { "content-type": "text/event-stream", "cache-control": "no-cache, no-transform" };

/** The response begins with its first event: a connection that is lost before is a request that failed, not a stream that broke off. */
function eventStream(resolve: Resolve, reject: Reject, headers: Record<string, string>): Wait {
  let stream: ReadableStreamDefaultController<Uint8Array> | undefined;
  return {
    take(message, isLast) {
      if (stream === undefined) {
        const body = new ReadableStream<Uint8Array>({
          start(controller) {
            stream = controller;
          },
        });
        resolve(new Response(body, { headers: { ...eventHeaders, ...headers } }));
      }
      stream?.enqueue(event(message));
      if (isLast) stream?.close();
    },
    lose(error) {
      if (stream) stream.error(error);
      else reject(error);
    },
  };
}

function event(message: JsonObject): Uint8Array {
  return new TextEncoder().encode(`event: message\ndata: ${JSON.stringify(message)}\n\n`);
}

function lost(): TypeError {
  return new TypeError("fetch failed: the mock upstream lost the connection");
}

async function messagesOf(request: Request): Promise<readonly JsonObject[] | undefined> {
  try {
    const body: unknown = JSON.parse(await request.text());
    const messages = Array.isArray(body) ? body : [body];
    return messages.every((message) => message !== null && typeof message === "object") ? messages : undefined;
  } catch {
    return undefined;
  }
}

function refusal(status: number, code: number, message: string): Response {
  return Response.json({ jsonrpc: "2.0", error: { code, message }, id: null }, { status });
}

function notAllowed(): Response {
  const response = refusal(405, -32000, "Method not allowed.");
  response.headers.set("allow", "GET, POST, DELETE");
  return response;
}
