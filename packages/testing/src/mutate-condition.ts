import type { Condition, Entry, Operator } from "@holdpoint/core";

type Place = readonly (string | number)[];

/** A change at one place. `undefined` takes what is there away. */
export interface Mutation {
  readonly at: Place;
  readonly description: string;
  readonly change: (value: unknown) => unknown;
}

/** The mistakes that can be made in the conditions of one entry, which stands at `at`. */
export function conditionMutations(entry: Entry, at: Place): readonly Mutation[] {
  if (!("conditions" in entry)) return inCondition(entry, at);
  return inList(entry.conditions, [...at, "conditions"]);
}

function inList(conditions: readonly Condition[], at: Place): readonly Mutation[] {
  return conditions.flatMap((condition, index) => [
    ...(conditions.length > 1 ? [dropped(at, index, "the condition")] : []),
    ...inCondition(condition, [...at, index]),
  ]);
}

function inCondition(condition: Condition, at: Place): readonly Mutation[] {
  if ("any" in condition) return [renamed(at, "any", "all"), ...inList(condition.any, [...at, "any"])];
  if ("all" in condition) return [renamed(at, "all", "any"), ...inList(condition.all, [...at, "all"])];
  if ("not" in condition) return [unwrapped(at, condition.not), ...inCondition(condition.not, [...at, "not"])];
  if ("each" in condition) return inList(condition.each.conditions, [...at, "each", "conditions"]);
  if ("predicate" in condition) return [negated(at)];
  const { op, value, when_missing: whenMissing } = condition;
  const turned = opposite[op];
  return [
    turned ? operator(at, op, turned) : op === "exists" ? toggled(at, "value", value as boolean) : negated(at),
    ...boundMutations(op, value, at),
    ...(whenMissing === undefined ? [] : [toggled(at, "when_missing", whenMissing)]),
  ];
}

/** The operator that a person would have written by mistake: the other direction, or the other answer. */
const opposite: { readonly [Op in Operator]?: Operator } = {
  eq: "neq",
  neq: "eq",
  in: "not_in",
  not_in: "in",
  lt: "gt",
  gt: "lt",
  lte: "gte",
  gte: "lte",
  starts_with: "ends_with",
  ends_with: "starts_with",
  length_lte: "length_gte",
  length_gte: "length_lte",
};

/** For each order, the operator that differs at the bound alone, and the step that differs just beyond it. */
const bounds: { readonly [Op in Operator]?: { readonly neighbour?: Operator; readonly step: 1 | -1 } } = {
  gt: { neighbour: "gte", step: 1 },
  gte: { neighbour: "gt", step: -1 },
  lt: { neighbour: "lte", step: -1 },
  lte: { neighbour: "lt", step: 1 },
  length_lte: { step: 1 },
  length_gte: { step: -1 },
};

function boundMutations(op: Operator, value: unknown, at: Place): readonly Mutation[] {
  const bound = bounds[op];
  if (bound === undefined) return [];
  const neighbour = bound.neighbour ? [operator(at, op, bound.neighbour)] : [];
  if (typeof value !== "number") return neighbour;
  const steps = op.startsWith("length") ? [1, -1] : [bound.step];
  return [
    ...neighbour,
    ...steps.map((step) => ({ at: [...at, "value"], description: `${value} became ${value + step}`, change: () => value + step })),
  ];
}

function operator(at: Place, from: Operator, to: Operator): Mutation {
  return { at: [...at, "op"], description: `\`${from}\` became \`${to}\``, change: () => to };
}

function toggled(at: Place, key: string, value: boolean): Mutation {
  return { at: [...at, key], description: `${value} became ${!value}`, change: () => !value };
}

function renamed(at: Place, from: string, to: string): Mutation {
  return {
    at,
    description: `\`${from}\` became \`${to}\``,
    change(condition) {
      const { [from]: parts, ...rest } = condition as Record<string, unknown>;
      return { ...rest, [to]: parts };
    },
  };
}

function unwrapped(at: Place, inner: Condition): Mutation {
  return {
    at,
    description: "`not` was left out",
    change(condition) {
      const { not: _not, ...rest } = condition as Record<string, unknown>;
      return { ...rest, ...inner };
    },
  };
}

const ofTheRule = ["name", "on_deny", "mode", "explain", "reason", "timeout", "widen"];

/** For what has no opposite: the condition under `not`, with the keys of its rule, if it is one, left outside. */
function negated(at: Place): Mutation {
  return {
    at,
    description: "the condition was negated",
    change(condition) {
      const entries = Object.entries(condition as object);
      return {
        ...Object.fromEntries(entries.filter(([key]) => ofTheRule.includes(key))),
        not: Object.fromEntries(entries.filter(([key]) => !ofTheRule.includes(key))),
      };
    },
  };
}

/** One element taken out of a list. */
export function dropped(list: Place, index: number, what: string): Mutation {
  return { at: [...list, index], description: `${what} was left out`, change: () => undefined };
}
