import {
  type Condition,
  type Identity,
  isPathError,
  type Json,
  type JsonObject,
  type Limit,
  type Operator,
  type Path,
  type PolicyDocument,
  parsePath,
  type ToolRules,
} from "@holdpoint/core";
import fc, { type Arbitrary } from "fast-check";
import type { TestCall } from "../policy-test.ts";

type Step = Path["steps"][number];

/** An argument that a policy looks at, and the literals that it compares with. */
interface Interest {
  readonly steps: readonly Step[];
  readonly values: readonly Json[];
}

/**
 * Any call that a policy has something to say about: its own tools, those that it hides, and others; arguments at the places that its conditions read, with
 * values at and beside the literals that they compare with, of other types, or missing.
 *
 * @example
 * fc.assert(
 *   fc.asyncProperty(anyPolicy().chain((policy) => fc.tuple(fc.constant(policy), anyCall(policy))), async ([policy, call]) => { … }),
 * );
 */
export function anyCall(policy: PolicyDocument): Arbitrary<TestCall & { readonly arguments: JsonObject; readonly context: Identity }> {
  const listed = Object.keys(policy.tools ?? {});
  const hidden = Array.isArray(policy.hide) ? policy.hide.map((entry) => (typeof entry === "string" ? entry : entry.name)) : [];
  const names = [...listed, ...listed, ...listed, ...hidden, "unlisted_tool"];
  return fc.constantFrom(...names).chain((tool) => {
    const rules = [policy.all_tools, ownRules(policy, tool)].filter((each) => each !== undefined);
    return fc.record({ tool: fc.constant(tool), arguments: anyArguments(rules.flatMap(interestsOf)), context: anyContext() });
  });
}

/** Any identity: what is usual is sometimes missing, and a host's own keys are sometimes there. */
export function anyContext(): Arbitrary<Identity> {
  const name = fc.constantFrom("ann", "ben", "acme", "usd");
  return fc.record(
    {
      grant: name,
      session: fc.constantFrom("s1", "s2"),
      run: fc.constantFrom("r1", "r2"),
      user: name,
      tenant: name,
      agent: name,
      plan: fc.oneof(name, fc.integer(), fc.constant(null)),
    },
    { requiredKeys: [] },
  );
}

function ownRules(policy: PolicyDocument, tool: string): ToolRules | undefined {
  return policy.tools && Object.hasOwn(policy.tools, tool) ? policy.tools[tool] : undefined;
}

function interestsOf(rules: Pick<ToolRules, "require" | "deny_if" | "require_approval" | "limits">): readonly Interest[] {
  const entries = [...(rules.require ?? []), ...(rules.deny_if ?? []), ...(rules.require_approval ?? [])];
  const conditions = entries.flatMap((entry) => ("conditions" in entry ? entry.conditions : [entry as Condition]));
  return [...conditions.flatMap((condition) => inCondition(condition, [])), ...(rules.limits ?? []).flatMap(inLimit)];
}

/** `item` is where the innermost enclosing `each` goes through. */
function inCondition(condition: Condition, item: readonly Step[]): readonly Interest[] {
  if ("any" in condition) return condition.any.flatMap((part) => inCondition(part, item));
  if ("all" in condition) return condition.all.flatMap((part) => inCondition(part, item));
  if ("not" in condition) return inCondition(condition.not, item);
  if ("predicate" in condition) return [];
  if ("each" in condition) {
    const list = stepsOf(condition.each.path, item);
    return list ? condition.each.conditions.flatMap((part) => inCondition(part, [...list, { kind: "elements" }])) : [];
  }
  const { op, value } = condition;
  const from =
    value !== null && typeof value === "object" && "from" in value ? [{ steps: stepsOf(value.from, item), values: ["ann", "acme"] }] : [];
  const found = [{ steps: stepsOf(condition.path, item), values: literalsOf(op, value) }, ...from];
  return found.flatMap(({ steps, values }) => (steps === undefined ? [] : [{ steps, values }]));
}

function inLimit({ increment_from: from, unit, max }: Limit): readonly Interest[] {
  if (from === undefined) return [];
  const amount = { steps: stepsOf(from, []) ?? [], values: [Number(max), 1, "0.5", -1] };
  return typeof unit === "object" ? [amount, { steps: stepsOf(unit.path, []) ?? [], values: [unit.is] }] : [amount];
}

