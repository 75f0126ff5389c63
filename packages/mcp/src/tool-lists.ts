import { HoldpointError, type Json, type JsonObject } from "@holdpoint/core";
import type { Connection } from "./connection.ts";
import { isObject } from "./message.ts";

/** One walk through the pages of `tools/list`, as the client makes it. */
export interface ListWalk {
  /** Absent where the walk did not start at the first page, or is too long to keep. */
  readonly tools: unknown[] | undefined;
  readonly generation: number;
}

export interface ToolLists {
  /** The client asks for a page. */
  asked(params: Json | undefined): ListWalk;
  /** The page as the client may see it. A complete walk teaches the catalog. */
  page(walk: ListWalk, result: JsonObject): JsonObject;
  /** The server said that its list changed, or another process may stand behind the connection when it is opened again. */
  changed(): void;
  /** Lists the tools over the same connection, unseen by the client. */
  list(): Promise<readonly unknown[]>;
}

const mostPages = 1_000;
const mostTools = 10_000;
const mostWalks = 100;
const listMs = 10_000;

export function createToolLists(connectionOf: () => Connection): ToolLists {
  /** Walks that wait for their next page, by the cursor that they will bring. */
  const walks = new Map<string, ListWalk>();
  let generation = 0;
  let ids = 0;

  function keep(cursor: string, walk: ListWalk): void {
    walks.delete(cursor);
    walks.set(cursor, walk);
    if (walks.size > mostWalks) walks.delete(walks.keys().next().value as string);
  }

  async function ask(params: JsonObject, signal: AbortSignal): Promise<JsonObject> {
    const connection = connectionOf();
    const id = `${connection.ownPrefix}${++ids}`;
    const { promise, resolve, reject } = Promise.withResolvers<JsonObject | undefined>();
    const expire = () => reject(new HoldpointError("listing_failed", `the server did not list its tools within ${listMs} ms`));
    signal.addEventListener("abort", expire, { once: true });
    connection.inFlight.set(id, { kind: "own", answer: resolve });
    try {
      const sending = connection.forward({ jsonrpc: "2.0", id, method: "tools/list", params }, { requestSignal: signal });
      sending.catch(reject);
      const result = (await promise)?.result;
      if (!isObject(result)) throw new HoldpointError("listing_failed", "the server did not list its tools");
      return result;
    } finally {
      signal.removeEventListener("abort", expire);
      connection.inFlight.delete(id);
    }
  }

  return {
    asked(params) {
      const cursor = isObject(params) ? params.cursor : undefined;
      if (cursor === undefined) return { tools: [], generation };
      return (typeof cursor === "string" ? walks.get(cursor) : undefined) ?? { tools: undefined, generation };
    },
    page(walk, result) {
      const { tools, nextCursor } = result;
      if (!Array.isArray(tools)) return result;
      const known = walk.tools && walk.tools.length + tools.length <= mostTools ? [...walk.tools, ...tools] : undefined;
      if (typeof nextCursor === "string") keep(nextCursor, { tools: known, generation: walk.generation });
      else if (known && walk.generation === generation) connectionOf().catalog.learn(known);
      return withoutHidden(connectionOf(), result);
    },
    changed() {
      generation++;
      walks.clear();
      connectionOf().catalog.invalidate();
    },
    async list() {
      const connection = connectionOf();
      if (connection.envelope === undefined) await connection.showEnvelope?.();
      const { envelope } = connection;
      const signal = AbortSignal.timeout(listMs);
      const listed: unknown[] = [];
      let cursor: string | undefined;
      for (let pages = 0; pages < mostPages; pages++) {
        const result = await ask({ ...(cursor === undefined ? {} : { cursor }), ...(envelope ? { _meta: envelope } : {}) }, signal);
        if (Array.isArray(result.tools)) for (const tool of result.tools) listed.push(tool);
        if (listed.length > mostTools) break;
        if (typeof result.nextCursor !== "string") return listed;
        cursor = result.nextCursor;
      }
      throw new HoldpointError("listing_failed", `the server lists more than ${mostPages} pages or ${mostTools} tools`);
    },
  };
}

/** The list without the tools that the policy hides; the very same object where it hides none. */
export function withoutHidden<T extends { readonly tools?: unknown }>(
  { guard, server }: Pick<Connection, "guard" | "server">,
  result: T,
): T {
  if (!Array.isArray(result.tools)) return result;
  const shown = result.tools.filter((tool) => !isObject(tool) || typeof tool.name !== "string" || guard.shows(server, tool.name));
  return shown.length === result.tools.length ? result : { ...result, tools: shown };
}
