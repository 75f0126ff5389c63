import { type Attributes, context, type Meter, metrics, SpanKind, type Tracer, trace } from "@opentelemetry/api";
import type { AuditSink } from "../audit/audit.ts";
import type { AuditEvent, DecisionEvent, OutcomeEvent } from "../audit/audit-event.ts";
import { printable } from "../decision/refusal.ts";

export interface OtelAuditOptions {
  /** Default: the tracer and the meter `@holdpoint/core` of the providers that the host registered. */
  readonly tracer?: Tracer | undefined;
  readonly meter?: Meter | undefined;
}

const scope = "@holdpoint/core";

/**
 * Traces and measures decisions: a span for each, under the span that was active when the call was made, and instruments for dashboards. It carries no
 * argument, not even one that `audit.record` opts in, and nobody's identity but the session's id.
 *
 * Attribute names are those of OpenTelemetry's semantic conventions for generative AI and MCP where they have one (`gen_ai.tool.name`,
 * `gen_ai.tool.call.id`, `gen_ai.operation.name`, `mcp.method.name`, `error.type`), and begin with `holdpoint.` where they have none. Durations are in
 * seconds.
 *
 * | instrument | kind | attributes |
 * | --- | --- | --- |
 * | `holdpoint.decisions` | counter | outcome, mode, server, tool |
 * | `holdpoint.refusals` | counter | rule, code, server, tool |
 * | `holdpoint.decision.duration` | histogram, s | outcome, server |
 * | `holdpoint.call.duration` | histogram, s | outcome, server, tool |
 * | `holdpoint.limit.headroom` | gauge | limit, server |
 * | `holdpoint.approvals` | counter | state, server, tool |
 * | `holdpoint.anomalies` | counter | server |
 *
 * The tool of a call that no rule of its own refused and that was not admitted is the model's text: instruments count it as `(other)`, and so they do all
 * tools beyond the first 1,000, since under `default: "allow"` any name is admitted. No model can fill a metrics store with names.
 *
 * @example
 * const guard = createGuard({ policy, audit: otelAudit() });
 */
export function otelAudit(options: OtelAuditOptions = {}): AuditSink {
  const tracer = options.tracer ?? trace.getTracer(scope);
  const record = instruments(options.meter ?? metrics.getMeter(scope));
  return {
    write(event) {
      try {
        if (event.type === "decision") traceDecision(tracer, event);
      } finally {
        record(event);
      }
    },
  };
}

/** The decision is over when it is recorded: the span is made in one go, with the time at which the call arrived. */
function traceDecision(tracer: Tracer, event: DecisionEvent): void {
  const end = Date.parse(event.time);
  const attributes: Attributes = {
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": printable(event.tool),
    "mcp.method.name": "tools/call",
    "holdpoint.outcome": event.outcome,
    "holdpoint.mode": event.mode,
    "holdpoint.server": event.server,
    "holdpoint.session": event.session,
    "holdpoint.call": event.call,
    "holdpoint.attempt": event.attempt,
    "holdpoint.event": event.id,
  };
  if (event.callId !== undefined) attributes["gen_ai.tool.call.id"] = printable(event.callId);
  if (event.policy !== undefined) attributes["holdpoint.policy"] = event.policy;
  if (event.outcome === "deny") {
    attributes["error.type"] = event.code;
    attributes["holdpoint.code"] = event.code;
    attributes["holdpoint.rule"] = printable(event.rule, 300);
  }
  if (event.retryAfterMs !== undefined) attributes["holdpoint.retry_after_ms"] = event.retryAfterMs;
  if (event.observed) attributes["holdpoint.observed"] = event.observed.map(({ rule }) => rule);
  if (event.failedOpen) attributes["holdpoint.failed_open"] = [...event.failedOpen];
  if (event.approvals) attributes["holdpoint.approvals"] = [...event.approvals];
  // Refusing is what the guard is for, so a refusal leaves the span's status alone: `error.type` finds it, and no alarm rings.
  const span = tracer.startSpan(
    `holdpoint.decide ${printable(event.tool)}`,
    { kind: SpanKind.INTERNAL, startTime: end - event.latencyMs, attributes },
    context.active(),
  );
  span.end(end);
}

const durationBuckets = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 600];

function instruments(meter: Meter): (event: AuditEvent) => void {
  const advice = { explicitBucketBoundaries: durationBuckets };
  const decisions = meter.createCounter("holdpoint.decisions", { unit: "{decision}", description: "Tool calls decided" });
  const refusals = meter.createCounter("holdpoint.refusals", {
    unit: "{refusal}",
    description: "Tool calls refused, by the rule that is named",
  });
  const deciding = meter.createHistogram("holdpoint.decision.duration", {
    unit: "s",
    description: "From a call's arrival to its decision, the wait for a person included",
    advice,
  });
  const calling = meter.createHistogram("holdpoint.call.duration", {
    unit: "s",
    description: "From the decision to the answer of the tool",
    advice,
  });
  const headroom = meter.createGauge("holdpoint.limit.headroom", {
    description: "Room left in a limit when a call was last charged to it",
  });
  const approvals = meter.createCounter("holdpoint.approvals", {
    unit: "{approval}",
    description: "Requests for a person's approval, by what became of them",
  });
  const anomalies = meter.createCounter("holdpoint.anomalies", {
    unit: "{anomaly}",
    description: "What no open call explains, and gaps in the audit",
  });

  const names = new Set<string>();
  /** Each name makes a time series of its own. */
  function labelOf(tool: string): string {
    const name = printable(tool);
    if (names.size < mostNames) names.add(name);
    return names.has(name) ? name : otherTools;
  }
  function decided(event: DecisionEvent): void {
    const { outcome, mode, server, rule, code } = event;
    const tool = isOfModel(event) ? otherTools : labelOf(event.tool);
    decisions.add(1, { "holdpoint.outcome": outcome, "holdpoint.mode": mode, "holdpoint.server": server, "gen_ai.tool.name": tool });
    deciding.record(event.latencyMs / 1000, { "holdpoint.outcome": outcome, "holdpoint.server": server });
    if (outcome === "deny")
      refusals.add(1, { "holdpoint.rule": rule, "holdpoint.code": code, "holdpoint.server": server, "gen_ai.tool.name": tool });
    for (const { limit, remaining } of event.room ?? [])
      headroom.record(Number(remaining), { "holdpoint.limit": limit, "holdpoint.server": server });
  }
  function answered({ outcome, server, tool, latencyMs }: OutcomeEvent): void {
    calling.record(latencyMs / 1000, { "holdpoint.outcome": outcome, "holdpoint.server": server, "gen_ai.tool.name": labelOf(tool) });
  }
  return (event) => {
    switch (event.type) {
      case "decision":
        return decided(event);
      case "outcome":
        return answered(event);
      case "anomaly":
        return anomalies.add(1, { "holdpoint.server": event.server });
      case "approval.requested":
      case "approval.granted":
      case "approval.refused":
      case "approval.expired":
      case "approval.used":
      case "approval.revoked":
        return approvals.add(1, {
          "holdpoint.state": event.type.slice("approval.".length),
          "holdpoint.server": event.server,
          "gen_ai.tool.name": labelOf(event.tool),
        });
    }
  };
}

const mostNames = 1_000;
const otherTools = "(other)";

/** No rule of the tool's own refused the call, and it was not admitted: its tool may be one that the model made up. */
function isOfModel({ outcome, rule }: DecisionEvent): boolean {
  return outcome === "deny" && !/^(\/layers\/[0-9]+)?\/tools\//.test(rule);
}
