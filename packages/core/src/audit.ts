import type { AuditEvent } from "./audit-event.ts";
import type { MaybePromise } from "./counter-store.ts";
import { HoldpointError } from "./holdpoint-error.ts";

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
}

export interface AuditTrail {
  readonly wantsMac: boolean;
  /** Hands the event to every sink, and waits for the required ones. */
  write(event: AuditEvent): MaybePromise<Written>;
  /** How often an optional sink failed. */
  readonly failures: number;
}

/**
 * The guard's side of the sinks: every event goes to each of them, in order; required ones are waited for, at most `timeoutMs` milliseconds.
 *
 * Throws `HoldpointError` (`configuration`) for what is no sink.
 */
export function createAuditTrail(sinks: AuditSinks | undefined, timeoutMs: number): AuditTrail {
  const all = (sinks === undefined ? [] : Array.isArray(sinks) ? sinks : [sinks]).map(sinkOf);
  let failures = 0;

  return {
    wantsMac: all.some((sink) => sink.mac),
    get failures() {
      return failures;
    },
    write(event) {
      let recorded = false;
      let failure: string | undefined;
      let waiting: Promise<void>[] | undefined;
      for (const sink of all) {
        const fails = (error: unknown) => {
          failures++;
          if (sink.required) failure ??= `a required audit sink failed: ${reasonOf(error)}`;
        };
        const takes = () => {
          recorded = true;
        };
        try {
          const written = sink.write(event);
          if (!isPromise(written)) takes();
          else if (sink.required) {
            waiting ??= [];
            waiting.push(within(timeoutMs, written).then(takes, fails));
          } else {
            recorded = true;
            written.then(undefined, fails);
          }
        } catch (error) {
          fails(error);
        }
      }
      if (!waiting) return { failure, recorded };
      return Promise.all(waiting).then(() => ({ failure, recorded }));
    },
  };
}

function sinkOf(sink: unknown): AuditSink {
  if (typeof sink === "function") return { write: sink as AuditSink["write"] };
  if (sink !== null && typeof sink === "object" && typeof (sink as AuditSink).write === "function") return sink as AuditSink;
  throw new HoldpointError("configuration", "`audit`: a sink is a function or an object with `write`: pass a sink or a list of sinks");
}

export function isPromise(value: unknown): value is Promise<unknown> {
  return value !== null && typeof value === "object" && typeof (value as { then?: unknown }).then === "function";
}

/** Rejects where `promise` has not settled after `ms` milliseconds. */
export function within<T>(ms: number, promise: PromiseLike<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new HoldpointError("timeout", `no answer within ${ms} ms`)), ms);
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

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
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
