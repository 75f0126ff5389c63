import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { holdpoint, holdpointProcess, run } from "./holdpoint.ts";

const everything = join(
  dirname(fileURLToPath(import.meta.resolve("@modelcontextprotocol/server-everything/package.json"))),
  "dist/index.js",
);
// Beside node_modules, so that what is written finds the packages that it imports.
const folders: string[] = [];
function project(servers: object): string {
  const folder = mkdtempSync(fileURLToPath(new URL("./tmp-init-", import.meta.url)));
  folders.push(folder);
  writeFileSync(join(folder, ".mcp.json"), JSON.stringify({ mcpServers: servers }));
  return folder;
}
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

test("init writes a policy, types and a test that passes for each server, and the lock", async () => {
  const cwd = project({ "Every Thing": { command: process.execPath, args: [everything] } });
  const { code, stderr: said } = await holdpointProcess(["init", "--yes", "--no-home"], { cwd });
  expect(code).toBe(0);
  expect(said).toMatch(/next: run the tests with `npx vitest run`.*\n$/);
  expect(readdirSync(join(cwd, "policies")).sort()).toEqual(["every-thing.test.ts", "every-thing.ts", "every-thing.types.ts"]);
  expect(JSON.parse(readFileSync(join(cwd, "holdpoint.lock"), "utf8")).servers[0]).toMatchObject({ server: "Every Thing" });
  writeFileSync(
    join(cwd, "vitest.config.ts"),
    'export default { ssr: { resolve: { conditions: ["@holdpoint/source"] } }, test: { include: ["policies/*.test.ts"], testTimeout: 300_000 } };\n',
  );
  const vitest = join(dirname(fileURLToPath(import.meta.resolve("vitest/package.json"))), "vitest.mjs");
  const { status, stdout, stderr } = spawnSync(process.execPath, [vitest, "run", "--root", cwd], { cwd, encoding: "utf8" });
  expect(status, stdout + stderr).toBe(0);
  const checked = await holdpointProcess(["check", "policies/every-thing.ts", "--against", `${process.execPath} ${everything}`], { cwd });
  expect(checked.stdout).toContain("nothing wrong found");
});

test("init replaces no file, and leaves out a server that does not answer", async () => {
  const variable = ["$", "{HOLDPOINT_NO_SUCH_VARIABLE}"].join("");
  const cwd = project({
    everything: { command: process.execPath, args: [everything] },
    broken: { command: process.execPath, args: ["-e", "process.exit(1)"] },
    needy: { command: "node", args: [variable] },
  });
  mkdirSync(join(cwd, "policies"));
  writeFileSync(join(cwd, "policies/everything.json"), "mine");
  const { code, stderr, stdout } = await holdpoint(["init", "--yes", "--no-home", "--format", "json", "--json"], { cwd });
  expect(code).toBe(3);
  expect(stderr).toContain("broken is left out");
  expect(stderr).toContain(`\`${variable}\` has no value here`);
  expect(stderr).toContain("policies/everything.json stays as it is");
  expect(readFileSync(join(cwd, "policies/everything.json"), "utf8")).toBe("mine");
  expect(JSON.parse(stdout)).toEqual({
    servers: ["everything"],
    written: ["policies/everything.types.ts", "holdpoint.lock"],
  });
  expect(stderr).toContain("policies/everything.test.ts is not written");
});

test("[fail-closed] init leaves a tool that its server lists twice out of the lock, the policy and the types, and says so", async () => {
  const tools = ["look", "pay", "pay"].map((name) => ({ name, inputSchema: { type: "object" } }));
  const server = `
    process.stdin.on("data", (chunk) => {
      for (const line of String(chunk).split("\\n").filter(Boolean)) {
        const { id, method, params } = JSON.parse(line);
        const serverInfo = { name: "twice", version: "1" };
        const result = method === "initialize" ? { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo } : ${JSON.stringify({ tools })};
        if (id !== undefined) console.log(JSON.stringify({ jsonrpc: "2.0", id, result }));
      }
    });`;
  const cwd = project({ desk: { command: process.execPath, args: ["-e", server] } });
  const { stderr, code } = await holdpoint(["init", "--yes", "--no-home", "--format", "json"], { cwd });
  expect([code, stderr]).toEqual([
    0,
    expect.stringContaining("desk: pay is listed twice: it is not pinned, and every call of it is denied"),
  ]);
  expect(JSON.parse(readFileSync(join(cwd, "holdpoint.lock"), "utf8")).servers[0].tools).toMatchObject([{ name: "look" }]);
  expect(Object.keys(JSON.parse(readFileSync(join(cwd, "policies/desk.json"), "utf8")).tools)).toEqual(["look"]);
});

test("init that is left by Ctrl+C writes nothing, and ends as a shell says of an interrupted command", async () => {
  const cwd = project({ desk: { command: process.execPath, args: ["-e", ""] } });
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
  const [stdout, stderr] = [Object.assign(new PassThrough(), { isTTY: true }), new PassThrough()];
  const said = text(stderr);
  // Once the question that is being written also listens.
  stdout.on("data", (chunk) => String(chunk).includes("Which servers") && setImmediate(() => stdin.write("\u0003")));
  const before = process.cwd();
  process.chdir(cwd);
  const code = await run(["init", "--no-home"], { stdin, stdout, stderr }).finally(() => process.chdir(before));
  stderr.end();
  expect([code, await said]).toEqual([130, expect.stringContaining("stopped: nothing was written")]);
  expect(readdirSync(cwd)).toEqual([".mcp.json"]);
});

test("init names what the written files import and the project lacks", async () => {
  const files = { ".mcp.json": { mcpServers: { e: { command: process.execPath, args: [everything] } } } };
  const { stderr } = await holdpoint(["init", "--yes", "--no-home"], { files });
  expect(stderr).toContain("next: npm install @holdpoint/core\nnext: npm install --save-dev @holdpoint/testing vitest\n");
});

test("init without a terminal asks for --yes, and without a server says so", async () => {
  const cwd = project({});
  const silent = await holdpoint(["init", "--no-home"], { cwd });
  expect(silent).toMatchObject({ code: 2, stderr: expect.stringContaining("`--yes`") });
  const none = await holdpoint(["init", "--no-home", "--yes"], { cwd });
  expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining("no MCP server is configured") });
  expect(existsSync(join(cwd, "holdpoint.lock"))).toBe(false);
});
