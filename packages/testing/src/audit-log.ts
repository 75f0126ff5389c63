import type { AuditEvent, AuditSink, DecisionEvent, Json, OutcomeEvent } from "@holdpoint/core";

/** An audit sink that can be read back. `@holdpoint/testing/vitest` adds `toHaveRecorded`, `toMention` and `toHaveOneDecisionPerCall`. */
export interface AuditLog extends AuditSink {
  /** Every event, the oldest first. */
  readonly events: readonly AuditEvent[];
  readonly decisions: readonly DecisionEvent[];
  readonly outcomes: readonly OutcomeEvent[];
  /** Events of one type: `audit.of("approval.requested")`. */
  of<Type extends AuditEvent["type"]>(type: Type): readonly Extract<AuditEvent, { readonly type: Type }>[];
  /** Forgets what was recorded so far. */
  clear(): void;
}

export interface AuditLogOptions {
  /** The guard waits for this sink, and denies where it fails. Default `false`. */
  readonly required?: boolean | undefined;
  /** Asks for the keyed hash of the arguments. Default `false`. */
  readonly mac?: boolean | undefined;
  /** Called before an event is kept; what it throws, or rejects with, is the sink's failure. */
  readonly onWrite?: ((event: AuditEvent) => void | Promise<void>) | undefined;
}

/**
 * Makes a sink that keeps every event in memory, and can be told to fail.
 *
 * @example
 * const audit = auditLog();
 * const guard = createGuard({ policy, audit });
 * // … make calls …
 * audit.decisions.map(({ tool, outcome, rule }) => [tool, outcome, rule]);
 */
export function auditLog({ required, mac, onWrite }: AuditLogOptions = {}): AuditLog {
  const events: AuditEvent[] = [];
  const of = <Type extends AuditEvent["type"]>(type: Type) =>
    events.filter((event): event is Extract<AuditEvent, { readonly type: Type }> => event.type === type);
  return {
    required,
    mac,
    events,
    of,
    get decisions() {
      return of("decision");
    },
    get outcomes() {
      return of("outcome");
    },
    clear: () => void events.splice(0),
    write(event) {
      const writing = onWrite?.(event);
      if (writing === undefined) events.push(event);
      else return writing.then(() => void events.push(event));
    },
  };
}

/** The events that hold `value` anywhere, as a whole value or inside a text: where a secret would have leaked. */
export function mentions(events: readonly AuditEvent[], value: Json): readonly AuditEvent[] {
  return events.filter((event) => holds(event as unknown as Json, value));
}

function holds(within: Json | undefined, value: Json): boolean {
  if (within === value) return true;
  if (typeof within === "string") return typeof value === "string" && value !== "" && within.includes(value);
  if (within === null || typeof within !== "object") return false;
  return Object.entries(within).some(([key, part]) => holds(key, value) || holds(part as Json, value));
}

/** What is wrong with the trail by the law `one-decision-one-record`: each call and attempt has one decision, and at most one outcome, after it. */
export function trailProblems(events: readonly AuditEvent[]): readonly string[] {
  const seen = new Map<string, { decisions: number; outcomes: number }>();
  const problems: string[] = [];
  for (const event of events) {
    if (event.type !== "decision" && event.type !== "outcome") continue;
    const name = `${event.tool}, call ${event.call}, attempt ${event.attempt}`;
    const counted = seen.get(name) ?? { decisions: 0, outcomes: 0 };
    seen.set(name, counted);
    if (event.type === "decision") counted.decisions += 1;
    else counted.outcomes += 1;
    if (event.type === "decision" && counted.decisions > 1) problems.push(`${name}: a second decision`);
    if (event.type === "outcome" && counted.decisions === 0) problems.push(`${name}: an outcome without a decision`);
    if (event.type === "outcome" && counted.outcomes > 1) problems.push(`${name}: a second outcome`);
  }
  return problems;
}
