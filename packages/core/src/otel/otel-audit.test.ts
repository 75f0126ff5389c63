import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { beforeAll, expect, test } from "vitest";
import type { JsonObject } from "../arguments/json-snapshot.ts";
import { createGuard } from "../guard/guard.ts";
import { otelAudit } from "./otel-audit.ts";

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});

function telemetry() {
  const spans = new InMemorySpanExporter();
  const tracers = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] });
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const meters = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 })] });
  return {
    tracer: tracers.getTracer("host"),
    audit: otelAudit({ tracer: tracers.getTracer("holdpoint"), meter: meters.getMeter("holdpoint") }),
    async spans(): Promise<readonly ReadableSpan[]> {
      await tracers.forceFlush();
      return spans.getFinishedSpans();
    },
    /** Every data point: the instrument's name, its attributes and its value. */
    async points() {
      await meters.forceFlush();
      const last = exporter.getMetrics().at(-1);
      return (last?.scopeMetrics ?? []).flatMap(({ metrics }) =>
        metrics.flatMap(({ descriptor, dataPoints }) =>
          dataPoints.map(({ attributes, value }) => ({ name: descriptor.name, attributes, value })),
        ),
      );
    },
  };
}

function refunds(audit: ReturnType<typeof otelAudit>) {
  const guard = createGuard({
    audit,
    policies: {
      stripe: {
        version: "1",
        default: "deny",
        tools: {
          refund: {
            deny_if: [{ conditions: [{ path: "args.amount", op: "gt", value: 100 }] }],
            limits: [{ counter: "refunds", window: "minute", max: 20 }],
          },
        },
        audit: { record: ["args.note"] },
      },
    },
  });
  const session = guard.session({ user: "ann-the-user" });
  return (tool: string, args: JsonObject) =>
    guard.run({ session, server: "stripe", tool, arguments: args, callId: "toolu_1", seam: "transport" }, () => ({
      value: 1,
      outcome: { kind: "success" },
    }));
}

test("a decision is a span under the host's own, by the names of the semantic conventions", async () => {
  const seen = telemetry();
  const call = refunds(seen.audit);
  await seen.tracer.startActiveSpan("agent turn", async (turn) => {
    await call("refund", { amount: 5 });
    await Promise.resolve();
    await call("refund", { amount: 500 });
    turn.end();
  });
  const spans = await seen.spans();
  const turn = spans.find(({ name }) => name === "agent turn") as ReadableSpan;
  const [allowed, denied] = spans.filter(({ name }) => name === "holdpoint.decide refund") as [ReadableSpan, ReadableSpan];
  for (const span of [allowed, denied]) {
    expect(span.spanContext().traceId).toBe(turn.spanContext().traceId);
    expect(span.parentSpanContext?.spanId).toBe(turn.spanContext().spanId);
    expect(span.attributes).toMatchObject({
      "gen_ai.operation.name": "execute_tool",
      "gen_ai.tool.name": "refund",
      "gen_ai.tool.call.id": "toolu_1",
      "mcp.method.name": "tools/call",
      "holdpoint.server": "stripe",
    });
  }
  expect(allowed.attributes["holdpoint.outcome"]).toBe("allow");
  expect(denied.attributes).toMatchObject({
    "holdpoint.outcome": "deny",
    "error.type": "deny_if",
    "holdpoint.rule": "/tools/refund/deny_if/args.amount-gt",
  });
  expect(trace.getActiveSpan()).toBeUndefined();
});

