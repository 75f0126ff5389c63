import { type CounterStore, CounterStoreError, type Debit, type Reservation, type Reserved, type Room } from "@holdpoint/core";
import {
  checkLease,
  defaultLeaseMs,
  parseReservationId,
  reservationId,
  type StoredDebit,
  storedDebits,
  storedKey,
} from "../stored-debit.ts";
import { openDatabase, type SqliteOptions } from "./database.ts";

export interface SqliteStoreOptions extends SqliteOptions {
  /** Milliseconds after which a concurrent slot is free again that its process did not renew, having died. Default 60,000. */
  readonly leaseMs?: number | undefined;
}

/** The store's methods, without promises. */
export interface SqliteStore extends CounterStore {
  readonly durability: "machine";
  reserve(debits: readonly Debit[], now: number): Reserved;
  settle(reservation: Reservation, giveBack: readonly number[], now: number): void;
  look(debits: readonly Debit[], now: number): readonly Room[];
  renew(reservation: Reservation, now: number): void;
  readonly renewEveryMs: number;
  forget(keys: readonly string[]): void;
  /** Closes the file. A database that was handed in stays open. */
  close(): void;
}

/** The furthest that a date reaches from the epoch, in milliseconds (ECMA-262, time values). */
const LAST_DATE = 8.64e15;

/** What a counter holds at some instant. */
interface Counter {
  readonly used: number;
  /** The first instant at which nothing of it counts any more; `null` where there is none. */
  readonly ends: number | null;
  readonly born: number;
}

/**
 * Counters in a SQLite file: they outlive the process, and several processes of one machine may share them. Time is the callers' clock, and never goes
 * back, whichever process saw it.
 *
 * It can lose nothing with the process, at any instant; with the power, what `synchronous` says. A reservation whose process died before it knew stays
 * counted; its concurrent slots are free again after `leaseMs`. Every method blocks the thread, for less than a millisecond where no other process is
 * writing, for at most `busyTimeoutMs` where one is, and then throws `CounterStoreError`.
 *
 * @throws CounterStoreError if the file cannot be opened.
 *
 * @example
 * const guard = createGuard({ policy, store: sqliteStore({ file: "holdpoint.db" }) });
 */
export function sqliteStore(options: SqliteStoreOptions): SqliteStore {
  const leaseMs = checkLease(options.leaseMs ?? defaultLeaseMs);
  const database = openDatabase(options);
  const run = statements(database.handle);
  const { epoch } = run.state.get() as { epoch: string };
  let lastSeen = Number.NEGATIVE_INFINITY;

  /** Whole milliseconds, and never back in time: neither what this process saw, nor what another wrote. */
  function tick(now: number): { readonly at: number; readonly sequence: number } {
    if (!(Math.abs(now) <= LAST_DATE)) throw new CounterStoreError("the time of a call is no number of milliseconds that a date can hold");
    const { seen, sequence } = run.state.get() as { seen: number; sequence: number };
    lastSeen = Math.max(lastSeen, Math.floor(now), seen);
    return { at: lastSeen, sequence };
  }

  function live({ key, kind }: StoredDebit, at: number): Counter | undefined {
    const counter = run.counter.get(key) as unknown as Counter | undefined;
    if (counter === undefined || (counter.ends !== null && counter.ends <= at)) return undefined;
    if (kind !== "sliding" && kind !== "concurrent") return counter;
    const { amount } = run.freed.get(key, at) as { amount: number };
    return { ...counter, used: counter.used - amount };
  }

  /** The wait is counted from the caller's `now`: after a clock was set back, the caller waits until it has caught up. */
  function roomFor(debit: StoredDebit, counter: Counter | undefined, at: number, now: number): Room {
    const remaining = Math.max(0, debit.max - (counter?.used ?? 0));
    const short = lacking(debit, counter);
    if (short <= 0 || counter === undefined || debit.amount > debit.max || debit.kind === "concurrent") return { remaining };
    const fitsAt = debit.kind === "sliding" ? entryThatFrees(debit.key, short, at) : counter.ends;
    return fitsAt === null ? { remaining } : { remaining, retryAfterMs: fitsAt - Math.floor(now) };
  }

  /** The instant at which at least `amount` of a sliding window is free again. */
  function entryThatFrees(key: string, amount: number, at: number): number | null {
    let freed = 0;
    for (const entry of run.entries.iterate(key, at)) {
      freed += Number(entry["amount"]);
      if (freed >= amount) return Number(entry["free_at"]);
    }
    return null;
  }

  /** Takes a debit that fits, and answers what is used then. */
  function take(debit: StoredDebit, found: Counter | undefined, at: number, sequence: number): number {
    const { key, kind, lengthMs, amount } = debit;
    const used = found?.used ?? 0;
    if (found === undefined && amount === 0) return used;
    let ends = found?.ends ?? null;
    if (kind === "lifetime") ends = lengthMs === 0 ? null : at + lengthMs;
    else if (kind === "sliding" || kind === "concurrent") {
      run.dropFreed.run(key, at);
      if (amount > 0) {
        run.addEntry.run(key, at + lengthMs, sequence, amount);
        ends = Math.max(ends ?? at, at + lengthMs);
      }
    } else ends ??= windowEnd(debit, at);
    run.putCounter.run(key, used + amount, ends, found?.born ?? sequence);
    if (found === undefined) purge(at);
    return used + amount;
  }

  /** With each new counter two dead ones go, so that the dead are found as fast as counters are made, at a constant cost. */
  function purge(at: number): void {
    for (const dead of run.dropDead.all(at)) run.dropEntries.run(dead["key"] as string);
  }

  function giveBack(debit: StoredDebit, reservedAt: number, sequence: number): void {
    const counter = run.counter.get(debit.key) as unknown as Counter | undefined;
    if (counter === undefined || counter.born > sequence) return;
    const used = counter.used - takenBy(debit, reservedAt, sequence);
    if (used > 0) run.setUsed.run(used, debit.key);
    else {
      run.dropCounter.run(debit.key);
      run.dropEntries.run(debit.key);
    }
  }

  /** What the reservation still holds of a counter. An entry may be free already and not yet dropped: then `used` still counts it. */
  function takenBy({ key, kind, lengthMs, amount }: StoredDebit, reservedAt: number, sequence: number): number {
    if (kind !== "sliding" && kind !== "concurrent") return amount;
    // A renewed slot has moved; an entry of a sliding window has not.
    const entry = run.takeEntry.get(key, kind === "sliding" ? reservedAt + lengthMs : Number.MIN_SAFE_INTEGER, sequence);
    return entry === undefined ? 0 : Number(entry["amount"]);
  }

  return {
    durability: "machine",
    renewEveryMs: Math.floor(leaseMs / 3),

    reserve(debits, now) {
      const stored = storedDebits(debits, leaseMs);
      return database.write(() => {
        const { at, sequence: last } = tick(now);
        const found = stored.map((debit) => live(debit, at));
        const short = stored.flatMap((debit, index) => (lacking(debit, found[index]) > 0 ? [index] : []));
        // INVARIANT (refused-spends-nothing): nothing above takes anything, and if anything below fails the transaction is taken back.
        if (short.length > 0) {
          return { granted: false, short, room: stored.map((debit, index) => roomFor(debit, found[index], at, now)) };
        }
        const sequence = last + 1;
        run.setState.run(at, sequence);
        const room = stored.map((debit, index) => ({ remaining: debit.max - take(debit, found[index], at, sequence) }));
        return { granted: true, reservation: { id: reservationId(epoch, sequence), at, debits }, room };
      });
    },

    settle(reservation, indices, now) {
      const id = parseReservationId(reservation.id);
      if (id === undefined || id.epoch !== epoch) return;
      const returned = reservation.debits.filter(({ window }, index) => window.kind === "concurrent" || indices.includes(index));
      const stored = storedDebits(returned, leaseMs);
      database.write(() => {
        tick(now);
        for (const debit of stored) giveBack(debit, reservation.at, id.sequence);
      });
    },

    look(debits, now) {
      const stored = storedDebits(debits, leaseMs);
      return database.read(() => {
        const { at } = tick(now);
        return stored.map((debit) => roomFor(debit, live(debit, at), at, now));
      });
    },

    renew(reservation, now) {
      const id = parseReservationId(reservation.id);
      if (id === undefined || id.epoch !== epoch) return;
      database.write(() => {
        const { at } = tick(now);
        for (const { key } of storedDebits(reservation.debits, leaseMs).filter(({ kind }) => kind === "concurrent")) {
          run.moveEntry.run(at + leaseMs, key, at, id.sequence);
          run.prolong.run(at + leaseMs, key);
        }
      });
    },

    forget(keys) {
      database.write(() => {
        for (const key of keys) run.dropCounter.run(storedKey("lifetime", key));
      });
    },

    close: database.close,
  };
}

