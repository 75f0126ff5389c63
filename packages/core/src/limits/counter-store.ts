/** How long a counter counts. Calendar windows are UTC, weeks start on Monday; `seconds` windows are aligned to the epoch (design §5). */
export type Window =
  | { readonly kind: "calendar"; readonly unit: "minute" | "hour" | "day" | "week" | "month" }
  | { readonly kind: "seconds"; readonly seconds: number }
  | { readonly kind: "sliding"; readonly ms: number }
  | { readonly kind: "lifetime"; readonly expiresMs?: number | undefined }
  | { readonly kind: "concurrent" };

/**
 * What one call takes from one counter. `amount` and `max` are in millionths, as safe integers: 1 is 1,000,000, and the largest
 * `max` of a policy, 9,000,000,000, is 9 × 10^15. A slot of a concurrent limit is an amount of 1,000,000.
 */
export interface Debit {
  /** Names the counter without ambiguity, its scope included. Two debits of one reservation never share a key. */
  readonly key: string;
  readonly window: Window;
  readonly amount: number;
  readonly max: number;
}

/** What is left of one counter. */
export interface Room {
  /** In millionths; 0 where a `max` that was lowered since is already exceeded. */
  readonly remaining: number;
  /**
   * Milliseconds, from the caller's `now` or the server's clock, until the debit that was asked about would fit, if nothing else is taken until then.
   * There only where it does not fit now, and time alone will make it fit.
   */
  readonly retryAfterMs?: number | undefined;
}

/** A granted reservation. Plain JSON: it says all that is needed to settle it, also from another process. */
export interface Reservation {
  readonly id: string;
  /** The store's time at which the debits were taken, in milliseconds since the epoch. A give-back goes to the window of this instant. */
  readonly at: number;
  readonly debits: readonly Debit[];
}

export type Reserved =
  /** Every debit was taken; `room[i]` is what is left of `debits[i]` after it. */
  | { readonly granted: true; readonly reservation: Reservation; readonly room: readonly Room[] }
  /** None was taken; `short` lists the indices of the debits that lack room. */
  | { readonly granted: false; readonly short: readonly number[]; readonly room: readonly Room[] };

export type MaybePromise<T> = T | Promise<T>;

/**
 * Where counters live. A store is dumb: which debits a call makes, and what is given back, is decided above it.
 *
 * - `reserve` takes every debit or none, atomically (laws `no-over-admission`, `refused-spends-nothing`).
 * - A store never goes back in time: an instant before the last one seen counts as the last one seen. A store with a server uses the server's
 *   clock and ignores `now`.
 * - Time is whole milliseconds. What was taken from a sliding window of `ms` at t is free again at exactly t + `ms`; a fixed window ends at its end;
 *   a lifetime with `expiresMs` ends that long after the last granted reservation, whatever its amount.
 * - It holds no dead keys and never evicts a live one: full is a thrown `CounterStoreError`, and the guard denies.
 */
export interface CounterStore {
  /** What outlives what: `process` forgets with the process, `machine` survives it, `shared` serves many machines. */
  readonly durability: "process" | "machine" | "shared";
  /** The host accepts that counts of a day or more end with the process. Without it, a guard refuses policies with such windows on a `process` store. */
  readonly acceptsLongWindows?: boolean | undefined;
  /** Takes every debit or none. Throws or rejects with `CounterStoreError` when it cannot tell; the guard then denies. */
  reserve(debits: readonly Debit[], now: number): MaybePromise<Reserved>;
  /**
   * Ends a reservation: frees its concurrent slots and gives back the debits at the indices `giveBack`, in the window they were taken from.
   * Called at most once for a reservation; a settle that may or may not have happened is not repeated, since giving back twice would admit too much.
   */
  settle(reservation: Reservation, giveBack: readonly number[], now: number): MaybePromise<void>;
  /** What a `reserve` of each debit alone would find, without taking anything. */
  look(debits: readonly Debit[], now: number): MaybePromise<readonly Room[]>;
  /** Keeps the concurrent slots of a call that is still in flight; stores without leases lack it. Call it every `renewEveryMs`. */
  renew?(reservation: Reservation, now: number): MaybePromise<void>;
  readonly renewEveryMs?: number | undefined;
  /** Drops lifetime counters whose session has ended; counters of other kinds stay. What was taken before is not given back to a counter opened after. */
  forget(keys: readonly string[]): MaybePromise<void>;
}
