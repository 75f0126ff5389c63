import { existsSync, readdirSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { HoldpointError } from "../holdpoint-error.ts";
import { firstRecord } from "./audit-lines.ts";
import type { AuditNote } from "./audit-record.ts";

/** How the files of one chain are named: `audit.jsonl`, then `audit-0002.jsonl`, `audit-0003.jsonl`, … */
export interface ChainNames {
  /** The file of this number, counted from 1. */
  nameOf(nth: number): string;
  /** The file that is to be gone on with, and the one before it, where there is one. */
  newest(): { readonly nth: number; readonly before: number | undefined };
}

/**
 * The names of the chain that begins at `path`. A link to a file is that file: the same audit under two names would be written by two processes.
 *
 * Throws `HoldpointError` (`audit_broken`) where `path` is a later file of a chain that begins elsewhere.
 */
export function chainNames(path: string): ChainNames {
  const first = existsSync(path) ? realpathSync(path) : join(realpathSync(dirname(path)), basename(path));
  const base = first.replace(/\.jsonl$/, "");
  const nameOf = (nth: number) => (nth === 1 ? first : `${base}-${String(nth).padStart(4, "0")}.jsonl`);
  const number = numberIn(first);
  if (number !== undefined && number !== 1) {
    throw new HoldpointError(
      "audit_broken",
      `\`${path}\` is file ${number} of an audit that begins under another name: give the name of its first file, or a new one`,
    );
  }
  return {
    nameOf,
    newest() {
      const begun = numbersBeside(base).filter((nth) => numberIn(nameOf(nth)) === nth);
      const before = Math.max(...begun, existsSync(first) ? 1 : 0);
      if (before === 0) return { nth: 1, before: undefined };
      // A crash right after a file was made leaves it without a first record.
      const next = nameOf(before + 1);
      return existsSync(next) && numberIn(next) === undefined ? { nth: before + 1, before } : { nth: before, before: undefined };
    },
  };
}

/** The numbers of files that may be of the chain by their names. Another audit may be called alike: `audit-2026.jsonl` beside `audit.jsonl`. */
function numbersBeside(base: string): readonly number[] {
  const prefix = `${basename(base)}-`;
  return readdirSync(dirname(base)).flatMap((name) => {
    const number = name.startsWith(prefix) ? /^([0-9]{4,9})\.jsonl$/.exec(name.slice(prefix.length))?.[1] : undefined;
    return number === undefined || Number(number) < 2 ? [] : [Number(number)];
  });
}

/** Which file of its chain a file says it is; `undefined` for one that does not begin with an opening note. */
function numberIn(file: string): number | undefined {
  const record = existsSync(file) ? firstRecord(file) : undefined;
  if (record?.kind !== "note") return undefined;
  try {
    const note = record.content() as AuditNote;
    return note.type === "opened" ? note.file : undefined;
  } catch {
    return undefined;
  }
}
