import type { ApprovalRequest, Approver } from "../approvals/approval-request.ts";
import type { ApprovalRecord, ApprovalStore } from "../approvals/approval-store.ts";
import { type Approvals, manageApprovals } from "../approvals/approvals.ts";
import { answer, ask, type HostAnswer } from "../approvals/host-flow.ts";
import { memoryApprovals } from "../approvals/memory-approvals.ts";
import { patientApprovals } from "../approvals/patient-approvals.ts";
import { defaultBounds, type JsonObject, type SnapshotBounds } from "../arguments/json-snapshot.ts";
import { type AuditSinks, createAuditTrail } from "../audit/audit.ts";
import type { Outcome } from "../audit/audit-event.ts";
import { createRecorder } from "../audit/recorder.ts";
import type { Refusal } from "../decision/refusal.ts";
import { HoldpointError } from "../holdpoint-error.ts";
import type { CounterStore, MaybePromise } from "../limits/counter-store.ts";
import { memoryStore } from "../limits/memory-store.ts";
import { type CompiledPolicy, compilePolicy, toolsOf } from "../policy/compile-policy.ts";
import { longWindows, resetCounters } from "../policy/counter-lifetime.ts";
import type { MergedPolicy } from "../policy/merge-policies.ts";
import { PolicyError } from "../policy/policy-error.ts";
import type { PolicyDocument } from "../policy/policy-schema.ts";
import { admit, preview } from "./admission.ts";
import { type Catalog, createCatalog } from "./definitions.ts";
import { type Admission, type CallRequest, type GuardParts, openPassage, type Preview, refuse, type Suspension } from "./passage.ts";
import { type Pins, parsePins } from "./pins.ts";
import { createResume, type Route, type RoutedConnection } from "./resume.ts";
import { createSession, type Identity, type Session, type SessionState, stateOf } from "./session.ts";

export interface GuardOptions {
  /** One policy, for one server. */
  readonly policy?: PolicyDocument | MergedPolicy | undefined;
  /** One policy per server, by the name that the adapters give it. A server without a policy denies every call. */
  readonly policies?: Readonly<Record<string, PolicyDocument | MergedPolicy>> | undefined;
  /** `observe` records what enforcement would have done, and lets calls pass their rules. Default `enforce`. */
  readonly mode?: "enforce" | "observe" | undefined;
  /** Separates this guard's counters and approvals from those of others on a shared store, where it is required. */
  readonly namespace?: string | undefined;
  /** Where counters live. Default `memoryStore()`: this process only, windows under a day. */
  readonly store?: CounterStore | undefined;
  /** Milliseconds to wait for the store, or for that of approvals, before a call is denied. Default 2,000. */
  readonly storeTimeoutMs?: number | undefined;
  /** Asks a person in place. */
  readonly approve?: Approver | undefined;
  /** Holds requests for approval while the call has been answered "waiting"; with it, nobody need be there when the call is made. */
  readonly approvals?: ApprovalStore | undefined;
  /** Told of every new request for approval, such as `webhook(…)`. Not waited for. */
  readonly notify?: ((request: ApprovalRequest) => MaybePromise<void>) | undefined;
  /** The longest wait for a person, in milliseconds; an adapter may wait shorter. Default: until the request expires. */
  readonly approvalWaitMs?: number | undefined;
  /** Pending requests for approval that one session may have. Default 10. */
  readonly maxPendingApprovals?: number | undefined;
  /** A sink or a list of sinks. */
  readonly audit?: AuditSinks | undefined;
  /** The key of the arguments' HMAC, and its name in the trail. Default: random for each guard. */
  readonly auditKey?: { readonly id: string; readonly secret: Uint8Array } | undefined;
  /** Milliseconds to wait for a required sink before a call is denied. Default 5,000. */
  readonly auditTimeoutMs?: number | undefined;
  /** What is let through where it cannot be checked. Each use is recorded, and denied where it cannot be recorded. Default: nothing. */
  readonly failMode?: { readonly store?: "open" | "closed"; readonly inputSchema?: "open" | "closed" } | undefined;
  /** The content of `holdpoint.lock`: tools that differ from it are denied. */
  readonly pins?: Pins | undefined;
  readonly bounds?: Partial<SnapshotBounds> | undefined;
  /** `throw` makes adapters reject with `RefusedError` where they would have returned a refusal. Default `result`. */
  readonly onDeny?: "result" | "throw" | undefined;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: (() => number) | undefined;
}

/** How `forward` says what became of a call that it sent. A throw counts as `unknown`: the call may have happened. */
export interface Answer<T> {
  readonly value: T;
  readonly outcome: Outcome;
}

