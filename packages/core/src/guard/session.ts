import type { ApprovalRecord } from "../approvals/approval-store.ts";
import { canonicalJson } from "../arguments/canonical-json.ts";
import { type Json, type JsonObject, takeSnapshot } from "../arguments/json-snapshot.ts";
import type { Outcome } from "../audit/audit-event.ts";
import { HoldpointError } from "../holdpoint-error.ts";
import type { Catalog, Definition } from "./definitions.ts";
import type { Guard } from "./guard.ts";

/** Who calls. What is not given is absent, but for `grant`, which is then `"default"`; the host adds what its conditions read. */
export interface Identity {
  readonly grant?: string | undefined;
  readonly session?: string | undefined;
  readonly run?: string | undefined;
  readonly user?: string | undefined;
  readonly tenant?: string | undefined;
  readonly agent?: string | undefined;
  readonly [key: string]: Json | undefined;
}

/** One agent's dealings through one guard: an identity, snapshotted and frozen. Adapters take it. */
export interface Session {
  /** Names the session in the audit trail. */
  readonly id: string;
  /** The identity as conditions read it at `context.*`. */
  readonly context: JsonObject;
  /** The same session with more identity, such as the run of one request. It ends with its origin. */
  with(identity: Identity): Session;
  /** Ends it: later calls are denied, its lifetime counters go, and nobody is waited for. Requests for approval stay in their store until they expire. */
  end(): Promise<void>;
}

/** A call that a tool seam has admitted and that has not been answered yet. Its one token lets one equal send pass the transport. */
export interface OpenCall {
  readonly callId: string;
  readonly server: string;
  readonly tool: string;
  readonly arguments: JsonObject;
  readonly definition: string | undefined;
  /** The identity under which it was admitted. */
  readonly session: Session;
  /** The digest of the policy that admitted it. */
  readonly policy: string | undefined;
  /** Hashes of the approval rules to which a person has said yes for this call; none once that yes has gone back. */
  approved: ReadonlySet<string>;
  /** Whether a further attempt rests on what was approved. */
  approvedMore: boolean;
  entries: number;
  sends: number;
  /** The number of the newest attempt, from 1. */
  attempt: number;
  /** What the transport saw of it, and what the client did: the closer to the wire, the closer to the truth. */
  seenAtTransport: Outcome | undefined;
  seenAtClient: Outcome | undefined;
}

/** An approved request whose call is being made by `resume`. The one equal call that picks it up uses its yes up, whatever asks by then. */
export interface Resumption {
  readonly record: ApprovalRecord;
  /** The session of the connection over which the call is made. */
  readonly session: Session;
  /** Whether a call has picked it up. */
  taken: boolean;
  /** Whether the call is what the approver made of it by now. */
  edited: boolean;
  /** Whether the yes was gone when that call came to its release. */
  gone: boolean;
}

/** What a session shares with all that were made from it by `with`. */
export interface SessionState {
  /** By the tool's name. */
  readonly openCalls: Map<string, OpenCall[]>;
  readonly resuming: Set<Resumption>;
  readonly catalogs: Map<string, Catalog>;
  /** Keys of lifetime counters that this session has charged. */
  readonly lifetimeKeys: Set<string>;
  readonly ending: AbortController;
  calls: number;
}

const states = new WeakMap<Session, SessionState>();
const origins = new WeakMap<Session, Session>();
const guards = new WeakMap<Session, Guard>();

/** The guard that made a session. Throws `HoldpointError` (`configuration`) for an object that no guard made. */
export function guardOf(session: Session): Guard {
  const guard = guards.get(session);
  if (!guard) throw noSession();
  return guard;
}

function noSession(): HoldpointError {
  return new HoldpointError("configuration", "this is no session: make one with `guard.session({ … })`");
}

/** The guard's side of a session. Throws `HoldpointError` (`configuration`) for an object that `guard.session` did not make. */
export function stateOf(session: Session): SessionState {
  const state = states.get(session);
  if (!state) throw noSession();
  return state;
}

export function createSession(guard: Guard, identity: Identity, id: string, onEnd: (state: SessionState) => Promise<void>): Session {
  const state: SessionState = {
    openCalls: new Map(),
    resuming: new Set(),
    catalogs: new Map(),
    lifetimeKeys: new Set(),
    ending: new AbortController(),
    calls: 0,
  };
  return derive(contextOf(identity), undefined);

  function derive(context: JsonObject, origin: Session | undefined): Session {
    const session: Session = Object.freeze({
      id,
      context,
      with: (more: Identity) => derive(contextOf({ ...context, ...more }), session),
      async end() {
        if (state.ending.signal.aborted) return;
        state.ending.abort(new HoldpointError("session_ended", "the session has ended"));
        await onEnd(state);
      },
    });
    states.set(session, state);
    guards.set(session, guard);
    if (origin) origins.set(session, origin);
    return session;
  }
}

/** Whether a session acts for `origin`: it was made from it, or has its very identity. */
export function actsFor(session: Session, origin: Session): boolean {
  for (let at: Session | undefined = session; at; at = origins.get(at)) if (at === origin) return true;
  return canonicalJson(session.context) === canonicalJson(origin.context);
}

const identityKeys = ["grant", "session", "run", "user", "tenant", "agent"];

function contextOf(identity: Identity): JsonObject {
  const snapshot = takeSnapshot({ ...identity, grant: identity.grant ?? "default" });
  if (!snapshot.ok)
    throw new HoldpointError("configuration", `session: at \`${snapshot.pointer || "/"}\`: ${snapshot.problem}: give plain JSON`);
  const context = snapshot.value as JsonObject;
  for (const key of identityKeys) {
    const value = context[key];
    if (value !== undefined && (typeof value !== "string" || value === "")) {
      throw new HoldpointError("configuration", `session: \`${key}\` must be text that is not empty`);
    }
  }
  return freeze(context);
}

function freeze<T extends Json>(value: T): T {
  if (value !== null && typeof value === "object") {
    for (const part of Object.values(value)) freeze(part as Json);
    Object.freeze(value);
  }
  return value;
}

export function digestOf(definition: Definition): string | undefined {
  return definition.state === "known" ? definition.digest : undefined;
}
