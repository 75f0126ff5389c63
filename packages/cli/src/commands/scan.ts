import type { Command } from "commander";
import { writeNewFile } from "../file-output.ts";
import { recommendationFor, type ScannedTool, scanTools } from "../recommended-policy.ts";
import { type Style, type Terminal, table, writeJson, writeLine } from "../terminal.ts";
import { writtenPolicy } from "../written-policy.ts";
import { listNamedServer, type ServerOptions, withServerOptions } from "./server-options.ts";

interface Options extends ServerOptions {
  readonly output?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

export function addScan(program: Command, terminal: Terminal): void {
  withServerOptions(program.command("scan"))
    .summary("list a server's tools with what each does, and write the recommended policy")
    .description("Lists the tools of a server with category, level and signals. No tool is called.")
    .option("-o, --output <file>", "write the recommended policy: .ts, .yaml or .json")
    .option("--force", "replace the file where it is there already")
    .option("--json", "print JSON")
    .action(async (command: readonly string[], options: Options) => {
      const list = await listNamedServer(terminal, command, options);
      const scanned = scanTools(list);
      if (options.json) {
        const tools = scanned.map(({ name, risk: { category, level, score, signals, evidence } }) => ({
          tool: name,
          category,
          level,
          score,
          signals,
          evidence,
        }));
        await writeJson(terminal, { server: list.server, version: list.version, tools });
      } else await printTools(terminal, scanned);
      if (options.output === undefined) return;
      const { policy, comments } = recommendationFor(list);
      await writeNewFile(terminal, options.output, writtenPolicy(options.output, policy, comments), options);
    });
}

const levelStyles = { low: "green", medium: "cyan", high: "yellow", critical: "red" } as const satisfies Record<string, Style>;

async function printTools(terminal: Terminal, scanned: readonly ScannedTool[]): Promise<void> {
  await writeLine(terminal.stdout, toolTable(terminal.stdout, scanned));
  const counts = Map.groupBy(scanned, ({ risk }) => risk.category);
  const summary = [...counts].map(([category, tools]) => `${tools.length} ${category}`).join(", ");
  await writeLine(terminal.stdout, `\n${scanned.length} tools${summary === "" ? "" : `: ${summary}`}`);
}

export function toolTable(stream: Terminal["stdout"], scanned: readonly ScannedTool[]): string {
  const rows = scanned.map(({ name, risk: { category, level, signals } }) => [
    name,
    category,
    { text: level, style: levelStyles[level] },
    signals.map(({ signal }) => signal).join(" · "),
  ]);
  return table(stream, ["tool", "category", "level", "signals"], rows);
}
