import { createMCPClient } from "@ai-sdk/mcp";
import { guardMCPClient } from "@holdpoint/ai-sdk";
import type { Session } from "@holdpoint/core";
import { holdpointMiddleware } from "@holdpoint/langchain";
import { guardClient } from "@holdpoint/mcp";
import type { MockUpstream } from "@holdpoint/testing";
import { ToolMessage } from "@langchain/core/messages";
import { loadMcpTools } from "@langchain/mcp-adapters";
import { Client } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import * as ai7 from "ai";
import type { MockLanguageModelV4 } from "ai/test";
import * as ai6 from "ai-v6";
import { createAgent } from "langchain";
import { aiSdkModel, aiSdkModel6, langchainModel, type Script, takeTurn } from "./hijacked-model.ts";

// Each agent here is the loop that its framework's users run, with a scripted model in it. Without a session it runs unguarded: each attack is first shown to work.

/** What the model was told of each of its calls: `tool: text`. */
export type Told = readonly string[];

interface Connected {
  readonly upstream: Pick<MockUpstream, "transport">;
  readonly session?: Session | undefined;
  /** The server's name in `policies`. */
  readonly server?: string | undefined;
}

/** A client of the MCP SDK on a connection of its own. */
export async function connect({ upstream, session, server }: Connected, sdk: typeof Client | typeof ClientV1 = Client): Promise<Client> {
  const client = new sdk({ name: "agent", version: "1.0.0" }) as Client;
  if (session) guardClient(client, session, { server });
  await client.connect(upstream.transport());
  return client;
}

/** A plain loop over the raw MCP client. Where two servers have a tool of one name, the later server's is called, as in many an agent. */
export async function mcpAgent(
  servers: Connected | readonly Connected[],
  task: string,
  script: Script,
  sdk?: typeof ClientV1,
): Promise<Told> {
  const offered: object[] = [];
  const clientOf = new Map<string, Client>();
  for (const each of [servers].flat() as readonly Connected[]) {
    const client = await connect(each, sdk);
    const { tools } = await client.listTools();
    offered.push(...tools);
    for (const { name } of tools) clientOf.set(name, client);
  }
  const told: string[] = [];
  for (let turn = 0; ; turn++) {
    const calls = takeTurn(script, turn, { task, offered, told });
    if (calls.length === 0) return told;
    const results = await Promise.all(
      calls.map(async ({ tool, args }) => (await clientOf.get(tool)?.callTool({ name: tool, arguments: args })) ?? noSuchTool),
    );
    told.push(...results.map((result, index) => `${calls[index]?.tool}: ${textOf(result)}`));
  }
}

const noSuchTool = { content: [{ type: "text", text: "there is no such tool" }] };

/** The text blocks of a tool's result. */
export function textOf(result: object): string {
  const { content } = result as { readonly content?: readonly { readonly text?: string }[] };
  return (content ?? []).map(({ text }) => text ?? "").join("\n");
}

/** `generateText` of the AI SDK over its own MCP client, in version 7 or 6. */
export async function aiSdkAgent(
  { upstream, session, server }: Connected,
  task: string,
  script: Script,
  version: 7 | 6 = 7,
): Promise<Told> {
  const mcp = await createMCPClient({ transport: upstream.transport() });
  if (session) guardMCPClient(mcp, session, { server });
  const tools = (await mcp.tools()) as ai7.ToolSet;
  const { model, sdk, enough } =
    version === 7
      ? { model: aiSdkModel(script), sdk: ai7, enough: ai7.isStepCount(script.length + 1) }
      : { model: aiSdkModel6(script), sdk: ai6 as unknown as typeof ai7, enough: ai6.stepCountIs(script.length + 1) as never };
  await sdk.generateText({ model, tools, prompt: task, stopWhen: enough });
  return toldByPrompt(model);
}

/** The tool results in the last prompt that the model was given. */
export function toldByPrompt(model: MockLanguageModelV4): Told {
  const messages = model.doGenerateCalls.at(-1)?.prompt ?? [];
  return messages.flatMap(({ role, content }) =>
    role !== "tool"
      ? []
      : content.flatMap((part) => (part.type === "tool-result" ? [`${part.toolName}: ${outputText(part.output as Output)}`] : [])),
  );
}

type Output =
  | { readonly type: "execution-denied"; readonly reason?: string }
  | { readonly type: "content"; readonly value: readonly { readonly text?: string }[] }
  | { readonly type: "text" | "error-text" | "json" | "error-json"; readonly value: unknown };

function outputText(output: Output): string {
  if (output.type === "execution-denied") return output.reason ?? "";
  if (output.type === "content") return output.value.map(({ text }) => text ?? "").join("\n");
  return typeof output.value === "string" ? output.value : JSON.stringify(output.value);
}

/** `createAgent` of LangChain over its MCP adapters: the connection is guarded, and the middleware stands before the tools. */
export async function langchainAgent(connected: Connected, task: string, script: Script): Promise<Told> {
  const client = await connect(connected, ClientV1);
  const { tools: offered } = await client.listTools();
  const tools = await loadMcpTools(connected.server ?? "server", client as never);
  const middleware = connected.session ? [holdpointMiddleware(connected.session, { server: connected.server })] : [];
  const agent = createAgent({ model: langchainModel(script, offered), tools, middleware });
  const { messages } = await agent.invoke({ messages: [{ role: "user", content: task }] }, { recursionLimit: 4 * script.length + 10 });
  return messages.flatMap((message) => (ToolMessage.isInstance(message) ? [`${message.name}: ${contentText(message.content)}`] : []));
}

function contentText(content: unknown): string {
  return typeof content === "string" ? content : textOf({ content });
}
