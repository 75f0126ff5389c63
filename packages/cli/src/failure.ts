import { HoldpointError, PolicyError } from "@holdpoint/core";
import { ImportError } from "@holdpoint/core/import";

/** How the command ends. Scripts rely on these; `docs/cli.md` lists them. */
export const exitCodes = {
  ok: 0,
  /** The command did its work and found what it looks for: a policy that does not load, a difference, a broken chain. */
  findings: 1,
  /** The command could not do its work: wrong usage, a file that is missing or cannot be read, a line that is no call. */
  unusable: 2,
  /** A server or store could not be reached, or did not answer. */
  unreachable: 3,
  /** A person left by Ctrl+C or Esc: 128 and the number of SIGINT, as shells have it. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** One thing that is wrong with a file, and where. */
export interface Issue {
  /** JSON Pointer (RFC 6901). */
  readonly pointer: string;
  readonly message: string;
  readonly fix?: string | undefined;
  /** Counted from 1; of YAML texts. */
  readonly line?: number | undefined;
  readonly column?: number | undefined;
}

/** What ends a command before its work is done. The message is for people; under `--json` it is printed as JSON. */
export class Failure extends Error {
  override name = "Failure";
  readonly exitCode: ExitCode;
  readonly issues: readonly Issue[];
  /** What the program that failed us had printed, line feeds and all; `undefined` where it printed nothing, or none was started. */
  readonly printed: string | undefined;

  constructor(
    message: string,
    options: {
      readonly exitCode?: ExitCode;
      readonly issues?: readonly Issue[];
      readonly printed?: string | undefined;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.exitCode = options.exitCode ?? exitCodes.unusable;
    this.issues = options.issues ?? [];
    this.printed = options.printed;
  }
}

/** What a file's reader threw, as a failure that names the file. Bugs are passed through as they are. */
export function failureIn(path: string, error: unknown): unknown {
  if (PolicyError.is(error)) return new Failure(`${path}: the policy does not load`, { issues: error.issues, cause: error });
  if (ImportError.is(error)) return new Failure(`${path}: ${firstLine(error.message)}`, { issues: error.issues, cause: error });
  if (HoldpointError.is(error)) return new Failure(`${path}: ${error.message}`, { cause: error });
  return error;
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0]?.replace(/:$/, "") ?? text;
}
