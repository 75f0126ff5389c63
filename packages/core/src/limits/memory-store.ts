import { CounterStoreError } from "../holdpoint-error.ts";
import type { CounterStore, Debit, Reservation, Reserved, Room, Window } from "./counter-store.ts";
import {
  dropEntries,
  entryThatFrees,
  giveBackAmount,
  logAmount,
  logSize,
  newestEntry,
  type SlidingLog,
  slidingLog,
} from "./sliding-log.ts";
import { windowBounds } from "./window.ts";

export interface MemoryStoreOptions {
  /** Says out loud that counts of a day or more end with this process. Without it, a guard refuses a policy with such windows on this store. */
  readonly durability?: "process" | undefined;
  /** The most counters held at once, 100,000 where absent. When all are live, a new one is refused. */
  readonly maxKeys?: number | undefined;
  /** The most milliseconds of one sliding window that hold a debit, 100,000 where absent. When they are full, a further one is refused. */
  readonly maxEntriesPerKey?: number | undefined;
}

/** The store's methods, without promises. */
export interface MemoryStore extends CounterStore {
  readonly durability: "process";
  reserve(debits: readonly Debit[], now: number): Reserved;
  settle(reservation: Reservation, giveBack: readonly number[], now: number): void;
  look(debits: readonly Debit[], now: number): readonly Room[];
  forget(keys: readonly string[]): void;
  /** How many counters are held, dead ones that have not been met since included. */
  readonly size: number;
}

/** The furthest that a date reaches from the epoch, in milliseconds (ECMA-262, time values). */
const LAST_DATE = 8.64e15;

/** One counter with something on it. It lives until `end`; what is on it, and since when, depends on the kind of its window. */
interface Counter {
  readonly kind: Window["kind"];
  /** The reservation that opened this counter: an earlier one was taken from a window, or a lifetime, that is gone. */
  readonly opened: number;
  /** In millionths. */
  used: number;
  /** The first instant at which nothing of it counts any more. */
  end: number;
  readonly log: SlidingLog | undefined;
  /** The slots of a concurrent limit, by reservation. */
  readonly slots: Map<string, number> | undefined;
}

/**
 * Counters in this process's memory: the default, exact in every kind of window, and the model that other stores are compared with.
 *
 * It forgets with the process and is shared with no other. It never evicts a live counter: when `maxKeys` live ones are held, `reserve` throws
 * `CounterStoreError`, and the guard denies.
 *
 * @example
 * const guard = createGuard({ policy, store: memoryStore({ durability: "process" }) });
 */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  const maxKeys = positive(options.maxKeys ?? 100_000, "maxKeys");
  const maxEntriesPerKey = positive(options.maxEntriesPerKey ?? 100_000, "maxEntriesPerKey");
  const counters = new Map<string, Counter>();
  const prefix = `${crypto.randomUUID()}:`;
  let reservations = 0;
  let lastSeen = Number.NEGATIVE_INFINITY;
  let sweeper = counters.entries();
  let nextDeath = Number.POSITIVE_INFINITY;

  /** Whole milliseconds, and never back in time. */
  function tick(now: number): number {
    if (!(Math.abs(now) <= LAST_DATE)) throw new CounterStoreError("the time of a call is no number of milliseconds that a date can hold");
    if (now > lastSeen) lastSeen = Math.floor(now);
    return lastSeen;
  }

  /** The counter under a key, if anything on it still counts; a dead one goes as it is met. */
  function live(debit: Debit, at: number): Counter | undefined {
    const counter = counters.get(debit.key);
    if (counter === undefined) return undefined;
    if (counter.end <= at) {
      counters.delete(debit.key);
      return undefined;
    }
    if (counter.kind !== debit.window.kind) throw new CounterStoreError("one key is counted in two kinds of window");
    if (counter.log !== undefined && debit.window.kind === "sliding") counter.used -= dropEntries(counter.log, at - debit.window.ms);
    return counter;
  }

  function open({ key, window }: Debit, at: number): Counter {
    const counter: Counter = {
      kind: window.kind,
      opened: reservations,
      used: 0,
      end: window.kind === "calendar" || window.kind === "seconds" ? windowBounds(window, at).end : Number.POSITIVE_INFINITY,
      log: window.kind === "sliding" ? slidingLog() : undefined,
      slots: window.kind === "concurrent" ? new Map() : undefined,
    };
    sweepTwo(at);
    counters.set(key, counter);
    return counter;
  }

  function take(counter: Counter, { window, amount }: Debit, id: string, at: number): void {
    counter.used += amount;
    counter.slots?.set(id, amount);
    if (window.kind === "sliding" && counter.log !== undefined && amount > 0) {
      logAmount(counter.log, at, amount);
      counter.end = at + window.ms;
    } else if (window.kind === "lifetime") {
      counter.end = window.expiresMs === undefined ? Number.POSITIVE_INFINITY : at + window.expiresMs;
    }
    nextDeath = Math.min(nextDeath, counter.end);
  }

  /** With each new counter two old ones are looked at, so that the dead are found as fast as counters are made, at a constant cost. */
  function sweepTwo(at: number): void {
    for (let step = 0; step < 2; step += 1) {
      const next = sweeper.next();
      if (next.done) {
        sweeper = counters.entries();
        return;
      }
      const [key, counter] = next.value;
      if (counter.end <= at) counters.delete(key);
    }
  }

  /** Sees that what is about to be taken can be held, and throws where it cannot. */
  function makeRoom(debits: readonly Debit[], found: readonly (Counter | undefined)[], at: number): void {
    let fresh = 0;
    for (let index = 0; index < debits.length; index += 1) {
      const log = found[index]?.log;
      if (found[index] === undefined) fresh += 1;
      if (log !== undefined && logSize(log) >= maxEntriesPerKey && newestEntry(log) !== at) {
        throw new CounterStoreError(
          `the memory store is full: one sliding window holds \`maxEntriesPerKey\` (${maxEntriesPerKey}) entries`,
          { full: true },
        );
      }
    }
    if (counters.size + fresh <= maxKeys) return;
    dropDead(at);
    if (counters.size + fresh > maxKeys)
      throw new CounterStoreError(`the memory store is full: it holds \`maxKeys\` (${maxKeys}) live counters`, { full: true });
  }

  /** `nextDeath` is no later than the end of any counter held: a store full of live ones is not searched in vain. */
  function dropDead(at: number): void {
    if (nextDeath > at) return;
    nextDeath = Number.POSITIVE_INFINITY;
    for (const [key, counter] of counters) {
      if (counter.end <= at) counters.delete(key);
      else nextDeath = Math.min(nextDeath, counter.end);
    }
  }

  return {
    durability: "process",
    acceptsLongWindows: options.durability === "process",

    reserve(debits, now) {
      refuseMalformed(debits);
      const at = tick(now);
      const found: (Counter | undefined)[] = [];
      let fits = true;
      for (const debit of debits) {
        const counter = live(debit, at);
        found.push(counter);
        if (lacking(debit, counter) > 0) fits = false;
      }
      if (!fits) return { granted: false, ...shortage(debits, found, now) };
      makeRoom(debits, found, at);

      // INVARIANT (refused-spends-nothing): nothing above takes anything, and nothing below can fail.
      reservations += 1;
      const id = prefix + reservations;
      const room: Room[] = [];
      for (let index = 0; index < debits.length; index += 1) {
        const debit = debits[index] as Debit;
        let counter = found[index];
        if (counter === undefined && debit.amount > 0) counter = open(debit, at);
        if (counter !== undefined) take(counter, debit, id, at);
        room.push({ remaining: debit.max - (counter?.used ?? 0) });
      }
      return { granted: true, reservation: { id, at, debits }, room };
    },

    settle(reservation, giveBack, now) {
      tick(now);
      if (!reservation.id.startsWith(prefix)) return;
      const taken = Number(reservation.id.slice(prefix.length));
      for (let index = 0; index < reservation.debits.length; index += 1) {
        const { key, window, amount } = reservation.debits[index] as Debit;
        if (window.kind !== "concurrent" && !giveBack.includes(index)) continue;
        const counter = counters.get(key);
        if (counter === undefined || counter.opened > taken || counter.kind !== window.kind) continue;
        if (counter.slots !== undefined) counter.used -= freeSlot(counter.slots, reservation.id);
        else if (counter.log !== undefined) counter.used -= giveBackAmount(counter.log, reservation.at, amount);
        else counter.used -= Math.min(counter.used, amount);
        if (counter.used === 0) counters.delete(key);
      }
    },

    look(debits, now) {
      const at = tick(now);
      return debits.map((debit) => roomFor(debit, live(debit, at), now));
    },

    forget(keys) {
      for (const key of keys) {
        if (counters.get(key)?.kind === "lifetime") counters.delete(key);
      }
    },

    get size() {
      return counters.size;
    },
  };
}