/** The steps from the arguments; `undefined` for a path that starts elsewhere. */
function stepsOf(text: string, item: readonly Step[]): readonly Step[] | undefined {
  const path = parsePath(text, { within: "each" });
  if (isPathError(path)) return undefined;
  if (path.root === "item") return [...item, ...path.steps];
  return path.root === "args" && path.steps.length > 0 ? path.steps : undefined;
}

/** The values that are compared with: the elements of a list, or where the list is itself the value, the list. */
function literalsOf(op: Operator, value: unknown): readonly Json[] {
  if (value !== null && typeof value === "object" && "from" in value) return [];
  const literal = unwrapped(value);
  return Array.isArray(literal) && op !== "eq" && op !== "neq" && op !== "contains" ? (literal as readonly Json[]) : [literal];
}

function unwrapped(value: unknown): Json {
  if (Array.isArray(value)) return value.map(unwrapped);
  return (value !== null && typeof value === "object" && "literal" in value ? value.literal : value) as Json;
}

function anyArguments(interests: readonly Interest[]): Arbitrary<JsonObject> {
  const assignments = interests.map(({ steps, values }) =>
    fc.option(anyValue(steps, values), { freq: 5, nil: undefined }).map((value) => ({ steps, value })),
  );
  return fc
    .tuple(...assignments)
    .chain((chosen) =>
      fc
        .dictionary(fc.constantFrom("amount", "note", "extra"), fc.jsonValue({ maxDepth: 1 }) as Arbitrary<Json>, { maxKeys: 1 })
        .map((noise) => chosen.reduce<Json>((args, { steps, value }) => (value === undefined ? args : assign(args, steps, value)), noise)),
    ) as Arbitrary<JsonObject>;
}

/** A value, or where `[*]` stands a list of them. */
function anyValue(steps: readonly Step[], values: readonly Json[]): Arbitrary<Json> {
  const near = values.flatMap(nearby);
  const one = fc.oneof(
    { weight: 6, arbitrary: near.length > 0 ? fc.constantFrom(...near) : fc.constant(null) },
    {
      weight: 1,
      arbitrary: fc.constantFrom<Json[]>("1", 1, true, null, [], {}, "/srv/../etc", "https://user@example.com/", "::ffff:10.0.0.1"),
    },
  );
  return steps.some(({ kind }) => kind === "elements") ? fc.array(one, { maxLength: 3 }) : one;
}

/** The literal, what is just beside it, and what a careless comparison would take for it. */
function nearby(value: Json): readonly Json[] {
  if (typeof value === "number") return [value, value + 1, value - 1, value + 0.5, String(value)];
  if (typeof value === "string") return [value, `${value}x`, `x${value}`, value.toUpperCase(), `${value}/a`, `https://${value}/`, [value]];
  if (typeof value === "boolean") return [value, !value, String(value)];
  return [value, null, []];
}

/** A copy with a value at the steps; for `[*]` a list gives each element its own. What stands in the way is replaced. */
function assign(target: Json | undefined, [step, ...rest]: readonly Step[], value: Json): Json {
  if (step === undefined) return value;
  if (step.kind === "name") {
    const object = target !== null && typeof target === "object" && !Array.isArray(target) ? (target as JsonObject) : {};
    const inner = Object.hasOwn(object, step.name) ? object[step.name] : undefined;
    return Object.fromEntries([...Object.entries(object).filter(([key]) => key !== step.name), [step.name, assign(inner, rest, value)]]);
  }
  const list: readonly Json[] = Array.isArray(target) ? target : [];
  if (step.kind === "index")
    return Array.from({ length: Math.max(list.length, step.index + 1) }, (_, at) =>
      at === step.index ? assign(list[at], rest, value) : (list[at] ?? null),
    );
  const values: readonly Json[] = Array.isArray(value) ? value : [value];
  return Array.from({ length: Math.max(list.length, values.length) }, (_, at) => {
    const own = values[at];
    return own === undefined ? (list[at] ?? null) : assign(list[at], rest, own);
  });
}
