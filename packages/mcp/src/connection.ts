import type { Admission, Catalog, Guard, JsonObject, Outcome, Session } from "@holdpoint/core";
import { canaryPrefix, guardOf, HoldpointError } from "@holdpoint/core";
import { type Continuations, createContinuations } from "./continuations.ts";
import { isObject, type RequestId } from "./message.ts";
import { createToolLists, type ListWalk, type ToolLists } from "./tool-lists.ts";

export interface ConnectionOptions {
  /** The server's name in the guard's `policies`; may be left out where there is one policy. */
  readonly server?: string | undefined;
  /** `tools-only` also refuses what else a client can send (resources, prompts, completions, answers to a server's requests). Default `all`. */
  readonly egress?: "all" | "tools-only" | undefined;
  /** The longest wait for a person at the transport, in milliseconds, since the caller's request timer (60 s in the SDKs) runs meanwhile. Default 45,000. */
  readonly waitMs?: number | undefined;
}

/** A call that was admitted and sent, and whose answer has not come. */
export interface OpenCall {
  readonly kind: "call";
  readonly admission: Admission;
  /** What a continuation of this call must be equal to. */
  readonly continues: readonly unknown[];
  /** Stops watching the caller's signal. */
  stopListening(): void;
  settled: boolean;
  /** An earlier round of it has left. */
  readonly continued: boolean;
  /** Whether a guarded transport inside this one, of whatever session, has sent it on, or this one was given it back to send once more. */
  sentOn: boolean;
  /** Whether one inside has refused it, changed or sent once more as it came there. */
  refusedInside: boolean;
}

/** A request by its id: on its way out, or sent and not answered. */
export type InFlight =
  | { readonly kind: "held"; readonly cancel: AbortController }
  | OpenCall
  | { readonly kind: "own"; readonly answer: (response: JsonObject | undefined) => void }
  | OtherRequest;

/** A request of the client that is no tool call. `walk` where it asks for a list of tools. */
export interface OtherRequest {
  readonly kind: "other";
  readonly walk: ListWalk | undefined;
  /** Stops watching the caller's signal. */
  stopListening(): void;
}

/** What the guard knows of one guarded transport. */
export interface Connection {
  readonly guard: Guard;
  readonly session: Session;
  readonly server: string;
  readonly egress: "all" | "tools-only";
  readonly waitMs: number;
  readonly catalog: Catalog;
  readonly lists: ToolLists;
  readonly continuations: Continuations;
  readonly inFlight: Map<RequestId, InFlight>;
  /** Requests that the client has given up: a late answer is delivered like any other, and settles nothing. */
  readonly late: Map<RequestId, InFlight>;
  /** Ids under this prefix are the guard's own; their answers never reach the client. */
  readonly ownPrefix: string;
  /** Canaries that `assertEnforced` has sent, and whether they have come as far as the guard. */
  readonly canaries: Map<string, boolean>;
  /** Canaries that have got past it, and were stopped one step before the wire. */
  readonly leaks: Set<string>;
  /** Settlements under way: the next call waits for them, so that what was given back is there. */
  readonly settling: Set<Promise<unknown>>;
  /** Ids of the server's own pings, the only requests of a server that `tools-only` answers. */
  readonly pings: Set<RequestId>;
  /** Anomalies recorded so far. */
  anomalies: number;
  /** Tool calls handed to the transport so far. */
  sent: number;
  /** Aborted when the connection closes: what is held for it by then never leaves, also if the client connects again. */
  closing: AbortController;
  /** The `_meta` that each request of the 2026-07-28 revision carries, as the client last sent it. */
  envelope: JsonObject | undefined;
  /** Makes the client send something that shows the envelope. */
  showEnvelope: (() => Promise<unknown>) | undefined;
  /** Numeric ids below this one belong to requests from before a live connection was guarded. */
  readonly joinedLate: boolean;
  firstId: number | undefined;
  forward(message: JsonObject | readonly JsonObject[], options: unknown): Promise<unknown>;
  deliver(message: JsonObject): void;
  readonly onClosed: Set<() => void>;
}

export interface Wire {
  send(message: unknown, options: unknown): Promise<unknown>;
  deliver(message: JsonObject): void;
  readonly joinedLate: boolean;
}

const mostLate = 1_000;
const mostAnomalies = 1_000;

