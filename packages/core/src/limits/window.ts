import type { Limit } from "../policy/policy-schema.ts";
import type { Window } from "./counter-store.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;

/** The longest duration and window that a policy can name: a hundred years of 365 days, so that adding one to any clock stays exact. */
const MAX_DURATION_MS = 36_500 * DAY;

/** The first Monday at or before the epoch, a Thursday. */
const MONDAY = -3 * DAY;

/** A window that starts and ends at instants which the clock alone decides. */
export type FixedWindow = Extract<Window, { kind: "calendar" | "seconds" }>;

/**
 * The window of a limit that has passed the loader: `minute … month` are calendar windows in UTC, a number is seconds aligned to the epoch,
 * `{ sliding: "10m" }` is any stretch of ten minutes (design §5).
 *
 * @throws RangeError if a duration cannot be read or is over a hundred years, or if there is no window at all.
 */
export function parseWindow(limit: Pick<Limit, "window" | "concurrent" | "expires">): Window {
  if (limit.concurrent !== undefined) return { kind: "concurrent" };
  const { window } = limit;
  if (window === undefined) throw new RangeError("a limit needs a `window`, or `concurrent`");
  if (typeof window === "object") return { kind: "sliding", ms: parseDuration(window.sliding) };
  if (window === "lifetime") {
    return limit.expires === undefined ? { kind: "lifetime" } : { kind: "lifetime", expiresMs: parseDuration(limit.expires) };
  }
  if (typeof window === "string") return { kind: "calendar", unit: window };
  if (window * SECOND > MAX_DURATION_MS) throw new RangeError(`\`${window}\` seconds are more than a hundred years`);
  return { kind: "seconds", seconds: window };
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: SECOND, m: MINUTE, h: HOUR, d: DAY };

/**
 * Milliseconds of a duration such as `500ms`, `30s`, `10m`, `2h` or `7d`.
 *
 * @throws RangeError if it is no whole number with one of these units, or more than a hundred years.
 */
export function parseDuration(text: string): number {
  const [, count, unit] = /^([1-9][0-9]*)(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Number(count) * (unitMs[unit ?? ""] ?? Number.NaN);
  if (Number.isNaN(ms))
    throw new RangeError(`\`${text}\` is no duration: write a whole number and a unit, such as \`30s\`, \`10m\`, \`2h\` or \`7d\``);
  if (ms > MAX_DURATION_MS) throw new RangeError(`\`${text}\` is more than a hundred years`);
  return ms;
}

/** The fixed window that holds the instant `at`, in milliseconds since the epoch: from `start` up to, but not including, `end`. */
export function windowBounds(window: FixedWindow, at: number): { readonly start: number; readonly end: number } {
  if (window.kind === "seconds") return aligned(at, window.seconds * SECOND, 0);
  switch (window.unit) {
    case "minute":
      return aligned(at, MINUTE, 0);
    case "hour":
      return aligned(at, HOUR, 0);
    case "day":
      return aligned(at, DAY, 0);
    case "week":
      return aligned(at, WEEK, MONDAY);
    case "month": {
      const instant = new Date(at);
      const year = instant.getUTCFullYear();
      const month = instant.getUTCMonth();
      return { start: Date.UTC(year, month, 1), end: Date.UTC(year, month + 1, 1) };
    }
  }
}

/** UTC has no leap seconds here, as in POSIX time, so that every window but the month has one length. */
function aligned(at: number, length: number, origin: number): { readonly start: number; readonly end: number } {
  const start = Math.floor((at - origin) / length) * length + origin;
  return { start, end: start + length };
}

/** Whether losing the counts with the process would matter: a fixed or sliding window of a day or more, or a lifetime that `expires` after a day or more. */
export function isLongWindow(window: Window): boolean {
  switch (window.kind) {
    case "calendar":
      return window.unit !== "minute" && window.unit !== "hour";
    case "seconds":
      return window.seconds * SECOND >= DAY;
    case "sliding":
      return window.ms >= DAY;
    case "lifetime":
      return window.expiresMs !== undefined && window.expiresMs >= DAY;
    case "concurrent":
      return false;
  }
}

/** The part of a counter's key that says the window. Windows that count alike have one text: `{ sliding: "60s" }` is `{ sliding: "1m" }`. */
export function windowKey(window: Window): string {
  switch (window.kind) {
    case "calendar":
      return window.unit;
    case "seconds":
      return `${window.seconds}s`;
    case "sliding":
      return `sliding ${window.ms}ms`;
    default:
      return window.kind;
  }
}

/** How an operator reads a window: `per day (UTC)`, `in any 10 minutes`. */
export function describeWindow(window: Window): string {
  switch (window.kind) {
    case "calendar":
      if (window.unit === "week") return "per week (UTC, from Monday)";
      return window.unit === "minute" || window.unit === "hour" ? `per ${window.unit}` : `per ${window.unit} (UTC)`;
    case "seconds":
      return `per ${describeDuration(window.seconds * SECOND)}`;
    case "sliding":
      return `in any ${describeDuration(window.ms)}`;
    case "lifetime":
      return "in a lifetime";
    case "concurrent":
      return "at once";
  }
}

const spokenUnits = [
  [DAY, "day"],
  [HOUR, "hour"],
  [MINUTE, "minute"],
  [SECOND, "second"],
  [1, "millisecond"],
] as const;

/** A duration exactly, in the largest unit that divides it: `10 minutes`, `90 seconds`. */
export function describeDuration(ms: number): string {
  const [length, unit] = spokenUnits.find(([length]) => ms % length === 0) as (typeof spokenUnits)[number];
  return plural(ms / length, unit);
}

/** A wait for people and models, rounded up so that it is never too short: `41 seconds`, `12 minutes`, `3 hours`. */
export function describeWait(ms: number): string {
  const [length, unit] = spokenUnits.find(([length]) => length >= SECOND && ms > 2 * length) ?? [SECOND, "second"];
  return plural(Math.max(1, Math.ceil(ms / length)), unit);
}

function plural(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}
