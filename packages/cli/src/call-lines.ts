import type { OutcomeEvent } from "@holdpoint/core";
import { auditEventOf, callOf, sendOf } from "./audit-calls.ts";
import { readCall, type SimulatedCall } from "./simulated-call.ts";

/** What one line of a file of calls says. */
export interface CallLine {
  /** Counted from 1. */
  readonly number: number;
  readonly read:
    | { readonly call: SimulatedCall; readonly ignored: readonly string[] }
    /** The line is no call. */
    | { readonly problem: string }
    /** The line is the decision of an audit that does not hold the whole call. */
    | { readonly leftOut: string };
}

/**
 * The calls of a file: one a line, or the decisions of an audit. Calls are passed on as they come; an audit is read to its end first, since how a call
 * ended stands after its decision.
 */
export async function* callLines(lines: AsyncIterable<string>): AsyncGenerator<CallLine> {
  let number = 0;
  const audit: { readonly number: number; readonly line: string }[] = [];
  for await (const line of lines) {
    number += 1;
    if (line.trim() === "") continue;
    if (audit.length > 0 || auditEventOf(line) !== undefined) audit.push({ number, line });
    else yield { number, read: readCall(line) };
  }
  yield* auditLines(audit);
}

function* auditLines(lines: readonly { readonly number: number; readonly line: string }[]): Generator<CallLine> {
  const outcomes = new Map<string, OutcomeEvent>();
  for (const { line } of lines) {
    const event = auditEventOf(line);
    if (typeof event === "object" && event.type === "outcome") outcomes.set(sendOf(event), event);
  }
  for (const { number, line } of lines) {
    const event = auditEventOf(line);
    if (event === undefined) yield { number, read: { problem: "the line is no record of an audit" } };
    else if (event !== "note" && event.type === "decision") {
      const call = callOf(event, outcomes.get(sendOf(event)));
      yield { number, read: typeof call === "string" ? { leftOut: call } : { call, ignored: [] } };
    }
  }
}