export interface Guard {
  readonly onDeny: "result" | "throw";
  /** Whether an approver stands ready that answers in place. */
  readonly asksInPlace: boolean;
  /** Who calls: give an adapter one session for each user, run or agent. */
  session(identity?: Identity): Session;
  /** Decides a call, holds it for a person where one must be asked, and charges it. Never rejects: what goes wrong refuses. */
  admit(request: CallRequest): Promise<Admission | Refusal | Suspension>;
  /** Admits the call, forwards its snapshot and settles it. `forward` gets the snapshot and nothing else. */
  run<T>(request: CallRequest, forward: (snapshot: JsonObject) => MaybePromise<Answer<T>>): Promise<Answer<T> | Refusal | Suspension>;
  /** What would be decided now, without asking, charging or recording; for hosts that ask for approval before they call. */
  preview(request: CallRequest): Promise<Preview>;
  /**
   * For a host that asks in a flow of its own and makes the call afterwards: files the request that a person will answer there, bound to this very call
   * (`callId`). Answers what would be decided now; `hold` means that it was filed and may be put before a person.
   */
  ask(request: CallRequest): Promise<Preview>;
  /**
   * Brings the answer from the host's flow. The record of the request, to be named as `approval` when the call is made; `undefined` where exactly this
   * call was never asked about, or its answer has been used: the answer is then worth nothing, and an approval is recorded as an anomaly.
   */
  answer(request: CallRequest, answer: HostAnswer): Promise<ApprovalRecord | undefined>;
  /** Whether a tool may stand in a list that the model sees. */
  shows(server: string | undefined, tool: string): boolean;
  /** Makes the catalog of one connection, under the guard's pins. */
  catalog(session: Session, server: string | undefined, list: () => Promise<readonly unknown[]>): Catalog;
  /** The name under which a server's policy stands; throws `HoldpointError` (`configuration`) where it must be given. */
  serverName(server: string | undefined): string;
  /**
   * Swaps a policy, all or nothing: calls decided from now on see the new one, and counters live on under their key. Throws `PolicyError`, keeping the
   * old one, where the new one does not load, or would reset a counter and `carry: false` does not allow it.
   */
  update(
    policy: PolicyDocument | MergedPolicy,
    options?: { readonly server?: string | undefined; readonly carry?: false | undefined },
  ): void;
  readonly approvals: Approvals;
  /** Records something that reached an adapter and that no open call explains. */
  report(server: string | undefined, problem: string): void;
  /** Lets `resume` make calls over a connection. Answers the function that ends it. */
  route(session: Session, server: string | undefined, send: Route): () => void;
  /** Records that an adapter refused what no policy was asked about: a malformed message, a batch, other egress. Never rejects. */
  refuse(request: CallRequest, refusing: Omit<Refusal, "outcome">): Promise<Refusal>;
  /** Makes the call of an approved request, exactly once. Rejects with `HoldpointError` where there is nothing to make or no connection to make it on. */
  resume(id: string): Promise<unknown>;
}

/**
 * Makes the hold point: one guard for an agent process, whatever number of servers and frameworks its calls go through.
 *
 * Throws `PolicyError` with every issue of a policy that cannot be fully understood, and `HoldpointError` (`configuration`) for options that do not go
 * together.
 *
 * @example
 * const guard = createGuard({ policy, approve: askInTerminal, audit: pinoAudit(logger) });
 * const client = guardClient(new Client({ name: "agent", version: "1.0.0" }), guard.session({ user: "ann" }));
 */
