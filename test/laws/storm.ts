import {
  type ApprovalStore,
  type AuditEvent,
  type CounterStore,
  createGuard,
  type MaybePromise,
  memoryApprovals,
  memoryStore,
  type PolicyDocument,
  type Verdict,
} from "@holdpoint/core";
import * as fc from "fast-check";

/**
 * One guard in bad weather: many calls at once, in an order that fast-check's scheduler picks at every await, on a store, approvals, sinks, an approver
 * and a tool list that throw, reject, answer too late or never, while callers cancel, lists change and the policy is swapped.
 */

export type Fault = "none" | "throws" | "rejects" | "late" | "lost" | "never";

export interface Weather {
  readonly scheduler: fc.Scheduler;
  readonly calls: readonly {
    readonly by: number;
    readonly amount: number;
    readonly outcome: "success" | "tool_error" | "throws" | "unsent";
    readonly cancels: boolean;
  }[];
  /** Taken one after the other by whoever is asked next; none where they have run out. */
  readonly faults: readonly Fault[];
  readonly updates: readonly number[];
  readonly listChanges: number;
}

export interface Aftermath {
  readonly results: readonly { readonly outcome: string; readonly code?: string | undefined }[];
  /** For each caller: calls that were forwarded, those of them whose outcome counts, the most in flight at once, and the sum of amounts. */
  readonly sent: readonly { calls: number; counted: number; inFlight: number; peak: number; amount: number }[];
  readonly required: readonly AuditEvent[];
  readonly optional: readonly AuditEvent[];
  /** Forwards for which the required sink held no allow decision at that moment. */
  readonly unrecorded: number;
  readonly faulty: boolean;
  /** How many calls of each caller still fit afterwards, on a store without faults. */
  readonly left: readonly number[];
}

export const limits = { pays: 3, answered: 2, open: 2, spent: 10 };

function stormPolicy(variant: number): PolicyDocument {
  return {
    version: "1",
    description: `variant ${variant}`,
    default: "deny",
    tools: {
      pay: {
        require_approval: [{ path: "args.amount", op: "gt", value: 3 + (variant % 2) }],
        deny_if: [{ path: "args.amount", op: "gt", value: 6 - (variant % 3) }],
        limits: [
          { counter: "pays", window: "hour", max: limits.pays },
          { counter: "succeeded", window: { sliding: "10m" }, max: limits.answered, count: "success" },
          { counter: "open", concurrent: limits.open },
          { counter: "spent", window: "hour", max: limits.spent, increment_from: "args.amount", unit: "none" },
        ],
      },
    },
  };
}

const patienceMs = 4;
const tooLateMs = 12;

