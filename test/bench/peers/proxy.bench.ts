// One call of server-everything over stdio: bare, guarded in the process, and through a proxy that is one more process on the way.

import { createRequire } from "node:module";
import { join } from "node:path";
import { createGuard } from "@holdpoint/core";
import { guardClient } from "@holdpoint/mcp";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { bench, measure, report } from "../measure.ts";
import { proxied } from "./proxied-policy.ts";

const everything = createRequire(import.meta.url).resolve("@modelcontextprotocol/server-everything/dist/index.js");
const server = [process.execPath, everything, "stdio"];
const proxy = [process.execPath, "--conditions=@holdpoint/source", join(import.meta.dirname, "policy-proxy.ts")];
const guard = createGuard({ policy: proxied, audit: () => undefined });

await bench("a call over stdio", async () => {
  const clients = [
    { name: "bare", client: await connected(server) },
    { name: "guarded in the process", client: await connected(server, true) },
    { name: "through a proxy (a stand-in)", client: await connected([...proxy, ...server]) },
  ];
  for (const { name, client } of clients) {
    const verdicts = [await refused(client, "hello"), await refused(client, "forbidden")];
    if (String(verdicts) !== String([false, name !== "bare"])) throw new Error(`\`${name}\` gives other verdicts: ${verdicts}`);
  }
  const candidates = clients.map(({ name, client }) => ({ name, awaited: true, run: () => echo(client, "hello") }));
  report("callTool over stdio", await measure(candidates, { rounds: 41, turnMs: 100 }), "bare");
  for (const { client } of clients) await client.close();
});

async function connected([command = "", ...args]: readonly string[], guarded = false): Promise<Client> {
  const bare = new Client({ name: "bench", version: "1.0.0" });
  const client = guarded ? guardClient(bare, guard.session()) : bare;
  await client.connect(new StdioClientTransport({ command, args, stderr: "ignore" }));
  await client.listTools();
  return client;
}

function echo(client: Client, message: string) {
  return client.callTool({ name: "echo", arguments: { message } });
}

async function refused(client: Client, message: string): Promise<boolean> {
  return (await echo(client, message)).isError === true;
}
