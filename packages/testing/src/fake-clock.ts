/** A clock that stands still until it is moved. It is a function, so that it goes wherever a guard takes `clock`. */
export interface FakeClock {
  /** Milliseconds since the epoch. */
  (): number;
  /** Moves on by a duration such as `"90s"` or `"10m"`, or by milliseconds. Throws a `RangeError` for what is no duration, or is negative. */
  advance(by: Duration): void;
  /** Jumps to an instant, also back: a host's clock can be set back too. */
  set(instant: Instant): void;
}

/** Milliseconds, or a whole number with a unit, as policies write them: `500ms`, `30s`, `10m`, `2h`, `7d`. */
export type Duration = number | string;

/** Milliseconds since the epoch, a `Date`, or a text that `Date` reads, such as `2026-01-05T09:00:00Z`. */
export type Instant = number | string | Date;

/** Midnight (UTC) of a Monday that begins no month: minutes, hours, days and weeks begin here, so that no window ends early by surprise. */
const defaultStart = "2026-01-05T00:00:00.000Z";

/**
 * Makes a clock that stands at `start`, by default at the beginning of Monday, 5 January 2026 (UTC).
 *
 * @example
 * const clock = fakeClock("2026-03-01T12:00:00Z");
 * const guard = createGuard({ policy, clock });
 * clock.advance("1h");
 */
export function fakeClock(start: Instant = defaultStart): FakeClock {
  let now = instantMs(start);
  return Object.assign(() => now, {
    advance(by: Duration) {
      const ms = durationMs(by);
      if (ms < 0) throw new RangeError(`a clock cannot advance by \`${by}\`: use \`set\` to set it back`);
      now += ms;
    },
    set(instant: Instant) {
      now = instantMs(instant);
    },
  });
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration in milliseconds. Throws a `RangeError` for what is none. */
export function durationMs(duration: Duration): number {
  if (typeof duration === "number" && Number.isFinite(duration)) return duration;
  const [, count, unit] = /^([0-9]+)(ms|s|m|h|d)$/.exec(String(duration)) ?? [];
  if (count === undefined || unit === undefined)
    throw new RangeError(`\`${duration}\` is no duration: write \`500ms\`, \`30s\`, \`10m\`, \`2h\` or \`7d\``);
  return Number(count) * (unitMs[unit] as number);
}

/** An instant in milliseconds since the epoch. Throws a `RangeError` for what is none. */
export function instantMs(instant: Instant): number {
  const ms = typeof instant === "number" ? instant : new Date(instant).getTime();
  if (Number.isFinite(ms)) return ms;
  throw new RangeError(`\`${String(instant)}\` is no instant: write \`2026-01-05T09:00:00Z\``);
}
