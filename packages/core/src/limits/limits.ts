import type { Json, JsonObject } from "../arguments/json-snapshot.ts";
import { compileSteps, isPathError, parsePath } from "../conditions/path.ts";
import { type Limit, type Scope, scopes } from "../policy/policy-schema.ts";
import { formatAmount, parseAmount } from "./amount.ts";
import type { Debit, Room, Window } from "./counter-store.ts";
import { describeWait, describeWindow, parseWindow, windowKey } from "./window.ts";

/** Which calls a limit counts; each gives back what the ones before it do, and more (design §5). */
export const counts = ["sent", "answered", "protocol", "success"] as const;
export type Count = (typeof counts)[number];

/** What became of an admitted call. `unknown` is a call without an answer (timeout, abort, lost connection, 5xx); `unsent` provably did not leave. */
export type CallOutcome =
  | { readonly kind: "success" | "tool_error" | "unknown" | "unsent" }
  /** A JSON-RPC error that the server answered. */
  | { readonly kind: "protocol_error"; readonly code?: number | undefined };

/** What a limit reads of a call. */
export interface LimitCall {
  /** Separates the counters of guards that share one store. */
  readonly namespace: string;
  readonly server: string;
  readonly args: JsonObject;
  /** Who calls. A session without any identity has the grant `default`, which the guard puts here. */
  readonly context: JsonObject;
}

/** A debit, and the limit it is made for. */
export interface LimitDebit {
  readonly limit: CompiledLimit;
  readonly debit: Debit;
  readonly count: Count;
}

/** A call that a limit turns away. `message` is for the model, `detail` for the operator: neither holds an argument's value. */
export interface LimitRefusal {
  readonly rule: string;
  readonly code: "limit" | "limit_scope" | "limit_amount";
  readonly message: string;
  readonly detail: string;
  readonly observe: boolean;
  /** Milliseconds until the call would fit; absent where waiting alone will not help. */
  readonly retryAfterMs?: number | undefined;
  /** Whether the model may be told the wait: in a counter that others share, it would tell what the others do. */
  readonly waitIsOwn: boolean;
}

export interface CompiledLimit {
  /** The rule's id: `/tools/create_refund/limits/refunds`. */
  readonly id: string;
  readonly limit: Limit;
  readonly window: Window;
  /** In millionths. */
  readonly max: number;
  readonly count: Count;
  readonly observe: boolean;
  /** Whether the counter is the caller's own: a grant, session, run, user or agent is among its scopes. */
  readonly ownScope: boolean;
  /** Whether the counter is to be forgotten when the session of the call ends. */
  readonly endsWithSession: boolean;
  /** The debit that a call makes, or why it cannot be counted. The same call makes the same debit. */
  readonly debitFor: (call: LimitCall) => LimitDebit | { readonly refusal: LimitRefusal };
}

/**
 * Makes a limit ready to count, once per policy. Takes a limit that has passed the loader.
 *
 * @throws RangeError if the loader let something through: an amount, path or window that cannot be read.
 */
export function compileLimit(limit: Limit, place: { readonly id: string }): CompiledLimit {
  const window = parseWindow(limit);
  const max = window.kind === "concurrent" ? policyAmount(limit.concurrent, "concurrent") : policyAmount(limit.max, "max");
  const keyFor = compileKey(limit, window);
  const amountFor = compileAmount(limit);
  const limitScopes = scopesOf(limit);
  let last: LimitDebit | undefined;

  const compiled: CompiledLimit = {
    id: place.id,
    limit,
    window,
    max,
    count: limit.count ?? "sent",
    observe: limit.mode === "observe",
    ownScope: limitScopes.some((scope) => ownScopes.has(scope)),
    endsWithSession: window.kind === "lifetime" && limitScopes.includes("session"),
    debitFor(call) {
      const key = keyFor(call);
      if (typeof key !== "string")
        return refuse(compiled, "limit_scope", unknownCaller, `${describeLimit(compiled)}: \`context.${key.scope}\` ${key.problem}`);
      const amount = amountFor(call);
      if (typeof amount !== "number") {
        return refuse(compiled, "limit_amount", amount.message, `${describeLimit(compiled)}: ${amount.detail}`);
      }
      if (amount > max) {
        return refuse(
          compiled,
          "limit",
          "The amount is more than the limit allows.",
          `${describeLimit(compiled)}: the amount alone is more`,
        );
      }
      if (last?.debit.key !== key || last.debit.amount !== amount)
        last = { limit: compiled, debit: { key, window, amount, max }, count: compiled.count };
      return last;
    },
  };
  return compiled;
}

