import type { JsonObject } from "../arguments/json-snapshot.ts";

/** All that a condition can read, taken once per decision (design §3). Plain JSON, so that reading it has no effects. */
export interface Facts {
  /** The snapshot of the call's arguments. */
  readonly args: JsonObject;
  /** Who calls: grant, user, tenant, agent, session, run, and what the host added. */
  readonly context: JsonObject;
  /** `name`, `server`, and what the server claims: `category`, `description`, `annotations`. */
  readonly tool: JsonObject;
  readonly time: { readonly hour: number; readonly weekday: number; readonly date: string };
}

/** `time.*` at one instant, in UTC: `hour` 0 to 23, `weekday` 1 (Monday) to 7, `date` as `2026-01-31`. */
export function timeFacts(nowMs: number): Facts["time"] {
  const hours = Math.floor(nowMs / 3_600_000);
  if (hours !== last.hours) last = { hours, facts: factsAt(nowMs) };
  return last.facts;
}

/** Nothing in them changes within an hour, and every decision needs them. */
let last = { hours: 0, facts: factsAt(0) };

function factsAt(nowMs: number): Facts["time"] {
  const instant = new Date(nowMs);
  return Object.freeze({
    hour: instant.getUTCHours(),
    weekday: ((instant.getUTCDay() + 6) % 7) + 1,
    date: instant.toISOString().slice(0, 10),
  });
}
