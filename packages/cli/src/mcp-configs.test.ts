import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { splitCommand } from "./live-server.ts";
import { findServers } from "./mcp-configs.ts";

const folders: string[] = [];
function folderWith(files: Readonly<Record<string, unknown>>): string {
  const folder = mkdtempSync(join(tmpdir(), "mcp-configs-"));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
  }
  return folder;
}
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

test("servers are found in every client's file, those of the project first, and once where they are configured alike", async () => {
  const same = { command: "npx", args: ["-y", "a"] };
  const project = folderWith({
    ".mcp.json": { mcpServers: { a: same } },
    ".cursor/mcp.json": {
      mcpServers: { a: same, b: { url: "https://b.example/mcp", headers: { Authorization: `Bearer $${"{TOKEN}"}` } } },
    },
    ".vscode/mcp.json": '{ // servers\n  "servers": { "c": { "type": "stdio", "command": "c", }, /* more */ }, }',
  });
  const home = folderWith({
    ".claude.json": {
      mcpServers: { d: { command: "d" } },
      projects: { [project]: { mcpServers: { e: { command: "e" } } }, "/elsewhere": { mcpServers: { f: {} } } },
    },
    ".config/Claude/claude_desktop_config.json": { mcpServers: { g: { command: "g", env: { KEY: "1" } } } },
  });
  const found = await findServers({ project, home, env: { TOKEN: "t" }, platform: "linux" });
  expect(found.map(({ name }) => name)).toEqual(["a", "c", "b", "d", "e", "g"]);
  expect(found[2]?.address).toEqual({ url: "https://b.example/mcp", headers: { Authorization: "Bearer t" } });
  expect(found[5]?.address).toMatchObject({ command: "g", env: { KEY: "1" }, cwd: project });
  expect((await findServers({ project, env: {}, platform: "linux" })).map(({ name }) => name)).toEqual(["a", "c", "b"]);
});

test("variables are filled in, and what has no value leaves the server out with the reason", async () => {
  const variable = (inside: string) => `$${`{${inside}}`}`;
  const args = [variable("env:A"), variable("B:-two"), variable("workspaceFolder")];
  const project = folderWith({
    ".mcp.json": { mcpServers: { a: { command: "a", args }, b: { command: variable("input:key") }, c: { type: "stdio" } } },
  });
  const [a, b, c] = await findServers({ project, env: { A: "one" }, platform: "linux" });
  expect(a?.address).toMatchObject({ args: ["one", "two", project] });
  expect(b?.address).toBe(`\`${variable("input:key")}\` has no value here`);
  expect(c?.address).toBe("its configuration names neither a command nor a URL");
});

test("a command line is split as plain quotes say", () => {
  expect(splitCommand(`npx -y "a b" 'c "d"' e"f g"h`)).toEqual(["npx", "-y", "a b", 'c "d"', "ef gh"]);
  expect(splitCommand("  ")).toEqual([]);
});
