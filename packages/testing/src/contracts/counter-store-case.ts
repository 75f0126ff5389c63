import type { CounterStore, Debit, Reservation, Window } from "@holdpoint/core";

/** A store under test, empty but for other keys, with a clock that the case can move. */
export interface CounterStoreSubject {
  readonly store: CounterStore;
  /** Another handle on the same counters, such as a second connection; the store itself where there is none. */
  readonly second: CounterStore;
  /** Milliseconds since the epoch, as the caller knows them. */
  now(): number;
  /** Lets time pass: at once where the caller's clock decides, truly where the server's does. */
  wait(ms: number): Promise<void>;
  /** A key of this case alone, so that a shared database needs no cleaning. */
  key(name: string): string;
}

/** What a case needs of a test runner; `node:assert/strict` has both. */
export interface CaseAssert {
  deepEqual(actual: unknown, expected: unknown, message?: string): void;
  ok(value: unknown, message?: string): void;
}

export interface CounterStoreCase {
  readonly name: string;
  /** `caller`: the case moves the clock to exact milliseconds, which only a store that takes the caller's `now` can follow. */
  readonly clock: "any" | "caller";
  run(subject: CounterStoreSubject, assert: CaseAssert): Promise<void>;
}

/** The caller's clock starts here: a Saturday late in February of a leap year. */
export const caseStart = Date.parse("2028-02-26T21:37:40.123Z");

/** One, in millionths. */
export const unit = 1_000_000;

/** A fixed window that does not end while a case runs: from the epoch into the year 2065. */
export const untilLater: Window = { kind: "seconds", seconds: 3_000_000_000 };

/**
 * Plays what must happen within `ms` milliseconds. On a real clock a busy machine may stall until they are over, and what a store answers then shows nothing:
 * where that has happened the failure is dropped, and all is played again in twice the time. `play` names what it makes by `ms`, so that it starts anew.
 */
export async function inTime(
  { now, wait }: Pick<CounterStoreSubject, "now" | "wait">,
  ms: number,
  play: (ms: number, wait: (ms: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  for (let lengthMs = ms, attempt = 1; ; lengthMs *= 2, attempt += 1) {
    const start = now();
    let waitedMs = 0;
    try {
      await play(lengthMs, async (waitMs) => {
        waitedMs += waitMs;
        await wait(waitMs);
      });
      return;
    } catch (error) {
      const stalledMs = now() - start - waitedMs;
      if (stalledMs < lengthMs / 5 || attempt === 5) throw error;
    }
  }
}

/** Takes debits that must fit. */
export async function granted(subject: CounterStoreSubject, debits: readonly Debit[]): Promise<Reservation> {
  const answer = await subject.store.reserve(debits, subject.now());
  if (!answer.granted) throw new Error(`a reservation that fits was refused: ${JSON.stringify(answer)}`);
  return answer.reservation;
}