/** By how much a debit does not fit; zero or less where it does. */
function lacking({ amount, max }: StoredDebit, counter: Counter | undefined): number {
  return amount - (max - (counter?.used ?? 0));
}

function windowEnd({ kind, lengthMs, originMs }: StoredDebit, at: number): number {
  if (kind === "aligned") return (Math.floor((at - originMs) / lengthMs) + 1) * lengthMs + originMs;
  const instant = new Date(at);
  return Date.UTC(instant.getUTCFullYear(), instant.getUTCMonth() + 1, 1);
}

function statements(handle: ReturnType<typeof openDatabase>["handle"]) {
  return {
    state: handle.prepare("SELECT epoch, seen, sequence FROM holdpoint_state"),
    setState: handle.prepare("UPDATE holdpoint_state SET seen = ?, sequence = ?"),
    counter: handle.prepare("SELECT used, ends, born FROM holdpoint_counters WHERE key = ?"),
    putCounter: handle.prepare(
      "INSERT INTO holdpoint_counters VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET used = excluded.used, ends = excluded.ends, born = excluded.born",
    ),
    setUsed: handle.prepare("UPDATE holdpoint_counters SET used = ? WHERE key = ?"),
    prolong: handle.prepare("UPDATE holdpoint_counters SET ends = max(ends, ?) WHERE key = ?"),
    dropCounter: handle.prepare("DELETE FROM holdpoint_counters WHERE key = ?"),
    dropDead: handle.prepare(
      "DELETE FROM holdpoint_counters WHERE key IN (SELECT key FROM holdpoint_counters WHERE ends <= ? ORDER BY ends LIMIT 2) RETURNING key",
    ),
    freed: handle.prepare("SELECT coalesce(sum(amount), 0) AS amount FROM holdpoint_entries WHERE key = ? AND free_at <= ?"),
    entries: handle.prepare("SELECT free_at, amount FROM holdpoint_entries WHERE key = ? AND free_at > ? ORDER BY free_at"),
    addEntry: handle.prepare("INSERT INTO holdpoint_entries VALUES (?, ?, ?, ?)"),
    takeEntry: handle.prepare("DELETE FROM holdpoint_entries WHERE key = ? AND free_at >= ? AND sequence = ? RETURNING amount"),
    moveEntry: handle.prepare("UPDATE holdpoint_entries SET free_at = ? WHERE key = ? AND free_at > ? AND sequence = ?"),
    dropFreed: handle.prepare("DELETE FROM holdpoint_entries WHERE key = ? AND free_at <= ?"),
    dropEntries: handle.prepare("DELETE FROM holdpoint_entries WHERE key = ?"),
  };
}
