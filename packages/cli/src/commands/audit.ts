import { readFile } from "node:fs/promises";
import { type AuditEvent, HoldpointError, printable } from "@holdpoint/core";
import { type AuditCheckpoint, type AuditStats, auditStats, readAudit, verifyAudit } from "@holdpoint/core/node";
import { type Command, Option } from "commander";
import { exitCodes, Failure, failureIn, reasonOf } from "../failure.ts";
import { parseJson } from "../json-file.ts";
import { endWith, safeLine, styled, type Terminal, table, writeJson, writeLine } from "../terminal.ts";
import { jsonText } from "../visible-text.ts";

export function addAudit(program: Command, terminal: Terminal): void {
  const audit = program
    .command("audit")
    .summary("verify, show and count what audit files hold")
    .description("Reads audit files, or folders of them, as `jsonlAudit` writes them.");
  audit
    .command("verify")
    .summary("find records that were edited, dropped, inserted or moved")
    .description("Checks the hash chain; with --checkpoint, also what is missing at the end. Exits 1 where something is wrong.")
    .argument("<files...>")
    .option(
      "--checkpoint <file>",
      "checkpoints that were kept elsewhere: JSON, one or a list; may be given several times",
      (file, former: string[] = []) => [...former, file],
    )
    .option("--public-key <file>", "the key that checkpoints are signed with, as PEM")
    .option("--json", "print JSON")
    .action(async (files: readonly string[], options: { checkpoint?: readonly string[]; publicKey?: string; json?: boolean }) => {
      if (options.publicKey !== undefined && options.checkpoint === undefined)
        throw new Failure("`--public-key` checks the signatures of checkpoints: give them with `--checkpoint`");
      const checkpoints = (await Promise.all((options.checkpoint ?? []).map(readCheckpoints))).flat();
      const publicKey =
        options.publicKey === undefined ? undefined : await readFile(options.publicKey, "utf8").catch(unreadable(options.publicKey));
      const found = await reading(files, () => verifyAudit(files, { checkpoints, publicKey }));
      if (!found.ok) endWith(terminal, exitCodes.findings);
      if (options.json) return writeJson(terminal, found);
      for (const { file, line, problem } of found.problems) await writeLine(terminal.stdout, safeLine(`${file}:${line}: ${problem}`));
      if (found.unlisted > 0) await writeLine(terminal.stdout, `… and ${found.unlisted} more`);
      for (const { file, line, bytes } of found.torn)
        await writeLine(terminal.stdout, `${file}:${line}: a last line of ${bytes} bytes was not finished, as a crash leaves it`);
      const verdict = found.ok
        ? styled(terminal.stdout, "green", "✓ the chain holds")
        : styled(terminal.stdout, "red", "✗ the chain is broken");
      const until = found.lastCheckpoint ? `, vouched for until record ${found.lastCheckpoint.seq} of ${found.lastCheckpoint.time}` : "";
      return writeLine(terminal.stdout, `${verdict}: ${found.records} records${until}`);
    });
  audit
    .command("show")
    .summary("print the events, one a line")
    .argument("<files...>")
    .option("--tool <name>", "only of this tool")
    .option("--server <name>", "only of this server")
    .addOption(new Option("--outcome <outcome>", "only decisions with this outcome").choices(["allow", "deny"]))
    .option("--json", "print each event as a line of JSON")
    .action(async (files: readonly string[], options: { tool?: string; server?: string; outcome?: string; json?: boolean }) => {
      await reading(files, async () => {
        for await (const event of readAudit(files)) {
          if (!isWanted(event, options)) continue;
          await writeLine(terminal.stdout, options.json ? jsonText(event) : eventLine(terminal, event));
        }
      });
    });
  audit
    .command("stats")
    .summary("count decisions by rule, tool and outcome")
    .argument("<files...>")
    .option("--json", "print JSON")
    .action(async (files: readonly string[], options: { json?: boolean }) => {
      const stats = await reading(files, () => auditStats(files));
      if (!options.json) return printStats(terminal, stats);
      const { byRule, byTool, byOutcome } = stats;
      return writeJson(terminal, {
        ...stats,
        byRule: Object.fromEntries(byRule),
        byTool: Object.fromEntries(byTool),
        byOutcome: Object.fromEntries(byOutcome),
      });
    });
}

async function reading<Result>(files: readonly string[], work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw HoldpointError.is(error) ? new Failure(error.message, { cause: error }) : failureIn(files.join(", "), error);
  }
}

async function readCheckpoints(path: string): Promise<readonly AuditCheckpoint[]> {
  const text = await readFile(path, "utf8").catch(unreadable(path));
  const checkpoints = [parseJson(path, text)].flat() as readonly AuditCheckpoint[];
  if (checkpoints.length === 0) throw new Failure(`${path} holds no checkpoint: without one, what is missing at the end cannot be told`);
  return checkpoints;
}

function unreadable(path: string) {
  return (error: unknown): never => {
    throw new Failure(`${path} cannot be read: ${reasonOf(error)}`);
  };
}

function isWanted(event: AuditEvent, { tool, server, outcome }: { tool?: string; server?: string; outcome?: string }): boolean {
  const fields = event as { readonly tool?: string; readonly server?: string; readonly outcome?: string };
  if (outcome !== undefined && (event.type !== "decision" || event.outcome !== outcome)) return false;
  return (tool === undefined || fields.tool === tool) && (server === undefined || fields.server === server);
}

function eventLine(terminal: Terminal, event: AuditEvent): string {
  const about =
    "tool" in event ? ` ${printable(event.server)}/${printable(event.tool)}` : "server" in event ? ` ${printable(event.server)}` : "";
  return `${printable(event.time)} ${printable(event.type)}${about}${resultText(terminal, event)}`;
}

function resultText(terminal: Terminal, event: AuditEvent): string {
  if (event.type === "decision") {
    const outcome = styled(terminal.stdout, event.outcome === "allow" ? "green" : "red", printable(event.outcome));
    const keys = [...event.argumentKeys, ...(event.otherKeys > 0 ? [`${event.otherKeys} more`] : [])].join(", ");
    return ` (${printable(keys, 200)}) ${outcome}${event.rule === "" ? "" : ` by ${printable(event.rule, 300)}`}`;
  }
  if (event.type === "outcome") return ` ${printable(event.outcome)}`;
  return "approval" in event ? ` ${printable(event.approval)}${event.by === undefined ? "" : ` by ${printable(event.by)}`}` : "";
}

async function printStats(
  terminal: Terminal,
  { events, from, to, allowed, denied, byRule, byTool, byOutcome, anomalies }: AuditStats,
): Promise<void> {
  const out = (text: string) => writeLine(terminal.stdout, text);
  await out(
    `${events} events${from === undefined ? "" : ` from ${printable(from)} to ${printable(to ?? "")}`}: ${allowed} allowed, ${denied} denied, ${anomalies} anomalies`,
  );
  const counted = (counts: ReadonlyMap<string, number>) =>
    [...counts].sort((one, other) => other[1] - one[1]).map(([name, count]) => [String(count), name]);
  if (byTool.size > 0)
    await out(
      `\n${table(
        terminal.stdout,
        ["allowed", "denied", "tool"],
        [...byTool].map(([tool, counts]) => [String(counts.allowed), String(counts.denied), tool]),
      )}`,
    );
  if (byRule.size > 0) await out(`\n${table(terminal.stdout, ["denied", "rule"], counted(byRule))}`);
  if (byOutcome.size > 0) await out(`\n${table(terminal.stdout, ["calls", "ended"], counted(byOutcome))}`);
}
