import type { AuditEvent, AuditSink } from "@holdpoint/core";
import type { ContractRunner } from "./counter-store.ts";
import type { CaseAssert } from "./counter-store-case.ts";

/** A sink under test, with nothing written to it. */
export interface OpenedAuditSink {
  readonly sink: AuditSink;
  /** What the sink holds, the oldest first, read from where it keeps it. The case has awaited what it wrote. */
  read(): Promise<readonly unknown[]> | readonly unknown[];
  readonly close?: (() => void | Promise<void>) | undefined;
}

export interface AuditSinkCase {
  readonly name: string;
  run(opened: OpenedAuditSink, assert: CaseAssert): Promise<void>;
}

const base = { v: 1, guard: "g1", time: "2026-01-05T09:00:00.000Z" } as const;
const call = { ...base, call: "g1-c1", attempt: 1, session: "g1-s1", server: "shop", identity: { grant: "default", user: "ann" } } as const;

function decision(id: string, tool = "create_refund"): AuditEvent {
  return {
    ...call,
    id,
    type: "decision",
    tool,
    outcome: "allow",
    rule: "",
    code: "allowed",
    mode: "enforce",
    argumentKeys: ["amount"],
    otherKeys: 0,
    recorded: { "args.amount": 5 },
    latencyMs: 2,
    room: [{ limit: "/tools/create_refund/limits/refunds", remaining: "19" }],
  };
}

const approval = {
  ...call,
  tool: "create_refund",
  approval: "a1",
  binding: "ab12",
  rules: ["/tools/create_refund/require_approval/args.amount-gt"],
};

/** One event of every kind. */
const everyKind: readonly AuditEvent[] = [
  { ...base, id: "e1", type: "policy.loaded", server: "shop", policy: "ab12", mode: "enforce", auditKey: "random-g1" },
  { ...base, id: "e2", type: "policy.rejected", server: "shop", mode: "enforce", issues: ["/tools: unknown key `tols`"] },
  { ...base, id: "e3", type: "tools.changed", server: "shop", added: ["a"], removed: [], changed: ["b"] },
  { ...base, id: "e4", type: "canary", server: "shop", tool: "holdpoint.canary.1" },
  { ...base, id: "e5", type: "anomaly", server: "shop", problem: "an answer to a call that was not forwarded" },
  { ...approval, id: "e6", type: "approval.requested" },
  { ...approval, id: "e7", type: "approval.granted", by: "ben" },
  { ...approval, id: "e8", type: "approval.used", by: "ben" },
  decision("e9"),
  { ...call, id: "e10", type: "outcome", tool: "create_refund", outcome: "success", latencyMs: 40 },
];

/** What every audit sink that keeps events must do, as plain data: `auditSinkContract` runs them. */
export const auditSinkCases: readonly AuditSinkCase[] = [
  {
    name: "[one-decision-one-record] an event of every kind is kept as it was, in the order in which it was written",
    async run({ sink, read }, assert) {
      for (const event of everyKind) await sink.write(event);
      assert.deepEqual(await read(), everyKind);
    },
  },
  {
    name: "[one-decision-one-record] of events that are written at once, none is lost, and their order is that of the writes",
    async run({ sink, read }, assert) {
      const events = Array.from({ length: 200 }, (_, index) => decision(`e${index}`));
      await Promise.all(events.map((event) => sink.write(event)));
      assert.deepEqual(await read(), events);
    },
  },
  {
    name: "an event is taken as it is when it is written: what becomes of the object later changes nothing",
    async run({ sink, read }, assert) {
      const event = structuredClone(decision("e1")) as { rule: string; recorded: { [key: string]: number } };
      const written = structuredClone(event);
      const writing = sink.write(event as unknown as AuditEvent);
      event.rule = "/changed";
      event.recorded["args.amount"] = 6;
      await writing;
      assert.deepEqual(await read(), [written]);
    },
  },
  {
    name: "no text of a model breaks a record out of its place",
    async run({ sink, read }, assert) {
      const texts = [
        '"}\n{"type":"decision"}',
        "a\r\nb",
        "\u2028\u2029\u0085",
        "\u0000\u001b[2J\u202e",
        "é😀",
        "__proto__",
        "x".repeat(100_000),
      ];
      const events = texts.map((text, index) => decision(`e${index}`, text));
      for (const event of events) await sink.write(event);
      assert.deepEqual(await read(), events);
    },
  },
];

/**
 * Registers a test for each case of the audit sink contract. `open` is called once for each, and opens a sink that is empty.
 *
 * @example
 * auditSinkContract("memory", () => { const sink = memoryAudit(); return { sink, read: () => sink.events }; }, { test, expect });
 */
export function auditSinkContract(
  name: string,
  open: () => OpenedAuditSink | Promise<OpenedAuditSink>,
  { test, expect }: Omit<ContractRunner, "clock">,
): void {
  const assert: CaseAssert = {
    deepEqual: (actual, expected, message) => expect(actual, message).toEqual(expected),
    ok: (value, message) => expect(Boolean(value), message).toEqual(true),
  };
  for (const { name: title, run } of auditSinkCases) {
    test(`${name}: ${title}`, async () => {
      const opened = await open();
      try {
        await run(opened, assert);
      } finally {
        await opened.close?.();
      }
    });
  }
}
