import { canonicalJson, type Json } from "@holdpoint/core";
import type { Change, Widening } from "./change.ts";
import { type EffectivePolicy, type Limit, levels, levelUnder } from "./effective-rules.ts";
import { anyOtherTool } from "./scene.ts";
import { spaceOf } from "./states.ts";

/**
 * What the limits of a tool let through that they did not. A limit that is counted alike, by the same tools at least, and is no larger, lets through
 * no more; for any other a run of equal calls is looked for that gets further after than before.
 */
export async function compareLimits(before: EffectivePolicy, after: EffectivePolicy, change: Change): Promise<readonly Widening[]> {
  const { scene, witnesses } = change;
  if (change.before.refused !== undefined) return [];
  const findings: Widening[] = [];
  for (const limit of change.before.limits) {
    const matching = change.after.limits.filter((other) => countsAlike(limit, other));
    const fitting = matching.filter((other) => isNoLooser(limit, other));
    if (fitting.length > 0 && chargesAsMany(before, limit, after)) continue;
    const call = sampleCall(change);
    const witness = call && limit.window.kind !== "concurrent" ? await witnesses.of(call, mostRepeats) : undefined;
    findings.push({
      tool: scene.tool,
      cause: limit.id,
      ...(witness
        ? { answer: "widened", witness }
        : {
            answer: "cannot tell",
            reason:
              fitting.length > 0
                ? "other tools may no longer fill the counter as they did, and no run of equal calls shows it"
                : "the limit differs, and no run of equal calls shows it",
          }),
    });
  }
  return findings;
}

/** Calls made in a row to fill a counter. */
const mostRepeats = 1_000;

const counts = ["sent", "answered", "protocol", "success"];

/** Whether both count the same calls by the same amount, for the same callers, in the same window. */
function countsAlike(one: Limit, other: Limit): boolean {
  return textOf(one) === textOf(other);
}

function textOf({ limit, window }: Limit): string {
  const scope = [limit.scope ?? "grant"].flat().toSorted();
  const { increment = 1, increment_from, unit, across, counter } = limit;
  const text = { scope, window, increment: String(increment), increment_from, unit, across, counter };
  return canonicalJson(JSON.parse(JSON.stringify(text)) as Json);
}

function isNoLooser(before: Limit, after: Limit): boolean {
  return after.max <= before.max && counts.indexOf(after.count) <= counts.indexOf(before.count);
}

/**
 * Whether every tool that fills the counter before, and can be called after, fills it after by the same amount. What only observes charges a call or does
 * not, as the other rules that observe see it: before it counts, after it is not relied upon.
 */
function chargesAsMany(before: EffectivePolicy, { limit: { counter } }: Limit, after: EffectivePolicy): boolean {
  const tools = new Set([...before.named, ...after.named, anyOtherTool]);
  return [...tools].every((name) => {
    const [then, now] = [before.tool(name), after.tool(name)];
    if (then.refused !== undefined || now.refused !== undefined) return true;
    const charges = [...then.limits, ...then.observedLimits].filter((each) => each.limit.counter === counter);
    return charges.every((each) =>
      now.limits.some((next) => countsAlike(each, next) && counts.indexOf(next.count) <= counts.indexOf(each.count)),
    );
  });
}

/** A call that no rule stops before or after, made by a caller of whom everything is known that limits are counted by. */
function sampleCall({ scene, before, after }: Change) {
  const rules = [...before.rules, ...after.rules];
  const space = spaceOf(
    rules.map(({ formula }) => formula),
    scene,
  );
  const context = { user: "ann", tenant: "acme", agent: "agent", session: "s1", run: "r1" };
  for (const state of space?.states() ?? []) {
    const values = levelUnder(rules, state) === levels.allow ? state.values() : undefined;
    const call = values && scene.callWith(values);
    if (call) return { ...call, context: { ...context, ...call.context } };
  }
  return undefined;
}