function positive(value: number, option: string): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new TypeError(`\`${option}\` is a whole number above zero`);
}

/** A debit that the sums below cannot bear would let other calls through; it is refused before anything is taken. */
function refuseMalformed(debits: readonly Debit[]): void {
  for (let index = 0; index < debits.length; index += 1) {
    const { key, amount, max } = debits[index] as Debit;
    if (!(Number.isSafeInteger(amount) && amount >= 0 && Number.isSafeInteger(max) && max >= 0)) {
      throw new CounterStoreError("a debit is no whole number of millionths");
    }
    for (let other = 0; other < index; other += 1) {
      if (debits[other]?.key === key) throw new CounterStoreError("two debits of one reservation share a key");
    }
  }
}

/** By how much a debit does not fit; zero or less where it does. */
function lacking({ amount, max }: Debit, counter: Counter | undefined): number {
  return amount - (max - (counter?.used ?? 0));
}

function shortage(debits: readonly Debit[], found: readonly (Counter | undefined)[], now: number): { short: number[]; room: Room[] } {
  const short = debits.flatMap((debit, index) => (lacking(debit, found[index]) > 0 ? [index] : []));
  return { short, room: debits.map((debit, index) => roomFor(debit, found[index], now)) };
}

/** The wait is counted from the caller's `now`: after a clock was set back, the caller waits until it has caught up. */
function roomFor(debit: Debit, counter: Counter | undefined, now: number): Room {
  const remaining = Math.max(0, debit.max - (counter?.used ?? 0));
  const short = lacking(debit, counter);
  if (short <= 0 || counter === undefined || debit.amount > debit.max) return { remaining };
  const fitsAt = debit.window.kind === "sliding" ? slidingFit(counter, debit.window.ms, short) : counter.end;
  return fitsAt === Number.POSITIVE_INFINITY ? { remaining } : { remaining, retryAfterMs: fitsAt - Math.floor(now) };
}

/** An entry made at t is out of a window of `ms` at exactly t + `ms`. */
function slidingFit(counter: Counter, ms: number, short: number): number {
  const entry = counter.log === undefined ? undefined : entryThatFrees(counter.log, short);
  return entry === undefined ? Number.POSITIVE_INFINITY : entry + ms;
}

function freeSlot(slots: Map<string, number>, reservation: string): number {
  const amount = slots.get(reservation) ?? 0;
  slots.delete(reservation);
  return amount;
}
