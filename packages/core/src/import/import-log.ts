import { HoldpointError } from "../holdpoint-error.ts";

/** Where a key or value stands in its text, both counted from 1. */
interface Position {
  readonly line: number;
  readonly column: number;
}

/** Something the reader of an imported policy should know: what was read more strictly than it may have been meant, or what was left out. */
export interface ImportNote extends Partial<Position> {
  /** JSON Pointer into the document that was read. */
  readonly pointer: string;
  readonly message: string;
}

/** One reason why a document was not imported. */
export interface ImportIssue extends ImportNote {
  readonly fix: string;
}

/** The document cannot be imported. `issues` holds everything that is wrong with it, in reading order. */
export class ImportError extends HoldpointError {
  override name = "ImportError";
  readonly issues: readonly ImportIssue[];

  constructor(format: string, issues: readonly ImportIssue[]) {
    super("import_invalid", [`the ${format} cannot be imported:`, ...issues.map(issueLine)].join("\n"));
    this.issues = issues;
  }

  static override is(value: unknown): value is ImportError {
    return HoldpointError.is(value) && value.code === "import_invalid";
  }
}

/** Finds a place of a document in its text; without a text there is nothing to find. */
export type Locate = (pointer: string, part: "key" | "value") => Position | undefined;

export interface ImportLog {
  issue(pointer: string, message: string, fix: string, part?: "key" | "value"): void;
  note(pointer: string, message: string): void;
  /** The notes of a document that can be imported. Throws `ImportError` with every issue if there is one. */
  close(): ImportNote[];
}

export function openLog(format: string, locate: Locate = () => undefined): ImportLog {
  const issues: ImportIssue[] = [];
  const notes: ImportNote[] = [];
  return {
    issue: (pointer, message, fix, part = "value") => void issues.push({ pointer, message, fix, ...locate(pointer, part) }),
    note: (pointer, message) => void notes.push({ pointer, message, ...locate(pointer, "value") }),
    close() {
      if (issues.length > 0) throw new ImportError(format, issues.toSorted(byPosition));
      return notes.toSorted(byPosition);
    },
  };
}

function byPosition(left: ImportNote, right: ImportNote): number {
  return (left.line ?? 0) - (right.line ?? 0) || (left.column ?? 0) - (right.column ?? 0);
}

function issueLine({ line, column, pointer, message, fix }: ImportIssue): string {
  const place = line === undefined ? "" : `${line}:${column} `;
  return `  ${place}${pointer === "" ? "the document" : pointer}: ${message}: ${fix}`;
}
