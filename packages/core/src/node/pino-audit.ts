import type { AuditSink } from "../audit/audit.ts";
import type { AuditEvent } from "../audit/audit-event.ts";
import { printable } from "../decision/refusal.ts";

type Level = "debug" | "info" | "warn" | "error";

/** What is used of a pino logger; any logger of this shape will do. */
export type PinoLogger = { readonly [level in Level]: (fields: object, message: string) => void };

export interface PinoAuditOptions {
  /** The member of the line under which the event stands. Default `holdpoint`. */
  readonly key?: string | undefined;
  /** The level of an event. Default: what was refused or went wrong is `warn`, a rejected policy `error`, outcomes of calls `debug`, the rest `info`. */
  readonly level?: ((event: AuditEvent) => Level) | undefined;
  /** Asks for `mac`, the keyed hash of the canonical arguments. Default `false`. */
  readonly mac?: boolean | undefined;
}

/**
 * Logs one line for each event, structured, with a sentence for people. A logger says when a line was handed over, not when it is stored, and drops
 * what is below its level: where the record must be complete, put `jsonlAudit` beside it.
 *
 * @example
 * const guard = createGuard({ policy, audit: pinoAudit(pino()) });
 */
export function pinoAudit(logger: PinoLogger, options: PinoAuditOptions = {}): AuditSink {
  const { key = "holdpoint", level = levelOf, mac = false } = options;
  return {
    mac,
    write(event) {
      logger[level(event)]({ [key]: event }, sentenceFor(event));
    },
  };
}

function levelOf(event: AuditEvent): Level {
  switch (event.type) {
    case "decision":
      return event.outcome === "deny" || event.failedOpen || event.observed ? "warn" : "info";
    case "outcome":
      return event.outcome === "unknown" ? "warn" : "debug";
    case "policy.rejected":
      return "error";
    case "tools.changed":
    case "anomaly":
    case "approval.refused":
    case "approval.expired":
      return "warn";
    default:
      return "info";
  }
}

/** The tool's name is the model's text, and a log is read on terminals. */
function sentenceFor(event: AuditEvent): string {
  const { server } = event;
  const tool = "tool" in event ? `${server}/${printable(event.tool)}` : server;
  switch (event.type) {
    case "decision":
      return event.outcome === "allow" ? `allowed ${tool}` : `denied ${tool}: ${printable(event.rule, 300)}`;
    case "outcome":
      return `${tool} ended: ${event.outcome}`;
    case "anomaly":
      return `anomaly: ${printable(event.problem, 300)}`;
    default:
      return `${event.type} ${tool}`;
  }
}
