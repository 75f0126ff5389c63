import { parseDuration } from "../limits/window.ts";
import type { ApprovalKeys, Condition, Entry, Limit, RuleLists } from "../policy/policy-schema.ts";
import { type Cursor, type Fields, largestNumber, readFields, readList, readText, readWholeNumber, readWord, shown } from "./cursor.ts";
import type { ImportLog } from "./import-log.ts";
import { argumentPath, comparison, type ReferenceCondition, readCondition } from "./reference-condition.ts";

/** What the rules of one tool become. */
export type RuleParts = { [Section in keyof RuleLists]-?: NonNullable<RuleLists[Section]>[number][] };

export interface RuleContext {
  /** The tool's name, or `_global` for the rules of `"*"`: what Intercept keys the counters of these rules by. */
  readonly owner: string;
  /** Where each counter met so far was declared. */
  readonly counters: Map<string, string>;
  readonly log: ImportLog;
}

const keys = ["name", "action", "conditions", "on_deny", "reason", "rate_limit", "state", "approval_timeout"] as const;

interface Rule {
  readonly at: Cursor;
  readonly fields: Fields<(typeof keys)[number]>;
  readonly name: string | undefined;
  /** Intercept's `on_deny`, or the `reason` of the tool pages. */
  readonly onDeny: string | undefined;
  /** Those that could be read; `hasConditions` counts the others as well. */
  readonly conditions: readonly ReferenceCondition[];
  readonly hasConditions: boolean;
}

/**
 * Reads one rule and adds what it says to `parts`. Intercept asks every rule of a tool, and each can only refuse, so that their order does not matter to
 * the verdict: an `evaluate` rule becomes `require` and, where it counts, a limit; `deny` becomes `deny_if`; `require_approval` becomes itself.
 */
export function readRule(at: Cursor, parts: RuleParts, context: RuleContext): void {
  const { log } = context;
  const fields = readFields(at, keys, log);
  if (!fields) return;
  const action = fields.action ? readWord(fields.action, ["evaluate", "allow", "deny", "require_approval"], log) : "evaluate";
  if (fields.reason && fields.on_deny) log.issue(fields.reason.pointer, "the rule has both `reason` and `on_deny`", "keep one of the two");
  const conditions = readList(fields.conditions, log);
  const rule: Rule = {
    at,
    fields,
    name: readText(fields.name, log),
    onDeny: readText(fields.on_deny, log) ?? readText(fields.reason, log),
    conditions: conditions.flatMap((condition) => readCondition(condition, log) ?? []),
    hasConditions: conditions.length > 0,
  };
  if (action === "deny") addDenial(rule, parts, log);
  else if (action === "require_approval") addApproval(rule, parts, log);
  else if (action !== undefined) addEvaluation(rule, action, parts, context);
}

function addDenial(rule: Rule, parts: RuleParts, log: ImportLog): void {
  forbid(rule, ["rate_limit", "state", "approval_timeout"], "a `deny` rule", log);
  if (rule.hasConditions) {
    log.issue(
      rule.at.pointer,
      "a `deny` rule denies every call and has no conditions",
      "remove them, or use `evaluate` with the conditions that a call must meet",
    );
  }
  parts.deny_if.push({ conditions: [], ...named(rule, denied(rule)) });
}

/**
 * Conditions say when a person is asked. No source says what Intercept does when they cannot be judged, so these are Holdpoint's own: a missing path or a
 * type that the operator does not compare asks too.
 */
function addApproval(rule: Rule, parts: RuleParts, log: ImportLog): void {
  forbid(rule, ["rate_limit", "state"], "a `require_approval` rule", log);
  const conditions = rule.conditions.flatMap((condition) => approvalCondition(condition, log) ?? []);
  const timeout = readTimeout(rule.fields.approval_timeout, log);
  if (rule.hasConditions)
    log.note(
      rule.at.pointer,
      "a call whose argument is missing or of another type waits for a person as well: no source says that it passes",
    );
  const entry: Entry<ApprovalKeys> = {
    conditions,
    ...named(rule, rule.onDeny),
    ...(rule.onDeny !== undefined && { reason: rule.onDeny }),
    ...(timeout !== undefined && { timeout }),
  };
  parts.require_approval.push(entry);
}

