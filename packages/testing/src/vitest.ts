import type { MergedPolicy, PolicyDocument } from "@holdpoint/core";
import { afterAll, expect } from "vitest";
import { type AuditLog, mentions, trailProblems } from "./audit-log.ts";
import { countAdmitted } from "./count-admitted.ts";
import { describeCall, describeVerdict } from "./describe-verdict.ts";
import type { Duration } from "./fake-clock.ts";
import { type CoverageReport, mergeCoverage, takeProcessCoverage } from "./policy-coverage.ts";
import { type PolicyTest, policyTest, type TestCall, type TestVerdict } from "./policy-test.ts";

/** What a denial or a hold is expected to say; what is left out may be anything. Patterns and asymmetric matchers fit, too. */
export interface ExpectedRefusal {
  /** The rule that is named. */
  readonly rule?: string | RegExp | undefined;
  /** What the model is told. */
  readonly message?: string | RegExp | undefined;
}

declare module "vitest" {
  interface Matchers<R extends void | Promise<void> = void | Promise<void>, T = unknown> {
    /** The policy, or the policy test, allows the call. Await it. A bare policy is tested from the beginning each time. */
    toAllow(call: TestCall): Promise<void>;
    /** It denies the call, by this rule and with this message. */
    toDeny(call: TestCall, expected?: ExpectedRefusal): Promise<void>;
    /** It holds the call for a person. */
    toHold(call: TestCall, expected?: ExpectedRefusal): Promise<void>;
    /** Of this call, made as often as it is let through, exactly `count` are admitted: now, or `within` a time that begins now. */
    toAdmitExactly(count: number, call: TestCall, options?: { readonly within?: Duration | undefined }): Promise<void>;
    /** The audit log holds an event with these fields. */
    toHaveRecorded(fields: { readonly [key: string]: unknown }): void;
    /** The audit log holds this value somewhere: negate it for secrets. */
    toMention(value: string | number | boolean): void;
    /** Every attempt of every call has one decision, and at most one outcome after it. */
    toHaveOneDecisionPerCall(): void;
  }
  interface TaskMeta {
    holdpointCoverage?: CoverageReport;
  }
}

expect.extend({
  async toAllow(received: unknown, call: TestCall) {
    const { isNot } = this;
    const verdict = await subject(received).decide(call);
    return { pass: verdict.outcome === "allow", message: () => explain(isNot ? "not to allow" : "to allow", verdict) };
  },
  async toDeny(received: unknown, call: TestCall, expected: ExpectedRefusal = {}) {
    return judge(this.isNot, "deny", await subject(received).decide(call), expected);
  },
  async toHold(received: unknown, call: TestCall, expected: ExpectedRefusal = {}) {
    return judge(this.isNot, "hold", await subject(received).decide(call), expected);
  },
  async toAdmitExactly(received: unknown, count: number, call: TestCall, options: { readonly within?: Duration | undefined } = {}) {
    const { isNot } = this;
    const test = subject(received);
    const admitted = await countAdmitted(test, call, { ...options, most: count + 1 });
    const time =
      options.within === undefined ? "" : ` within ${typeof options.within === "number" ? `${options.within} ms` : options.within}`;
    return {
      pass: admitted.count === count,
      message() {
        const more = admitted.count > count ? `at least ${admitted.count}` : String(admitted.count);
        const head = `expected the policy ${isNot ? "not " : ""}to admit exactly ${count} of this call${time}, and it admitted ${more}`;
        const times = admitted.times.length > 0 ? [`admitted  ${timesText(admitted.times)}`] : [];
        return [head, "", ...times, admitted.stopped ? describeVerdict(admitted.stopped) : `call      ${describeCall(call)}`].join("\n");
      },
    };
  },
  toHaveRecorded(received: unknown, fields: { readonly [key: string]: unknown }) {
    const { events } = received as AuditLog;
    const pass = events.some((event) => this.equals(event, expect.objectContaining(fields)));
    const recorded = events.map((event) => `  ${JSON.stringify(event)}`).join("\n");
    return {
      pass,
      message: () =>
        `expected the audit log ${this.isNot ? "not " : ""}to hold an event with ${this.utils.stringify(fields, undefined, { min: true })}\n\nrecorded:\n${recorded || "  nothing"}`,
    };
  },
  toMention(received: unknown, value: string | number | boolean) {
    const found = mentions((received as AuditLog).events, value);
    const events = found.map((event) => `  ${JSON.stringify(event)}`).join("\n");
    const message = () =>
      `expected the audit log ${this.isNot ? "not " : ""}to mention ${JSON.stringify(value)}${events && `\n\nit stands in:\n${events}`}`;
    return { pass: found.length > 0, message };
  },
  toHaveOneDecisionPerCall(received: unknown) {
    const problems = trailProblems((received as AuditLog).events);
    const message = () =>
      `expected one decision, and at most one outcome, for each attempt of each call${problems.map((problem) => `\n  ${problem}`).join("")}`;
    return { pass: problems.length === 0, message };
  },
});

// biome-ignore lint/correctness/noEmptyPattern: vitest insists on a pattern here, and the file is its second argument.
afterAll(({}, file) => {
  file.meta.holdpointCoverage = mergeCoverage([file.meta.holdpointCoverage ?? { policies: [] }, takeProcessCoverage()]);
});

function subject(received: unknown): PolicyTest {
  if (received !== null && typeof received === "object") {
    return "decide" in received && "clock" in received ? (received as PolicyTest) : policyTest(received as PolicyDocument | MergedPolicy);
  }
  throw new TypeError("expected a policy, or what `policyTest` makes of one");
}

function judge(isNot: boolean, wanted: "deny" | "hold", verdict: TestVerdict, expected: ExpectedRefusal) {
  const differing = (["rule", "message"] as const).filter((key) => expected[key] !== undefined && !fits(verdict[key], expected[key]));
  const isOutcome = verdict.outcome === wanted;
  return {
    pass: isOutcome && differing.length === 0,
    message() {
      if (isNot || !isOutcome) return explain(`${isNot ? "not to" : "to"} ${wanted}`, verdict);
      const lines = differing.map(
        (key) => `  ${key.padEnd(7)}  expected  ${shown(expected[key])}\n${" ".repeat(11)}was       ${shown(verdict[key])}`,
      );
      return [
        `the policy ${wanted === "deny" ? "denied" : "held"} this call, but not as expected`,
        ...lines,
        "",
        describeVerdict(verdict),
      ].join("\n");
    },
  };
}

function fits(actual: string, expected: unknown): boolean {
  if (expected instanceof RegExp) return expected.test(actual);
  if (typeof expected === "string") return actual === expected;
  const { asymmetricMatch } = expected as { asymmetricMatch?: (actual: unknown) => boolean };
  return asymmetricMatch?.call(expected, actual) ?? false;
}

function shown(text: unknown): string {
  return typeof text === "string" ? (text === "" ? "(nothing)" : text) : String(text);
}

const pastTense = { allow: "allowed", deny: "denied", hold: "held" } as const;

function explain(expected: string, verdict: TestVerdict): string {
  return [`expected the policy ${expected} this call, and it ${pastTense[verdict.outcome]} it`, "", describeVerdict(verdict)].join("\n");
}

/** `3 at 2026-01-05T00:00:00.000Z, 1 at …`. */
function timesText(times: readonly number[]): string {
  const counted = new Map<number, number>();
  for (const time of times) counted.set(time, (counted.get(time) ?? 0) + 1);
  return [...counted].map(([time, count]) => `${count} at ${new Date(time).toISOString()}`).join(", ");
}
