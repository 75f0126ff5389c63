import { randomUUID } from "node:crypto";
import { basename } from "node:path";
import type { AuditSink } from "../audit/audit.ts";
import type { AuditEvent } from "../audit/audit-event.ts";
import { HoldpointError } from "../holdpoint-error.ts";
import type { MaybePromise } from "../limits/counter-store.ts";
import { type AuditCheckpoint, type AuditKey, signCheckpoint, signingKey } from "./audit-checkpoint.ts";
import { openChain } from "./audit-file.ts";
import { longestLine } from "./audit-record.ts";

export interface JsonlAuditOptions {
  /** A call leaves only once its decision is on the device. Default `false`: calls never wait. */
  readonly required?: boolean | undefined;
  /** Asks for `mac`, the keyed hash of the canonical arguments. Default `false`. */
  readonly mac?: boolean | undefined;
  /**
   * When what was written is forced onto the device: `every` write, before it counts as taken; at an `interval`, so that a power cut loses at most that
   * much; or `never` by us. A crash of the process alone loses nothing that was written under any of them. Default `every` where the sink is required,
   * which admits nothing less, and `interval` where it is not.
   */
  readonly fsync?: "every" | "interval" | "never" | undefined;
  /** Milliseconds between two syncs under `interval`. Default 1,000. */
  readonly fsyncIntervalMs?: number | undefined;
  /** The size, in bytes, at which a file is followed by the next one. Default 64 MiB. */
  readonly maxBytes?: number | undefined;
  /** Events that may wait to be written. Beyond this many, an optional sink drops and counts; a required one fails. Default 10,000. */
  readonly maxQueued?: number | undefined;
  /** Gets a checkpoint now and then, and the last one on `close`: keep it where this process cannot change it. */
  readonly onCheckpoint?: ((checkpoint: AuditCheckpoint) => MaybePromise<void>) | undefined;
  /** How often `onCheckpoint` is called: after this many records, or this many milliseconds, if there was a record. Defaults 1,000 and 60,000. */
  readonly checkpointEvery?: { readonly records?: number | undefined; readonly ms?: number | undefined } | undefined;
  /** Signs checkpoints: a private Ed25519 key. */
  readonly signingKey?: AuditKey | undefined;
}

export interface JsonlAudit extends AuditSink, AsyncDisposable {
  /** The file that is being written. */
  readonly file: string;
  /** Events that an optional sink has dropped so far. */
  readonly dropped: number;
  /** Resolves once what was handed over before is on the device; rejects where it cannot be written. */
  flush(): Promise<void>;
  /** Flushes, and tells where the chain stands. */
  checkpoint(): Promise<AuditCheckpoint>;
  /** Flushes, hands out a last checkpoint and closes the file. A host that ends with `process.exit` calls it first. */
  close(): Promise<void>;
}

interface Waiting {
  readonly text: string;
  /** Present where somebody waits for it. */
  readonly settle?: { resolve(): void; reject(error: unknown): void } | undefined;
}

/** Bytes written at a time, about: an event that comes during a write waits for no more than this. */
const longestBatch = 1024 * 1024;
const retryMs = 1_000;

/**
 * An audit on disk: a line of JSON for each event, each linked to the one before by its hash, so that `verifyAudit` finds what was edited, dropped,
 * inserted or reordered. `path` is a directory, in which every process begins a file of its own, or the name of a `.jsonl` file, which one process
 * at a time goes on with.
 *
 * Writes that are made at the same time share one write and one sync. A required sink that cannot write rejects, and the guard denies; an optional one
 * keeps its events and tries again every second.
 *
 * Throws `HoldpointError` where the file cannot be opened (`audit_unwritable`), is another process's (`audit_locked`) or ends in a record that is not
 * sound (`audit_broken`), and for options that do not go together (`configuration`).
 *
 * @example
 * const audit = jsonlAudit("/var/log/agent/audit", { required: true });
 * const guard = createGuard({ policy, audit });
 */
