import { type Guard, guardOf, HoldpointError, type Session } from "@holdpoint/core";
import { type ConnectionOptions, guardTransport, type TransportLike } from "@holdpoint/mcp";
import { guardTools } from "./guard-tools.ts";
import { isObject, type ToolLike } from "./langchain-shapes.ts";
import type { GuardOptions } from "./seat.ts";

/** A `MultiServerMCPClient` of `@langchain/mcp-adapters`. */
export interface MultiServerClientLike<T extends ToolLike> {
  readonly config: {
    readonly mcpServers: Readonly<Record<string, unknown>>;
    readonly prefixToolNameWithServerName?: boolean | undefined;
    readonly additionalToolNamePrefix?: string | undefined;
  };
  getTools(...servers: string[]): Promise<T[]>;
  getClient(server: string): Promise<unknown>;
}

export interface McpServersOptions extends Omit<GuardOptions, "server" | "serverOf"> {
  /** The name in `policies` of each server, by its name in the client. Default: the same name; for a guard with one policy, its own. */
  readonly policyOf?: ((server: string) => string) | undefined;
  /**
   * `guard` also puts each connection under the session, so that `getClient(name)` hands out a guarded one. A connection belongs to one session: `leave` is for
   * a client that several sessions share. Default `guard`.
   */
  readonly connections?: "guard" | "leave" | undefined;
  /** `tools-only` also refuses what else a guarded connection can send: the resources that the adapters read by themselves, prompts, answers to the server. Default `all`. */
  readonly egress?: ConnectionOptions["egress"];
}

/**
 * Connects a `MultiServerMCPClient` and answers its tools, guarded, each under its server's policy and its name there. The connections are guarded too: calls
 * are judged by the schemas that the servers list, not by those that the adapters simplify for models, and nothing passes beside the tools.
 *
 * Connections that the client makes later are not under the guard (after a restart, for other `headers`): call this again for them.
 *
 * @example
 * const tools = await guardMcpServers(new MultiServerMCPClient({ files: { command: "files-server", args: [] } }), session);
 */
export async function guardMcpServers<T extends ToolLike>(
  client: MultiServerClientLike<T>,
  session: Session,
  options: McpServersOptions = {},
): Promise<T[]> {
  const { mcpServers, prefixToolNameWithServerName, additionalToolNamePrefix } = client.config;
  const { policyOf, connections, egress, ...guarding } = options;
  const guard = guardOf(session);
  const names = Object.keys(mcpServers);
  await client.getTools();
  const guarded: T[] = [];
  for (const name of names) {
    const server = policyOf?.(name) ?? soleServer(guard) ?? name;
    if (connections !== "leave") guardConnection(await client.getClient(name), session, name, { server, egress });
    const prefix = `${additionalToolNamePrefix ? `${additionalToolNamePrefix}__` : ""}${prefixToolNameWithServerName ? `${name}__` : ""}`;
    const serverOf = (tool: string) => (tool.startsWith(prefix) ? { server, tool: tool.slice(prefix.length) } : undefined);
    guarded.push(...guardTools(await client.getTools(name), session, { ...guarding, serverOf }));
  }
  return guarded;
}

/** A guard with one `policy` has one name for it, which is nobody's choice; several servers under it share its rules and its counters. */
function soleServer(guard: Guard): string | undefined {
  try {
    return guard.serverName(undefined);
  } catch {
    return undefined;
  }
}

function guardConnection(client: unknown, session: Session, name: string, options: ConnectionOptions): void {
  // A server that could not be reached, where the client ignores that, has no tools either.
  if (client === undefined) return;
  const transport = isObject(client) ? client["transport"] : undefined;
  if (!isObject(transport)) throw new HoldpointError("configuration", `server \`${name}\` has no connection that can be guarded`);
  guardTransport(transport as unknown as TransportLike, session, options);
}