function approvalCondition(condition: ReferenceCondition, log: ImportLog): Condition | undefined {
  const path = conditionPath(condition, log);
  if (path === undefined) return undefined;
  const strict = comparison(condition, path);
  const types = new Set(Array.isArray(condition.value) ? condition.value.map((value) => typeof value) : []);
  // In a list of several types `5` differs from `"5"` for Holdpoint; Intercept, which compares text, would ask.
  return condition.op === "in" && types.size > 1 ? { any: [strict, comparison(condition, path, "intercept")] } : strict;
}

function addEvaluation(rule: Rule, action: "evaluate" | "allow", parts: RuleParts, context: RuleContext): void {
  const { fields, conditions, hasConditions, at } = rule;
  const { log } = context;
  forbid(rule, ["approval_timeout"], `an \`${action}\` rule`, log);
  if (fields.rate_limit) {
    forbid(rule, ["conditions", "state"], "a rule with `rate_limit`", log);
    const limit = readRateLimit(fields.rate_limit, rule, context);
    if (limit) parts.limits.push(limit);
    return;
  }
  if (action === "allow" && !hasConditions && !fields.state) return;
  if (!hasConditions) log.issue(at.pointer, "evaluate rules must have at least one condition", "add a condition, or remove the rule");
  if (action === "allow") log.note(at.pointer, "`allow` with conditions is read as `evaluate`: a call that does not meet them is denied");

  const state = fields.state && readState(fields.state, rule, context);
  const ofArguments = conditions.filter((condition) => !condition.path.startsWith("state."));
  const required = ofArguments.flatMap((condition) => {
    const path = conditionPath(condition, log);
    return path === undefined ? [] : comparison(condition, path, "intercept");
  });
  if (required.length > 0) parts.require.push({ conditions: required, ...named(rule, denied(rule)) });
  addState(rule, state, parts, context);
}

interface State {
  readonly counter: string;
  readonly window: "minute" | "hour" | "day";
  readonly increment: number;
  readonly incrementFrom: string | undefined;
}

function readState(at: Cursor, { name }: Rule, { owner, counters, log }: RuleContext): State | undefined {
  const fields = readFields(at, ["counter", "window", "increment", "increment_from"], log);
  if (!fields) return undefined;
  if (!fields.counter?.value) log.issue(at.pointer, `the state of rule \`${name ?? ""}\` has no \`counter\``, "name the counter");
  if (!fields.window) log.issue(at.pointer, "the state has no `window`", "write `minute`, `hour` or `day`");
  if (fields.increment && fields.increment_from)
    log.issue(fields.increment.pointer, "the state has both `increment` and `increment_from`", "keep one of the two");
  const counter = readText(fields.counter, log);
  const window = readWord(fields.window, ["minute", "hour", "day"], log);
  const increment = readWholeNumber(fields.increment, 1, log) ?? 1;
  const from = readText(fields.increment_from, log);
  const incrementFrom = from === undefined ? undefined : argumentPath(from, fields.increment_from?.pointer ?? at.pointer, log)?.path;
  if (counter === undefined || window === undefined) return undefined;
  declare(`${owner}.${counter}`, at, counters, log);
  return { counter, window, increment, incrementFrom };
}

