import type { ToolDefinition } from "@holdpoint/core";
import { Failure } from "./failure.ts";
import { parseJson } from "./json-file.ts";
import { readText } from "./policy-file.ts";

/** The tools of one server, as a file or the server itself gave them. Every part of them is the server's claim. */
export interface ToolList {
  readonly tools: readonly ToolDefinition[];
  /** The server's name, where the file says it. */
  readonly server?: string | undefined;
}

/**
 * The same, where every entry has a name, as policies, types and locks need it.
 *
 * @throws {Failure} naming each entry that has none.
 */
export async function readNamedTools(path: string, stdin: NodeJS.ReadableStream): Promise<ToolList> {
  const list = await readToolsFile(path, stdin);
  const issues = (list.tools as readonly unknown[]).flatMap((tool, index) =>
    isFields(tool) && typeof tool["name"] === "string" && tool["name"] !== ""
      ? []
      : [{ pointer: `/${index}`, message: "this is no tool", fix: "give an object with a `name`" }],
  );
  if (issues.length > 0) throw new Failure(`${path}: not every entry is a tool`, { issues });
  return list;
}

/**
 * Reads a `tools/list` result, a whole JSON-RPC answer with one, or an array of tools. `-` is read from `stdin`.
 *
 * @throws {Failure} where the file is none of these.
 */
export async function readToolsFile(path: string, stdin: NodeJS.ReadableStream): Promise<ToolList> {
  const text = path === "-" ? await readAll(stdin) : await readText(path);
  const value = parseJson(path, text);
  const holder = isFields(value) && isFields(value["result"]) ? value["result"] : value;
  const tools = isFields(holder) ? holder["tools"] : holder;
  if (!Array.isArray(tools)) {
    throw new Failure(`${path}: this is neither a \`tools/list\` result nor an array of tools: give \`{ "tools": [ … ] }\` or \`[ … ]\``);
  }
  const server = isFields(holder) ? holder["server"] : undefined;
  return { tools: tools as ToolDefinition[], server: typeof server === "string" ? server : undefined };
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  stream.setEncoding("utf8");
  let text = "";
  for await (const chunk of stream) text += chunk;
  return text.replace(/^\uFEFF/, "");
}
