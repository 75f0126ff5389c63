import {
  type Admission,
  createGuard,
  type DecisionEvent,
  type JsonObject,
  memoryAudit,
  memoryStore,
  type Outcome,
  type PolicyDocument,
  type Session,
} from "@holdpoint/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { counters, limitsOn, uses } from "./arbitraries.ts";
import { decideByModel } from "./decision.ts";
import { cases } from "./effort.ts";
import { type ModelDebit, modelCounters, type Settled } from "./limits.ts";
import { expectAgreement } from "./paste.ts";

/*
 * Histories of one guard, step by step beside the model: calls of several callers, answers, people's yes and no, time in both directions, ends of
 * sessions and updates of the policy.
 */

const windows = fc.constantFrom<object>(
  { window: "minute" },
  { window: "hour" },
  { window: "day" },
  { window: "week" },
  { window: "month" },
  { window: 45 },
  { window: { sliding: "50s" } },
  { window: { sliding: "2m" } },
  { window: "lifetime", expires: "90s" },
);
const sessionLifetime = { counter: "life", window: "lifetime", scope: ["session", "user"] };

const policies: fc.Arbitrary<readonly PolicyDocument[]> = fc
  .tuple(counters(windows, 1), uses(1), uses(0), fc.nat({ max: 3 }), fc.boolean())
  .map(([made, own, all, held, life]) => {
    const shared = life ? [...made, sessionLifetime] : made;
    const pay = {
      deny_if: [{ path: "args.a", op: "eq" as const, value: 3, when_missing: false }],
      ...(held === 0 ? { require_approval: [{ path: "args.a", op: "gte" as const, value: 1, when_missing: false }] } : {}),
      limits: limitsOn(shared, own),
    };
    const policyOf = (more: number): PolicyDocument => ({
      version: "1",
      default: "deny",
      all_tools: { limits: limitsOn(shared, all) },
      tools: {
        pay: { ...pay, limits: pay.limits.map((limit) => (limit.max === undefined ? limit : { ...limit, max: Number(limit.max) + more })) },
        read: {},
      },
    });
    return [policyOf(0), policyOf(3)];
  });

const callers: readonly JsonObject[] = [
  { grant: "g", user: "ann", tenant: "t", session: "one" },
  { grant: "g", user: "bob", tenant: "t", session: "two" },
  { grant: "h", user: "ann", session: "three" },
];

type Step =
  | { readonly do: "call"; readonly by: number; readonly tool: string; readonly args: JsonObject; readonly yes: boolean }
  | { readonly do: "settle"; readonly which: number; readonly outcome: Settled }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "update"; readonly policy: number }
  | { readonly do: "end"; readonly session: number };

const args = fc.record(
  {
    a: fc.constantFrom(0, 0, 1, 2, 3),
    amount: fc.constantFrom<string | number>(1, 1, 2, 2, "0.5", "1.000001", 9, "x"),
    currency: fc.constantFrom("usd", "usd", "usd", "eur"),
  },
  { requiredKeys: ["amount", "currency"] },
) as fc.Arbitrary<JsonObject>;
const outcomes = fc.constantFrom<Settled>(
  "success",
  "tool_error",
  "unknown",
  "unsent",
  { protocolError: -32602 },
  { protocolError: -32000 },
);
const waits = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 20_000 }) },
  fc.constantFrom(-7_000, 60_000, 3_600_000, 86_400_000, 3 * 86_400_000),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 40,
    arbitrary: fc.record({
      do: fc.constant("call" as const),
      by: fc.nat({ max: 2 }),
      tool: fc.constantFrom(...Array(8).fill("pay"), "read", "other"),
      args,
      yes: fc.boolean(),
    }),
  },
  { weight: 12, arbitrary: fc.record({ do: fc.constant("settle" as const), which: fc.nat(), outcome: outcomes }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: waits }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("update" as const), policy: fc.nat({ max: 1 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("end" as const), session: fc.nat({ max: 2 }) }) },
);
const start = fc.constantFrom(Date.UTC(2026, 0, 31, 23, 59, 20), Date.UTC(2026, 1, 1, 23, 58, 59, 500));
const stepsEach = 40;

