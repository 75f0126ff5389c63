import { jsonPointer, type PointerToken } from "../arguments/json-pointer.ts";
import { isPathError, isQuantified, parsePath } from "../conditions/path.ts";
import { parseAmount } from "../limits/amount.ts";
import { scopesOf } from "../limits/limits.ts";
import { parseWindow, windowKey } from "../limits/window.ts";
import type { Report } from "./findings.ts";
import type { Limit } from "./policy-schema.ts";

export interface PlacedLimit {
  readonly limit: Limit;
  readonly at: readonly PointerToken[];
}

/** Keys that say how much a call counts and for how long, which a cap on calls in flight has no use for. */
const countingKeys = ["window", "max", "increment", "increment_from", "unit", "count", "expires"] as const;

/** Looks at one limit by itself. Answers whether it is understood, so that it can be compared with others of its counter. */
export function checkLimit(limit: Limit, at: readonly PointerToken[], report: Report): boolean {
  let sound = true;
  const file: Report = (place, message, fix) => {
    sound = false;
    report(place, message, fix);
  };
  if (limit.concurrent === undefined) checkCounted(limit, at, file);
  else {
    for (const key of countingKeys) {
      if (limit[key] !== undefined)
        file([...at, key], `\`${key}\` cannot stand beside \`concurrent\``, "cap calls in flight by a limit of its own");
    }
  }
  if (Array.isArray(limit.scope) && new Set(limit.scope).size < limit.scope.length)
    file([...at, "scope"], "a scope is named twice", "name each scope once");
  return sound;
}

function checkCounted(limit: Limit, at: readonly PointerToken[], report: Report): void {
  if (limit.window === undefined)
    report(at, "the key `window` is missing", 'add `window`, such as `"day"`, or cap calls in flight by `concurrent`');
  if (limit.max === undefined) report(at, "the key `max` is missing", "add `max`: the most that the window may hold");
  checkWindow(limit, at, report);
  const max = amount(limit.max, [...at, "max"], report);
  const increment = amount(limit.increment, [...at, "increment"], report);
  if (increment === 0) report([...at, "increment"], "a call that counts 0 is not limited", "give more than 0, or leave the limit out");
  if (max !== undefined && max > 0 && (increment ?? 1_000_000) > max && limit.increment_from === undefined) {
    report([...at, "max"], "one call counts more than `max`, so none ever passes", "raise `max`, or write 0 to stop every call");
  }
  checkMeter(limit, at, report);
}

function checkWindow(limit: Limit, at: readonly PointerToken[], report: Report): void {
  try {
    if (limit.window !== undefined) parseWindow(limit);
  } catch (error) {
    report([...at, limit.window === "lifetime" ? "expires" : "window"], (error as RangeError).message, "write a shorter one");
  }
  if (limit.window !== "lifetime") {
    if (limit.expires !== undefined)
      report([...at, "expires"], "only a lifetime counter expires", 'leave `expires` out, or write `window: "lifetime"`');
  } else if (limit.expires === undefined && !scopesOf(limit).includes("session")) {
    report(
      at,
      "a lifetime needs an end",
      "add `session` to `scope`, whose end ends the counter, or say by `expires` when an untouched counter ends",
    );
  }
}

/** An amount is read from an argument: then the argument, and what one unit of it is, must be beyond doubt. */
function checkMeter(limit: Limit, at: readonly PointerToken[], report: Report): void {
  const { increment_from: from, unit } = limit;
  if (from === undefined) {
    if (unit !== undefined) report([...at, "unit"], "`unit` belongs to an amount", "add `increment_from`, or leave `unit` out");
    return;
  }
  checkArgument(from, [...at, "increment_from"], report);
  if (unit === undefined) report(at, "the key `unit` is missing", 'add `unit`: `{ path, is }`, or `"none"` where the amount has none');
  else if (unit !== "none") checkArgument(unit.path, [...at, "unit", "path"], report);
  if (limit.increment !== undefined)
    report([...at, "increment"], "a call cannot count both a number and an argument", "keep `increment` or `increment_from`");
  // Intercept counts every call that its server did not answer with an error, amounts included; its importer writes `protocol`.
  if (limit.count !== undefined && limit.count !== "sent" && limit.count !== "protocol") {
    report(
      [...at, "count"],
      `an amount cannot be counted by \`${limit.count}\`: what left may have been spent`,
      'write `count: "sent"`, or leave `count` out',
    );
  }
}