const unknownCaller = "This call cannot be counted, since it is not known who makes it.";

const ownScopes: ReadonlySet<Scope> = new Set<Scope>(["grant", "session", "run", "user", "agent"]);

/** The scopes of a limit in one order, so that `["user", "tenant"]` and `["tenant", "user"]` are one counter. */
export function scopesOf(limit: Pick<Limit, "scope">): readonly Scope[] {
  const given = [limit.scope ?? "grant"].flat();
  return scopes.filter((scope) => given.includes(scope));
}

interface MissingScope {
  readonly scope: Scope;
  readonly problem: string;
}

/**
 * A counter's key: namespace, server, counter, window, then each scope with its value, as a JSON array, so that no two counters can be written alike
 * whatever the names hold. Only text names a caller: the number 1 and the text `1` would be two people or one, depending on the host.
 */
function compileKey(limit: Limit, window: Window): (call: LimitCall) => string | MissingScope {
  const keyed = scopesOf(limit).filter((scope) => scope !== "global");
  const readers = keyed.map((scope) => ({
    scope,
    read: scope === "server" ? (call: LimitCall) => call.server : compileRead(`context.${scope}`),
  }));
  const across = limit.across === "servers";
  const windowText = windowKey(window);
  let last: { readonly namespace: string; readonly server: string; readonly values: readonly string[]; readonly key: string } | undefined;

  return function keyFor(call) {
    const values: string[] = [];
    for (const { scope, read } of readers) {
      const value = read(call);
      if (typeof value !== "string" || value === "") return { scope, problem: scopeProblem(value) };
      values.push(value);
    }
    if (last?.namespace === call.namespace && last.server === call.server && last.values.every((value, index) => value === values[index]))
      return last.key;
    const parts = keyed.flatMap((scope, index) => [scope, values[index]]);
    const key = JSON.stringify([call.namespace, across ? null : call.server, limit.counter, windowText, ...parts]);
    last = { namespace: call.namespace, server: call.server, values, key };
    return key;
  };
}

function scopeProblem(value: Json | undefined): string {
  if (value === undefined || value === null) return "is missing";
  return value === "" ? "is empty" : "is no text";
}

interface BadAmount {
  readonly message: string;
  readonly detail: string;
}

function compileAmount(limit: Limit): (call: LimitCall) => number | BadAmount {
  if (limit.increment_from === undefined) {
    const increment = policyAmount(limit.increment ?? 1, "increment");
    return () => increment;
  }
  const { increment_from: path, unit } = limit;
  const read = compileRead(path);
  const judgeUnit = compileUnit(unit);

  return function amountFor(call) {
    const otherUnit = judgeUnit(call);
    if (otherUnit) return otherUnit;
    const value = read(call);
    const amount = value === undefined ? { problem: "is missing" } : parseAmount(value);
    if ("micros" in amount) return amount.micros;
    return { message: `\`${path}\` ${amount.problem}.`, detail: `\`${path}\` ${amount.problem}` };
  };
}

function compileUnit(unit: Limit["unit"]): (call: LimitCall) => BadAmount | undefined {
  if (typeof unit !== "object") return () => undefined;
  const { path, is } = unit;
  const read = compileRead(path);
  const other = { message: `\`${path}\` is not the unit that the limit counts in.`, detail: `\`${path}\` is not \`${is}\`` };
  return (call) => (read(call) === is ? undefined : other);
}

function compileRead(text: string): (call: LimitCall) => Json | undefined {
  const path = parsePath(text);
  if (isPathError(path)) throw new RangeError(`\`${text}\` is no path: ${path.error}`);
  if (path.root !== "args" && path.root !== "context") throw new RangeError(`\`${text}\` is neither an argument nor part of the context`);
  const { root } = path;
  const read = compileSteps(path.steps);
  return (call) => read(call[root]);
}

function policyAmount(value: number | string | undefined, key: string): number {
  const amount = value === undefined ? { problem: "is missing" } : parseAmount(value);
  if ("problem" in amount) throw new RangeError(`\`${key}\` ${amount.problem}`);
  return amount.micros;
}