test("the guard's counters, approvals and records are the model's, step by step", { timeout: 3_600_000 }, async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(
      policies,
      start,
      fc.constantFrom("enforce" as const, "enforce" as const, "observe" as const),
      fc.array(step, { minLength: stepsEach, maxLength: stepsEach }),
      async (policies, start, mode, steps) => {
        compared += steps.length;
        const differs = (some: readonly Step[]) => difference(policies, start, mode, some);
        const found = await differs(steps);
        if (found === undefined) return;
        const needed = await withoutIdle(steps.slice(0, found.at + 1), differs);
        const { at, engine, model } = (await differs(needed)) ?? found;
        expectAgreement({ policies, start, mode, steps: needed, differs_at_step: at }, engine, model);
      },
    ),
    { numRuns: cases(70_000) / stepsEach },
  );
  expect(compared).toBeGreaterThanOrEqual(cases(70_000));
});

interface Difference {
  readonly at: number;
  readonly engine: string | undefined;
  readonly model: string | undefined;
}

async function difference(
  policies: readonly PolicyDocument[],
  start: number,
  mode: "enforce" | "observe",
  steps: readonly Step[],
): Promise<Difference | undefined> {
  const engine = await byEngine(policies, start, mode, steps);
  const model = byModel(policies, start, mode, steps);
  const at = engine.findIndex((line, index) => line !== model[index]);
  return at === -1 ? undefined : { at, engine: engine[at], model: model[at] };
}

/** Histories are generated with a fixed number of steps, so that shrinking takes none away: the steps without which they still differ. */
async function withoutIdle(
  steps: readonly Step[],
  differs: (steps: readonly Step[]) => Promise<Difference | undefined>,
): Promise<readonly Step[]> {
  let needed = steps;
  for (let index = steps.length - 1; index >= 0; index--) {
    const fewer = needed.toSpliced(index, 1);
    if (await differs(fewer)) needed = fewer;
  }
  return needed;
}

async function byEngine(
  policies: readonly PolicyDocument[],
  start: number,
  mode: "enforce" | "observe",
  steps: readonly Step[],
): Promise<string[]> {
  let now = start;
  let yes = false;
  let asked = 0;
  const audit = memoryAudit();
  const guard = createGuard({
    policy: policies[0] as PolicyDocument,
    mode,
    audit,
    clock: () => now,
    store: memoryStore({ durability: "process" }),
    approve: () => {
      asked++;
      return { approved: yes };
    },
  });
  const sessions = callers.map((caller) => guard.session(caller as never));
  const open: Admission[] = [];
  const lines: string[] = [];
  for (const step of steps) {
    if (step.do === "wait") now += step.ms;
    if (step.do === "update") guard.update(policies[step.policy] as PolicyDocument);
    if (step.do === "end") await (sessions[step.session] as Session).end();
    if (step.do === "settle" && open.length > 0) await open.splice(step.which % open.length, 1)[0]?.settle(outcomeOf(step.outcome));
    if (step.do !== "call") {
      lines.push(step.do);
      continue;
    }
    yes = step.yes;
    asked = 0;
    const before = audit.events.length;
    const verdict = await guard.admit({ session: sessions[step.by] as Session, tool: step.tool, arguments: step.args });
    if (verdict.outcome === "allow") open.push(verdict);
    const decisions = audit.events.slice(before).filter((event): event is DecisionEvent => event.type === "decision");
    const said = verdict.outcome === "deny" ? `deny ${verdict.rule} ${verdict.code} ${verdict.retryAfterMs ?? "no"} wait` : verdict.outcome;
    const observed =
      decisions
        .at(-1)
        ?.observed?.map(({ rule }) => rule)
        .join(" ") ?? "";
    lines.push(
      `${said}; asked ${asked}; ${decisions.length} decision: ${decisions[0]?.outcome} ${decisions[0]?.rule}; observed: ${verdict.outcome === "deny" ? "" : observed}`,
    );
  }
  return lines;
}

