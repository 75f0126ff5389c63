import type { ToolDefinition } from "@holdpoint/core";
import type { SimulatedCall } from "../simulated-call.ts";
import { createSimulator } from "../simulator.ts";
import { type EffectivePolicy, type EffectiveRule, levels, reachesFurther } from "./effective-rules.ts";
import { anyOtherTool, type Scene, sceneOf } from "./scene.ts";
import { spaceOf } from "./states.ts";

/** What the analysis says of one rule that is not plainly alive. */
export interface DeadRule {
  readonly tool: string;
  readonly rule: string;
  /**
   * - `shadowed`: whenever it stops a call, other rules stop the call as well, at least as hard.
   * - `contradictory`: its conditions can never all be true, so that it acts only where a value is missing or cannot be compared.
   * - `blocking`: a requirement that no call can meet.
   * - `cannot tell`: it may be dead; the analysis does not see enough.
   */
  readonly state: "shadowed" | "contradictory" | "blocking" | "cannot tell";
  /** The rules that stop the same calls. */
  readonly by: readonly string[];
  readonly reason?: string | undefined;
}

/**
 * Rules that never make a difference, tool by tool. "Shadowed", "contradictory" and "blocking" hold for every call; a rule that is not named has a call
 * that only it stops, decided by the engine; all else is "cannot tell".
 */
export async function findDeadRules(policy: EffectivePolicy, tools?: readonly ToolDefinition[]): Promise<readonly DeadRule[]> {
  const found: DeadRule[] = [];
  const shared = new Map<string, string[]>();
  for (const name of [...policy.named, anyOtherTool]) {
    const { refused, rules } = policy.tool(name);
    if (refused !== undefined) continue;
    const scene = sceneOf(
      name,
      policy.named,
      tools?.find((tool) => tool.name === name),
    );
    // A rule that has been found dead shadows nothing: of two equal rules the first one stays.
    let living = rules;
    for (const rule of rules.toReversed()) {
      const state = await judge(
        rule,
        living.filter((other) => other !== rule),
        scene,
        policy,
      );
      if (state?.state === "shadowed") living = living.filter((other) => other !== rule);
      if (rule.id.includes("/all_tools/")) shared.set(rule.id, [...(shared.get(rule.id) ?? []), state?.state ?? "alive"]);
      else if (state) found.push({ tool: name, rule: rule.id, ...state });
    }
  }
  return [...found.reverse(), ...sharedFindings(shared)];
}

/** A rule of `all_tools` is dead where it is dead for every tool. */
function sharedFindings(states: ReadonlyMap<string, readonly string[]>): readonly DeadRule[] {
  return [...states].flatMap(([rule, seen]) => {
    const [first] = seen;
    if (first === undefined || first === "alive" || seen.some((state) => state !== first)) return [];
    return [{ tool: "*", rule, state: first as DeadRule["state"], by: [] }];
  });
}

async function judge(
  rule: EffectiveRule,
  others: readonly EffectiveRule[],
  scene: Scene,
  policy: EffectivePolicy,
): Promise<Omit<DeadRule, "tool" | "rule"> | undefined> {
  const atLeastAsHard = others.filter((other) => other.level <= rule.level);
  const stronger = atLeastAsHard.filter((other) => !reachesFurther(other, rule));
  const single = stronger.find((other) => shadows([other], rule, scene) === true);
  if (single) return { state: "shadowed", by: [single.id] };
  const together = stronger.length > 1 ? shadows(stronger, rule, scene) : false;
  if (together === true) return { state: "shadowed", by: stronger.map(({ id }) => id) };
  // A call needs the yes of every rule that asks: among those whose yes reaches further, this one keeps it back.
  if (stronger.length < atLeastAsHard.length && shadows(atLeastAsHard, rule, scene) === true) return undefined;
  const possible = canBeTrue(rule, scene);
  if (possible === false) return { state: rule.rule.section === "require" ? "blocking" : "contradictory", by: [] };
  if (await decidesAlone(rule, stronger, scene, policy)) return undefined;
  const reason =
    together === undefined || possible === undefined
      ? "it reads more values than can be gone through"
      : "it reads what the analysis does not see";
  return { state: "cannot tell", by: [], reason };
}

/** Whether the rules stop every call that the rule stops, at least as hard; `undefined` where that is too much to go through. */
function shadows(rules: readonly EffectiveRule[], rule: EffectiveRule, scene: Scene): boolean | undefined {
  const space = spaceOf(
    [rule, ...rules].map(({ formula }) => formula),
    scene,
  );
  if (!space) return undefined;
  for (const state of space.states()) {
    if (!rule.stops(state.truthOf(rule.formula))) continue;
    if (!rules.some((other) => other.stops(state.truthOf(other.formula)))) return false;
  }
  return true;
}

/** Whether a call can make all conditions true. */
function canBeTrue({ formula }: EffectiveRule, scene: Scene): boolean | undefined {
  const space = spaceOf([formula], scene);
  if (!space) return undefined;
  for (const state of space.states()) if (state.truthOf(formula) === true) return true;
  return false;
}

/** Whether the engine names the rule for some call that no stronger rule stops. */
async function decidesAlone(
  rule: EffectiveRule,
  stronger: readonly EffectiveRule[],
  scene: Scene,
  policy: EffectivePolicy,
): Promise<boolean> {
  const space = spaceOf(
    [rule, ...stronger].map(({ formula }) => formula),
    scene,
  );
  let tried = 0;
  for (const state of space?.states() ?? []) {
    if (!rule.stops(state.truthOf(rule.formula)) || stronger.some((other) => other.stops(state.truthOf(other.formula)))) continue;
    const values = state.values();
    const call = values && scene.callWith(values);
    if (!call) continue;
    if (await isStopped(call, rule, policy)) return true;
    tried += 1;
    if (tried >= mostTries) return false;
  }
  return false;
}

const mostTries = 50;

async function isStopped(call: SimulatedCall, rule: EffectiveRule, { source }: EffectivePolicy): Promise<boolean> {
  const verdict = await createSimulator({ policy: source })(call).catch(() => undefined);
  return verdict?.rule === rule.id && levels[verdict.outcome] === rule.level;
}
