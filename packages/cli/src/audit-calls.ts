import {
  type AuditEvent,
  type DecisionEvent,
  type Identity,
  type Json,
  type JsonObject,
  type OutcomeEvent,
  repeatedKeys,
  secretMark,
} from "@holdpoint/core";
import type { SimulatedCall, SimulatedResult } from "./simulated-call.ts";

/** The event of a line of an audit file, bare or sealed in a chain; `"note"` for what a chain says about itself; `undefined` for any other line. */
export function auditEventOf(line: string): AuditEvent | "note" | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isFields(value) || repeatedKeys(line).length > 0) return undefined;
  if (typeof value["chain"] === "string" && isFields(value["note"])) return "note";
  const event = typeof value["chain"] === "string" ? value["event"] : value;
  return isFields(event) && event["v"] === 1 && typeof event["type"] === "string" ? (event as unknown as AuditEvent) : undefined;
}

/** Names one send of one call, in its decision and in its outcome. */
export function sendOf({ call, attempt }: DecisionEvent | OutcomeEvent): string {
  return `${call} ${attempt}`;
}

/** The call that a decision was about; text where the audit does not hold enough of it. */
export function callOf(event: DecisionEvent, outcome: OutcomeEvent | undefined): SimulatedCall | string {
  const { time, server, tool, identity, code } = event;
  if (code === "not_json" || code === "too_large" || code === "canary") return "its arguments were never read";
  const args = argumentsOf(event);
  if (typeof args === "string") return args;
  return { at: Date.parse(time), server, tool, args, context: identity as Identity, result: resultOf(outcome), code: codeOf(outcome) };
}

/** A call is only known where every argument was recorded whole: one value left out could have been the one that decided. */
function argumentsOf({ recorded = {}, argumentKeys, otherKeys }: DecisionEvent): JsonObject | string {
  const whole = Object.entries(recorded).flatMap(([path, value]): [string, Json][] => {
    const name = /^args\.([^.[\]"]+)$/.exec(path)?.[1] ?? quotedName(path);
    return name === undefined ? [] : [[name, value]];
  });
  if (whole.length < argumentKeys.length + otherKeys) return "not every argument was recorded";
  return whole.some(([, value]) => holdsMark(value)) ? "an argument is secret" : Object.fromEntries(whole);
}

function quotedName(path: string): string | undefined {
  const quoted = /^args\[("(?:[^"\\]|\\.)*")\]$/.exec(path)?.[1];
  return quoted === undefined ? undefined : (JSON.parse(quoted) as string);
}

function holdsMark(value: Json): boolean {
  if (typeof value !== "object" || value === null) return value === secretMark;
  return Object.values(value).some(holdsMark);
}

/** A call that has no outcome may have happened. */
function resultOf(event: OutcomeEvent | undefined): SimulatedResult {
  switch (event?.outcome) {
    case "success":
      return "ok";
    case "tool_error":
    case "protocol_error":
    case "unsent":
      return event.outcome;
    default:
      return "unknown";
  }
}

function codeOf(event: OutcomeEvent | undefined): number | undefined {
  return event?.outcome === "protocol_error" ? event.code : undefined;
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