/** Intercept's limit is not in `state`: it is what the rule's own `lt` or `lte` condition allows on the rule's own counter. */
function addState(rule: Rule, state: State | undefined, parts: RuleParts, { owner, log }: RuleContext): void {
  const key = state && `${owner}.${state.counter}`;
  const readings = rule.conditions.filter((condition) => condition.path.startsWith("state."));
  const bounds = readings.flatMap((reading) => boundOf(reading, key, log) ?? []);
  if (!state || key === undefined) return;
  if (state.incrementFrom !== undefined) {
    // Intercept refuses a missing amount and one that is no number. That it adds a negative one is a defect, which this refuses too.
    parts.require.push({ path: state.incrementFrom, op: "gte", value: 0, compare: "intercept", on_deny: "Internal policy error" });
  }
  if (bounds.length === 0) {
    if (readings.length === 0) log.note(rule.at.pointer, `nothing limits the counter \`${key}\`: it is left out`);
    return;
  }
  const onDeny = rule.onDeny ?? (rule.name === undefined ? undefined : `Rate limit exceeded for ${rule.name}`);
  const lowest = Math.min(...bounds);
  if (lowest < 0) {
    log.note(rule.at.pointer, `the counter \`${key}\` may never be that low: every call is denied`);
    parts.deny_if.push({ conditions: [], ...named(rule, onDeny) });
    return;
  }
  const exceeds = state.incrementFrom === undefined && state.increment > lowest;
  if (exceeds) log.note(rule.at.pointer, `one call counts ${state.increment}, more than the limit: every call is denied`);
  if (lowest > largestNumber) log.note(rule.at.pointer, "the limit is lowered to 9,000,000,000, the most that a counter can hold");
  const amount =
    state.incrementFrom === undefined
      ? state.increment !== 1 && { increment: state.increment }
      : { increment_from: state.incrementFrom, unit: "none" as const };
  parts.limits.push({
    counter: key,
    window: state.window,
    max: exceeds ? 0 : Math.min(Math.floor(lowest), largestNumber),
    scope: "global",
    ...amount,
    count: "protocol",
    ...named(rule, onDeny),
  });
}

/** Amounts are whole in Intercept, so that below N means at most N - 1. */
function boundOf({ path, op, value, pointer }: ReferenceCondition, key: string | undefined, log: ImportLog): number | undefined {
  if (path !== `state.${key}`) {
    log.issue(
      `${pointer}/path`,
      `\`${path}\` is not the counter that this rule counts, and Holdpoint has no condition on a counter`,
      "let the rule that counts it set the limit",
    );
    return undefined;
  }
  if (op !== "lt" && op !== "lte") {
    log.issue(`${pointer}/op`, `\`${op}\` on a counter has no counterpart: a counter has an upper limit`, "use `lt` or `lte`");
    return undefined;
  }
  return op === "lt" ? (value as number) - 1 : (value as number);
}

const windowSeconds: Readonly<Record<number, "minute" | "hour" | "day">> = { 60: "minute", 3600: "hour", 86400: "day" };

/** `"30/minute"` of the repository, or `{ max: 30, window: 60 }` of the tool pages, whose window is in seconds. */
function readRateLimit(at: Cursor, rule: Rule, { owner, counters, log }: RuleContext): Limit | undefined {
  const parsed = typeof at.value === "object" ? readPagesRateLimit(at, log) : readRateText(at, log);
  if (!parsed) return undefined;
  const { max, window } = parsed;
  const counter = `${owner}._rate_${typeof window === "number" ? `${window}s` : window}`;
  declare(counter, at, counters, log);
  const spoken = typeof window === "number" ? `${window} seconds` : window;
  return {
    counter,
    window,
    max,
    scope: "global",
    count: "protocol",
    ...named(rule, rule.onDeny ?? `Rate limit of ${max} per ${spoken} reached. Try again later.`),
  };
}

function readRateText(at: Cursor, log: ImportLog): (Pick<Limit, "window"> & { max: number }) | undefined {
  const [, count, window] = /^([0-9]+)\/(minute|hour|day)$/.exec(shown(at.value)) ?? [];
  const max = Number(count);
  if (count !== undefined && max >= 1 && max <= largestNumber) return { max, window: window as "minute" | "hour" | "day" };
  log.issue(at.pointer, `\`${shown(at.value)}\` is no rate`, "write a count and a window, such as `30/minute`, `30/hour` or `30/day`");
  return undefined;
}

