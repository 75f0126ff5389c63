import { basename } from "node:path";
import { type AuditCheckpoint, type AuditKey, checkCheckpoint, faultOf, verifyingKey } from "./audit-checkpoint.ts";
import { auditFiles, auditLines } from "./audit-lines.ts";
import { type AuditNote, noHash, type ReadRecord, readRecord } from "./audit-record.ts";

export interface AuditProblem {
  readonly file: string;
  /** Counted from 1; 0 where the problem is the file's or a checkpoint's as a whole. */
  readonly line: number;
  readonly problem: string;
}

export interface AuditVerification {
  /** True where no problem was found. A torn end is none: a crash leaves it. */
  readonly ok: boolean;
  /** Whole records read, notes included. */
  readonly records: number;
  /** At most the first 1,000; `unlisted` counts the others. */
  readonly problems: readonly AuditProblem[];
  readonly unlisted: number;
  /** Last lines that a write did not finish. Nothing was ever acknowledged of them. */
  readonly torn: readonly { readonly file: string; readonly line: number; readonly bytes: number }[];
  /** The newest of the given checkpoints that the files bear out; what stands after it is vouched for by the chain alone. */
  readonly lastCheckpoint: AuditCheckpoint | undefined;
}

export interface VerifyOptions {
  /** Those that were kept elsewhere. Without them, what was cut off at the end, or rewritten throughout, cannot be told. */
  readonly checkpoints?: readonly AuditCheckpoint[] | undefined;
  /** The public Ed25519 key of whoever wrote the audit; with it, a checkpoint without a valid signature is a problem. */
  readonly publicKey?: AuditKey | undefined;
}

/** One file's stretch of a chain. */
interface Stretch {
  readonly file: string;
  readonly chain: string;
  readonly first: { readonly seq: number; readonly prev: string };
  readonly last: { readonly seq: number; readonly hash: string };
  readonly lines: number;
}

const mostProblems = 1_000;

/**
 * Reads audit files and names every record that was edited, dropped, inserted or moved, and, by the checkpoints, what is missing at the end. `paths`
 * are files, or directories of them; the files of one chain are checked against each other. Memory stays constant, whatever the files' length.
 *
 * Throws `HoldpointError`: `audit_unreadable` for a path that is not there or cannot be opened, and `configuration` for a key or a checkpoint that is none.
 */
export async function verifyAudit(paths: string | readonly string[], options: VerifyOptions = {}): Promise<AuditVerification> {
  const problems: AuditProblem[] = [];
  const torn: AuditVerification["torn"][number][] = [];
  const stretches: Stretch[] = [];
  let found = 0;
  let records = 0;
  const report = (file: string, line: number, problem: string) => {
    if (found++ < mostProblems) problems.push({ file, line, problem });
  };
  const kept = keptCheckpoints(options, report);

  for (const file of await auditFiles(paths)) {
    const sequence = followSequence(file, report);
    for await (const line of auditLines(file)) {
      if (line.tooLong) report(file, line.number, "is longer than any record, and nothing after it was read");
      else if (!line.whole) torn.push({ file, line: line.number, bytes: line.bytes.length });
      else {
        const record = readRecord(line.bytes);
        if (!record) report(file, line.number, "is no record: it was edited or inserted");
        else {
          records++;
          sequence.take(record, line.number);
          kept.meet(record, file, line.number);
        }
      }
    }
    const stretch = sequence.end();
    if (stretch) stretches.push(stretch);
    else report(file, 0, "holds no whole record: it was emptied, or its process ended as it was made");
  }
  checkJoints(stretches, kept, report);
  const lastCheckpoint = kept.end(stretches);
  return { ok: found === 0, records, problems, unlisted: found - problems.length, torn, lastCheckpoint };
}

type Report = (file: string, line: number, problem: string) => void;

/** Follows the records of one file. After a problem it goes on from the furthest record, so that one change is reported once or twice, not on every line. */
function followSequence(file: string, report: Report) {
  let stretch: { -readonly [Key in keyof Stretch]: Stretch[Key] } | undefined;
  return {
    take(record: ReadRecord, line: number): void {
      if (!record.sound) report(file, line, `record ${record.seq} was edited: its hash is not that of its content`);
      if (!stretch) {
        if (record.sound && !isOpening(record))
          report(file, line, "the file does not begin with its opening note: what stood before this record is missing");
        stretch = { file, chain: record.chain, first: record, last: record, lines: line };
        return;
      }
      const { chain, last } = stretch;
      const expected = last.seq + 1;
      if (record.chain !== chain) report(file, line, `record ${record.seq} belongs to another chain, \`${record.chain}\`: it was inserted`);
      else if (record.seq > expected) report(file, line, `${recordsFrom(expected, record.seq - 1)} missing before this one`);
      else if (record.seq < expected)
        report(file, line, `record ${record.seq} stands behind record ${last.seq}: it was moved, or inserted a second time`);
      else if (record.prev !== last.hash)
        report(file, line, `record ${record.seq} does not follow from line ${stretch.lines}, which was replaced or edited`);
      if (record.chain === chain && record.seq >= expected) stretch.last = record;
      stretch.lines = line;
    },
    end: (): Stretch | undefined => stretch,
  };
}