export function jsonlAudit(path: string, options: JsonlAuditOptions = {}): JsonlAudit {
  const settings = settingsOf(options);
  const { required, fsync, maxQueued } = settings;
  const key = signingKey(options.signingKey);
  const chain = openChain(path, settings.maxBytes);
  let queue: Waiting[] = [];
  let dropped = 0;
  let unreported = 0;
  /** Events handed over, written or refused, and of these on the device. */
  let handedOver = 0;
  let done = 0;
  let synced = 0;
  let lastGuard = "";
  let lastFailure: unknown;
  let checkpointedAt = chain.head.seq;
  let closed: Promise<void> | undefined;
  let draining: Promise<void> | undefined;
  let retry: NodeJS.Timeout | undefined;
  const inTurn = turns();
  const timers = [
    fsync === "interval" && every(settings.fsyncIntervalMs, () => inTurn(syncNow)),
    options.onCheckpoint && every(settings.checkpointMs, keepCheckpoint),
  ];

  function push(waiting: Waiting): void {
    queue.push(waiting);
    handedOver++;
    start();
  }
  function start(): void {
    if (draining !== undefined || retry !== undefined || queue.length === 0) return;
    // One batch a turn, so that syncs and checkpoints come in between, however many events there are.
    draining = inTurn(drain).finally(() => {
      draining = undefined;
      start();
    });
  }
  async function drain(): Promise<void> {
    // Events of calls that are released in the same turn of the event loop share a write.
    await undefined;
    await writeBatch(takeBatch());
  }
  function takeBatch(): readonly Waiting[] {
    let length = 0;
    let count = 0;
    while (count < queue.length && length < longestBatch) length += (queue[count++] as Waiting).text.length;
    const batch = queue.slice(0, count);
    queue = queue.slice(count);
    return batch;
  }
  async function writeBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      await chain.append(
        batch.map(({ text }) => text),
        fsync === "every",
      );
    } catch (error) {
      lastFailure = error;
      // An optional sink tries all of it again, also what somebody has been told of.
      const untold = required ? batch.filter(({ settle }) => !settle) : batch.map(({ text }) => ({ text }));
      for (const { settle } of batch) settle?.reject(error);
      done += batch.length - untold.length;
      queue = [...untold, ...queue];
      // Until then it counts against the bound.
      if (untold.length > 0) retry = afterAWhile();
      return;
    }
    for (const { settle } of batch) settle?.resolve();
    done += batch.length;
    if (fsync === "every") synced = done;
    if (unreported > 0) reportDropped();
    if (options.onCheckpoint && chain.head.seq - checkpointedAt >= settings.checkpointRecords) void keepCheckpoint();
  }
  function afterAWhile(): NodeJS.Timeout {
    const again = () => {
      retry = undefined;
      start();
    };
    return setTimeout(again, retryMs).unref();
  }
  function reportDropped(): void {
    note(`${unreported} events were dropped: the audit file could not take them in time`);
    unreported = 0;
  }
  /** Writes an event of the sink's own; it is never dropped. */
  function note(problem: string): void {
    const event: AuditEvent = {
      v: 1,
      id: randomUUID(),
      time: new Date().toISOString(),
      guard: lastGuard,
      type: "anomaly",
      server: "",
      problem,
    };
    push({ text: JSON.stringify(event) });
  }
  async function syncNow(): Promise<void> {
    if (synced === done) return;
    try {
      await chain.sync();
      synced = done;
    } catch (error) {
      lastFailure = error;
    }
  }
  async function flush(): Promise<void> {
    const target = handedOver;
    if (retry) {
      clearTimeout(retry);
      retry = undefined;
      start();
    }
    while (done < target && draining !== undefined) await draining;
    await inTurn(syncNow);
    if (done < target || synced < target) throw lastFailure;
  }
  async function checkpoint(): Promise<AuditCheckpoint> {
    await flush();
    return inTurn(async () => {
      await syncNow();
      if (synced < done) throw lastFailure;
      const { chain: id, seq, hash } = chain.head;
      return signCheckpoint({ v: 1, chain: id, file: basename(chain.file), seq: seq - 1, hash, time: new Date().toISOString() }, key);
    });
  }
  async function keepCheckpoint(): Promise<void> {
    if (chain.head.seq === checkpointedAt) return;
    checkpointedAt = chain.head.seq;
    try {
      await options.onCheckpoint?.(await checkpoint());
    } catch (error) {
      note(`a checkpoint could not be kept: ${(error as Error).message}`);
    }
  }
  async function close(): Promise<void> {
    for (const timer of timers) if (timer) clearInterval(timer);
    try {
      await flush();
      if (options.onCheckpoint) await keepCheckpoint();
      await flush();
    } finally {
      clearTimeout(retry);
      await inTurn(() => chain.close());
    }
  }

  return {
    required,
    mac: options.mac ?? false,
    get file() {
      return chain.file;
    },
    get dropped() {
      return dropped;
    },
    write(event) {
      if (closed !== undefined)
        throw new HoldpointError("audit_closed", "the audit file is closed: end the guard's calls before the audit");
      lastGuard = event.guard;
      const text = JSON.stringify(event);
      if (text.length * 3 > longestLine)
        throw new HoldpointError("audit_too_large", "the event is too large for the audit file: record fewer argument fields");
      const full = queue.length >= maxQueued;
      // What failed open stands only where it is on record (law `fail-closed`): being in the queue is not enough.
      const mustBeTaken = required || (event.type === "decision" && event.failedOpen !== undefined);
      if (!mustBeTaken) {
        if (full) {
          dropped++;
          unreported++;
        } else push({ text });
        return undefined;
      }
      if (full)
        throw new HoldpointError("audit_full", `${maxQueued} events wait to be written: the audit file is too slow, or cannot be written`);
      return new Promise<void>((resolve, reject) => push({ text, settle: { resolve, reject } }));
    },
    flush,
    checkpoint,
    close: () => (closed ??= close()),
    [Symbol.asyncDispose]() {
      return this.close();
    },
  };
}

function settingsOf(options: JsonlAuditOptions) {
  const required = options.required ?? false;
  const fsync = options.fsync ?? (required ? "every" : "interval");
  if (!["every", "interval", "never"].includes(fsync))
    throw new HoldpointError("configuration", "`fsync` is none of `every`, `interval` and `never`");
  if (required && fsync !== "every") {
    throw new HoldpointError(
      "configuration",
      `a required sink has an event only once it is on the device: leave out \`fsync: "${fsync}"\`, or \`required\``,
    );
  }
  const settings = {
    fsyncIntervalMs: options.fsyncIntervalMs ?? 1_000,
    maxBytes: options.maxBytes ?? 64 * 1024 * 1024,
    maxQueued: options.maxQueued ?? 10_000,
    checkpointRecords: options.checkpointEvery?.records ?? 1_000,
    checkpointMs: options.checkpointEvery?.ms ?? 60_000,
  };
  for (const [name, value] of Object.entries(settings)) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new HoldpointError("configuration", `\`${name}\` is \`${value}\`: give a whole number from 1`);
  }
  return { required, fsync, ...settings };
}

/** Runs one task at a time, in the order they come. */
function turns(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const next = last.then(task, task);
    last = next.catch(() => undefined);
    return next;
  };
}

/** A timer that keeps no process alive. It holds at most 2^31 − 1 ms, and one that is longer would fire at once, and without end. */
function every(ms: number, task: () => Promise<void>): NodeJS.Timeout {
  return setInterval(() => void task(), Math.min(ms, 2 ** 31 - 1)).unref();
}