/**
 * One debit for each counter: one call debits a key once, and the smallest `max` decides. Where limits of different layers disagree on the amount or on
 * what is given back, the stricter stands. Enforced and observed debits are to be merged apart, so that the one never tightens the other.
 */
export function mergeDebits(debits: readonly LimitDebit[]): readonly LimitDebit[] {
  const merged = new Map<string, LimitDebit>();
  for (const next of debits) {
    const former = merged.get(next.debit.key);
    merged.set(next.debit.key, former === undefined ? next : stricter(former, next));
  }
  return [...merged.values()];
}

function stricter(former: LimitDebit, next: LimitDebit): LimitDebit {
  const tighter = next.debit.max < former.debit.max ? next : former;
  const amount = Math.max(former.debit.amount, next.debit.amount);
  const count = counts[Math.min(counts.indexOf(former.count), counts.indexOf(next.count))] as Count;
  return { limit: tighter.limit, debit: { ...tighter.debit, amount }, count };
}

/**
 * The refusal for debits that lack room. `short` holds the indices that the store answered; the first names the rule, and the wait is the longest
 * of all: the call fits when every counter has room.
 */
export function lackOfRoom(debits: readonly LimitDebit[], short: readonly number[], room: readonly Room[]): LimitRefusal {
  const limits = short.map((index) => debits[index]?.limit).filter((limit) => limit !== undefined);
  const [first] = limits;
  if (first === undefined) throw new RangeError("a refused reservation names no debit that lacks room");
  const waits = short.map((index) => room[index]?.retryAfterMs);
  const retryAfterMs = waits.reduce((longest, wait) => (longest === undefined || wait === undefined ? undefined : Math.max(longest, wait)));
  const waitIsOwn = limits.every((limit) => limit.ownScope);
  return {
    rule: first.id,
    code: "limit",
    message: first.limit.on_deny ?? fullMessage(first, waitIsOwn ? retryAfterMs : undefined),
    detail: `${describeLimit(first)}: not enough room is left`,
    observe: first.observe,
    retryAfterMs,
    waitIsOwn,
  };
}

function fullMessage(limit: CompiledLimit, retryAfterMs: number | undefined): string {
  if (retryAfterMs !== undefined) return `Limit reached. Try again in ${describeWait(retryAfterMs)}.`;
  return limit.window.kind === "concurrent" && limit.ownScope
    ? "Too many such calls are in flight. Try again when one has ended."
    : "Limit reached.";
}

function refuse(limit: CompiledLimit, code: LimitRefusal["code"], message: string, detail: string): { readonly refusal: LimitRefusal } {
  return {
    refusal: { rule: limit.id, code, message: limit.limit.on_deny ?? message, detail, observe: limit.observe, waitIsOwn: limit.ownScope },
  };
}

/** A limit as an operator reads it: ``counter `refunded`, at most 50000 per day (UTC) for each tenant``. */
export function describeLimit({ limit, window, max }: Pick<CompiledLimit, "limit" | "window" | "max">): string {
  const keyed = scopesOf(limit).filter((scope) => scope !== "global");
  const whose = keyed.length === 0 ? "for all callers" : `for each ${keyed.join(" and ")}`;
  const where = limit.across === "servers" ? ", across servers" : "";
  return `counter \`${limit.counter}\`, at most ${formatAmount(max)} ${describeWindow(window)} ${whose}${where}`;
}

/** The indices of the debits to give back, for the store's `settle`. Concurrent slots are no counts: `settle` frees them by itself. */
export function settleIndices(debits: readonly LimitDebit[], outcome: CallOutcome): readonly number[] {
  const indices: number[] = [];
  for (const [index, { debit, count }] of debits.entries()) {
    if (debit.window.kind !== "concurrent" && givesBack(count, outcome)) indices.push(index);
  }
  return indices;
}

/** JSON-RPC's invalid request, method not found and invalid params: the server says that it did nothing. */
const didNothing: ReadonlySet<number | undefined> = new Set([-32600, -32601, -32602]);

/** Whether a call with this outcome is not counted. A call without an answer always counts: money may have moved. */
export function givesBack(count: Count, outcome: CallOutcome): boolean {
  switch (outcome.kind) {
    case "unsent":
      return true;
    case "protocol_error":
      return count === "answered" ? didNothing.has(outcome.code) : count !== "sent";
    case "tool_error":
      return count === "success";
    case "success":
    case "unknown":
      return false;
  }
}
