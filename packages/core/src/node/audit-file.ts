import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fdatasync,
  fstatSync,
  fsyncSync,
  ftruncate,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  write,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { HoldpointError } from "../holdpoint-error.ts";
import { type AuditNote, type ChainHead, longestLine, noHash, readRecord, sealRecord } from "./audit-record.ts";
import { type ChainNames, chainNames } from "./chain-names.ts";
import { lockFile } from "./file-lock.ts";

const sync = promisify(fdatasync);
const truncate = promisify(ftruncate);
const append = promisify(write) as (descriptor: number, bytes: Buffer, offset: number) => Promise<{ bytesWritten: number }>;

/** The files of one chain, open at their end. Not for concurrent use: one append, sync or close at a time. */
export interface ChainFile {
  readonly file: string;
  /** Where the next record goes. */
  readonly head: ChainHead;
  /**
   * Appends an event for each text, and answers once they are written, with `durable` once they are on the device. All or nothing: what fails is taken
   * back, so that a record which was refused is not found later.
   */
  append(events: readonly string[], durable: boolean): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the chain at `path`: a name that ends in `.jsonl` is a file that one process after another goes on with; anything else is a directory, where
 * every process begins a chain in a file of its own. A file of `maxBytes` is followed by the next, whose first record links to its last.
 *
 * Throws `HoldpointError`: `audit_locked` where a living process has the file, `audit_broken` where its last record is not sound, and
 * `audit_unwritable` where it cannot be opened.
 */
export function openChain(path: string, maxBytes: number): ChainFile {
  try {
    return path.endsWith(".jsonl") ? openNamed(path, maxBytes) : openIn(path, maxBytes);
  } catch (error) {
    if (HoldpointError.is(error)) throw error;
    throw new HoldpointError("audit_unwritable", `the audit at \`${path}\` cannot be opened: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function openIn(directory: string, maxBytes: number): ChainFile {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const base = join(directory, `audit-${process.pid}-${randomBytes(4).toString("hex")}`);
  const nameOf = (nth: number) => `${base}-${String(nth).padStart(4, "0")}.jsonl`;
  return chainFile({ nameOf, newest: () => ({ nth: 1, before: undefined }) }, maxBytes, () => noLock);
}
const noLock = () => undefined;

function openNamed(path: string, maxBytes: number): ChainFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const names = chainNames(path);
  return chainFile(names, maxBytes, () => lockFile(`${names.nameOf(1)}.lock`, path));
}

function chainFile({ nameOf, newest }: ChainNames, maxBytes: number, lock: () => () => void): ChainFile {
  let unlock = lock();
  let { nth, descriptor, size, head } = openLocked();
  /** True while bytes may stand behind `size`: a write failed, and taking it back has not succeeded yet. */
  let spoilt = false;
  // Some file systems count no links.
  const countsLinks = fstatSync(descriptor).nlink > 0;

  function openLocked(): Opened & { readonly nth: number } {
    try {
      const { nth, before } = newest();
      return { nth, ...openLast(nameOf(nth), nth, before === undefined ? undefined : nameOf(before)) };
    } catch (error) {
      unlock();
      throw error;
    }
  }
  /** Begins the next file; its first record links to the last of this one. The old file is on the device before the new one is named. */
  async function rotate(): Promise<void> {
    await sync(descriptor);
    let following = nth + 1;
    // A file of another audit may have the name.
    while (existsSync(nameOf(following))) following++;
    const next = create(nameOf(following), following, head);
    closeSync(descriptor);
    nth = following;
    ({ descriptor, size, head } = next);
  }
  /** What is written to a file without a name is lost when it is closed: the chain goes on in a file that has one. */
  async function outliveDeletion(): Promise<void> {
    mkdirSync(dirname(nameOf(nth)), { recursive: true, mode: 0o700 });
    unlock();
    unlock = noLock;
    unlock = lock();
    await rotate();
    spoilt = false;
  }
  async function takeBack(): Promise<void> {
    await truncate(descriptor, size);
    spoilt = false;
  }
  return {
    get file() {
      return nameOf(nth);
    },
    get head() {
      return head;
    },
    async append(events, durable) {
      if (countsLinks && fstatSync(descriptor).nlink === 0) await outliveDeletion();
      if (spoilt) await takeBack();
      if (size >= maxBytes) await rotate();
      let after = head;
      let lines = "";
      for (const event of events) {
        const sealed = sealRecord(after, "event", event);
        lines += sealed.line;
        after = sealed.head;
      }
      const bytes = Buffer.from(lines);
      try {
        for (let written = 0; written < bytes.length; ) written += (await append(descriptor, bytes, written)).bytesWritten;
        if (durable) await sync(descriptor);
      } catch (error) {
        spoilt = true;
        await takeBack().catch(() => undefined);
        throw error;
      }
      size += bytes.length;
      head = after;
    },
    sync: () => sync(descriptor),
    async close() {
      try {
        if (spoilt) await takeBack();
        await sync(descriptor);
      } finally {
        closeSync(descriptor);
        unlock();
      }
    },
  };
}

interface Opened {
  readonly descriptor: number;
  readonly size: number;
  readonly head: ChainHead;
}

function openLast(file: string, nth: number, before: string | undefined): Opened {
  if (!existsSync(file)) return create(file, nth, undefined);
  const descriptor = openSync(file, "a+", 0o600);
  try {
    const { end, torn, head } = readEnd(descriptor, file);
    if (torn.length > 0) ftruncateSync(descriptor, end);
    const time = new Date().toISOString();
    const notes: AuditNote[] = [];
    // A crash right after a file was made leaves it without a first record; the file before it then holds the head.
    if (!head) notes.push({ type: "opened", v: 1, file: nth, time, pid: process.pid });
    else notes.push({ type: "resumed", time, pid: process.pid });
    if (torn.length > 0) notes.push({ type: "recovered", time, bytes: torn.length, text: torn.toString("utf8", 0, longestTorn) });
    return writeNotes(descriptor, end, head ?? (before === undefined ? newChain() : headOf(before)), notes);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** A power cut may leave megabytes of zero bytes, each of which takes six in JSON. */
const longestTorn = 1024 * 1024;

function headOf(file: string): ChainHead {
  const descriptor = openSync(file, "r");
  try {
    const { head } = readEnd(descriptor, file);
    if (!head)
      throw new HoldpointError(
        "audit_broken",
        `\`${file}\` holds no record to go on from: move the audit's files away and keep them as they are`,
      );
    return head;
  } finally {
    closeSync(descriptor);
  }
}

function create(file: string, nth: number, before: ChainHead | undefined): Opened {
  const descriptor = openSync(file, "ax", 0o600);
  try {
    syncDirectory(dirname(file));
    return writeNotes(descriptor, 0, before ?? newChain(), [
      { type: "opened", v: 1, file: nth, time: new Date().toISOString(), pid: process.pid },
    ]);
  } catch (error) {
    // Its name is needed when the next attempt is made.
    closeSync(descriptor);
    rmSync(file, { force: true });
    throw error;
  }
}

function newChain(): ChainHead {
  return { chain: randomBytes(8).toString("hex"), seq: 0, hash: noHash };
}

function writeNotes(descriptor: number, size: number, head: ChainHead, notes: readonly AuditNote[]): Opened {
  let after = head;
  let lines = "";
  for (const note of notes) {
    const sealed = sealRecord(after, "note", JSON.stringify(note));
    lines += sealed.line;
    after = sealed.head;
  }
  const bytes = Buffer.from(lines);
  for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written);
  fsyncSync(descriptor);
  return { descriptor, size: size + bytes.length, head: after };
}

