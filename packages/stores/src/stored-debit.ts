import { createHash } from "node:crypto";
import { CounterStoreError, type Debit, type Window } from "@holdpoint/core";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;

/** The first Monday at or before the epoch, a Thursday. */
const MONDAY = -3 * DAY;

/** A debit as databases count it: the calendar comes down to arithmetic, but for months. */
export interface StoredDebit {
  /** Begins with the kind of window: a key counted in two kinds of window is two counters. */
  readonly key: string;
  readonly kind: "aligned" | "month" | "lifetime" | "sliding" | "concurrent";
  /**
   * Milliseconds: the length of an aligned window; how long an entry of a sliding window counts, a slot is held without being renewed, and a lifetime
   * lives untouched. 0 for months, whose length varies, and for a lifetime without end.
   */
  readonly lengthMs: number;
  /** An instant at which an aligned window starts, in milliseconds since the epoch. */
  readonly originMs: number;
  readonly amount: number;
  readonly max: number;
}

/**
 * Debits as they are stored. One that the sums of a store cannot bear would let other calls through; it is refused before anything is taken.
 *
 * @throws CounterStoreError if an amount is no whole number of millionths, or two debits share a key.
 */
export function storedDebits(debits: readonly Debit[], leaseMs: number): readonly StoredDebit[] {
  const keys = new Set<string>();
  return debits.map(({ key, window, amount, max }) => {
    if (!(Number.isSafeInteger(amount) && amount >= 0 && Number.isSafeInteger(max) && max >= 0)) {
      throw new CounterStoreError("a debit is no whole number of millionths");
    }
    if (keys.has(key)) throw new CounterStoreError("two debits of one reservation share a key");
    keys.add(key);
    return { key: storedKey(window.kind, key), ...measured(window, leaseMs), amount, max };
  });
}

/**
 * A key as it is stored: readable where it is short and can be written as UTF-8 text, else its hash. PostgreSQL knows no NUL and indexes no
 * long values, and lone surrogates would make two keys one.
 */
export function storedKey(kind: Window["kind"], key: string): string {
  if (key.length <= 200 && key.isWellFormed() && !key.includes("\0") && !key.startsWith("sha256:")) return `${kind}:${key}`;
  return `${kind}:sha256:${createHash("sha256").update(key, "utf16le").digest("hex")}`;
}

function measured(window: Window, leaseMs: number): Pick<StoredDebit, "kind" | "lengthMs" | "originMs"> {
  switch (window.kind) {
    case "calendar":
      return calendar[window.unit];
    case "seconds":
      return aligned(window.seconds * 1000, 0);
    case "sliding":
      return { kind: "sliding", lengthMs: window.ms, originMs: 0 };
    case "lifetime":
      return { kind: "lifetime", lengthMs: window.expiresMs ?? 0, originMs: 0 };
    case "concurrent":
      return { kind: "concurrent", lengthMs: leaseMs, originMs: 0 };
  }
}

const calendar = {
  minute: aligned(MINUTE, 0),
  hour: aligned(HOUR, 0),
  day: aligned(DAY, 0),
  week: aligned(WEEK, MONDAY),
  month: { kind: "month", lengthMs: 0, originMs: 0 },
} as const;

function aligned(lengthMs: number, originMs: number) {
  return { kind: "aligned", lengthMs, originMs } as const;
}

/** The id of a reservation: which life of the store it belongs to, and its place in it. A store that was emptied since knows nothing of it. */
export function reservationId(epoch: string | number, sequence: number): string {
  return `${epoch}:${sequence}`;
}

/** The parts of an id that a store of this package gave; `undefined` for any other. */
export function parseReservationId(id: string): { readonly epoch: string; readonly sequence: number } | undefined {
  const [, epoch, sequence] = /^([0-9a-z-]+):([0-9]{1,16})$/.exec(id) ?? [];
  return epoch === undefined ? undefined : { epoch, sequence: Number(sequence) };
}

/** How long a concurrent slot outlives a process that has died: a minute where the host does not say. */
export const defaultLeaseMs = 60_000;

/** @throws TypeError if the lease is no whole number of milliseconds of at least 3: it is renewed three times as often as it ends. */
export function checkLease(leaseMs: number): number {
  if (Number.isSafeInteger(leaseMs) && leaseMs >= 3) return leaseMs;
  throw new TypeError("`leaseMs` is a whole number of milliseconds, 3 or more");
}