function isOpening(record: ReadRecord): boolean {
  if (record.kind !== "note") return false;
  try {
    return (record.content() as AuditNote).type === "opened";
  } catch {
    return false;
  }
}

function recordsFrom(first: number, last: number): string {
  return first === last ? `record ${first} is` : `records ${first} to ${last} are`;
}

/** Each file of a chain goes on where the one before ended; the first begins at record 0, or right behind a checkpoint. */
function checkJoints(stretches: readonly Stretch[], kept: ReturnType<typeof keptCheckpoints>, report: Report): void {
  for (const files of Map.groupBy(stretches, ({ chain }) => chain).values()) {
    let before: Stretch | undefined;
    for (const stretch of files.toSorted((one, other) => one.first.seq - other.first.seq)) {
      const { file, chain, first } = stretch;
      const expected = before ? before.last.seq + 1 : 0;
      const anchored = !before && kept.vouches(chain, first.seq - 1, first.prev);
      if (first.seq > expected && !anchored)
        report(
          file,
          1,
          `${recordsFrom(expected, first.seq - 1)} missing before this file: give the files that hold them too, or a checkpoint of record ${first.seq - 1}`,
        );
      else if (first.seq < expected)
        report(file, 1, `the file overlaps \`${basename(before?.file ?? "")}\`: one of them was copied or rewritten`);
      else if (!anchored && first.prev !== (before?.last.hash ?? noHash))
        report(file, 1, `the file does not follow from ${before ? `\`${basename(before.file)}\`` : "the beginning of a chain"}`);
      before = stretch;
    }
  }
}

/** The checkpoints that may be relied on, and which of them the files bear out. */
function keptCheckpoints({ checkpoints = [], publicKey }: VerifyOptions, report: Report) {
  const key = verifyingKey(publicKey);
  checkpoints.forEach(checkCheckpoint);
  const bySeq = new Map<string, AuditCheckpoint[]>();
  const met = new Set<AuditCheckpoint>();
  const answered = new Set<AuditCheckpoint>();
  for (const checkpoint of checkpoints) {
    const fault = faultOf(checkpoint, key);
    if (fault !== undefined) report(checkpoint.file, 0, `the checkpoint of record ${checkpoint.seq} ${fault}`);
    else {
      const place = `${checkpoint.chain} ${checkpoint.seq}`;
      bySeq.set(place, [...(bySeq.get(place) ?? []), checkpoint]);
    }
  }
  const of = (chain: string, seq: number) => bySeq.get(`${chain} ${seq}`) ?? [];
  return {
    vouches: (chain: string, seq: number, hash: string) => of(chain, seq).some((checkpoint) => checkpoint.hash === hash),
    meet(record: ReadRecord, file: string, line: number): void {
      if (bySeq.size === 0) return;
      for (const checkpoint of of(record.chain, record.seq)) {
        if (checkpoint.hash === record.hash && record.sound) met.add(checkpoint);
        else if (!answered.has(checkpoint))
          report(file, line, `record ${record.seq} is not the one of the checkpoint from ${checkpoint.time}: the chain was rewritten`);
        answered.add(checkpoint);
      }
    },
    /** Reports what ends before a checkpoint, and answers the newest checkpoint that was borne out. */
    end(stretches: readonly Stretch[]): AuditCheckpoint | undefined {
      for (const checkpoint of [...bySeq.values()].flat()) {
        if (answered.has(checkpoint)) continue;
        const files = stretches.filter(({ chain }) => chain === checkpoint.chain);
        const last = files.toSorted((one, other) => one.last.seq - other.last.seq).at(-1);
        if (!last)
          report(checkpoint.file, 0, `the chain \`${checkpoint.chain}\` is missing: a checkpoint has it at record ${checkpoint.seq}`);
        else if (last.last.seq < checkpoint.seq) {
          report(
            last.file,
            last.lines,
            `${recordsFrom(last.last.seq + 1, checkpoint.seq)} missing after this one: a checkpoint from ${checkpoint.time} has them`,
          );
        } else if (!files.some(({ first }) => first.seq === checkpoint.seq + 1 && first.prev === checkpoint.hash)) {
          report(checkpoint.file, 0, `record ${checkpoint.seq}, of which there is a checkpoint, is missing`);
        }
      }
      return [...met].toSorted((one, other) => one.time.localeCompare(other.time)).at(-1);
    },
  };
}
