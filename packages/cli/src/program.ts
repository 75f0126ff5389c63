import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { addApprovals } from "./commands/approvals.ts";
import { addAudit } from "./commands/audit.ts";
import { addCheck } from "./commands/check.ts";
import { addClassify } from "./commands/classify.ts";
import { addConvert } from "./commands/convert.ts";
import { addDiff } from "./commands/diff.ts";
import { addExplain } from "./commands/explain.ts";
import { addInit } from "./commands/init.ts";
import { addLock } from "./commands/lock.ts";
import { addScan } from "./commands/scan.ts";
import { addSimulate } from "./commands/simulate.ts";
import { addTypes } from "./commands/types.ts";
import { type ExitCode, exitCodes } from "./failure.ts";
import { reportFailure, type Terminal } from "./terminal.ts";

/**
 * Runs one command line, without the names of program and script, and answers the code to exit with. Nothing is thrown: what fails is printed.
 *
 * @example
 * process.exitCode = await run(process.argv.slice(2), process);
 */
export async function run(argv: readonly string[], streams: Omit<Terminal, "exitCode">): Promise<ExitCode> {
  const terminal: Terminal = { stdin: streams.stdin, stdout: streams.stdout, stderr: streams.stderr, exitCode: exitCodes.ok };
  const program = new Command("holdpoint")
    .description("Checks, explains and tests policies for an agent's tool calls, and pins what servers say of their tools.")
    .version(version())
    .configureOutput({ writeOut: (text) => void terminal.stdout.write(text), writeErr: (text) => void terminal.stderr.write(text) })
    .showHelpAfterError("run the command with --help for its options")
    .exitOverride();
  addInit(program, terminal);
  addScan(program, terminal);
  addCheck(program, terminal);
  addExplain(program, terminal);
  addSimulate(program, terminal);
  addDiff(program, terminal);
  addClassify(program, terminal);
  addTypes(program, terminal);
  addConvert(program, terminal);
  addLock(program, terminal);
  addAudit(program, terminal);
  addApprovals(program, terminal);
  try {
    await program.parseAsync(argv, { from: "user" });
    return terminal.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.unusable;
    const separator = argv.indexOf("--");
    return reportFailure(terminal, error, argv.slice(0, separator === -1 ? undefined : separator).includes("--json"));
  }
}

function version(): string {
  return JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version;
}
