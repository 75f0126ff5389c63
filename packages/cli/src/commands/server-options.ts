import type { Command } from "commander";
import { Failure } from "../failure.ts";
import { defaultTimeoutMs, type ListedServer, listServer, listSource } from "../live-server.ts";
import { startProgress, type Terminal } from "../terminal.ts";

/** How a command is told which server it is about. */
export interface ServerOptions {
  readonly url?: string;
  readonly header?: readonly string[];
  readonly tools?: string;
  readonly timeout: string;
}

export function withServerOptions(command: Command): Command {
  return command
    .argument("[command...]", "the command that starts the server, after `--`")
    .option("--url <url>", "the server's URL: Streamable HTTP, or SSE where it speaks nothing newer")
    .option("--header <name: value>", "sent with every request to --url; may be given several times", (line, former: string[] = []) => [
      ...former,
      line,
    ])
    .option("--tools <file>", "what the server lists, from a file, or `-` for stdin")
    .option("--timeout <seconds>", "how long the server may take", String(defaultTimeoutMs / 1000));
}

/** Lists the tools of the one server that the person named. */
export async function listNamedServer(terminal: Terminal, line: readonly string[], options: ServerOptions): Promise<ListedServer> {
  const { url, header = [], tools, timeout } = options;
  const [command, ...args] = line;
  if ([command, url, tools].filter((way) => way !== undefined).length !== 1) {
    throw new Failure("name one server: its command after `--`, or `--url`, or `--tools` with a file");
  }
  const timeoutMs = readTimeout(timeout);
  if (tools !== undefined) return listSource(tools, terminal.stdin);
  const progress = startProgress(terminal, `asking ${url ?? line.join(" ")} for its tools`);
  try {
    if (command !== undefined) return await listServer({ command, args }, { timeoutMs });
    return await listServer({ url: url ?? "", headers: Object.fromEntries(header.map(readHeader)) }, { timeoutMs });
  } finally {
    progress.end();
  }
}

/** Milliseconds of a number of seconds. */
export function readTimeout(seconds: string): number {
  const timeoutMs = Number(seconds) * 1000;
  if (!(timeoutMs > 0 && timeoutMs < 2 ** 31)) throw new Failure(`--timeout ${seconds}: give a number of seconds above zero`);
  return timeoutMs;
}

function readHeader(line: string): readonly [string, string] {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*(.*)$/.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new Failure("--header: write it as `Name: value`");
  return [name, value];
}