function outcomeOf(outcome: Settled): Outcome {
  return typeof outcome === "string" ? { kind: outcome } : { kind: "protocol_error", code: outcome.protocolError };
}

function byModel(policies: readonly PolicyDocument[], start: number, mode: "enforce" | "observe", steps: readonly Step[]): string[] {
  let now = start;
  let document = policies[0] as PolicyDocument;
  const counters = modelCounters();
  const ended = new Set<number>();
  const open: { call: number; yes: string | undefined }[] = [];
  /** Yeses whose calls provably did not leave: until when they may be used. */
  const standing = new Map<string, number[]>();
  const expiries = new Map<number, number>();
  const lifetimes = callers.map(() => new Set<string>());

  return steps.map((step, call) => {
    if (step.do === "wait") now += step.ms;
    if (step.do === "update") document = policies[step.policy] as PolicyDocument;
    if (step.do === "end" && !ended.has(step.session)) {
      ended.add(step.session);
      for (const counter of lifetimes[step.session] as Set<string>) counters.forget(counter);
    }
    if (step.do === "settle" && open.length > 0) {
      const [settled] = open.splice(step.which % open.length, 1);
      if (settled) {
        counters.settle(settled.call, step.outcome, now);
        const until = expiries.get(settled.call) ?? 0;
        if (step.outcome === "unsent" && settled.yes !== undefined && now < until)
          standing.set(settled.yes, [...(standing.get(settled.yes) ?? []), until]);
      }
    }
    if (step.do !== "call") return step.do;

    const line = (
      outcome: string,
      rule: string,
      rest: { code?: string; wait?: number | undefined; asked?: number; observed?: readonly string[] },
    ) => {
      const said = outcome === "deny" ? `deny ${rule} ${rest.code} ${rest.wait ?? "no"} wait` : outcome;
      return `${said}; asked ${rest.asked ?? 0}; 1 decision: ${outcome} ${rule}; observed: ${(rest.observed ?? []).join(" ")}`;
    };
    if (ended.has(step.by)) return line("deny", "(cancelled)", { code: "cancelled" });
    const context = callers[step.by] as JsonObject;
    const verdict = decideByModel([document], { server: "default", tool: step.tool, args: step.args, context, now }, mode);
    if (verdict.outcome === "deny") return line("deny", verdict.rule, { code: verdict.code });
    let asked = 0;
    let yes: string | undefined;
    if (verdict.outcome === "hold") {
      const short = counters.look(verdict.debits, now);
      if (short) return line("deny", short.rule, { code: "limit", wait: short.wait });
      yes = JSON.stringify([step.tool, canonical(step.args), context, verdict.approvals]);
      const live = (standing.get(yes) ?? []).filter((until) => now < until);
      const [until] = live.splice(0, 1);
      standing.set(yes, live);
      if (until === undefined) {
        asked = 1;
        if (!step.yes) return line("deny", verdict.approvals[0] as string, { code: "approval_refused", asked });
      }
      expiries.set(call, until ?? now + 600_000);
    }
    const short = counters.reserve(call, verdict.debits, now);
    if (short) return line("deny", short.rule, { code: "limit", wait: short.wait, asked });
    let observed = verdict.observed;
    let charged: readonly ModelDebit[] = verdict.debits;
    if (observed.length === 0) {
      const shortage = counters.reserve(call, verdict.observedDebits, now);
      if (shortage) observed = [shortage.rule];
      else charged = [...charged, ...verdict.observedDebits];
    }
    for (const { limit, counter } of charged)
      if (limit.window === "lifetime" && [limit.scope].flat().includes("session")) lifetimes[step.by]?.add(counter);
    open.push({ call, yes });
    return line("allow", "", { asked, observed });
  });
}

function canonical(args: JsonObject): string {
  return JSON.stringify(Object.entries(args).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