function checkArgument(text: string, at: readonly PointerToken[], report: Report): void {
  const path = parsePath(text);
  if (isPathError(path)) report(at, path.error, path.fix);
  else if (path.root !== "args" || path.steps.length === 0)
    report(at, `\`${text}\` is no argument`, "start the path at `args`, such as `args.amount`");
  else if (isQuantified(path)) report(at, "`[*]` names many values, and a call counts one amount", "name one argument");
}

function amount(value: number | string | undefined, at: readonly PointerToken[], report: Report): number | undefined {
  if (value === undefined) return undefined;
  const read = parseAmount(value);
  if ("micros" in read) return read.micros;
  report(at, `\`${at.at(-1)}\` ${read.problem}`, "give at most 9,000,000,000, not negative, with at most six fraction digits");
  return undefined;
}

/**
 * Limits that name one counter share it, so they must count alike: the same window, scope, increment and unit, and the same calls. Each has its own
 * `max`, of which the smallest decides for a call, so that one list has no use for two. Tools may read the amount from arguments of different names, but
 * one call cannot count two amounts.
 */
export function checkCounters(limits: readonly PlacedLimit[], report: Report): void {
  const counters = new Map<string, { first: PlacedLimit; readFrom: Map<string, PlacedLimit> }>();
  const listed = new Map<string, PlacedLimit>();
  for (const placed of limits) {
    const { limit, at } = placed;
    const counter = counters.get(limit.counter) ?? { first: placed, readFrom: new Map() };
    counters.set(limit.counter, counter);
    const differing = differenceOf(counter.first.limit, limit);
    const place = at[0] === "tools" ? String(at[1]) : "";
    const sameCall = counter.readFrom.get(place) ?? counter.readFrom.get("");
    if (differing !== undefined) reportDifference(placed, counter.first, differing, report);
    else if (sameCall !== undefined && meterOf(sameCall.limit) !== meterOf(limit))
      reportDifference(placed, sameCall, "increment_from", report);
    else reportSecond(placed, listed, report);
    if (!counter.readFrom.has(place)) counter.readFrom.set(place, placed);
  }
}

/** A limit that only observes has its use beside one that enforces. */
function reportSecond(placed: PlacedLimit, listed: Map<string, PlacedLimit>, report: Report): void {
  const { limit, at } = placed;
  const key = JSON.stringify([at.slice(0, -1), limit.counter, limit.mode, limit.concurrent !== undefined]);
  const first = listed.get(key);
  if (first === undefined) listed.set(key, placed);
  else {
    const message = `counter \`${limit.counter}\` is limited here already at \`${jsonPointer(first.at)}\`, and the smaller of the two decides`;
    report(at, message, "keep the smaller, or name one of the counters differently");
  }
}

function reportDifference({ limit, at }: PlacedLimit, other: PlacedLimit, key: string, report: Report): void {
  const message = `counter \`${limit.counter}\` has another \`${key}\` at \`${jsonPointer(other.at)}\``;
  report(at, message, `give both the same \`${key}\`, or name one of the counters differently`);
}

/** The first key in which two limits of one counter count differently. */
export function differenceOf(one: Limit, other: Limit): string | undefined {
  const [first, second] = [meaningOf(one), meaningOf(other)];
  return Object.keys(first).find((key) => first[key] !== second[key]);
}

function meaningOf(limit: Limit): Record<string, unknown> {
  const increment = limit.increment_from === undefined ? parseAmount(limit.increment ?? 1) : undefined;
  return {
    window: windowKey(parseWindow(limit)),
    expires: limit.expires,
    increment: increment !== undefined && "micros" in increment ? increment.micros : "an argument",
    unit: typeof limit.unit === "object" ? `is ${limit.unit.is}` : limit.unit,
    count: limit.count ?? "sent",
    scope: scopesOf(limit).join(" "),
    across: limit.across,
  };
}

/** Which arguments a call's amount is read from. */
export function meterOf({ increment_from: from, unit }: Limit): string {
  return JSON.stringify([from, typeof unit === "object" ? unit.path : unit]);
}
