import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const workbench = mkdtempSync(join(tmpdir(), "packages-"));
afterAll(() => rmSync(workbench, { recursive: true }));

type Exports = Record<string, string | Record<string, string>>;
interface Manifest {
  name: string;
  version: string;
  engines?: Record<string, string>;
  exports?: Exports;
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

/** A package as users get it: its tarball, unpacked where a consumer in `workbench` resolves it. */
interface Packed {
  name: string;
  source: string;
  tarball: string;
  unpacked: string;
  manifest: Manifest;
  /** What `import` takes, such as `@holdpoint/core/node`. */
  entries: string[];
}

execFileSync("pnpm", ["-r", "--filter", "./packages/*", "pack", "--pack-destination", workbench], { cwd: repository, stdio: "pipe" });
const packages = readdirSync(join(repository, "packages")).map(unpack);

function unpack(folder: string): Packed {
  const source = join(repository, "packages", folder);
  const tarball = join(workbench, `holdpoint-${folder}-${readManifest(source).version}.tgz`);
  const unpacked = join(workbench, "node_modules/@holdpoint", folder);
  mkdirSync(unpacked, { recursive: true });
  execFileSync("tar", ["-xzf", tarball, "--strip-components=1", "-C", unpacked]);
  const manifest = readManifest(unpacked);
  const paths = Object.keys(manifest.exports ?? {}).filter((path) => !path.endsWith(".json"));
  return { name: manifest.name, source, tarball, unpacked, manifest, entries: paths.map((path) => join(manifest.name, path)) };
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

/** Runs a tool of the workspace and answers all it said, colours off. */
function run(command: string[], cwd: string): { status: number | null; output: string } {
  const [file = "", ...args] = command;
  const { status, stdout, stderr } = spawnSync(file, args, { cwd, encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } });
  return { status, output: stdout + stderr };
}

const tool = (name: string): string => join(repository, "node_modules/.bin", name);

for (const { name, source, tarball, unpacked, manifest, entries } of packages) {
  test(`${name} packs what it exports, a licence, and no tests`, () => {
    const files = readdirSync(unpacked, { recursive: true, encoding: "utf8" });
    expect(files).toContain("LICENSE");
    expect(files.filter((file) => /\.test(-d)?\.|tsbuildinfo|node_modules/.test(file))).toEqual([]);
    const targets = Object.values(manifest.exports ?? {}).flatMap((target) =>
      typeof target === "string" ? [target] : Object.values(target),
    );
    expect(targets.filter((target) => !existsSync(join(unpacked, target)))).toEqual([]);
  });

  test(`${name} publishes the entries of the workspace, without the condition for sources`, () => {
    const published = Object.entries(readManifest(source).exports ?? {}).map(([path, target]) => {
      if (typeof target === "string") return [path, target];
      return [path, Object.fromEntries(Object.entries(target).filter(([condition]) => condition !== "@holdpoint/source"))];
    });
    expect(manifest.exports).toEqual(Object.fromEntries(published));
    expect(JSON.stringify(manifest)).not.toMatch(/workspace:|catalog:/);
  });

  test(`${name} has nothing that publint objects to`, () => {
    const { status, output } = run([tool("publint"), "run", tarball, "--strict"], repository);
    expect(output).toContain("All good!");
    expect(status).toBe(0);
  });

  if (entries.length === 0) continue;
  test(`${name} has types that resolve wherever ES modules do`, () => {
    const { status, output } = run([tool("attw"), tarball, "--profile", "esm-only", "--no-emoji"], repository);
    expect(status, output).toBe(0);
  });
}

test("every entry of every package loads on bare Node", () => {
  link(["dependencies", "peerDependencies"]);
  for (const entry of packages.flatMap(({ entries }) => entries)) {
    if (entry === "@holdpoint/testing/vitest") continue; // it registers matchers with a runner that is running
    expect(run([process.execPath, "--input-type=module", "--eval", `await import("${entry}")`], workbench), entry).toMatchObject({
      status: 0,
    });
  }
});

/** Runs a program on a Node of that version, from npm. */
function onNode(version: string, program: string): { status: number | null; output: string } {
  const folder = join(workbench, `node-${version}`);
  mkdirSync(folder, { recursive: true });
  const install = ["npm", "install", "--prefix", folder, "--prefer-offline", "--no-audit", "--no-fund", `node@${version}`];
  expect(run(install, folder)).toMatchObject({ status: 0 });
  return run([join(folder, "node_modules/node/bin/node"), "--no-warnings", "--input-type=module", "--eval", program], workbench);
}

test("every entry of every package loads on the oldest Node that the packages name", () => {
  link(["dependencies", "peerDependencies"]);
  expect(packages.map(({ manifest }) => manifest.engines?.["node"])).toEqual(packages.map(() => ">=22.12"));
  const entries = packages.flatMap((packed) => packed.entries).filter((entry) => entry !== "@holdpoint/testing/vitest");
  const imports = entries.map((entry) => `await import("${entry}");`).join("\n");
  expect(onNode("22.12.0", `${imports}\nconsole.log(process.version)`)).toEqual({ status: 0, output: "v22.12.0\n" });
});

test("the SQLite store counts, waits for its turn, and sees its file go, on the first Node that has SQLite", () => {
  link(["dependencies"]);
  const program = `
    import assert from "node:assert/strict";
    import { rmSync } from "node:fs";
    import { DatabaseSync } from "node:sqlite";
    import { sqliteStore } from "@holdpoint/stores/sqlite";
    const file = "first.db";
    const database = new DatabaseSync(file);
    const store = sqliteStore({ file, busyTimeoutMs: 300 });
    const handedIn = sqliteStore({ database });
    const debit = { key: "calls", window: { kind: "sliding", ms: 60_000 }, amount: 1, max: 2 };
    assert.deepEqual([0, 1, 2].map((at) => store.reserve([debit], at).granted), [true, true, false]);
    database.exec("BEGIN IMMEDIATE");
    const before = performance.now();
    assert.throws(() => store.reserve([debit], 3), /database is locked/);
    assert.ok(performance.now() - before > 250);
    database.exec("COMMIT");
    assert.equal(store.reserve([debit], 60_001).granted, true);
    for (const end of ["", "-wal", "-shm"]) rmSync(file + end, { force: true });
    for (const each of [store, handedIn]) assert.throws(() => each.reserve([debit], 60_002), /deleted or replaced/);
    console.log(process.version);
  `;
  expect(onNode("22.13.0", program)).toEqual({ status: 0, output: "v22.13.0\n" });
});

test("the command starts from its tarball", () => {
  link(["dependencies"]);
  expect(run([process.execPath, join(workbench, "node_modules/@holdpoint/cli/dist/main.js"), "--help"], workbench)).toMatchObject({
    status: 0,
  });
});

test("core and mcp load where no framework is installed", () => {
  rmSync(join(workbench, "node_modules/@modelcontextprotocol"), { recursive: true, force: true });
  rmSync(join(workbench, "node_modules/pino"), { recursive: true, force: true });
  for (const entry of ["@holdpoint/core", "@holdpoint/core/risk", "@holdpoint/mcp"]) {
    expect(run([process.execPath, "--input-type=module", "--eval", `await import("${entry}")`], workbench), entry).toMatchObject({
      status: 0,
    });
  }
});

for (const compiler of ["typescript-5.9", "typescript"]) {
  test(`a strict consumer compiles every entry's declarations with ${compiler}`, () => {
    link(["dependencies", "peerDependencies"]);
    const entries = packages.flatMap((packed) => packed.entries);
    const imports = entries.map((entry, index) => `import * as entry${index} from "${entry}";\nvoid entry${index};`);
    writeFileSync(join(workbench, "consumer.mts"), imports.join("\n"));
    const options = [
      "--strict",
      "--exactOptionalPropertyTypes",
      "--module",
      "nodenext",
      "--target",
      "es2024",
      "--lib",
      "es2024,dom,esnext.disposable",
    ];
    const types = ["--typeRoots", join(repository, "node_modules/@types"), "--types", "node"];
    const tsc = join(repository, "node_modules", compiler, "bin/tsc");
    const { output } = run([process.execPath, tsc, "--noEmit", ...options, ...types, "consumer.mts"], workbench);
    // Declarations of frameworks have errors of their own under these options: ours may have none.
    expect(output.split("\n").filter((line) => /@holdpoint|^consumer/.test(line))).toEqual([]);
  });
}

/** Lets the consumer resolve what the packages name, from the versions installed in the workspace. */
function link(fields: ("dependencies" | "peerDependencies")[]): void {
  for (const { source, manifest } of packages) {
    const names = fields.flatMap((field) => Object.keys(manifest[field] ?? {})).filter((name) => !name.startsWith("@holdpoint/"));
    for (const name of names) {
      const target = join(workbench, "node_modules", name);
      if (existsSync(target)) continue;
      mkdirSync(dirname(target), { recursive: true });
      symlinkSync(join(source, "node_modules", name), target, "dir");
    }
  }
}