/** Reads a file from its end: what a crash left unfinished, and where the chain goes on; no head where there is no whole line. */
function readEnd(descriptor: number, file: string): { readonly end: number; readonly torn: Buffer; readonly head: ChainHead | undefined } {
  const { size } = fstatSync(descriptor);
  const tail = readTail(descriptor, size);
  const last = tail.lastIndexOf(10);
  if (last === -1 && tail.length < size) throw broken(file, "ends in no record");
  if (last === -1) return { end: 0, torn: tail, head: undefined };
  const before = last === 0 ? -1 : tail.lastIndexOf(10, last - 1);
  const record = readRecord(tail.subarray(before + 1, last));
  if (!record?.sound) throw broken(file, "ends in a record that is not sound");
  return {
    end: size - tail.length + last + 1,
    torn: tail.subarray(last + 1),
    head: { chain: record.chain, seq: record.seq + 1, hash: record.hash },
  };
}

function broken(file: string, problem: string): HoldpointError {
  return new HoldpointError(
    "audit_broken",
    `\`${file}\` ${problem}: move the audit's files away, keep them as they are, and look with \`verifyAudit\``,
  );
}

/** As much of the end as holds a whole line and what stands behind it. */
function readTail(descriptor: number, size: number): Buffer {
  let tail: Buffer = Buffer.alloc(0);
  while (tail.length < size && tail.length < 2 * longestLine && tail.indexOf(10) === tail.lastIndexOf(10)) {
    const chunk = Buffer.alloc(Math.min(size - tail.length, Math.max(tail.length, 64 * 1024)));
    const start = size - tail.length - chunk.length;
    for (let read = 0; read < chunk.length; ) read += readSync(descriptor, chunk, read, chunk.length - read, start + read) || chunk.length;
    tail = Buffer.concat([chunk, tail]);
  }
  return tail;
}

/** A new file's name is on the device only once its directory is. Not every platform can open a directory; there the file system sees to it. */
function syncDirectory(directory: string): void {
  try {
    const descriptor = openSync(directory, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch {}
}