export function createGuard(options: GuardOptions): Guard {
  const id = randomId();
  const now = options.clock ?? Date.now;
  const store = options.store ?? memoryStore();
  const storeTimeoutMs = options.storeTimeoutMs ?? 2_000;
  const approvals = patientApprovals(options.approvals ?? memoryApprovals(), storeTimeoutMs);
  const mode = options.mode ?? "enforce";
  const key = options.auditKey ?? { id: `random-${id}`, secret: crypto.getRandomValues(new Uint8Array(32)) };
  const recorder = createRecorder({
    trail: createAuditTrail(options.audit, options.auditTimeoutMs ?? 5_000),
    guard: id,
    mode,
    key: key.secret,
    now,
  });
  const pins = options.pins && parsePins(options.pins);
  const policies = new Map<string, CompiledPolicy>();
  const routes = new Set<RoutedConnection>();
  let ids = 0;
  checkTogether(options, store);
  for (const [server, source] of sourcesOf(options)) policies.set(server, load(server, source));

  const parts: GuardParts = {
    namespace: options.namespace ?? "",
    store,
    approvals,
    approvalsOutlive: options.approvals !== undefined,
    approve: options.approve,
    notify: options.notify,
    approvalWaitMs: options.approvalWaitMs ?? Number.POSITIVE_INFINITY,
    maxPendingApprovals: options.maxPendingApprovals ?? 10,
    storeTimeoutMs,
    failOpen: { store: options.failMode?.store === "open", inputSchema: options.failMode?.inputSchema === "open" },
    mode,
    bounds: { ...defaultBounds, ...options.bounds },
    recorder,
    asking: new Map(),
    now,
    policy: (server) => policies.get(server),
    newId: randomId,
  };

  function load(server: string, source: PolicyDocument | MergedPolicy): CompiledPolicy {
    try {
      const policy = compilePolicy(source);
      const issues = longWindows(policy, store);
      if (issues.length > 0) throw new PolicyError(issues);
      void recorder.note({ type: "policy.loaded", server, policy: policy.digest, mode, auditKey: key.id });
      return policy;
    } catch (error) {
      const issues = error instanceof PolicyError ? error.issues.map(({ pointer, message }) => `${pointer}: ${message}`) : [];
      void recorder.note({ type: "policy.rejected", server, mode, issues });
      throw error;
    }
  }

  const guard: Guard = {
    onDeny: options.onDeny ?? "result",
    asksInPlace: options.approve !== undefined,
    session: (identity = {}) => createSession(guard, identity, identity.session ?? `${id}-s${++ids}`, endSession),
    admit: (request) => admit(request, guard.serverName(request.server), parts),
    preview: (request) => preview(request, guard.serverName(request.server), parts),
    ask: (request) => ask(request, guard.serverName(request.server), parts),
    answer: (request, given) => answer(request, guard.serverName(request.server), parts, given),
    async run(request, forward) {
      const admitted = await guard.admit(request);
      if (admitted.outcome !== "allow") return admitted;
      try {
        const answer = await forward(admitted.arguments);
        await admitted.settle(answer.outcome);
        return answer;
      } catch (error) {
        await admitted.settle({ kind: "unknown", reason: "the call threw" });
        throw error;
      }
    },
    shows(server, tool) {
      if (mode === "observe") return true;
      const policy = policies.get(guard.serverName(server));
      return policy === undefined || toolsOf(policy, tool).every(({ hidden }) => !hidden);
    },
    catalog(session, server, list) {
      const name = guard.serverName(server);
      const catalog = createCatalog({
        server: name,
        list,
        pins: pins && (pins.servers.find((each) => each.server === name)?.tools ?? []),
        onChange: (change) => void recorder.note({ type: "tools.changed", server: name, ...change }),
      });
      stateOf(session).catalogs.set(name, catalog);
      return catalog;
    },
    serverName(server) {
      if (server !== undefined) return server;
      if (policies.size === 1) return policies.keys().next().value as string;
      throw new HoldpointError("configuration", "the guard has a policy for each of several servers: say which with `server`");
    },
    update(source, { server, carry } = {}) {
      const name = guard.serverName(server);
      const before = policies.get(name);
      const after = load(name, source);
      const reset = before && carry !== false ? resetCounters(before, after) : [];
      if (reset.length > 0) throw new PolicyError(reset);
      policies.set(name, after);
    },
    approvals: manageApprovals(approvals, recorder, now),
    report: (server, problem) => void recorder.note({ type: "anomaly", server: guard.serverName(server), problem }),
    route(session, server, send) {
      const route = { session, server: guard.serverName(server), send };
      routes.add(route);
      return () => void routes.delete(route);
    },
    refuse: (request, refusing) => refuse(openPassage(request, guard.serverName(request.server), parts), refusing),
    resume: createResume(parts, routes),
  };
  return guard;

  async function endSession(state: SessionState): Promise<void> {
    for (const route of routes) if (stateOf(route.session) === state) routes.delete(route);
    const keys = [...state.lifetimeKeys];
    if (keys.length > 0) await store.forget(keys);
  }
}

function sourcesOf({ policy, policies }: GuardOptions): readonly (readonly [string, PolicyDocument | MergedPolicy])[] {
  if (policy && policies) throw new HoldpointError("configuration", "`policy` and `policies` are both given: keep one of them");
  if (policy) return [["default", policy]];
  if (policies) return Object.entries(policies);
  throw new HoldpointError("configuration", "no policy is given: pass `policy`, or `policies` with one for each server");
}

function checkTogether(options: GuardOptions, store: CounterStore): void {
  const shared = store.durability === "shared" || options.approvals?.durability === "shared";
  if (shared && !options.namespace) {
    throw new HoldpointError(
      "configuration",
      "a store that several machines share needs `namespace`: name the application, so that its counters are its own",
    );
  }
}

/** 96 random bits, as text that is safe in a URL and on a command line. */
function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
