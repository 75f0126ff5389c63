import type { AuditEvent } from "../audit/audit-event.ts";
import { HoldpointError } from "../holdpoint-error.ts";
import { auditFiles, auditLines } from "./audit-lines.ts";
import { readRecord } from "./audit-record.ts";

/**
 * The events of audit files, one file after the other, those of one chain in the order they were written. Notes and an unfinished last line are passed over. Hashes are
 * not checked: that is `verifyAudit`'s.
 *
 * Throws `HoldpointError` (`audit_unreadable`) for a path that is not there or cannot be opened, and for a line that is no record.
 */
export async function* readAudit(paths: string | readonly string[]): AsyncGenerator<AuditEvent> {
  for (const file of await auditFiles(paths)) {
    for await (const line of auditLines(file)) {
      if (!line.whole && !line.tooLong) continue;
      const record = line.tooLong ? undefined : readRecord(line.bytes);
      try {
        if (!record) throw new Error("it is no record");
        if (record.kind === "event") yield record.content() as AuditEvent;
      } catch (error) {
        if (record && !(error instanceof SyntaxError)) throw error;
        throw new HoldpointError("audit_unreadable", `\`${file}\` line ${line.number} cannot be read: ${(error as Error).message}`, {
          cause: error,
        });
      }
    }
  }
}

export interface AuditStats {
  readonly events: number;
  /** ISO 8601, of the earliest and the latest event read. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly allowed: number;
  readonly denied: number;
  /** Refusals by the rule that they name, and decisions by server and tool. Tools beyond the first 1,000 are counted under `(other)`. */
  readonly byRule: ReadonlyMap<string, number>;
  readonly byTool: ReadonlyMap<string, { readonly allowed: number; readonly denied: number }>;
  /** Admitted calls by how they ended; `none` counts those of which the audit holds no outcome, so that nobody knows. */
  readonly byOutcome: ReadonlyMap<string, number>;
  /** What went wrong with the audit or around the guard. */
  readonly anomalies: number;
}

const mostNames = 1_000;

/** Counts what audit files hold, in one pass. Throws as `readAudit` does. */
export async function auditStats(paths: string | readonly string[]): Promise<AuditStats> {
  let events = 0;
  let from: string | undefined;
  let to: string | undefined;
  let allowed = 0;
  let denied = 0;
  let anomalies = 0;
  const byRule = new Map<string, number>();
  const byTool = new Map<string, { allowed: number; denied: number }>();
  const byOutcome = new Map<string, number>();
  const open = new Set<string>();
  for await (const event of readAudit(paths)) {
    events++;
    // Files of several processes are read one after the other.
    if (from === undefined || event.time < from) from = event.time;
    if (to === undefined || event.time > to) to = event.time;
    if (event.type === "decision") {
      const tool = nameIn(byTool, `${event.server}/${event.tool}`);
      const counts = byTool.get(tool) ?? { allowed: 0, denied: 0 };
      byTool.set(tool, counts);
      if (event.outcome === "allow") {
        allowed++;
        counts.allowed++;
        open.add(`${event.call} ${event.attempt}`);
      } else {
        denied++;
        counts.denied++;
        const rule = nameIn(byRule, event.rule);
        byRule.set(rule, (byRule.get(rule) ?? 0) + 1);
      }
    } else if (event.type === "outcome") {
      byOutcome.set(event.outcome, (byOutcome.get(event.outcome) ?? 0) + 1);
      open.delete(`${event.call} ${event.attempt}`);
    } else if (event.type === "anomaly") anomalies++;
  }
  if (open.size > 0) byOutcome.set("none", open.size);
  return { events, from, to, allowed, denied, byRule, byTool, byOutcome, anomalies };
}

/** Names of denied tools are the model's text: there may be any number of them. */
function nameIn(names: ReadonlyMap<string, unknown>, name: string): string {
  return names.has(name) || names.size < mostNames ? name : "(other)";
}