export async function storm(weather: Weather): Promise<Aftermath> {
  const { scheduler } = weather;
  const faults = weather.faults.values();
  const inner = memoryStore();
  const approvals = memoryApprovals();
  const required: AuditEvent[] = [];
  const optional: AuditEvent[] = [];
  const sent = [0, 1].map(() => ({ calls: 0, counted: 0, inFlight: 0, peak: 0, amount: 0 }));
  let unrecorded = 0;

  /** Does `act` when the scheduler says so, with the next fault. `lost`: it happens, and its answer never comes back. */
  function faulty<T>(label: string, act: () => MaybePromise<T>): Promise<T> {
    const fault = faults.next().value ?? "none";
    if (fault === "throws") throw new Error(`${label} threw`);
    if (fault === "never") return new Promise(() => {});
    return scheduler.schedule(Promise.resolve(), label).then(async () => {
      if (fault === "rejects") throw new Error(`${label} failed`);
      if (fault === "late") await new Promise((resolve) => setTimeout(resolve, tooLateMs));
      const done = await act();
      if (fault === "lost") throw new Error(`the answer of ${label} was lost`);
      return done;
    });
  }
  /** A connection times out by itself: a list that never comes is one that fails. */
  const listing = <T>(act: () => T) => Promise.race([faulty("list", act), new Promise<T>((_, reject) => setTimeout(reject, tooLateMs))]);
  const store: CounterStore = {
    ...inner,
    reserve: (debits, now) => faulty("reserve", () => inner.reserve(debits, now)),
    settle: (reservation, back, now) => faulty("settle", () => inner.settle(reservation, back, now)),
    look: (debits, now) => faulty("look", () => inner.look(debits, now)),
  };
  const faultyApprovals: ApprovalStore = {
    ...approvals,
    request: (draft, bounds, now) => faulty("request", () => approvals.request(draft, bounds, now)),
    find: (query, now) => faulty("find", () => approvals.find(query, now)),
    consume: (id, now) => faulty("consume", () => approvals.consume(id, now)),
  };
  const guard = createGuard({
    policy: stormPolicy(0),
    clock: () => 0,
    store,
    approvals: faultyApprovals,
    storeTimeoutMs: patienceMs,
    auditTimeoutMs: patienceMs,
    approvalWaitMs: patienceMs,
    approve: () => faulty("approve", (): Verdict => ({ approved: true })),
    audit: [
      { required: true, write: (event) => faulty("write", () => void required.push(event)) },
      (event) => {
        optional.push(event);
        if (event.id.endsWith("3")) throw new Error("the optional sink failed");
      },
    ],
  });
  const sessions = ["one", "two"].map((grant) => guard.session({ grant }));
  const catalogs = sessions.map((session) =>
    guard.catalog(session, undefined, () => listing(() => [{ name: "pay", inputSchema: { type: "object" } }])),
  );

  const running = weather.calls.map(async ({ by, amount, outcome, cancels }) => {
    await scheduler.schedule(Promise.resolve(), "call");
    const cancel = new AbortController();
    if (cancels) void scheduler.schedule(Promise.resolve(), "cancel").then(() => cancel.abort());
    const of = sent[by] as (typeof sent)[number];
    try {
      const result = await guard.run(
        { session: sessions[by] as never, tool: "pay", arguments: { amount }, signal: cancel.signal },
        async (snapshot) => {
          if (
            required.filter((event) => event.type === "decision" && event.outcome === "allow").length <=
            sent.reduce((sum, each) => sum + each.calls, 0)
          )
            unrecorded++;
          if (outcome === "unsent") return { value: undefined, outcome: { kind: "unsent" } };
          of.calls++;
          of.amount += snapshot["amount"] as number;
          of.peak = Math.max(of.peak, ++of.inFlight);
          if (outcome !== "tool_error") of.counted++;
          await scheduler.schedule(Promise.resolve(), "upstream");
          of.inFlight--;
          if (outcome === "throws") throw new Error("the connection was lost");
          return { value: "done", outcome: { kind: outcome } };
        },
      );
      return "outcome" in result && typeof result.outcome === "string"
        ? { outcome: result.outcome, code: "code" in result ? result.code : undefined }
        : { outcome: "sent" };
    } catch {
      return { outcome: "sent" };
    }
  });
  const changes = [
    ...weather.updates.map((variant) => scheduler.schedule(Promise.resolve(), "update").then(() => guard.update(stormPolicy(variant)))),
    ...Array.from({ length: weather.listChanges }, (_, index) =>
      scheduler.schedule(Promise.resolve(), "list changed").then(() => catalogs[index % 2]?.invalidate()),
    ),
  ];

  let results: Aftermath["results"] | undefined;
  const all = Promise.all([Promise.all(running), ...changes]).then(([done]) => {
    results = done;
  });
  while (results === undefined) {
    if (scheduler.count() > 0) await scheduler.waitOne();
    else await Promise.race([all, new Promise((resolve) => setTimeout(resolve, 1))]);
  }
  await scheduler.waitIdle();
  await all;
  const after = createGuard({ policy: stormPolicy(0), clock: () => 0, store: inner });
  const left: number[] = [];
  for (const grant of ["one", "two"]) {
    const session = after.session({ grant });
    let fits = 0;
    while ((await after.admit({ session, tool: "pay", arguments: { amount: 1 } })).outcome === "allow") fits++;
    left.push(fits);
  }
  return { results, sent, required, optional, unrecorded, faulty: weather.faults.some((fault) => fault !== "none"), left };
}

const fault = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Fault>("none") },
  fc.constantFrom<Fault>("throws", "rejects", "late", "lost", "never"),
);

export function weather(faults: fc.Arbitrary<readonly Fault[]> = fc.array(fault, { maxLength: 40 })): fc.Arbitrary<Weather> {
  const call = fc.record({
    by: fc.nat({ max: 1 }),
    amount: fc.integer({ min: 1, max: 7 }),
    outcome: fc.constantFrom("success" as const, "success" as const, "tool_error" as const, "throws" as const, "unsent" as const),
    cancels: fc.nat({ max: 4 }).map((n) => n === 0),
  });
  return fc.record({
    scheduler: fc.scheduler(),
    calls: fc.array(call, { minLength: 1, maxLength: 12 }),
    faults,
    updates: fc.array(fc.nat({ max: 5 }), { maxLength: 2 }),
    listChanges: fc.nat({ max: 2 }),
  });
}
