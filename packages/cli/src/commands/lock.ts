import { writeFile } from "node:fs/promises";
import { type Pins, pinTools, printable } from "@holdpoint/core";
import type { Command } from "commander";
import { exitCodes, Failure } from "../failure.ts";
import { apartFromRepeated, type Drift, driftOf, lockName, readLockIfThere } from "../lock-file.ts";
import { endWith, note, safeLine, styled, type Terminal, writeJson, writeLine } from "../terminal.ts";
import { jsonText } from "../visible-text.ts";
import { listNamedServer, type ServerOptions, withServerOptions } from "./server-options.ts";

interface Options extends ServerOptions {
  readonly server: string;
  readonly file: string;
  readonly check?: boolean;
  readonly accept?: boolean;
  readonly json?: boolean;
}

export function addLock(program: Command, terminal: Terminal): void {
  withServerOptions(program.command("lock"))
    .summary("pin what a server says of its tools, or see whether it still does")
    .description(
      "Pins the name, title, description, schemas and annotations of every tool of a server. A server that is pinned already is only shown\n" +
        "with what has changed, and is written anew with --accept. Other servers in the lock stay as they are.",
    )
    .requiredOption("--server <name>", "the server's name, as the guard knows it")
    .option("--file <file>", "the lock", lockName)
    .option("--check", "write nothing; exit 1 where a tool differs from its pin")
    .option("--accept", "take over what has changed")
    .option("--json", "print JSON")
    .action(async (command: readonly string[], options: Options) => {
      const { server, file, check, accept, json } = options;
      const { tools } = await listNamedServer(terminal, command, options);
      const { once, repeated } = apartFromRepeated(tools);
      if (repeated.length > 0) endWith(terminal, exitCodes.findings);
      const lock = await readLockIfThere(file);
      const drift = lock && driftOf(lock, server, tools);
      if (check && drift === undefined)
        throw new Failure(`${file}: ${lock ? `the lock does not name \`${server}\`` : "there is no such file"}`);
      const mustAccept = (drift?.length ?? 0) > 0 && !accept;
      if (mustAccept) endWith(terminal, exitCodes.findings);
      const write = !check && !mustAccept;
      if (write) await writeFile(file, `${jsonText(withServer(lock, pinTools({ [server]: once })), 2)}\n`);
      const found = drift ?? repeated;
      if (json) await writeJson(terminal, { server, tools: once.length + repeated.length, drift: found, written: write });
      else await print(terminal, options, once.length, found, write);
    });
}

/** The lock with this server's pins in place of its former ones. */
export function withServer(lock: Pins | undefined, pins: Pins): Pins {
  const names = new Set(pins.servers.map(({ server }) => server));
  const servers = [...(lock?.servers.filter(({ server }) => !names.has(server)) ?? []), ...pins.servers];
  return { version: "1", servers: servers.toSorted((one, other) => (one.server < other.server ? -1 : 1)) };
}

async function print(
  terminal: Terminal,
  { server, file }: Options,
  count: number,
  drift: readonly Drift[],
  written: boolean,
): Promise<void> {
  for (const { tool, problem } of drift)
    await writeLine(terminal.stdout, `${styled(terminal.stdout, "yellow", printable(tool))} ${problem}`);
  if (written) await note(terminal, `pinned ${count} tools of \`${server}\` in ${file}`);
  else if (drift.length === 0)
    await writeLine(
      terminal.stdout,
      styled(terminal.stdout, "green", safeLine(`✓ ${count} tools of \`${server}\` are as they were accepted`)),
    );
  else await note(terminal, `${file} is as it was: look at what has changed, then take it over with \`--accept\``);
}
