import type { CompiledPolicy, MergedPolicy, PolicyDocument } from "@holdpoint/core";
import { compilePolicy } from "@holdpoint/core";
import { type Atom, type Formula, formulaOf, type Rule, type Truth } from "./atoms.ts";
import type { State } from "./states.ts";

type CompiledTool = CompiledPolicy["layers"][number]["others"];
type Approval = CompiledTool["approvals"][number];
export type Limit = CompiledTool["limits"][number];

/** How far a call gets: 0 denied, 1 held for a person, 2 let through. */
export type Level = 0 | 1 | 2;
export const levels = { deny: 0, hold: 1, allow: 2 } as const;

/** A rule that is enforced, as a formula. */
export interface EffectiveRule {
  readonly id: string;
  readonly rule: Rule;
  readonly formula: Formula;
  /** Two rules with one text stop the same calls. */
  readonly text: string;
  /** How far a call gets that it stops. */
  readonly level: 0 | 1;
  /** Whether a call for which the formula has this truth is stopped. */
  readonly stops: (truth: Truth) => boolean;
  /** How far a yes to it reaches; absent where nobody is asked. */
  readonly reach: Pick<Approval, "timeoutMs" | "widen"> | undefined;
}

/** What a policy does to one tool, over all of its layers. */
export interface EffectiveTool {
  /** Why no call to it passes: `(hidden)` or `(default deny)`. */
  readonly refused: string | undefined;
  readonly rules: readonly EffectiveRule[];
  readonly limits: readonly Limit[];
  /** Limits that stop nothing, and charge their counter where no limit of the tool that is enforced does. */
  readonly observedLimits: readonly Limit[];
  readonly readsClaims: boolean;
  readonly ignoresInputSchema: boolean;
  /** The `arguments` of each layer, one text for each. */
  readonly schemas: readonly string[];
}

/** A policy as the analysis reads it. */
export interface EffectivePolicy {
  readonly source: PolicyDocument | MergedPolicy;
  readonly named: ReadonlySet<string>;
  tool(name: string): EffectiveTool;
}

export function effectivePolicy(source: PolicyDocument | MergedPolicy): EffectivePolicy {
  const policy = compilePolicy(source);
  const documents = "layers" in source ? source.layers : [source];
  return {
    source,
    named: new Set(policy.tools.keys()),
    tool(name) {
      const tools = policy.tools.get(name) ?? policy.others;
      return {
        refused: refusal(tools),
        rules: tools
          .flatMap(({ require, denyIf, approvals }) => [...require, ...denyIf, ...approvals])
          .filter(({ observe }) => !observe)
          .map(effective),
        limits: tools.flatMap(({ limits }) => limits).filter(({ observe }) => !observe),
        observedLimits: tools.flatMap(({ limits }) => limits).filter(({ observe }) => observe),
        readsClaims: tools.some((tool) => tool.readsClaims),
        ignoresInputSchema: tools.every((tool) => tool.ignoresInputSchema),
        schemas: documents.flatMap(({ tools: rules = {} }) => (Object.hasOwn(rules, name) ? textOfSchema(rules[name]?.arguments) : [])),
      };
    },
  };
}

function refusal(tools: readonly CompiledTool[]): string | undefined {
  if (tools.some(({ hidden }) => hidden)) return "(hidden)";
  return tools.every(({ admitted }) => admitted) ? undefined : "(default deny)";
}

function effective(rule: Rule | Approval): EffectiveRule {
  const formula = formulaOf(rule);
  const level = rule.section === "require_approval" ? levels.hold : levels.deny;
  return {
    id: rule.id,
    rule,
    formula,
    text: `${rule.section} ${JSON.stringify(formula, (key, value) => (key === "atom" ? (value as Atom).key : value))}`,
    level,
    stops: rule.section === "require" ? (truth) => truth !== true : (truth) => truth !== false,
    reach: "timeoutMs" in rule ? rule : undefined,
  };
}

/** How far a call gets that looks like this. */
export function levelUnder(rules: readonly EffectiveRule[], state: State): Level {
  let level: Level = levels.allow;
  for (const rule of rules) if (rule.level < level && rule.stops(state.truthOf(rule.formula))) level = rule.level;
  return level;
}

/** Whether a yes to the one may be given later, or cover more calls, than a yes to the other. A call needs the yes of every rule that asks. */
export function reachesFurther({ reach: one }: EffectiveRule, { reach: other }: EffectiveRule): boolean {
  if (!one || !other) return false;
  if (one.timeoutMs > other.timeoutMs) return true;
  if (!one.widen) return false;
  const { widen: offered } = other;
  if (!offered || one.widen.forMs > offered.forMs || one.widen.uses > offered.uses) return true;
  return one.widen.to === "matching" && offered.to === "session";
}

/** A Standard Schema is code, and like no other. */
function textOfSchema(schema: unknown): readonly string[] {
  if (schema === undefined || schema === true) return [];
  const isCode = typeof schema === "function" || (typeof schema === "object" && schema !== null && "~standard" in schema);
  return [isCode ? `(schema of ${crypto.randomUUID()})` : JSON.stringify(schema)];
}
