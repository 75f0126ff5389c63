import { HoldpointError } from "../holdpoint-error.ts";
import type { MaybePromise } from "../limits/counter-store.ts";
import type { AuditEvent } from "./audit-event.ts";

/** Takes audit events. A sink that returns a promise has taken an event when it resolves. */
export interface AuditSink {
  write(event: AuditEvent): MaybePromise<void>;
  /** A call leaves only after this sink has taken its decision; a failed write denies the call. Default `false`: told, never waited for. */
  readonly required?: boolean | undefined;
  /** Asks for `mac`, the keyed hash of the canonical arguments. Default `false`. */
  readonly mac?: boolean | undefined;
}

export type AuditSinks = AuditSink | AuditSink["write"] | readonly (AuditSink | AuditSink["write"])[];

/** What became of an event that was handed to every sink. */
export interface Written {
  /** Rejects or throws nothing: the message of the first required sink that failed, or `undefined`. */
  readonly failure: string | undefined;
  /** True where at least one sink took it; only then may a `failMode: "open"` be used. */
  readonly recorded: boolean;
  /** The required sinks that have not taken it; absent where each has. */
  readonly owedTo?: readonly AuditSink[] | undefined;
}

export interface AuditTrail {
  readonly wantsMac: boolean;
  /** Hands the event to every sink, or to those in `to` alone, and waits for the required ones. */
  write(event: AuditEvent, to?: readonly AuditSink[]): MaybePromise<Written>;
  /** How often an optional sink failed, or an event was dropped because it was too slow. */
  readonly failures: number;
}

/** Writes that an optional sink may have open. Beyond this many, its events are dropped and counted: a slow sink must not hold the heap. */
const mostUnsettled = 1_000;

/** One sink, and how far it is behind. */
interface Outlet {
  readonly sink: AuditSink;
  unsettled: number;
  /** Events not handed to it since it last took one. */
  dropped: number;
}

/** What becomes of one event, while it is handed from sink to sink. */
interface Handing {
  failure: string | undefined;
  recorded: boolean;
  owedTo: AuditSink[] | undefined;
  waiting: Promise<void>[] | undefined;
}

/**
 * The guard's side of the sinks: every event goes to each of them, in order; required ones are waited for, at most `timeoutMs` milliseconds. An
 * optional one is told and not waited for: with 1,000 of its writes open it is passed over, and when it takes events again an `anomaly` tells every
 * sink how many it missed.
 *
 * Throws `HoldpointError` (`configuration`) for what is no sink.
 */
export function createAuditTrail(sinks: AuditSinks | undefined, timeoutMs: number): AuditTrail {
  const outlets = (sinks === undefined ? [] : Array.isArray(sinks) ? sinks : [sinks]).map(outletOf);
  let failures = 0;
  let behind = 0;

  function hand(event: AuditEvent, to?: readonly AuditSink[]): MaybePromise<Written> {
    const handing: Handing = { failure: undefined, recorded: false, owedTo: undefined, waiting: undefined };
    // What failed open stands only where a sink has taken it: here the optional ones are waited for as well.
    const mustBeTaken = event.type === "decision" && event.failedOpen !== undefined;
    for (const outlet of outlets) {
      if (to && !to.includes(outlet.sink)) continue;
      if (outlet.unsettled >= mostUnsettled) {
        failures++;
        if (outlet.dropped++ === 0) behind++;
        continue;
      }
      try {
        const written = outlet.sink.write(event);
        if (isPromise(written)) wait(outlet, written, handing, mustBeTaken);
        else handing.recorded = true;
      } catch (error) {
        fail(outlet, error, handing);
      }
    }
    if (!handing.waiting) return handing;
    return Promise.all(handing.waiting).then(() => handing);
  }
  function wait(outlet: Outlet, written: Promise<unknown>, handing: Handing, mustBeTaken: boolean): void {
    const taken = () => {
      handing.recorded = true;
    };
    const failed = (error: unknown) => fail(outlet, error, handing);
    if (outlet.sink.required) {
      handing.waiting ??= [];
      handing.waiting.push(within(timeoutMs, written).then(taken, failed));
      return;
    }
    const settled = () => void outlet.unsettled--;
    outlet.unsettled++;
    written.then(settled, settled);
    if (mustBeTaken) {
      handing.waiting ??= [];
      handing.waiting.push(within(timeoutMs, written).then(taken, failed));
    } else {
      handing.recorded = true;
      written.then(undefined, failed);
    }
  }
  function fail(outlet: Outlet, error: unknown, handing: Handing): void {
    failures++;
    if (!outlet.sink.required) return;
    handing.failure ??= `a required audit sink failed: ${reasonOf(error)}`;
    handing.owedTo ??= [];
    handing.owedTo.push(outlet.sink);
  }
  /** Tells every sink what one of them missed. A report that a required sink could not take is made again with the next event. */
  async function reportGaps(event: AuditEvent): Promise<void> {
    for (const outlet of outlets) {
      if (outlet.dropped === 0 || outlet.unsettled >= mostUnsettled) continue;
      const { dropped } = outlet;
      outlet.dropped = 0;
      behind--;
      const problem = `${dropped} events were dropped: an optional audit sink had ${mostUnsettled} writes open`;
      const { v, id, time, guard } = event;
      const { failure } = await hand({ v, id: `${id}-gap${outlets.indexOf(outlet)}`, time, guard, type: "anomaly", server: "", problem });
      if (failure === undefined) continue;
      if (outlet.dropped === 0) behind++;
      outlet.dropped += dropped;
    }
  }

  return {
    wantsMac: outlets.some(({ sink }) => sink.mac),
    get failures() {
      return failures;
    },
    write(event, to) {
      if (behind > 0) void reportGaps(event);
      return hand(event, to);
    },
  };
}

function outletOf(sink: unknown): Outlet {
  return { sink: sinkOf(sink), unsettled: 0, dropped: 0 };
}

function sinkOf(sink: unknown): AuditSink {
  if (typeof sink === "function") return { write: sink as AuditSink["write"] };
  if (sink !== null && typeof sink === "object" && typeof (sink as AuditSink).write === "function") return sink as AuditSink;
  throw new HoldpointError("configuration", "`audit`: a sink is a function or an object with `write`: pass a sink or a list of sinks");
}

export function isPromise(value: unknown): value is Promise<unknown> {
  return value !== null && typeof value === "object" && typeof (value as { then?: unknown }).then === "function";
}

/** Rejects where `promise` has not settled after `ms` milliseconds; never for `Infinity`. */
export function within<T>(ms: number, promise: PromiseLike<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(new HoldpointError("timeout", `no answer within ${ms} ms`));
    // A timer holds at most 2^31 − 1 ms, and one that is longer fires at once.
    const timer = ms < 2 ** 31 ? setTimeout(giveUp, ms) : undefined;
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

/** What was thrown, as text. Throws nothing itself: a host can throw what no text can be made of. */
export function reasonOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return "what was thrown cannot be read";
  }
}

/** A sink that keeps events in memory, the newest `max` (default 10,000) of them; for tests and demos. */
export function memoryAudit(options: { readonly max?: number } = {}): AuditSink & { readonly events: readonly AuditEvent[] } {
  const max = options.max ?? 10_000;
  const events: AuditEvent[] = [];
  return {
    events,
    write(event) {
      events.push(event);
      if (events.length > max) events.shift();
    },
  };
}