test("decisions, refusals by rule, latency and headroom are measured", async () => {
  const seen = telemetry();
  const call = refunds(seen.audit);
  await call("refund", { amount: 5 });
  await call("refund", { amount: 6 });
  await call("refund", { amount: 500 });
  await call("x9", {});
  const points = await seen.points();
  const on = (name: string) => points.filter((point) => point.name === name);
  expect(on("holdpoint.decisions")).toContainEqual(
    expect.objectContaining({
      value: 2,
      attributes: { "holdpoint.outcome": "allow", "holdpoint.mode": "enforce", "holdpoint.server": "stripe", "gen_ai.tool.name": "refund" },
    }),
  );
  expect(on("holdpoint.refusals")).toContainEqual(
    expect.objectContaining({
      value: 1,
      attributes: expect.objectContaining({ "holdpoint.rule": "/tools/refund/deny_if/args.amount-gt", "holdpoint.code": "deny_if" }),
    }),
  );
  expect(on("holdpoint.limit.headroom")).toEqual([
    {
      name: "holdpoint.limit.headroom",
      value: 18,
      attributes: { "holdpoint.limit": "/tools/refund/limits/refunds", "holdpoint.server": "stripe" },
    },
  ]);
  expect(on("holdpoint.decision.duration")).toContainEqual(expect.objectContaining({ value: expect.objectContaining({ count: 2 }) }));
  expect(on("holdpoint.call.duration")).toEqual([expect.objectContaining({ value: expect.objectContaining({ count: 2 }) })]);
});

test("no name that a model makes up becomes an attribute of an instrument", async () => {
  const seen = telemetry();
  const call = refunds(seen.audit);
  for (let n = 0; n < 50; n++) await call(`made-up-${n}`, {});
  const tools = (await seen.points()).map(({ attributes }) => attributes["gen_ai.tool.name"]).filter((tool) => tool !== undefined);
  expect(new Set(tools)).toEqual(new Set(["(other)"]));
});

test("where any tool is admitted, at most a thousand names become attributes of instruments", async () => {
  const seen = telemetry();
  const guard = createGuard({
    audit: seen.audit,
    policy: { version: "1", default: "allow", all_tools: { require_approval: [{ path: "args.ask", op: "exists", value: true }] } },
    approve: () => ({ approved: true }),
  });
  const session = guard.session();
  const call = (tool: string, args: JsonObject = {}) =>
    guard.run({ session, tool, arguments: args, seam: "transport" }, () => ({ value: 1, outcome: { kind: "success" } }));
  for (let n = 0; n < 1_200; n++) await call(`tool-${n}`);
  await call("tool-1199", { ask: 1 });
  await call("tool-1");
  const named = (await seen.points()).filter(({ attributes }) => attributes["gen_ai.tool.name"] !== undefined);
  const tools = named.map(({ attributes }) => attributes["gen_ai.tool.name"]);
  expect(new Set(tools)).toEqual(new Set([...Array.from({ length: 1_000 }, (_, n) => `tool-${n}`), "(other)"]));
  expect(named).toContainEqual(
    expect.objectContaining({
      name: "holdpoint.decisions",
      value: 2,
      attributes: expect.objectContaining({ "gen_ai.tool.name": "tool-1" }),
    }),
  );
});

test("a span processor that throws reaches neither the call nor the instruments", async () => {
  const failing = {
    onStart() {},
    onEnd() {
      throw new Error("exporter");
    },
    shutdown: async () => undefined,
    forceFlush: async () => undefined,
  };
  const tracers = new TracerProvider({ spanProcessors: [failing] });
  const meters = new MeterProvider({ readers: [] });
  const counted: string[] = [];
  const meter = meters.getMeter("counting");
  const createCounter = meter.createCounter.bind(meter);
  meter.createCounter = (name, options) => {
    const counter = createCounter(name, options);
    return { ...counter, add: () => void counted.push(name) };
  };
  const call = refunds(otelAudit({ tracer: tracers.getTracer("t"), meter }));
  expect(await call("refund", { amount: 5 })).toMatchObject({ value: 1 });
  expect(counted).toEqual(["holdpoint.decisions"]);
});

test("neither an argument, one that the audit records included, nor an identity is told", async () => {
  const seen = telemetry();
  const call = refunds(seen.audit);
  await call("refund", { amount: 5, note: "the-recorded-note", other: "the-other-value" });
  await call("refund", { amount: 987654, note: "the-recorded-note" });
  const told = JSON.stringify([
    (await seen.spans()).map(({ name, attributes, events }) => ({ name, attributes, events })),
    await seen.points(),
  ]);
  expect(told).toContain("deny_if");
  expect(told).not.toMatch(/the-recorded-note|the-other-value|987654|ann-the-user/);
});

test("without a registered provider nothing is traced and nothing fails", async () => {
  expect(await refunds(otelAudit())("refund", { amount: 5 })).toMatchObject({ value: 1 });
});
