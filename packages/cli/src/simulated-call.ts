import { type Identity, repeatedKeys, takeSnapshot } from "@holdpoint/core";
import { saidTwice } from "./json-file.ts";

const results = ["ok", "tool_error", "protocol_error", "unknown", "unsent"] as const;

/** How the upstream answered a call that was let through; `unsent` where it provably did not leave. */
export type SimulatedResult = (typeof results)[number];

/** One call of a file that `holdpoint simulate` reads. */
export interface SimulatedCall {
  /** Milliseconds since the epoch; absent where time stands still. */
  readonly at?: number | undefined;
  readonly server?: string | undefined;
  readonly tool: string;
  /** As it was written: whether it may be sent is the guard's to judge. */
  readonly args: unknown;
  readonly context: Identity;
  readonly result: SimulatedResult;
  /** The JSON-RPC code of a `protocol_error`. */
  readonly code?: number | undefined;
}

const keys: readonly string[] = ["at", "server", "tool", "args", "context", "result", "code"];

/** Reads one line. `problem` says why it is no call; `ignored` names keys that mean nothing here. */
export function readCall(
  line: string,
): { readonly call: SimulatedCall; readonly ignored: readonly string[] } | { readonly problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { problem: "the line is not JSON" };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return { problem: "the line is no JSON object" };
  const [repeated] = repeatedKeys(line);
  if (repeated) return { problem: saidTwice(repeated) };
  return callOf(value as Fields);
}

type Fields = { readonly [key: string]: unknown };

function callOf(fields: Fields): ReturnType<typeof readCall> {
  const { at, server, tool, args = {}, context = {}, result = "ok", code } = fields;
  if (typeof tool !== "string") return { problem: tool === undefined ? "`tool` is missing" : "`tool` is no text" };
  if (server !== undefined && typeof server !== "string") return { problem: "`server` is no text" };
  const time = at === undefined ? undefined : readTime(at);
  if (Number.isNaN(time)) return { problem: "`at` is no ISO 8601 time, such as `2026-01-31T09:30:00Z`" };
  const fault = contextFault(context);
  if (fault !== undefined) return { problem: fault };
  if (!results.includes(result as SimulatedResult))
    return { problem: `\`result\` is none of ${results.map((each) => `\`${each}\``).join(", ")}` };
  if (code !== undefined && !Number.isSafeInteger(code)) return { problem: "`code` is no whole number" };
  if (code !== undefined && result !== "protocol_error") return { problem: "`code` belongs to the result `protocol_error`" };
  return {
    call: {
      at: time,
      server,
      tool,
      args,
      context: context as Identity,
      result: result as SimulatedResult,
      code: code as number | undefined,
    },
    ignored: Object.keys(fields).filter((key) => !keys.includes(key)),
  };
}

const isoTime = /^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)([Zz]|[+-]\d{2}(?::?\d{2})?)?)?$/;

/**
 * Milliseconds since the epoch of an ISO 8601 time; `NaN` where it is none. Without an offset it is UTC: the time zone of the machine must not
 * decide a verdict.
 */
export function readTime(text: unknown): number {
  const [, date, time = "00:00", zone = "Z"] = (typeof text === "string" && isoTime.exec(text)) || [];
  if (date === undefined) return Number.NaN;
  // `Date` would roll the 31st of a shorter month over into the next.
  if (new Date(`${date}T00:00:00Z`).getUTCDate() !== Number(date.slice(8))) return Number.NaN;
  const offset = /^[+-]/.test(zone) ? zone.replace(/^(.\d{2}):?(\d{2})?$/, (_, hours, minutes) => `${hours}:${minutes ?? "00"}`) : "Z";
  return Date.parse(`${date}T${time.replace(",", ".")}${offset}`);
}

const identityKeys = ["grant", "session", "run", "user", "tenant", "agent"];

function contextFault(context: unknown): string | undefined {
  if (typeof context !== "object" || context === null || Array.isArray(context)) return "`context` is no object";
  const snapshot = takeSnapshot(context);
  if (!snapshot.ok) return `\`context${snapshot.pointer}\`: ${snapshot.problem}`;
  const wrong = identityKeys.find((key) => {
    const value = Object.getOwnPropertyDescriptor(context, key)?.value;
    return value !== undefined && (typeof value !== "string" || value === "");
  });
  return wrong === undefined ? undefined : `\`context.${wrong}\` must be text that is not empty`;
}
