import { styleText } from "node:util";
import { printable } from "@holdpoint/core";
import stringWidth from "string-width";
import { type ExitCode, exitCodes, Failure, type Issue } from "./failure.ts";
import { jsonText } from "./visible-text.ts";

/** Where a command reads and writes, and how it will end. Handed in, so that tests run commands without a process. */
export interface Terminal {
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  /** The graver of what was set: a later `ok` takes nothing back. */
  exitCode: ExitCode;
}

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** Colours where the stream is a terminal that wants them (`NO_COLOR` and `FORCE_COLOR` are heeded). */
export function styled(stream: Terminal["stdout"], style: Style, text: string): string {
  return styleText(style, text, { stream: stream as NodeJS.WriteStream });
}

/** Writes a line, and waits where the reader is slower than we are. */
export async function writeLine(stream: NodeJS.WritableStream, text: string): Promise<void> {
  if (stream.write(`${text}\n`)) return;
  await new Promise((resolve) => stream.once("drain", resolve));
}

export function writeJson(terminal: Terminal, value: unknown): Promise<void> {
  return writeLine(terminal.stdout, jsonText(value, 2));
}

const longestText = 10_000;

/** A line that may hold text from anywhere, with all that could move the cursor, colour or turn round what follows escaped; line feeds too. */
export function safeLine(text: string): string {
  return printable(text, longestText);
}

/** A remark beside the output: it goes to stderr, so that stdout can be piped. It may hold text from anywhere. */
export function note(terminal: Terminal, text: string): Promise<void> {
  return writeLine(terminal.stderr, safeLine(text));
}

/** What another program printed. Its lines are marked, so that none of them reads like one of ours. */
export async function notePrinted(terminal: Terminal, printed: string | undefined): Promise<void> {
  if (printed === undefined) return;
  await note(terminal, "it printed:");
  for (const line of printed.split(/\r?\n/)) await note(terminal, `  | ${line}`);
}

export function endWith(terminal: Terminal, exitCode: ExitCode): void {
  terminal.exitCode = Math.max(terminal.exitCode, exitCode) as ExitCode;
}

/** A cell is text from anywhere, also from a hostile server: control characters are shown escaped, and what is long is cut with a count. */
export interface Cell {
  readonly text: string;
  readonly style?: Style | undefined;
}

/** Columns padded to their widest cell, the last one free: readable in a terminal, and in a log without one. */
export function table(stream: Terminal["stdout"], heading: readonly string[], rows: readonly (readonly (Cell | string)[])[]): string {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === "string" ? { text: cell } : cell)).map(safeCell));
  const widths = heading.map((title, column) => Math.max(stringWidth(title), ...cells.map((row) => stringWidth(row[column]?.text ?? ""))));
  const line = (row: readonly Cell[]) =>
    row
      .map(({ text, style }, column) => {
        const shown = style ? styled(stream, style, text) : text;
        return column === row.length - 1 ? shown : shown + " ".repeat((widths[column] ?? 0) - stringWidth(text));
      })
      .join("  ")
      .trimEnd();
  return [heading.map((text) => ({ text, style: "bold" as const })), ...cells].map(line).join("\n");
}

const longestCell = 200;

function safeCell({ text, style }: Cell): Cell {
  return { text: printable(text, longestCell), style };
}

/** Says on stderr what the command is busy with: rewritten in place on a terminal, one line each elsewhere. */
export function startProgress(terminal: Terminal, text: string): { update(text: string): void; end(): void } {
  const { stderr } = terminal;
  // A line that the terminal would break could not be rewritten.
  const fitting = (message: string) => safeLine(message).slice(0, (stderr.columns ?? 80) - 1);
  const show = (message: string) =>
    void stderr.write(stderr.isTTY ? `\r\u001b[2K${styled(stderr, "dim", fitting(message))}` : `${safeLine(message)}\n`);
  show(text);
  return {
    update: show,
    end: () => void (stderr.isTTY && stderr.write("\r\u001b[2K")),
  };
}

/** Prints what ended the command, and gives the code to end with. */
export async function reportFailure(terminal: Terminal, error: unknown, json: boolean): Promise<ExitCode> {
  if (!(error instanceof Failure)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    for (const line of text.split("\n")) await note(terminal, line);
    return exitCodes.unusable;
  }
  const { message, issues, printed, exitCode } = error;
  if (json) await writeJson(terminal, { error: { message, issues, printed } });
  else {
    await writeLine(terminal.stderr, `${styled(terminal.stderr, "red", "error:")} ${safeLine(message)}`);
    for (const issue of issues) await note(terminal, issueLine(issue));
    await notePrinted(terminal, printed);
  }
  return exitCode;
}

export function issueLine({ pointer, message, fix, line, column }: Issue): string {
  const place = line === undefined ? "" : `${line}:${column} `;
  return `  ${place}${pointer === "" ? "the document" : pointer}: ${message}${fix === undefined ? "" : `: ${fix}`}`;
}
