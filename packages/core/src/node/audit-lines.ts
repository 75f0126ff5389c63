import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { HoldpointError } from "../holdpoint-error.ts";
import { longestLine } from "./audit-record.ts";

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

/**
 * The audit files that `paths` name, each once, in the order of their names; a directory stands for every `.jsonl` file in it.
 *
 * Throws `HoldpointError` (`audit_unreadable`) for a path that is not there, or a directory without such a file.
 */
export async function auditFiles(paths: string | readonly string[]): Promise<readonly string[]> {
  const files = new Set<string>();
  for (const path of typeof paths === "string" ? [paths] : paths) {
    const found = await stat(path).catch((error: Error) => {
      throw new HoldpointError("audit_unreadable", `the audit at \`${path}\` cannot be read: ${error.message}`, { cause: error });
    });
    if (!found.isDirectory()) files.add(path);
    else {
      const names = (await readdir(path)).filter((name) => name.endsWith(".jsonl")).sort();
      if (names.length === 0)
        throw new HoldpointError(
          "audit_unreadable",
          `the directory \`${path}\` holds no \`.jsonl\` file: name the audit's directory or file`,
        );
      for (const name of names) files.add(join(path, name));
    }
  }
  return [...files];
}
