import type { ToolDefinition } from "@holdpoint/core";
import type { Change, Widening } from "./change.ts";
import { compareLimits } from "./compare-limits.ts";
import { type EffectivePolicy, type EffectiveRule, type EffectiveTool, levels, levelUnder, reachesFurther } from "./effective-rules.ts";
import { anyOtherTool, type Scene, sceneOf } from "./scene.ts";
import { type Space, type State, spaceOf } from "./states.ts";
import { createWitnesses } from "./witness.ts";

export interface Comparison {
  readonly answer: "widened" | "not" | "cannot tell";
  readonly findings: readonly Widening[];
}

/**
 * What `after` lets through that `before` did not: it goes through everything that stops a call before, and looks for a call that gets further after.
 *
 * Sound in both directions: "widened" carries a witness that both engines have decided; "not" means that every way in which a call can look to the rules
 * was gone through, and in none of them does it get further. What the analysis does not see (predicates, lists, what servers claim), and what is too much
 * to go through, is "cannot tell".
 */
export async function comparePolicies(
  before: EffectivePolicy,
  after: EffectivePolicy,
  tools?: readonly ToolDefinition[],
): Promise<Comparison> {
  const findings: Widening[] = [];
  const witnesses = createWitnesses(before.source, after.source, tools);
  const named = new Set([...before.named, ...after.named]);
  for (const name of [...named, anyOtherTool]) {
    const change: Change = {
      scene: sceneOf(
        name,
        named,
        tools?.find((tool) => tool.name === name),
      ),
      before: before.tool(name),
      after: after.tool(name),
      witnesses,
    };
    if (change.after.refused !== undefined) continue;
    findings.push(...(await compareTool(change)), ...(await compareLimits(before, after, change)));
  }
  const answers = findings.map(({ answer }) => answer);
  return { answer: answers.includes("widened") ? "widened" : answers.includes("cannot tell") ? "cannot tell" : "not", findings };
}

async function compareTool(change: Change): Promise<readonly Widening[]> {
  const { scene, before, after } = change;
  if (before.refused !== undefined) return [...(await widenings(before.refused, undefined, change))];
  const kept = new Set(after.rules.map(({ text }) => text));
  const findings: Widening[] = [];
  for (const rule of before.rules) if (!kept.has(rule.text)) findings.push(...(await widenings(rule.id, rule, change)));
  const doubt = (cause: string, reason: string) => findings.push({ tool: scene.tool, cause, answer: "cannot tell", reason });
  if (before.schemas.some((schema) => !after.schemas.includes(schema))) doubt("arguments", "the schema of `arguments` differs");
  if (after.ignoresInputSchema && !before.ignoresInputSchema) doubt("(inputSchema)", "the server's schema is no longer looked at");
  if (before.readsClaims && !after.readsClaims) doubt("(definition unknown)", "the tool's definition need no longer be known");
  for (const reach of widerYeses(before, after)) doubt(reach, furtherYes);
  return findings;
}

/** Looks for a call that the cause stops before, and that gets further after. */
async function widenings(
  cause: string,
  rule: EffectiveRule | undefined,
  { scene, after, witnesses }: Change,
): Promise<readonly Widening[]> {
  const { space, rules } = spaceWith(rule, after.rules, scene);
  const finding = (rest: Omit<Widening, "tool" | "cause">): readonly Widening[] => [{ tool: scene.tool, cause, ...rest }];
  if (!space) return finding({ answer: "cannot tell", reason: "the rule reads more values than can be gone through" });
  const level = rule?.level ?? levels.deny;
  let found = false;
  let reaches = false;
  let tried = 0;
  for (const state of space.states()) {
    if (rule && !rule.stops(state.truthOf(rule.formula))) continue;
    const further = levelUnder(rules, state);
    if (further <= level) {
      reaches ||= rule !== undefined && further === levels.hold && yesReachesFurther(rule, rules, state);
      continue;
    }
    found = true;
    const values = tried < mostTries ? state.values() : undefined;
    const call = values && scene.callWith(values);
    if (!call) continue;
    tried += 1;
    const witness = await witnesses.of(call);
    if (witness) return finding({ answer: "widened", witness });
  }
  if (found) return finding({ answer: "cannot tell", reason: "the rules differ in what the analysis does not see" });
  return reaches ? finding({ answer: "cannot tell", reason: furtherYes }) : [];
}

const furtherYes = "a person's yes may reach further, or be given later";

/** Whether each rule that holds the call has a yes that reaches further than the one which held it before. */
function yesReachesFurther(before: EffectiveRule, after: readonly EffectiveRule[], state: State): boolean {
  return after.every((rule) => rule.level !== levels.hold || !rule.stops(state.truthOf(rule.formula)) || reachesFurther(rule, before));
}

/** Calls tried as a witness for one cause. */
const mostTries = 200;

/**
 * The ways in which a call can look to the rule and to as many of the others as can be gone through. To leave one of the others out makes calls get
 * further than they do, which costs answers and never makes one wrong.
 */
function spaceWith(
  rule: EffectiveRule | undefined,
  others: readonly EffectiveRule[],
  scene: Scene,
): { readonly space: Space | undefined; readonly rules: readonly EffectiveRule[] } {
  let rules: EffectiveRule[] = [];
  const formulas = () => [...(rule ? [rule.formula] : []), ...rules.map(({ formula }) => formula)];
  let space = spaceOf(formulas(), scene);
  for (const other of others) {
    if (space === undefined) break;
    rules.push(other);
    const wider = spaceOf(formulas(), scene);
    if (wider) space = wider;
    else rules = rules.slice(0, -1);
  }
  return { space, rules };
}

/** Approval rules that ask for the same calls as before, and whose yes reaches further or may come later. */
function widerYeses(before: EffectiveTool, after: EffectiveTool): readonly string[] {
  return before.rules
    .filter((rule) => after.rules.some((other) => other.text === rule.text))
    .filter((rule) => after.rules.every((other) => other.text !== rule.text || reachesFurther(other, rule)))
    .map(({ id }) => id);
}
