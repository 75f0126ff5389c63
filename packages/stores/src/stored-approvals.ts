import { createHash } from "node:crypto";
import {
  type ApprovalRecord,
  type ApprovalStatus,
  type ApprovalStore,
  approvalSession,
  HoldpointError,
  type MaybePromise,
} from "@holdpoint/core";

/** Which records an operation needs to see. */
export type ApprovalQuery =
  | { readonly by: "id"; readonly id: string }
  /** The pending ones of a session, and those with this binding. */
  | { readonly by: "request"; readonly session: string; readonly binding: string }
  /** The approved ones whose binding, or whose wider one, is among these. */
  | { readonly by: "binding"; readonly bindings: readonly string[] }
  /** All, or those of one session. */
  | { readonly by: "session"; readonly session: string | undefined };

/** What an operation made of the records it saw: its answer, and the one record it changes, if any. */
interface Change<Result> {
  readonly result: Result;
  readonly write?: ApprovalRecord | undefined;
}

/** The record that a request filed or joined. */
type Filed = { readonly record: ApprovalRecord; readonly joined: boolean } | "full";

type Decide<Result> = (found: readonly ApprovalRecord[], now: number) => Change<Result>;

/** Where the records of a durable store lie. */
export interface ApprovalTable {
  readonly durability: "machine" | "shared";
  /**
   * Finds records, lets `decide` judge them at the store's time, and writes what it changes, with nothing happening in between. `decide` may run again
   * where something did.
   */
  change<Result>(query: ApprovalQuery, now: number, decide: Decide<Result>): MaybePromise<Result>;
}

/** One record as a database keeps it. What a call was made with stands apart, so that it can go when the record's time is over. */
export interface ApprovalRow {
  readonly id: string;
  readonly status: ApprovalStatus;
  readonly session: string;
  readonly binding: string;
  readonly wideBinding: string | null;
  readonly expiresAt: number;
  /** JSON of the record without the arguments. */
  readonly record: string;
  /** JSON of the arguments and their edit. */
  readonly secrets: string | null;
}

/** What reading a record needs of its row. */
export type StoredRecord = Pick<ApprovalRow, "record" | "secrets">;

/** How long a record that has ended can still be read, in milliseconds: a day where the host does not say. */
export const defaultKeepMs = 24 * 60 * 60 * 1000;

/** The life of an approval, as in memory, over a table that outlives the process. */
export function approvalsOver(table: ApprovalTable): ApprovalStore {
  const byId = (id: string) => ({ by: "id", id }) as const;

  return {
    durability: table.durability,

    request: (draft, { session, maxPending }, now) =>
      table.change({ by: "request", session, binding: draft.binding }, now, (found, at): Change<Filed> => {
        const pending = found.filter(({ status }) => status === "pending");
        const equal = pending.find(({ binding }) => binding === draft.binding);
        if (equal) return { result: { record: equal, joined: true } };
        if (pending.filter((record) => sessionOf(record) === session).length >= maxPending) return { result: "full" };
        // The host's clock set the instants; what counts is how far they are apart, on the clock that will judge them.
        const record = { ...draft, requestedAt: draft.requestedAt + at - now, expiresAt: draft.expiresAt + at - now };
        return { result: { record, joined: false }, write: record };
      }),

    answer: (id, answer, now) =>
      table.change(byId(id), now, ([record], at) => {
        if (record?.status !== "pending") return { result: undefined };
        const answered = { ...record, decidedAt: at, by: answer.by };
        if (!answer.approved) return written(ended({ ...answered, refusal: answer.reason }, "refused"));
        // An edit is a yes to these arguments alone.
        const wide = answer.widen === true && answer.edited === undefined ? record.wide : undefined;
        return written({
          ...answered,
          status: "approved",
          edited: answer.edited,
          widened: wide !== undefined,
          usesLeft: wide?.uses ?? 1,
          expiresAt: wide ? at + wide.forMs : record.expiresAt,
        });
      }),

    find: ({ binding, wide }, now) =>
      table.change({ by: "binding", bindings: [binding, ...wide] }, now, (found) => {
        const approved = found.filter(({ status }) => status === "approved");
        const covering = (record: ApprovalRecord) =>
          record.widened === true && record.wide !== undefined && wide.includes(record.wide.binding);
        return { result: approved.find((record) => record.binding === binding) ?? approved.find(covering) };
      }),

    consume: (id, now) =>
      table.change(byId(id), now, ([record]): Change<ApprovalRecord | undefined> => {
        if (record?.status !== "approved") return { result: undefined };
        const left = { ...record, usesLeft: record.usesLeft - 1 };
        return { result: record, write: left.usesLeft > 0 ? left : ended(left, "used") };
      }),

    restore: ({ id, arguments: made, edited }, now) =>
      table.change(byId(id), now, ([record], at): Change<void> => {
        if ((record?.status !== "used" && record?.status !== "approved") || at >= record.expiresAt) return { result: undefined };
        const usesLeft = Math.min(record.usesLeft + 1, usesOf(record));
        return { result: undefined, write: { ...record, arguments: made, edited, usesLeft, status: "approved" } };
      }),

    get: (id, now) => table.change(byId(id), now, ([record]) => ({ result: record })),

    list: ({ status, session }, now) =>
      table.change({ by: "session", session }, now, (found) => ({
        result: found.filter(
          (record) => (status === undefined || record.status === status) && (session === undefined || sessionOf(record) === session),
        ),
      })),

    revoke: (id, by, now) =>
      table.change(byId(id), now, ([record], at) => {
        // Too late for the call that has the last use; should it not leave, it gets nothing back.
        if (record?.status === "used") return { result: false, write: { ...record, expiresAt: Math.min(record.expiresAt, at) } };
        if (!record || !isLive(record)) return { result: false };
        return { result: true, write: { ...ended(record, "revoked"), by, decidedAt: at } };
      }),
  };
}

