import type { Json, Limit } from "@holdpoint/core";
import { stepsOf } from "./conditions.ts";
import type { ModelCall } from "./decision.ts";

/*
 * The reference model of limits (design §5): a list of everything that was ever taken, added up anew for every call. Amounts are whole millionths.
 */

export interface ModelDebit {
  /** The id of the limit that asks for it. */
  readonly rule: string;
  readonly limit: Limit;
  /** Names the counter: what two debits of one counter have in common. */
  readonly counter: string;
  readonly amount: bigint;
  readonly max: bigint;
  readonly count: Count;
}

const counts = ["sent", "answered", "protocol", "success"] as const;
type Count = (typeof counts)[number];

export function debitOf(
  rule: string,
  limit: Limit,
  call: ModelCall,
): ModelDebit | { readonly code: "limit" | "limit_scope" | "limit_amount" } {
  const scopes = [limit.scope ?? "grant"].flat().toSorted();
  const values = scopes.map((scope) => (scope === "global" ? "" : scope === "server" ? call.server : call.context[scope]));
  if (values.some((value, index) => typeof value !== "string" || (value === "" && scopes[index] !== "global")))
    return { code: "limit_scope" };
  const amount = amountOf(limit, call);
  const max = millionths(limit.max ?? limit.concurrent ?? 0) as bigint;
  if (amount === undefined) return { code: "limit_amount" };
  if (amount > max) return { code: "limit" };
  const server = limit.across === "servers" ? null : call.server;
  const counter = JSON.stringify([server, limit.counter, windowOf(limit), scopes, values]);
  return { rule, limit, counter, amount, max, count: limit.count ?? "sent" };
}

function amountOf(limit: Limit, call: ModelCall): bigint | undefined {
  if (limit.concurrent !== undefined) return 1_000_000n;
  if (limit.increment_from === undefined) return millionths(limit.increment ?? 1);
  if (typeof limit.unit === "object" && argument(limit.unit.path, call) !== limit.unit.is) return undefined;
  return millionths(argument(limit.increment_from, call));
}

function argument(path: string, call: ModelCall): Json | undefined {
  return stepsOf(path).reduce<Json | undefined>((value, step) => {
    const fields = value !== null && typeof value === "object" && !Array.isArray(value) ? (value as { [key: string]: Json }) : {};
    return typeof step === "object" && "name" in step && Object.hasOwn(fields, step.name) ? fields[step.name] : undefined;
  }, call.args);
}

/** Exactly: a finite, non-negative number or decimal string with at most six fraction digits, at most 9,000,000,000. */
function millionths(value: Json | undefined): bigint | undefined {
  if (typeof value !== "number" && typeof value !== "string") return undefined;
  const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d{1,6}))?$/.exec(String(value)) ?? [];
  if (whole === undefined) return undefined;
  const amount = BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, "0"));
  return (sign === "-" && amount > 0n) || amount > 9_000_000_000_000_000n ? undefined : amount;
}

/** One call debits a counter once: the smallest `max`, the larger amount, the stricter count. */
export function mergedDebits(debits: readonly ModelDebit[]): readonly ModelDebit[] {
  const counters = [...new Set(debits.map(({ counter }) => counter))];
  return counters.map((counter) => {
    const same = debits.filter((debit) => debit.counter === counter);
    const tightest = same.reduce((one, other) => (other.max < one.max ? other : one));
    const amount =
      same
        .map((debit) => debit.amount)
        .toSorted((one, other) => (one < other ? -1 : 1))
        .at(-1) ?? 0n;
    const count = counts[Math.min(...same.map((debit) => counts.indexOf(debit.count)))] as Count;
    return { ...tightest, amount, count };
  });
}

type Window =
  | { readonly kind: "fixed"; readonly unit: string | number }
  | { readonly kind: "sliding"; readonly ms: number }
  | { readonly kind: "lifetime"; readonly ms: number }
  | { readonly kind: "concurrent" };

function windowOf({ window, concurrent, expires }: Limit): Window {
  if (concurrent !== undefined) return { kind: "concurrent" };
  if (typeof window === "object") return { kind: "sliding", ms: milliseconds(window.sliding) };
  if (window === "lifetime") return { kind: "lifetime", ms: expires === undefined ? Number.POSITIVE_INFINITY : milliseconds(expires) };
  return { kind: "fixed", unit: window as string | number };
}

function milliseconds(duration: string): number {
  const [, count, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(duration) as unknown as [string, string, "ms"];
  return Number(count) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit];
}

