import { printToolTypes } from "@holdpoint/core/print-types";
import type { Command } from "commander";
import { failureIn } from "../failure.ts";
import { writeNewFile } from "../file-output.ts";
import { nameOf } from "../live-server.ts";
import { type Terminal, writeJson } from "../terminal.ts";
import { listNamedServer, type ServerOptions, withServerOptions } from "./server-options.ts";

interface Options extends ServerOptions {
  readonly name: string;
  readonly output?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

export function addTypes(program: Command, terminal: Terminal): void {
  withServerOptions(program.command("types"))
    .summary("print TypeScript types of a server's tools, for typed policies")
    .description("Prints the types of the tools' arguments: with them, a misspelt tool, path or value in a policy is a compile error.")
    .option("--name <interface>", "the interface from tool names to arguments", "Tools")
    .option("-o, --output <file>", "write to a file")
    .option("--force", "replace the file where it is there already")
    .option("--json", "print JSON")
    .action(async (command: readonly string[], options: Options) => {
      const { tools } = await listNamedServer(terminal, command, options);
      const text = typesOf(tools, options.name, sourceName(command, options));
      if (options.output !== undefined) return writeNewFile(terminal, options.output, text, options);
      if (options.json) return writeJson(terminal, { types: text });
      terminal.stdout.write(text);
    });
}

export function typesOf(tools: Parameters<typeof printToolTypes>[0], interfaceName: string, source: string): string {
  try {
    return printToolTypes(tools, { interfaceName });
  } catch (error) {
    throw failureIn(source, error);
  }
}

function sourceName([command, ...args]: readonly string[], { url, tools }: Options): string {
  return tools ?? (command === undefined ? (url ?? "") : nameOf({ command, args }));
}