function readPagesRateLimit(at: Cursor, log: ImportLog): (Pick<Limit, "window"> & { max: number }) | undefined {
  const fields = readFields(at, ["max", "window"], log);
  if (!fields) return undefined;
  for (const key of ["max", "window"] as const)
    if (fields[key] === undefined) log.issue(at.pointer, `the rate limit has no \`${key}\``, `add \`${key}\``);
  const max = readWholeNumber(fields.max, 1, log);
  const seconds = readWholeNumber(fields.window, 1, log);
  if (max === undefined || seconds === undefined) return undefined;
  log.note(at.pointer, "read as one count for all callers, in windows that the clock starts (UTC): no source says more of this form");
  return { max, window: windowSeconds[seconds] ?? seconds };
}

function conditionPath({ path, pointer }: ReferenceCondition, log: ImportLog): string | undefined {
  if (!path.startsWith("args.") && !path.startsWith("state.")) {
    log.issue(`${pointer}/path`, `path must start with "args." or "state.", got "${path}"`, "start it at `args.`");
    return undefined;
  }
  if (path.startsWith("state.")) {
    log.issue(
      `${pointer}/path`,
      "a counter cannot decide when a person is asked",
      "compare an argument, or set a limit in a rule of its own",
    );
    return undefined;
  }
  const found = argumentPath(path, `${pointer}/path`, log);
  if (found?.odd) log.note(`${pointer}/path`, `Intercept has no lists or quotes in a path: \`${path}\` reads a field of exactly that name`);
  return found?.path;
}

/** Two rules of one tool cannot count one counter in Intercept; names that meet by accident would share their count. */
function declare(counter: string, at: Cursor, counters: Map<string, string>, log: ImportLog): void {
  const former = counters.get(counter);
  if (former !== undefined)
    log.issue(
      at.pointer,
      `the counter \`${counter}\` is already counted at ${former}`,
      "keep one of the two, or name this one differently",
    );
  counters.set(counter, at.pointer);
}

function forbid({ fields }: Rule, forbidden: readonly (typeof keys)[number][], where: string, log: ImportLog): void {
  for (const key of forbidden) {
    const field = fields[key];
    if (field) log.issue(field.pointer, `${where} cannot have \`${key}\``, "move it to a rule of its own, or remove it", "key");
  }
}

function denied({ onDeny, name }: Rule): string | undefined {
  return onDeny ?? (name === undefined ? undefined : `Denied by rule "${name}"`);
}

function named({ name }: Rule, onDeny: string | undefined): { name?: string; on_deny?: string } {
  return { ...(name !== undefined && { name }), ...(onDeny !== undefined && { on_deny: onDeny }) };
}

const goUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A Go duration such as `30m` or `1h30m`, in the largest unit that holds it whole. */
function readTimeout(at: Cursor | undefined, log: ImportLog): string | undefined {
  if (at === undefined) return undefined;
  const text = shown(at.value);
  const parts = /^(?:[0-9]+(?:ms|s|m|h))+$/.test(text) ? [...text.matchAll(/([0-9]+)(ms|s|m|h)/g)] : [];
  const ms = parts.reduce((sum, [, count, unit]) => sum + Number(count) * (goUnits[unit ?? ""] ?? 0), 0);
  const unit = (["h", "m", "s", "ms"] as const).find((name) => ms % (goUnits[name] as number) === 0) ?? "ms";
  const timeout = `${ms / (goUnits[unit] as number)}${unit}`;
  try {
    parseDuration(timeout);
    return timeout;
  } catch {
    log.issue(at.pointer, `\`${shown(at.value)}\` is no duration`, "write whole numbers with units, such as `30m` or `1h30m`");
    return undefined;
  }
}
