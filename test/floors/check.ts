import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { repository } from "../laws/laws.ts";

/*
 * The tests of every seam and store with the oldest releases that the packages name as their peers: `pnpm check:floors`, before a range is changed and
 * before a release. It works in a copy of the last commit, and installs from the registry.
 */

const folders = ["test/mcp", "test/ai-sdk", "test/langchain", "test/stores"];

/** Peers of which the tests use two majors side by side, and the name of the older one. */
const olderMajors: Readonly<Record<string, string>> = { ai: "ai-v6", "@ai-sdk/mcp": "@ai-sdk/mcp-v1" };

/** Also asked for by other packages, which must not bring a newer one beside it. */
const shared = /^@(modelcontextprotocol|langchain)\//;

const copy = mkdtempSync(join(tmpdir(), "holdpoint-floors-"));
try {
  run("git", ["clone", "--quiet", repository, "."]);
  const floors = floorsOf(["ai-sdk", "langchain", "mcp", "stores"]);
  for (const [peer, versions] of floors) console.log(`${peer}: ${versions.join(", ")}`);
  pin(floors);
  run("pnpm", ["install", "--no-frozen-lockfile"]);
  process.exitCode = run("pnpm", ["exec", "vitest", "run", "--project=test", ...folders], [0, 1]);
} finally {
  rmSync(copy, { recursive: true, force: true });
}

/** The oldest release of each alternative of each peer's range, oldest first. */
function floorsOf(packages: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const floors = new Map<string, readonly string[]>();
  for (const name of packages) {
    const { peerDependencies } = JSON.parse(read(`packages/${name}/package.json`)) as { peerDependencies: Record<string, string> };
    for (const [peer, range] of Object.entries(peerDependencies))
      floors.set(
        peer,
        range.split(" || ").map((part) => part.replace("^", "")),
      );
  }
  return floors;
}

function pin(floors: ReadonlyMap<string, readonly string[]>): void {
  const workspace = parseDocument(read("pnpm-workspace.yaml"));
  const manifest = JSON.parse(read("test/package.json")) as { dependencies: Record<string, string> };
  for (const [peer, versions] of floors) {
    const older = olderMajors[peer];
    if (older) manifest.dependencies[older] = `npm:${peer}@${versions[0]}`;
    workspace.setIn(["catalog", peer], older ? versions.at(-1) : versions[0]);
    if (shared.test(peer)) workspace.setIn(["overrides", peer], versions[0]);
  }
  writeFileSync(join(copy, "pnpm-workspace.yaml"), workspace.toString());
  writeFileSync(join(copy, "test/package.json"), JSON.stringify(manifest));
}

function read(file: string): string {
  return readFileSync(join(copy, file), "utf8");
}

function run(command: string, given: readonly string[], expected: readonly number[] = [0]): number {
  const { status } = spawnSync(command, given, { cwd: copy, stdio: "inherit" });
  if (status === null || !expected.includes(status)) throw new Error(`\`${command} ${given.join(" ")}\` ended with ${status}`);
  return status;
}
