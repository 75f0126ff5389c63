import { type Duration, durationMs } from "./fake-clock.ts";
import type { PolicyTest, TestCall, TestVerdict } from "./policy-test.ts";

/** What became of one call made again and again. */
export interface Admitted {
  /** How many calls were admitted. */
  readonly count: number;
  /** Milliseconds since the epoch of each admission. */
  readonly times: readonly number[];
  /** The first verdict that was not `allow`; `undefined` where none was. */
  readonly stopped: TestVerdict | undefined;
}

export interface CountOptions {
  /** How long to go on, from the clock's present on; waits that limits ask for are taken. Default: at this very instant only. */
  readonly within?: Duration | undefined;
  /** Stops here, since a call without a limit is admitted for ever. */
  readonly most: number;
}

/**
 * Makes the same call as often as it is admitted: as fast as possible, and after every wait that a limit names, until `within` has passed. So it counts the
 * most that a caller can get in that time, bursts at the boundary of a window included. The clock stands at the last attempt afterwards.
 */
export async function countAdmitted(test: PolicyTest, call: TestCall, { within = 0, most }: CountOptions): Promise<Admitted> {
  if (call.at !== undefined) test.clock.set(call.at);
  const { at: _at, ...again } = call;
  const end = test.clock() + durationMs(within);
  const times: number[] = [];
  let stopped: TestVerdict | undefined;
  while (times.length < most) {
    const verdict = await test.decide(again);
    if (verdict.outcome === "allow") {
      times.push(test.clock());
      continue;
    }
    stopped ??= verdict;
    const waitMs = verdict.outcome === "deny" ? verdict.retryAfterMs : undefined;
    // A window is open at its end: what opens at `end` is no longer within.
    if (waitMs === undefined || waitMs <= 0 || test.clock() + waitMs >= end) break;
    test.advance(waitMs);
  }
  return { count: times.length, times, stopped };
}
