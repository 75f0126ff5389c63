import { Client as ClientV2, InMemoryTransport as PairV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport as PairV1 } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer as ServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js";
import { McpServer as ServerV2 } from "@modelcontextprotocol/server";
import { onTestFinished, vi } from "vitest";
import { z } from "zod";

/** A message as the server's side of the wire got it. */
interface Received {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: { readonly name?: string; readonly arguments?: Record<string, unknown>; readonly [key: string]: unknown };
  readonly result?: unknown;
  readonly error?: unknown;
}

export interface Upstream {
  readonly client: ClientV1 | ClientV2;
  readonly transport: PairV1 | PairV2;
  readonly server: ServerV1 | ServerV2;
  readonly received: Received[];
  /** Arguments of the tool calls that reached the server, by tool. */
  calls(tool?: string): readonly unknown[];
  /** Sends a message as the server would, whatever it is. */
  say(message: unknown): Promise<void>;
  readonly major: "1.x" | "2.x";
}

export const majors = ["1.x", "2.x"] as const;
export type Major = (typeof majors)[number];

/** A real server of the SDK on the other end of an in-memory pair; it records what reaches it. */
export async function upstream(major: Major): Promise<Upstream> {
  const [transport, far] = major === "1.x" ? PairV1.createLinkedPair() : PairV2.createLinkedPair();
  const info = { name: "bank", version: "1.0.0" };
  const server = major === "1.x" ? new ServerV1(info) : new ServerV2(info);
  addTools(server as ServerV1);
  const received: Received[] = [];
  await server.connect(far as never);
  const handle = far.onmessage as (message: unknown, extra?: unknown) => void;
  far.onmessage = (message: unknown, extra?: unknown) => {
    received.push(...(Array.isArray(message) ? message : [message]));
    if (!Array.isArray(message)) handle(message, extra);
  };
  const options = { capabilities: { sampling: {}, roots: {} } };
  return {
    major,
    client: major === "1.x" ? new ClientV1(info, options) : new ClientV2(info, options),
    transport,
    server,
    received,
    calls: (tool) =>
      received.flatMap(({ method, params }) =>
        method === "tools/call" && (tool === undefined || params?.name === tool) ? [params?.arguments] : [],
      ),
    say: (message) => far.send(message as never),
  };
}

function addTools(server: ServerV1): void {
  const text = (said: string) => ({ content: [{ type: "text" as const, text: said }] });
  server.registerTool(
    "pay",
    { description: "Pays an amount", inputSchema: { amount: z.number(), to: z.string() } },
    async ({ amount, to }) => text(`paid ${amount} to ${to}`),
  );
  server.registerTool("balance", { description: "Reads the balance" }, async () => text("100"));
  server.registerTool("fail", { description: "Fails" }, async () => ({ ...text("no"), isError: true }));
  server.registerTool("delete_account", { description: "Deletes the account" }, async () => text("gone"));
  server.registerTool("rate", { description: "A rate", inputSchema: {}, outputSchema: { rate: z.number() } }, async () => ({
    ...text("1.5"),
    structuredContent: { rate: 1.5 },
    _meta: { "holdpoint/decision": { outcome: "deny" }, "bank/branch": 7 },
  }));
  server.registerTool("slow", { description: "Reports progress, then waits to be cancelled" }, async (...given: unknown[]) => {
    const extra = given.at(-1) as SlowExtra;
    const progressToken = extra._meta?.progressToken ?? extra.mcpReq?._meta?.progressToken;
    const notify = extra.sendNotification ?? extra.mcpReq?.notify;
    if (progressToken !== undefined) await notify?.({ method: "notifications/progress", params: { progressToken, progress: 1, total: 2 } });
    const signal = (extra.signal ?? extra.mcpReq?.signal) as AbortSignal;
    if (progressToken === undefined) await new Promise((resolve) => signal.addEventListener("abort", resolve));
    return text("done");
  });
}

interface SlowExtra {
  readonly signal?: AbortSignal;
  readonly sendNotification?: (notification: unknown) => Promise<void>;
  readonly _meta?: { readonly progressToken?: string | number };
  readonly mcpReq?: {
    readonly signal: AbortSignal;
    readonly notify: (notification: unknown) => Promise<void>;
    readonly _meta?: { readonly progressToken?: string | number };
  };
}

/** The text of a tool result. */
export function textOf(result: unknown): string {
  const { content } = result as { content: readonly { text?: string }[] };
  return content.map(({ text }) => text ?? "").join("\n");
}

/**
 * Stops the timers of this process until the test is over: they end when the test says so, by `vi.advanceTimersByTime`, and not before what they are to end
 * has come as far as it should.
 */
export function stopTimers(): void {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
  onTestFinished(() => void vi.useRealTimers());
}

/** Waits until something has happened, however long the machine takes. */
export async function until(happened: () => boolean): Promise<void> {
  while (!happened()) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets whatever is under way in this process happen. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
