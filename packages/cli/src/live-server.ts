import { existsSync } from "node:fs";
import type { ToolDefinition } from "@holdpoint/core";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { getDefaultEnvironment, StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ListToolsResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { exitCodes, Failure, reasonOf } from "./failure.ts";
import { readNamedTools, type ToolList } from "./tools-file.ts";

/** How a server is reached. */
export type ServerAddress =
  | {
      readonly command: string;
      readonly args?: readonly string[] | undefined;
      readonly env?: Readonly<Record<string, string>> | undefined;
      readonly cwd?: string | undefined;
    }
  | { readonly url: string; readonly headers?: Readonly<Record<string, string>> | undefined };

/** What a server says of itself and of its tools, all of it a claim. */
export interface ListedServer extends ToolList {
  /** The version that the server gives itself. */
  readonly version?: string | undefined;
}

/** Milliseconds for a server to start, connect and list its tools. The first start by `npx` downloads it. */
export const defaultTimeoutMs = 60_000;

/** A server that never ends its list would keep us for ever. */
const mostPages = 100;
const mostTools = 10_000;

/**
 * Starts or reaches a server over stdio, Streamable HTTP, or SSE where it speaks nothing newer, and lists its tools, every page of them. No tool is called.
 *
 * @throws {Failure} (`unreachable`) saying what the server printed, where it does not start, answer, or list.
 */
export async function listServer(
  address: ServerAddress,
  { timeoutMs = defaultTimeoutMs }: { readonly timeoutMs?: number } = {},
): Promise<ListedServer> {
  const signal = AbortSignal.timeout(timeoutMs);
  if ("command" in address) {
    const printed = lastOutput();
    const transport = new StdioClientTransport({
      command: address.command,
      args: [...(address.args ?? [])],
      env: { ...getDefaultEnvironment(), ...downloadEnvironment(), ...address.env },
      stderr: "pipe",
      ...(address.cwd !== undefined && { cwd: address.cwd }),
    });
    transport.stderr?.on("data", printed.take);
    return listOver(transport, signal, nameOf(address), printed.text);
  }
  const url = parseUrl(address.url);
  const options = { requestInit: { headers: { ...address.headers } } };
  try {
    return await listOver(new StreamableHTTPClientTransport(url, options), signal, address.url);
  } catch (error) {
    // A server of the protocol's first HTTP transport answers the newer one with a 4xx (MCP, "Backwards compatibility").
    if (!/\b4(?:00|04|05)\b/.test(reasonOf(error))) throw error;
    return listOver(new SSEClientTransport(url, options), signal, address.url);
  }
}

/**
 * What package runners such as `npx` and `uvx` need to reach their registry. The rest of our environment, with whatever secrets it holds, is not handed
 * to a server that is only to be asked for its tools.
 */
function downloadEnvironment(): Readonly<Record<string, string>> {
  const needed =
    /^(?:(?:https?|no|all)_proxy|npm_config_(?!.*(?:auth|token|password)).*|NODE_EXTRA_CA_CERTS|SSL_CERT_(?:FILE|DIR)|UV_INDEX_URL|UV_DEFAULT_INDEX|PIP_INDEX_URL)$/i;
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value !== undefined && needed.test(name) ? [[name, value]] : [])),
  );
}

/** A tools file, a URL, or a command line: whatever a person names as the thing to compare with. */
export async function listSource(
  source: string,
  stdin: NodeJS.ReadableStream,
  options: { readonly timeoutMs?: number } = {},
): Promise<ListedServer> {
  if (source === "-" || existsSync(source)) return readNamedTools(source, stdin);
  if (/^https?:\/\//i.test(source)) return listServer({ url: source }, options);
  const [command, ...args] = splitCommand(source);
  if (command === undefined) throw new Failure("the server has no name: give a tools file, a URL or a command");
  if (args.length === 0 && /\.json$/i.test(source)) throw new Failure(`${source}: there is no such file`);
  return listServer({ command, args }, options);
}

export function nameOf(address: ServerAddress): string {
  return "url" in address ? address.url : [address.command, ...(address.args ?? [])].join(" ");
}

async function listOver(
  transport: Parameters<Client["connect"]>[0],
  signal: AbortSignal,
  name: string,
  printed: () => string = () => "",
): Promise<ListedServer> {
  const client = new Client({ name: "holdpoint", version: "0.1.0" });
  try {
    await client.connect(transport, { signal, timeout: defaultTimeoutMs });
    const tools = await listTools(client, signal);
    const { name: server, version } = client.getServerVersion() ?? {};
    return { tools, server, version };
  } catch (error) {
    const reason = signal.aborted ? "it did not answer in time" : reasonOf(error);
    throw new Failure(`\`${name}\` could not be asked for its tools: ${reason}`, {
      exitCode: exitCodes.unreachable,
      printed: printed() || undefined,
      cause: error,
    });
  } finally {
    await client.close().catch(() => undefined);
  }
}

async function listTools(client: Client, signal: AbortSignal): Promise<readonly ToolDefinition[]> {
  const tools: ToolDefinition[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < mostPages && tools.length <= mostTools; page += 1) {
    const params = cursor === undefined ? {} : { cursor };
    // `listTools` would compile every output schema; what is needed here is the list as it was sent.
    const listed = await client.request({ method: "tools/list", params }, ListToolsResultSchema, { signal });
    tools.push(...(listed.tools as ToolDefinition[]));
    cursor = listed.nextCursor;
    if (cursor === undefined) return tools;
  }
  throw new Error("its list of tools does not end");
}

function parseUrl(text: string): URL {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) throw new Failure(`\`${text}\` is no \`http\` or \`https\` URL`);
  return new URL(text);
}

/** The end of what a process wrote to stderr. */
function lastOutput() {
  const most = 2_000;
  let text = "";
  return {
    take(chunk: Buffer | string) {
      text = (text + String(chunk)).slice(-most);
    },
    text: () => text.trim(),
  };
}

/** Splits a command line as shells do where quotes are plain; nothing is expanded. */
export function splitCommand(line: string): readonly string[] {
  return [...line.matchAll(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g)].map(([word]) => word.replace(/"([^"]*)"|'([^']*)'/g, "$1$2"));
}
