import { hash } from "node:crypto";
import type { AuditEvent } from "../audit/audit-event.ts";

/** Where a chain stands: the next record's `seq`, and the hash that it links to. */
export interface ChainHead {
  readonly chain: string;
  readonly seq: number;
  readonly hash: string;
}

/** What a file says about itself, besides events. Notes are records of the chain like any other. */
export type AuditNote =
  /** Begins every file. `file` counts the files of a chain from 1; `pid` names the process that writes it. */
  | { readonly type: "opened"; readonly v: 1; readonly file: number; readonly time: string; readonly pid: number }
  /** An existing file goes on under another process. */
  | { readonly type: "resumed"; readonly time: string; readonly pid: number }
  /** A line of `bytes` that a crash had left unfinished was taken out; `text` is what stood there, its first mebibyte where it was longer. */
  | { readonly type: "recovered"; readonly time: string; readonly bytes: number; readonly text: string };

/** What the first record of a chain links to. */
export const noHash = "0".repeat(64);

/** A record's line may not be longer, in bytes: what reads a file need never hold more. */
export const longestLine = 16 * 1024 * 1024;

/**
 * One record: a line of JSON, its last member the SHA-256 of the bytes before it. `content` is the JSON text of an event or a note.
 *
 *     {"chain":"6f0c…","seq":7,"prev":"<hash of record 6>","event":{…},"hash":"<SHA-256 of all bytes before ,"hash">"}
 *
 * INVARIANT (exact-bytes): the hash is over bytes as they stand in the file, so that no two texts of one value are taken for each other.
 */
export function sealRecord(head: ChainHead, kind: "event" | "note", content: string): { readonly line: string; readonly head: ChainHead } {
  const body = `{"chain":"${head.chain}","seq":${head.seq},"prev":"${head.hash}","${kind}":${content}`;
  const own = hash("sha256", body, "hex");
  return { line: `${body},"hash":"${own}"}\n`, head: { chain: head.chain, seq: head.seq + 1, hash: own } };
}

export interface ReadRecord {
  readonly chain: string;
  readonly seq: number;
  readonly prev: string;
  readonly hash: string;
  readonly kind: "event" | "note";
  /** Whether the hash is that of the bytes before it. */
  readonly sound: boolean;
  /** Parses the content. Throws `SyntaxError` where it is no JSON. */
  content(): AuditEvent | AuditNote;
}

const opening = /^\{"chain":"([0-9a-f]{16})","seq":(0|[1-9][0-9]{0,15}),"prev":"([0-9a-f]{64})","(event|note)":/;
const longestOpening = 160;
const closing = /^,"hash":"([0-9a-f]{64})"\}$/;
const closingLength = `,"hash":"${noHash}"}`.length;

/** Reads one line, without its line feed; `undefined` for what is no record. */
export function readRecord(line: Buffer): ReadRecord | undefined {
  const start = opening.exec(line.toString("latin1", 0, longestOpening));
  const end = closing.exec(line.toString("latin1", Math.max(0, line.length - closingLength)));
  if (!start || !end) return undefined;
  const [prefix, chain, seq, prev, kind] = start as unknown as [string, string, string, string, "event" | "note"];
  const body = line.subarray(0, line.length - closingLength);
  const own = end[1] as string;
  return {
    chain,
    seq: Number(seq),
    prev,
    hash: own,
    kind,
    sound: hash("sha256", body, "hex") === own,
    content: () => JSON.parse(body.toString("utf8", prefix.length)),
  };
}
