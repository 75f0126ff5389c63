import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const source = new URL("./src/", import.meta.resolve("@holdpoint/cli/package.json"));
const main = fileURLToPath(new URL("main.ts", source));
export const { run }: typeof import("../../packages/cli/src/program.ts") = await import(new URL("program.ts", source).href);

export interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
}

interface Started {
  /** Written into the folder that the command starts in. */
  readonly files?: Readonly<Record<string, unknown>>;
  readonly input?: string;
  /** Default: a folder made for this command, and removed after it. */
  readonly cwd?: string;
}

/** Runs the command line in this process, with streams that are no terminal: all of the command but `main.ts`. */
export function holdpoint(args: readonly string[], started: Started = {}): Promise<Ended> {
  return inFolder(started, async (folder) => {
    const before = process.cwd();
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const said = Promise.all([text(stdout), text(stderr)]);
    process.chdir(folder);
    try {
      const code = await run(args, { stdin: Readable.from(started.input ? [started.input] : []), stdout, stderr });
      stdout.end();
      stderr.end();
      const [out, err] = await said;
      return { stdout: out, stderr: err, code };
    } finally {
      process.chdir(before);
    }
  });
}

/** Runs the command in a process of its own, as a user does. */
export function holdpointProcess(args: readonly string[], started: Started = {}): Promise<Ended> {
  return inFolder(started, (folder) => start(args, folder, started.input ?? ""));
}

async function inFolder(started: Started, work: (folder: string) => Promise<Ended>): Promise<Ended> {
  const folder = started.cwd ?? mkdtempSync(join(tmpdir(), "holdpoint-cli-"));
  try {
    for (const [name, content] of Object.entries(started.files ?? {})) {
      writeFileSync(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
    }
    return await work(folder);
  } finally {
    if (started.cwd === undefined) rmSync(folder, { recursive: true });
  }
}

function start(args: readonly string[], cwd: string, input: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--conditions=@holdpoint/source", main, ...args], {
      cwd,
      env: { ...process.env, NO_COLOR: "1" },
    });
    const said = Promise.all([text(child.stdout), text(child.stderr)]);
    child.on("error", reject);
    child.on("close", (code) => said.then(([stdout, stderr]) => resolve({ stdout, stderr, code }), reject));
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
}

/** The JSON values of an output with one on each line. */
// biome-ignore lint/suspicious/noExplicitAny: what a command prints is looked into, and a wrong guess fails the test
export function lines(text: string): any[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

export function ndjson(values: readonly unknown[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join("");
}
