import { fileURLToPath } from "node:url";
import { compilePolicy, type PolicyDocument } from "@holdpoint/core";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { expect, test } from "vitest";
import everything from "./everything.ts";
import filesystem from "./filesystem.ts";
import memory from "./memory.ts";
import sequentialThinking from "./sequential-thinking.ts";

for (const [name, policy, ...args] of [
  ["everything", everything],
  ["filesystem", filesystem, "."],
  ["memory", memory],
  ["sequential-thinking", sequentialThinking],
] as [string, PolicyDocument, ...string[]][]) {
  test(`the policy for ${name} names every tool of the server, and fits its schemas`, async () => {
    const command = fileURLToPath(new URL(`./node_modules/.bin/mcp-server-${name}`, import.meta.url));
    const client = new Client({ name: "example", version: "1.0.0" });
    await client.connect(new StdioClientTransport({ command, args, stderr: "ignore" }));
    try {
      const { tools } = await client.listTools();
      expect(() => compilePolicy(policy, { tools })).not.toThrow();
      const hidden = Array.isArray(policy.hide) ? policy.hide : [];
      expect([...Object.keys(policy.tools ?? {}), ...hidden].sort()).toEqual(tools.map((tool) => tool.name).sort());
    } finally {
      await client.close();
    }
  });
}
