// `callTool` guarded against unguarded. Goals: at most 15 µs added in memory; over stdio the 95 % interval of the paired difference holds 0 or stays under 5 %.

import { createRequire } from "node:module";
import { createGuard } from "@holdpoint/core";
import { guardClient } from "@holdpoint/mcp";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import * as z from "zod";
import { bench, measure, report } from "./measure.ts";

const guard = createGuard({
  policy: { version: "1", default: "deny", tools: { echo: { limits: [{ counter: "calls", window: "minute", max: 9_000_000_000 }] } } },
  audit: () => undefined,
});

async function inMemory(guarded: boolean): Promise<Client> {
  const server = new McpServer({ name: "bench", version: "1.0.0" });
  server.registerTool("echo", { inputSchema: { message: z.string() } }, ({ message }) => ({ content: [{ type: "text", text: message }] }));
  const [near, far] = InMemoryTransport.createLinkedPair();
  await server.connect(far);
  return connected(guarded, near);
}

async function overStdio(guarded: boolean): Promise<Client> {
  const everything = createRequire(import.meta.url).resolve("@modelcontextprotocol/server-everything/dist/index.js");
  return connected(guarded, new StdioClientTransport({ command: process.execPath, args: [everything, "stdio"], stderr: "ignore" }));
}

async function connected(guarded: boolean, transport: InMemoryTransport | StdioClientTransport): Promise<Client> {
  const bare = new Client({ name: "bench", version: "1.0.0" });
  const client = guarded ? guardClient(bare, guard.session()) : bare;
  await client.connect(transport);
  return client;
}

const echo = (client: Client) => client.callTool({ name: "echo", arguments: { message: "hello" } });

await bench("in memory", async () => {
  const [bare, guarded] = [await inMemory(false), await inMemory(true)];
  const measured = await measure([
    { name: "bare", awaited: true, run: () => echo(bare) },
    { name: "guarded", awaited: true, run: () => echo(guarded) },
  ]);
  report("callTool in memory", measured, "bare");
  console.log(`  added: ${((measured[1]?.us ?? 0) - (measured[0]?.us ?? 0)).toFixed(1)} µs`);
});

await bench("over stdio", async () => {
  const [bare, guarded] = [await overStdio(false), await overStdio(true)];
  for (let warm = 0; warm < 200; warm++) for (const client of [bare, guarded]) await echo(client);
  const differences: number[] = [];
  let total = 0;
  for (let pair = 0; pair < 3000; pair++) {
    const order = pair % 2 === 0 ? [bare, guarded] : [guarded, bare];
    const took = new Map<Client, number>();
    for (const client of order) {
      const started = performance.now();
      await echo(client);
      took.set(client, performance.now() - started);
    }
    total += took.get(bare) ?? 0;
    differences.push((took.get(guarded) ?? 0) - (took.get(bare) ?? 0));
  }
  const [low, high] = intervalOfMedian(differences);
  const mean = total / differences.length;
  console.log(
    `\ncallTool over stdio, ${differences.length} pairs: bare ${(mean * 1000).toFixed(0)} µs; paired difference (95 %): ${percent(low)} to ${percent(high)}`,
  );
  await bare.close();
  await guarded.close();
  function percent(ms: number): string {
    return `${((ms / mean) * 100).toFixed(1)} %`;
  }
});

/** The 95 % interval of the median, from the order statistics: no assumption about the shape of the noise. */
function intervalOfMedian(values: readonly number[]): readonly [number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  const half = 0.98 * Math.sqrt(sorted.length);
  return [sorted[Math.floor(sorted.length / 2 - half)] ?? Number.NaN, sorted[Math.ceil(sorted.length / 2 + half)] ?? Number.NaN];
}
