import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("./src/main.ts", import.meta.resolve("@holdpoint/cli/package.json")));

export interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
}

/** Runs the command in a process of its own, as a user does, in a folder with the given files. */
export async function holdpoint(
  args: readonly string[],
  {
    files = {},
    input = "",
    cwd,
  }: { readonly files?: Readonly<Record<string, unknown>>; readonly input?: string; readonly cwd?: string } = {},
): Promise<Ended> {
  const folder = cwd ?? mkdtempSync(join(tmpdir(), "holdpoint-cli-"));
  try {
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
    }
    return await start(args, folder, input);
  } finally {
    if (cwd === undefined) rmSync(folder, { recursive: true });
  }
}

function start(args: readonly string[], cwd: string, input: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--conditions=@holdpoint/source", main, ...args], {
      cwd,
      env: { ...process.env, NO_COLOR: "1" },
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk) => (stdout += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk) => (stderr += chunk));
    child.on("error", reject);
    child.on("close", (code) => resolve({ stdout, stderr, code }));
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