/** The first instant after the fixed window that holds `at`. */
function endOf(unit: string | number, at: number): number {
  if (typeof unit === "number") return (Math.floor(at / (unit * 1000)) + 1) * unit * 1000;
  const date = new Date(at);
  const [year, month, day, hour, minute] = [
    date.getUTCFullYear(),
    date.getUTCMonth(),
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
  ];
  if (unit === "minute") return Date.UTC(year, month, day, hour, minute + 1);
  if (unit === "hour") return Date.UTC(year, month, day, hour + 1);
  if (unit === "day") return Date.UTC(year, month, day + 1);
  if (unit === "week") return Date.UTC(year, month, day + 8 - (date.getUTCDay() || 7));
  return Date.UTC(year, month + 1);
}

interface Taking {
  readonly call: number;
  readonly debit: ModelDebit;
  readonly at: number;
}

export type Settled = "success" | "tool_error" | "unknown" | "unsent" | { readonly protocolError: number };

export interface ModelCounters {
  /** Takes every debit or none. */
  reserve(call: number, debits: readonly ModelDebit[], now: number): Shortage | undefined;
  look(debits: readonly ModelDebit[], now: number): Shortage | undefined;
  settle(call: number, outcome: Settled, now: number): void;
  /** A lifetime counter ends. */
  forget(counter: string): void;
}

interface Shortage {
  readonly rule: string;
  /** Milliseconds until the call would fit; absent where waiting alone does not help. */
  readonly wait: number | undefined;
}

export function modelCounters(): ModelCounters {
  let takings: Taking[] = [];
  const granted = new Map<number, ModelDebit[]>();
  const lastGrant = new Map<string, number>();
  let lastSeen = Number.NEGATIVE_INFINITY;

  /** A store never goes back in time. */
  function storeTime(now: number): number {
    lastSeen = Math.max(lastSeen, now);
    return lastSeen;
  }
  function counting(debit: ModelDebit, now: number): readonly Taking[] {
    const same = takings.filter((taking) => taking.debit.counter === debit.counter);
    const window = windowOf(debit.limit);
    if (window.kind === "concurrent") return same;
    if (window.kind === "sliding") return same.filter(({ at }) => at > now - window.ms);
    if (window.kind === "fixed") return same.filter(({ at }) => endOf(window.unit, at) > now);
    return same;
  }
  function dropEnded(debit: ModelDebit, now: number): void {
    const window = windowOf(debit.limit);
    if (window.kind === "lifetime" && now >= (lastGrant.get(debit.counter) ?? now) + window.ms) forget(debit.counter);
  }
  function forget(counter: string): void {
    takings = takings.filter((taking) => taking.debit.counter !== counter);
    lastGrant.delete(counter);
  }
  function shortage(debits: readonly ModelDebit[], at: number, now: number): Shortage | undefined {
    for (const debit of debits) dropEnded(debit, at);
    const short = debits.filter((debit) => sum(counting(debit, at)) + debit.amount > debit.max);
    const [first] = short;
    if (first === undefined) return undefined;
    const waits = short.map((debit) => fitsAt(debit, at) - now);
    return { rule: first.rule, wait: waits.includes(Number.POSITIVE_INFINITY) ? undefined : Math.max(...waits) };
  }
  /** The first instant at which the debit fits if nothing else is taken: one of those at which something stops counting. */
  function fitsAt(debit: ModelDebit, at: number): number {
    const window = windowOf(debit.limit);
    if (window.kind === "concurrent") return Number.POSITIVE_INFINITY;
    if (window.kind === "lifetime") return (lastGrant.get(debit.counter) as number) + window.ms;
    const ends = counting(debit, at).map((taking) => (window.kind === "sliding" ? taking.at + window.ms : endOf(window.unit, taking.at)));
    return ends.toSorted((one, other) => one - other).find((end) => sum(counting(debit, end)) + debit.amount <= debit.max) as number;
  }

  return {
    reserve(call, debits, now) {
      if (debits.length === 0) return undefined;
      const at = storeTime(now);
      const short = shortage(debits, at, now);
      if (short) return short;
      for (const debit of debits) {
        takings.push({ call, debit, at });
        lastGrant.set(debit.counter, at);
      }
      granted.set(call, [...(granted.get(call) ?? []), ...debits]);
      return undefined;
    },
    look(debits, now) {
      return debits.length === 0 ? undefined : shortage(debits, storeTime(now), now);
    },
    settle(call, outcome, now) {
      const ends = (debit: ModelDebit) => debit.limit.concurrent !== undefined || givesBack(debit.count, outcome);
      if (granted.get(call)?.some(ends)) storeTime(now);
      takings = takings.filter((taking) => taking.call !== call || !ends(taking.debit));
      granted.delete(call);
    },
    forget,
  };
}

function sum(takings: readonly Taking[]): bigint {
  return takings.reduce((total, { debit }) => total + debit.amount, 0n);
}

function givesBack(count: Count, outcome: Settled): boolean {
  if (outcome === "unsent") return true;
  if (outcome === "tool_error") return count === "success";
  if (typeof outcome === "string") return false;
  if (count === "answered") return [-32600, -32601, -32602].includes(outcome.protocolError);
  return count === "protocol" || count === "success";
}
