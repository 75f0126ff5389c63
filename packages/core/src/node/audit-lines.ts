import { closeSync, createReadStream, openSync, readSync } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { HoldpointError } from "../holdpoint-error.ts";
import { longestLine, type ReadRecord, readRecord } from "./audit-record.ts";

export interface AuditLine {
  /** Counted from 1. */
  readonly number: number;
  readonly bytes: Buffer;
  /** False for a last line without its line feed: a write that did not finish. */
  readonly whole: boolean;
  /** True where the line is longer than any record; `bytes` is then its beginning, and nothing after it is read. */
  readonly tooLong: boolean;
}

/** The lines of a file, one at a time: memory holds one line and one chunk, whatever the file's length. */
export async function* auditLines(file: string): AsyncGenerator<AuditLine> {
  let number = 0;
  let parts: Buffer[] = [];
  let held = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let feed = chunk.indexOf(10); feed !== -1; feed = chunk.indexOf(10, from)) {
      const rest = chunk.subarray(from, feed);
      yield { number: ++number, bytes: parts.length > 0 ? Buffer.concat([...parts, rest]) : rest, whole: true, tooLong: false };
      parts = [];
      held = 0;
      from = feed + 1;
    }
    if (from === chunk.length) continue;
    // A stream gives its chunks from a pool of its own: what is kept until the next one is copied.
    parts.push(Buffer.from(chunk.subarray(from)));
    held += chunk.length - from;
    if (held > longestLine) {
      yield { number: ++number, bytes: Buffer.concat(parts), whole: false, tooLong: true };
      return;
    }
  }
  if (held > 0) yield { number: ++number, bytes: Buffer.concat(parts), whole: false, tooLong: false };
}

const longestOpeningNote = 4_096;

/** The record that a file begins with, where it is one of the length that an opening note has. Blocks: files are opened once. */
export function firstRecord(file: string): ReadRecord | undefined {
  const descriptor = openSync(file, "r");
  try {
    const start = Buffer.alloc(longestOpeningNote);
    const line = start.subarray(0, readSync(descriptor, start, 0, longestOpeningNote, 0));
    const feed = line.indexOf(10);
    return feed === -1 ? undefined : readRecord(line.subarray(0, feed));
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The audit files that `paths` name, each once; a directory stands for every `.jsonl` file in it. They are in the order of the paths and of their names,
 * those of one chain together and in the order in which they were written, whatever their names.
 *
 * Throws `HoldpointError` (`audit_unreadable`) for a path that is not there, a directory without such a file, and a file that cannot be opened.
 */
export async function auditFiles(paths: string | readonly string[]): Promise<readonly string[]> {
  const files = new Map<string, AuditFile>();
  for (const path of typeof paths === "string" ? [paths] : paths) {
    const found = await readable(path, () => stat(path));
    const named = found.isDirectory() ? await filesIn(path) : [path];
    for (const name of named) {
      // A pipe has no place to be known by, and can be read once.
      const isLasting = found.isFile() || found.isDirectory();
      const place = isLasting ? await readable(name, () => realpath(name)) : name;
      if (!files.has(place)) files.set(place, { name, first: isLasting ? await readable(name, () => firstRecord(name)) : undefined });
    }
  }
  return inChainOrder([...files.values()]);
}

interface AuditFile {
  readonly name: string;
  readonly first: ReadRecord | undefined;
}

async function readable<Result>(path: string, read: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await read();
  } catch (error) {
    throw new HoldpointError("audit_unreadable", `the audit at \`${path}\` cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

async function filesIn(directory: string): Promise<readonly string[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith(".jsonl")).sort();
  if (names.length > 0) return names.map((name) => join(directory, name));
  throw new HoldpointError(
    "audit_unreadable",
    `the directory \`${directory}\` holds no \`.jsonl\` file: name the audit's directory or file`,
  );
}

function inChainOrder(files: readonly AuditFile[]): readonly string[] {
  const chains = Map.groupBy(files, ({ name, first }) => first?.chain ?? name);
  return [...chains.values()].flatMap((chain) =>
    chain.toSorted((one, other) => (one.first?.seq ?? 0) - (other.first?.seq ?? 0)).map(({ name }) => name),
  );
}