/** A table on a server, read and written in two round trips: what was written in between is seen by its version, and the operation runs again. */
export interface VersionedRows {
  read(
    query: ApprovalQuery,
    now: number,
  ): Promise<{ readonly version: string; readonly now: number; readonly rows: readonly StoredRecord[] }>;
  /** False, and nothing is written, where the version is another by now. */
  write(version: string, row: ApprovalRow, now: number): Promise<boolean>;
}

/** Each round lets at least one writer through, so that this many writers at one instant are served. */
const maxRounds = 200;

/** @throws HoldpointError if other writers were first `maxRounds` times. */
export function optimisticTable(rows: VersionedRows): ApprovalTable {
  return {
    durability: "shared",
    async change<Result>(query: ApprovalQuery, now: number, decide: Decide<Result>): Promise<Result> {
      for (let round = 0; round < maxRounds; round += 1) {
        const seen = await rows.read(query, now);
        const { result, write } = decide(recordsOf(seen.rows, seen.now), seen.now);
        if (write === undefined || (await rows.write(seen.version, rowOf(write), now))) return result;
      }
      throw new HoldpointError("store_unavailable", "the approval store is too busy: other processes kept changing it");
    },
  };
}

export function rowOf(record: ApprovalRecord): ApprovalRow {
  const { arguments: made, edited, ...rest } = record;
  return {
    id: record.id,
    status: record.status,
    session: sessionIndex(sessionOf(record)),
    binding: record.binding,
    wideBinding: record.wide?.binding ?? null,
    expiresAt: record.expiresAt,
    record: JSON.stringify(rest),
    secrets: made === undefined && edited === undefined ? null : JSON.stringify({ arguments: made, edited }),
  };
}

/** What rows say at an instant, oldest request first. Silence is no: a live one whose time has passed has expired, whatever is stored. */
export function recordsOf(rows: readonly StoredRecord[], now: number): readonly ApprovalRecord[] {
  return rows
    .map(({ record, secrets }) => {
      const stored = { ...JSON.parse(record), ...(secrets === null ? {} : JSON.parse(secrets)) } as ApprovalRecord;
      if (now < stored.expiresAt) return stored;
      return ended(stored, isLive(stored) ? "expired" : stored.status);
    })
    .sort((one, other) => one.requestedAt - other.requestedAt || (one.id < other.id ? -1 : 1));
}

/** A session's name as an index: of one length, and of characters that every database takes. */
export function sessionIndex(session: string): string {
  return createHash("sha256").update(session, "utf16le").digest("hex");
}

/** The session that a record's context names, as the guard counts pending requests. */
function sessionOf({ context }: ApprovalRecord): string {
  return approvalSession(context);
}

function isLive({ status }: Pick<ApprovalRecord, "status">): boolean {
  return status === "pending" || status === "approved";
}

/** How many calls a yes covered when it was given. */
function usesOf({ widened, wide }: ApprovalRecord): number {
  return widened === true && wide !== undefined ? wide.uses : 1;
}

function ended(record: ApprovalRecord, status: ApprovalStatus): ApprovalRecord {
  return { ...record, status, arguments: undefined, edited: undefined };
}

function written(record: ApprovalRecord): Change<ApprovalRecord> {
  return { result: record, write: record };
}
