import { expect, test } from "vitest";
import { type AuditSink, createAuditTrail } from "./audit.ts";
import type { AuditEvent, DecisionEvent } from "./audit-event.ts";

let made = 0;
function canary(): AuditEvent {
  return { v: 1, id: `e${++made}`, time: "2026-01-01T00:00:00.000Z", guard: "g", type: "canary", server: "s", tool: "t" };
}

/** A sink whose writes stay open until they are let go. */
function slowSink(required = false) {
  const seen: AuditEvent[] = [];
  const open: (() => void)[] = [];
  const sink: AuditSink = {
    required,
    write(event) {
      seen.push(event);
      return new Promise((resolve) => open.push(resolve));
    },
  };
  return { sink, seen, letGo: () => open.splice(0).forEach((resolve) => resolve()) };
}

test("a slow optional sink is never waited for, and holds at most 1,000 writes", () => {
  const slow = slowSink();
  const fast: AuditEvent[] = [];
  const trail = createAuditTrail([slow.sink, (event) => void fast.push(event)], 50);
  for (let i = 0; i < 1_500; i++) expect(trail.write(canary())).toMatchObject({ failure: undefined, recorded: true });
  expect(slow.seen).toHaveLength(1_000);
  expect(fast).toHaveLength(1_500);
  expect(trail.failures).toBe(500);
});

test("what an optional sink missed is counted in the trail once it takes events again", async () => {
  const slow = slowSink();
  const fast: AuditEvent[] = [];
  const trail = createAuditTrail([slow.sink, (event) => void fast.push(event)], 50);
  for (let i = 0; i < 1_007; i++) void trail.write(canary());
  slow.letGo();
  await Promise.resolve();
  void trail.write(canary());
  const gap = { type: "anomaly", problem: expect.stringMatching(/^7 events were dropped/) };
  expect(slow.seen.slice(1_000)).toEqual([expect.objectContaining(gap), expect.objectContaining({ type: "canary" })]);
  expect(fast.filter(({ type }) => type === "anomaly")).toEqual([expect.objectContaining(gap)]);
  void trail.write(canary());
  expect(fast.filter(({ type }) => type === "anomaly")).toHaveLength(1);
});

test("a report of missed events that a required sink could not take is made again", async () => {
  const slow = slowSink();
  const kept: AuditEvent[] = [];
  let down = false;
  const required: AuditSink = {
    required: true,
    write(event) {
      if (down) throw new Error("disk full");
      kept.push(event);
    },
  };
  const trail = createAuditTrail([slow.sink, required], 50);
  for (let i = 0; i < 1_003; i++) void trail.write(canary());
  slow.letGo();
  await Promise.resolve();
  down = true;
  expect(trail.write(canary())).toMatchObject({ failure: "a required audit sink failed: disk full" });
  await Promise.resolve();
  down = false;
  void trail.write(canary());
  expect(kept.filter(({ type }) => type === "anomaly")).toEqual([expect.objectContaining({ problem: expect.stringMatching(/^3 events/) })]);
});

test("[fail-closed] a required sink is waited for, and one that does not answer in time has failed", async () => {
  const slow = slowSink(true);
  const trail = createAuditTrail(slow.sink, 20);
  expect(await trail.write(canary())).toEqual(
    expect.objectContaining({ failure: "a required audit sink failed: no answer within 20 ms", recorded: false }),
  );
});

test("a time that no timer can hold is waited for, and does not end at once", async () => {
  for (const timeoutMs of [2 ** 31, Number.POSITIVE_INFINITY]) {
    const sink: AuditSink = { required: true, write: () => new Promise((resolve) => setTimeout(resolve, 30)) };
    expect(await createAuditTrail(sink, timeoutMs).write(canary())).toMatchObject({ failure: undefined, recorded: true });
  }
});

test("[fail-closed] what failed open counts as recorded only once a sink has taken it", async () => {
  const refusing: AuditSink = { write: () => Promise.reject(new Error("no route")) };
  const trail = createAuditTrail(refusing, 50);
  const open = { ...canary(), type: "decision", failedOpen: ["store"] } as unknown as DecisionEvent;
  expect(await trail.write(open)).toMatchObject({ recorded: false, failure: undefined });
});

test("[fail-closed] what a sink throws need not be readable", async () => {
  const unreadable: unknown[] = [Object.create(null), Object.assign(new Error(), { message: Symbol("no text") })];
  for (const thrown of unreadable) {
    const trail = createAuditTrail({ required: true, write: () => Promise.reject(thrown) }, 50);
    expect(await trail.write(canary())).toMatchObject({ failure: expect.stringContaining("a required audit sink failed") });
  }
});
