import fc from "fast-check";
import { expect, test } from "vitest";
import {
  describeDuration,
  describeWait,
  describeWindow,
  type FixedWindow,
  isLongWindow,
  parseDuration,
  parseWindow,
  windowBounds,
  windowKey,
} from "./window.ts";

const boundsOf = (window: FixedWindow, at: string) => {
  const { start, end } = windowBounds(window, Date.parse(at));
  return [new Date(start).toISOString(), new Date(end).toISOString()];
};

test("the document's windows", () => {
  expect(parseWindow({ window: "minute" })).toEqual({ kind: "calendar", unit: "minute" });
  expect(parseWindow({ window: 90 })).toEqual({ kind: "seconds", seconds: 90 });
  expect(parseWindow({ window: { sliding: "10m" } })).toEqual({ kind: "sliding", ms: 600_000 });
  expect(parseWindow({ window: "lifetime" })).toEqual({ kind: "lifetime" });
  expect(parseWindow({ window: "lifetime", expires: "7d" })).toEqual({ kind: "lifetime", expiresMs: 604_800_000 });
  expect(parseWindow({ concurrent: 3 })).toEqual({ kind: "concurrent" });
});

test("[strict-load] a limit without a window, or with one beyond a hundred years, has none", () => {
  expect(() => parseWindow({})).toThrow("a limit needs a `window`, or `concurrent`");
  expect(() => parseWindow({ window: Number.MAX_SAFE_INTEGER })).toThrow("`9007199254740991` seconds are more than a hundred years");
  expect(() => parseWindow({ window: { sliding: "36501d" } })).toThrow("`36501d` is more than a hundred years");
  expect(parseWindow({ window: { sliding: "36500d" } })).toEqual({ kind: "sliding", ms: 36_500 * 86_400_000 });
  expect(parseWindow({ window: 36_500 * 86_400 })).toEqual({ kind: "seconds", seconds: 36_500 * 86_400 });
});

test("durations are whole numbers with a unit", () => {
  expect(["250ms", "30s", "10m", "2h", "7d"].map(parseDuration)).toEqual([250, 30_000, 600_000, 7_200_000, 604_800_000]);
  for (const text of ["", "10", "m", "0s", "-1s", "1.5h", "10 m", "10M", "1w", "1h30m"]) {
    expect(() => parseDuration(text), text).toThrow(
      new RangeError(`\`${text}\` is no duration: write a whole number and a unit, such as \`30s\`, \`10m\`, \`2h\` or \`7d\``),
    );
  }
  expect(() => parseDuration(`${"9".repeat(400)}d`)).toThrow("is more than a hundred years");
});

test("calendar windows are those of UTC, whatever the machine's zone", () => {
  const at = "2024-02-29T23:59:59.999Z";
  expect(boundsOf({ kind: "calendar", unit: "minute" }, at)).toEqual(["2024-02-29T23:59:00.000Z", "2024-03-01T00:00:00.000Z"]);
  expect(boundsOf({ kind: "calendar", unit: "hour" }, at)).toEqual(["2024-02-29T23:00:00.000Z", "2024-03-01T00:00:00.000Z"]);
  expect(boundsOf({ kind: "calendar", unit: "day" }, at)).toEqual(["2024-02-29T00:00:00.000Z", "2024-03-01T00:00:00.000Z"]);
  expect(boundsOf({ kind: "calendar", unit: "month" }, at)).toEqual(["2024-02-01T00:00:00.000Z", "2024-03-01T00:00:00.000Z"]);
});

test("weeks start on Monday, and cross the year", () => {
  const week: FixedWindow = { kind: "calendar", unit: "week" };
  expect(boundsOf(week, "2026-11-22T23:59:59.999Z")).toEqual(["2026-11-16T00:00:00.000Z", "2026-11-23T00:00:00.000Z"]);
  expect(boundsOf(week, "2026-11-23T00:00:00.000Z")).toEqual(["2026-11-23T00:00:00.000Z", "2026-11-30T00:00:00.000Z"]);
  expect(boundsOf(week, "2027-01-01T12:00:00.000Z")).toEqual(["2026-12-28T00:00:00.000Z", "2027-01-04T00:00:00.000Z"]);
});