export function createConnection(session: Session, options: ConnectionOptions, wire: Wire): Connection {
  const guard = guardOf(session);
  const server = guard.serverName(options.server);
  const connection: Connection = {
    guard,
    session,
    server,
    egress: options.egress ?? "all",
    waitMs: options.waitMs ?? 45_000,
    catalog: guard.catalog(session, server, () => connection.lists.list()),
    lists: createToolLists(() => connection),
    continuations: createContinuations(),
    inFlight: new Map(),
    late: new Map(),
    ownPrefix: `holdpoint-${crypto.randomUUID()}-`,
    canaries: new Map(),
    leaks: new Set(),
    settling: new Set(),
    pings: new Set(),
    anomalies: 0,
    sent: 0,
    closing: new AbortController(),
    envelope: undefined,
    showEnvelope: undefined,
    joinedLate: wire.joinedLate,
    firstId: undefined,
    async forward(message, sendOptions) {
      stopCanaries(connection, Array.isArray(message) ? message : [message as JsonObject]);
      sending.set(message, connection);
      try {
        return await wire.send(message, sendOptions);
      } finally {
        sending.delete(message);
      }
    },
    deliver: (message) => wire.deliver(message),
    onClosed: new Set(),
  };
  return connection;
}

/** Messages that a guarded transport has been given and is still sending. */
const sending = new WeakMap<object, Connection>();

/** The connection over which a message is being sent at this moment. */
export function senderOf(message: unknown): Connection | undefined {
  return message !== null && typeof message === "object" ? sending.get(message) : undefined;
}

/** The trip wire below the guard: a canary that comes this far shows a hole, and stops here. */
function stopCanaries(connection: Connection, messages: readonly JsonObject[]): void {
  for (const { method, params } of messages) {
    const name = method === "tools/call" && isObject(params) ? params.name : undefined;
    if (typeof name !== "string" || !name.startsWith(canaryPrefix)) continue;
    connection.leaks.add(name);
    throw new HoldpointError("not_enforced", "a canary got past the guard");
  }
}

/** Records what no open call explains. A hostile server may not fill the audit trail with it. */
export function report(connection: Connection, problem: string): void {
  if (++connection.anomalies > mostAnomalies) return;
  const last = connection.anomalies === mostAnomalies ? "; further anomalies of this connection are not recorded" : "";
  connection.guard.report(connection.server, `${problem}${last}`);
}

/** Settles a sent call, once. */
export function settle(connection: Connection, call: OpenCall, outcome: Outcome): void {
  call.stopListening();
  if (call.settled) return;
  call.settled = true;
  const settling = call.admission.settle(outcome);
  if (settling === undefined || typeof settling.then !== "function") return;
  const { settling: running } = connection;
  const settled = patiently(settling);
  running.add(settled);
  void settled.then(() => running.delete(settled));
}

/** Settles when the promise does, or after two seconds: a store that never answers may not hold up every later call. */
function patiently(promise: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, 2_000);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    promise.then(done, done);
  });
}

/** The client no longer waits for a request that has left. A call may have happened all the same. */
export function giveUp(connection: Connection, id: RequestId, entry: InFlight, reason: string): void {
  const { inFlight, late } = connection;
  if (inFlight.get(id) !== entry) return;
  inFlight.delete(id);
  late.set(id, entry);
  if (late.size > mostLate) late.delete(late.keys().next().value as RequestId);
  if (entry.kind === "call") settle(connection, entry, { kind: "unknown", reason });
  if (entry.kind === "other") entry.stopListening();
}

/** What is held never leaves; what is held from now on is for the connection that comes next. */
export function holdsNothingMore(connection: Connection): void {
  connection.closing.abort();
  connection.closing = new AbortController();
  for (const [id, entry] of connection.inFlight) {
    if (entry.kind !== "held") continue;
    entry.cancel.abort();
    connection.inFlight.delete(id);
  }
}

/** No answer will come any more. */
export function closed(connection: Connection): void {
  holdsNothingMore(connection);
  for (const entry of connection.inFlight.values()) {
    if (entry.kind === "call") settle(connection, entry, { kind: "unknown", reason: "the connection closed" });
    if (entry.kind === "own") entry.answer(undefined);
    if (entry.kind === "other") entry.stopListening();
  }
  connection.inFlight.clear();
  connection.late.clear();
  connection.pings.clear();
  connection.lists.changed();
  connection.envelope = undefined;
  connection.continuations.end();
  for (const told of connection.onClosed) told();
  connection.onClosed.clear();
}
