import { userInfo } from "node:os";
import { type Readable, Writable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import type { ApprovalRequest, Approver, Verdict } from "../approvals/approval-request.ts";
import { printable } from "../decision/refusal.ts";
import { HoldpointError } from "../holdpoint-error.ts";

/** A terminal's input: `process.stdin`, or a stream that behaves like one. */
export type TerminalInput = Readable & { readonly isTTY?: boolean | undefined; setRawMode?(raw: boolean): unknown };

/** A terminal's output: `process.stdout`, or a stream that behaves like one. */
export type TerminalOutput = Writable & {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
};

export interface TerminalApproverOptions {
  /** Default `process.stdin` and `process.stdout`. */
  readonly input?: TerminalInput | undefined;
  readonly output?: TerminalOutput | undefined;
  /** Who answers, for the record. Default `terminal:` and the name of the account. */
  readonly by?: string | undefined;
  /** Lines of arguments that are shown, each of at most 2,000 characters; what is left out is counted. Default 400. */
  readonly maxLines?: number | undefined;
}

const longestLine = 2_000;
const longestField = 500;
/** Keys that were pressed before a request was on the screen are not an answer to it. */
const settleMs = 150;

/**
 * Asks at the terminal that the process runs in, one request after another. Shows the server, the tool, the arguments as they would be sent (secret ones as
 * `(secret)`), the reasons, the fingerprint, and the time that is left, counting down. No is preselected; Ctrl+C, Esc, silence and a withdrawn call are no.
 * Without a terminal every request is refused. Needs the package `@clack/prompts`; where it is missing, requests are refused with a reason that says so.
 *
 * @example
 * const guard = createGuard({ policy, approve: terminalApprover() });
 */
export function terminalApprover(options: TerminalApproverOptions = {}): Approver {
  const { input = process.stdin, output = process.stdout, by = accountName(), maxLines = 400 } = options;
  let last: Promise<unknown> = Promise.resolve();

  return (request) => {
    if (!input.isTTY || !output.isTTY) return { approved: false, by, reason: "there is no terminal to ask at" };
    const answer = last.then(() => ask(request, { input, output, by, maxLines }));
    last = answer.catch(() => undefined);
    return answer;
  };
}

interface Desk {
  readonly input: TerminalInput;
  readonly output: TerminalOutput;
  readonly by: string;
  readonly maxLines: number;
}

async function ask(request: ApprovalRequest, { input, output, by, maxLines }: Desk): Promise<Verdict> {
  const { note, select } = await loadPrompts();
  const expiry = new AbortController();
  const signal = AbortSignal.any([request.signal, expiry.signal]);
  const screen = screenOver(output);
  const tick = () => {
    if (Date.now() >= request.expiresAt) expiry.abort();
    else screen.emit("resize");
  };
  const over = () =>
    Date.now() >= request.expiresAt ? "nobody answered in time" : request.signal.aborted ? "the call was withdrawn" : undefined;
  if (over()) return { approved: false, by, reason: over() };
  await forgetKeys(input);
  // Frames of their own: a long argument that wraps must not come to stand where a field would.
  note(fieldsOf(request), "Approval required", { output: screen });
  note(argumentsOf(request, maxLines), "Arguments, as they would be sent", { output: screen });
  const timer = setInterval(tick, 1_000);
  try {
    const answer = await select({
      // Read again at each redraw: the time that is left is part of it.
      get message() {
        return `Allow this call? ${request.fingerprint}, ${timeLeft(request.expiresAt - Date.now())} left`;
      },
      options: [
        { value: "no", label: "No" },
        { value: "yes", label: "Yes, this call" },
        ...(request.offers ? [{ value: "widen", label: offerText(request.offers) }] : []),
      ],
      initialValue: "no",
      input,
      output: screen,
      signal,
    });
    if (over()) return { approved: false, by, reason: over() };
    if (answer === "yes") return { approved: true, by };
    if (answer === "widen") return { approved: true, by, widen: true };
    return { approved: false, by, reason: answer === "no" ? undefined : "the question was closed at the terminal" };
  } finally {
    clearInterval(timer);
    screen.release();
  }
}

async function loadPrompts(): Promise<typeof import("@clack/prompts")> {
  try {
    return await import("@clack/prompts");
  } catch (error) {
    throw new HoldpointError(
      "missing_package",
      "the terminal approver needs the package `@clack/prompts`: install it beside `@holdpoint/core`",
      { cause: error },
    );
  }
}

function fieldsOf(request: ApprovalRequest): string {
  const fields: [string, string][] = [
    ["server", request.server],
    ["tool", request.tool],
    ...request.reasons.map((reason): [string, string] => ["reason", reason]),
    ...request.rules.map((rule): [string, string] => ["rule", rule]),
    ["identity", JSON.stringify(request.identity)],
    ["fingerprint", request.fingerprint],
    ["request", request.id],
  ];
  return fields.map(([label, text]) => `${label.padEnd(13)}${printable(text, longestField)}`).join("\n");
}

/** The only line feeds are those of the layout: those of a value are escaped. */
function argumentsOf(request: ApprovalRequest, maxLines: number): string {
  const lines = JSON.stringify(request.arguments, null, 2).split("\n");
  const shown = lines.slice(0, maxLines).map((line) => printable(line, longestLine));
  if (lines.length > maxLines) shown.push(`… (${lines.length - maxLines} more lines)`);
  return shown.join("\n");
}

function offerText({ to, forMs, uses }: NonNullable<ApprovalRequest["offers"]>): string {
  const reach = to === "session" ? "in this session" : "by the same identity";
  return `Yes, and calls of this tool ${reach} with any arguments: ${uses} ${uses === 1 ? "use" : "uses"} within ${timeLeft(forMs)}`;
}

function timeLeft(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const clock = `${String(minutes).padStart(hours > 0 ? 2 : 1, "0")}:${String(seconds % 60).padStart(2, "0")}`;
  return hours > 0 ? `${hours}:${clock}` : clock;
}

/** The terminal as the prompt sees it. A prompt redraws when its output is resized, so that is what the clock tells it; others at the terminal are not told. */
function screenOver(output: TerminalOutput): TerminalOutput & { release(): void } {
  const resized = () => screen.emit("resize");
  const screen = Object.assign(
    new Writable({
      decodeStrings: false,
      write: (chunk, _encoding, done) => void output.write(chunk, () => done()),
    }),
    { release: () => void output.off("resize", resized) },
  );
  for (const property of ["isTTY", "columns", "rows"] as const) Object.defineProperty(screen, property, { get: () => output[property] });
  output.on("resize", resized);
  return screen;
}

async function forgetKeys(input: TerminalInput): Promise<void> {
  const forget = () => undefined;
  input.setRawMode?.(true);
  input.on("data", forget);
  input.resume();
  await pause(settleMs);
  input.off("data", forget);
}

function accountName(): string {
  try {
    return `terminal:${userInfo().username}`;
  } catch {
    // An account without a name, as in many containers.
    return "terminal";
  }
}
