import type { CounterStore } from "@holdpoint/core";
import { type CaseAssert, type CounterStoreCase, type CounterStoreSubject, caseStart } from "./counter-store-case.ts";
import { countingCases } from "./counter-store-counting.ts";
import { timeCases } from "./counter-store-time.ts";

/** What every counter store must do, as plain data: `counterStoreContract` runs them, or `runCounterStoreCase` under any other test runner. */
export const counterStoreCases: readonly CounterStoreCase[] = [...countingCases, ...timeCases];

export interface OpenedCounterStore {
  readonly store: CounterStore;
  /** Another handle on the same counters, where the store can be opened twice. */
  readonly second?: CounterStore | undefined;
  readonly close?: (() => void | Promise<void>) | undefined;
}

/** What the contract needs of a test runner; Vitest's and Jest's `test` and `expect` fit. */
export interface ContractRunner {
  readonly test: (name: string, run: () => Promise<void>, timeoutMs?: number) => unknown;
  readonly expect: (actual: unknown, message?: string) => { toEqual(expected: unknown): void };
  /** Whose clock the store goes by, `caller` where absent. On a server's clock the cases wait in real time, and those that need exact milliseconds are left out. */
  readonly clock?: "caller" | "server" | undefined;
}

/**
 * Registers a test for each case of the counter store contract. `open` is called once for each, and may open the same database again.
 *
 * @example
 * counterStoreContract("memory", () => ({ store: memoryStore() }), { test, expect });
 */
export function counterStoreContract(
  name: string,
  open: () => OpenedCounterStore | Promise<OpenedCounterStore>,
  runner: ContractRunner,
): void {
  const { clock = "caller", expect } = runner;
  const assert: CaseAssert = {
    deepEqual: (actual, expected, message) => expect(actual, message).toEqual(expected),
    ok: (value, message) => expect(Boolean(value), message).toEqual(true),
  };
  for (const one of counterStoreCases) {
    if (one.clock === "caller" && clock === "server") continue;
    runner.test(`${name}: ${one.name}`, () => runCounterStoreCase(one, open, assert, clock), 60_000);
  }
}

/** Runs one case on a store of its own, and closes it whatever happens. */
export async function runCounterStoreCase(
  one: CounterStoreCase,
  open: () => OpenedCounterStore | Promise<OpenedCounterStore>,
  assert: CaseAssert,
  clock: "caller" | "server" = "caller",
): Promise<void> {
  const opened = await open();
  const prefix = crypto.randomUUID();
  const time = clock === "server" ? realTime() : movedTime();
  const subject: CounterStoreSubject = {
    store: opened.store,
    second: opened.second ?? opened.store,
    ...time,
    key: (name) => `${prefix}/${name}`,
  };
  try {
    await one.run(subject, assert);
  } finally {
    await opened.close?.();
  }
}

function movedTime(): Pick<CounterStoreSubject, "now" | "wait"> {
  let now = caseStart;
  return {
    now: () => now,
    async wait(ms) {
      now += ms;
    },
  };
}

/** Timers may be early, and the server's clock a little behind. */
const slackMs = 20;

function realTime(): Pick<CounterStoreSubject, "now" | "wait"> {
  return {
    now: () => Date.now(),
    wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms + slackMs)),
  };
}