test("December's window ends with the year, and seconds are aligned to the epoch", () => {
  expect(boundsOf({ kind: "calendar", unit: "month" }, "2026-12-31T00:00:00.000Z")).toEqual([
    "2026-12-01T00:00:00.000Z",
    "2027-01-01T00:00:00.000Z",
  ]);
  expect(windowBounds({ kind: "seconds", seconds: 7 }, 13_999)).toEqual({ start: 7_000, end: 14_000 });
  expect(windowBounds({ kind: "seconds", seconds: 7 }, 14_000)).toEqual({ start: 14_000, end: 21_000 });
});

test("fixed windows tile time: each instant lies in one, and the next starts where it ends", () => {
  const window = fc.oneof(
    fc.constantFrom("minute", "hour", "day", "week", "month").map((unit): FixedWindow => ({ kind: "calendar", unit })),
    fc.integer({ min: 1, max: 1_000_000 }).map((seconds): FixedWindow => ({ kind: "seconds", seconds })),
  );
  fc.assert(
    fc.property(window, fc.integer({ min: -1e12, max: 8e12 }), (window, at) => {
      const { start, end } = windowBounds(window, at);
      expect(start <= at && at < end).toBe(true);
      expect(windowBounds(window, end - 1)).toEqual({ start, end });
      expect(windowBounds(window, end).start).toBe(end);
    }),
  );
});

test("a count of a day or more is long: it should not end with a process", () => {
  const long = [
    { window: "day" },
    { window: "month" },
    { window: 86_400 },
    { window: { sliding: "24h" } },
    { window: "lifetime", expires: "1d" },
  ] as const;
  const short = [
    { window: "minute" },
    { window: "hour" },
    { window: "lifetime", expires: "23h" },
    { window: 86_399 },
    { window: { sliding: "23h" } },
    { window: "lifetime" },
    { concurrent: 1 },
  ] as const;
  expect(long.map((limit) => isLongWindow(parseWindow(limit)))).toEqual(long.map(() => true));
  expect(short.map((limit) => isLongWindow(parseWindow(limit)))).toEqual(short.map(() => false));
});

test("windows that count alike have one key, others differ", () => {
  expect(windowKey(parseWindow({ window: { sliding: "60s" } }))).toBe(windowKey(parseWindow({ window: { sliding: "1m" } })));
  // A store holds these texts: under another one, what was counted before an update is forgotten.
  const keys = {
    minute: { window: "minute" },
    hour: { window: "hour" },
    "60s": { window: 60 },
    "61s": { window: 61 },
    "sliding 60000ms": { window: { sliding: "1m" } },
    "sliding 120000ms": { window: { sliding: "2m" } },
    lifetime: { window: "lifetime" },
    concurrent: { concurrent: 1 },
  } as const;
  expect(Object.values(keys).map((limit) => windowKey(parseWindow(limit)))).toEqual(Object.keys(keys));
});

test("windows and waits in words", () => {
  const words = [
    { window: "minute" },
    { window: "hour" },
    { window: "day" },
    { window: "week" },
    { window: 90 },
    { window: { sliding: "10m" } },
    { window: "lifetime" },
    { concurrent: 2 },
  ] as const;
  expect(words.map((limit) => describeWindow(parseWindow(limit)))).toEqual([
    "per minute",
    "per hour",
    "per day (UTC)",
    "per week (UTC, from Monday)",
    "per 90 seconds",
    "in any 10 minutes",
    "in a lifetime",
    "at once",
  ]);
  expect([1, 250, 1000, 7_200_000].map(describeDuration)).toEqual(["1 millisecond", "250 milliseconds", "1 second", "2 hours"]);
  expect([0, 1, 1000, 40_001, 90_000, 120_000, 120_001, 8_000_000, 200_000_000].map(describeWait)).toEqual([
    "1 second",
    "1 second",
    "1 second",
    "41 seconds",
    "90 seconds",
    "120 seconds",
    "3 minutes",
    "3 hours",
    "3 days",
  ]);
});

test("a wait in words is never shorter than the wait", () => {
  const lengths: Record<string, number> = { second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000 };
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e11 }), (ms) => {
      const [count, unit] = describeWait(ms).split(" ");
      expect(Number(count) * (lengths[unit?.replace(/s$/, "") ?? ""] ?? 0)).toBeGreaterThanOrEqual(ms);
    }),
  );
});
