import type { StandardSchemaV1 } from "@standard-schema/spec";
import * as z from "zod";

/**
 * The shape of a policy document: which keys there are, and what kind of value each takes. What the shape cannot say (paths that parse, regular
 * expressions that run, limits that agree) is `load-policy.ts`'s part. Every object is strict: an unknown key does not load (law `strict-load`).
 */

/** Marks what JSON cannot hold, so that the published JSON Schema leaves it out. */
export const onlyInTypeScript = "only in TypeScript";

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const literal = z.strictObject({ literal: z.json() }).describe("any JSON value, objects and arrays included");
const reference = z.strictObject({ from: z.string() }).describe("the value found at another path, such as `context.tenant`");

/** A list as it is. Only an object says by its key what it is, so that a list is read element by element, and holds no reference. */
type ListLiteral = readonly (z.infer<typeof scalar> | z.infer<typeof literal> | ListLiteral)[];
const list: z.ZodType<ListLiteral> = z.lazy(() => z.array(listElement)).describe("a list of such values");
export const listElement = z.union([scalar, literal, list]);

const operand = z.union([scalar, literal, reference, list]);
const numberOperand = z.union([z.number(), reference]);
const orderOperand = z.union([z.number(), z.string(), reference]).describe("a number; for `time.date` a date such as `2026-01-31`");
const textOperand = z.union([z.string(), reference]);
const listOperand = z.union([z.array(listElement).min(1), reference]);
const textListOperand = z.union([z.array(z.string()).min(1), reference]);

/** Each group of operators, with the kind of value that its members compare against (design §3). */
const operandOf = {
  eq: operand,
  neq: operand,
  contains: operand,
  in: listOperand,
  not_in: listOperand,
  lt: orderOperand,
  lte: orderOperand,
  gt: orderOperand,
  gte: orderOperand,
  length_lte: numberOperand,
  length_gte: numberOperand,
  exists: z.boolean(),
  regex: z.string(),
  glob: textOperand,
  starts_with: textOperand,
  ends_with: textOperand,
  within_path: z.union([z.string(), z.array(z.string()).min(1), reference]),
  host_in: textListOperand,
  cidr_in: textListOperand,
} as const;

export type Operator = keyof typeof operandOf;
export const operators = Object.keys(operandOf) as readonly Operator[];

const comparisonKeys = {
  path: z.string().describe("starts at `args`, `context.`, `tool.` or `time.`; inside `each`, at `item`"),
  when_missing: z.boolean().optional().describe("the value of this condition when its path is absent; not in `require`"),
  undeclared: z.literal(true).optional().describe("the tool's schema need not declare this path"),
  compare: z.literal("intercept").optional().describe("Intercept's string equality; written by its importer"),
};

const comparisonSchemas = operators.map((op) => z.strictObject({ op: z.literal(op), value: operandOf[op], ...comparisonKeys }));

/** What one condition compares: `{ path, op, value }`. */
export type Comparison = {
  [Op in Operator]: {
    path: string;
    op: Op;
    value: z.infer<(typeof operandOf)[Op]>;
    when_missing?: boolean | undefined;
    undeclared?: true | undefined;
    compare?: "intercept" | undefined;
  };
}[Operator];

export interface PredicateFacts {
  readonly args: Readonly<Record<string, unknown>>;
  readonly context: Readonly<Record<string, unknown>>;
  readonly time: { readonly hour: number; readonly weekday: number; readonly date: string };
}

/** A condition written in TypeScript. It is synchronous, sees deep-frozen facts, and is unknown when it throws or answers anything but a boolean. */
export interface Predicate {
  predicate: string;
  check: (facts: PredicateFacts) => boolean;
}

export type Condition =
  | Comparison
  | Predicate
  | { any: readonly Condition[] }
  | { all: readonly Condition[] }
  | { not: Condition }
  | { each: { path: string; conditions: readonly Condition[] } };

const nested: z.ZodType<Condition> = z.lazy(() => conditionSchema).describe("a condition");
const groups = {
  predicate: {
    predicate: z.string().min(1),
    check: z
      .custom<Predicate["check"]>((value) => typeof value === "function")
      .meta({ description: "a function", [onlyInTypeScript]: true }),
  },
  any: { any: z.array(nested).min(1) },
  all: { all: z.array(nested).min(1) },
  not: { not: nested },
  each: { each: z.strictObject({ path: z.string(), conditions: z.array(nested).min(1) }) },
};

/** A condition, alone or with the keys that a rule of one condition carries beside it. */
function conditionWith<Extra extends z.core.$ZodLooseShape>(extra: Extra) {
  return z.union([
    z.discriminatedUnion("op", comparisonSchemas.map((schema) => schema.extend(extra)) as never),
    ...Object.values(groups).map((shape) => z.strictObject({ ...shape, ...extra })),
  ]);
}

export const conditionSchema = conditionWith({}) as unknown as z.ZodType<Condition>;

const ruleKeys = {
  name: z.string().min(1).optional().describe("replaces the last part of the rule's id"),
  on_deny: z.string().min(1).optional().describe("what the model is told when this rule refuses"),
  mode: z.literal("observe").optional().describe("record what enforcement would have done, and let the call pass this rule"),
  explain: z.literal("model").optional().describe("tell the model which bounds would pass; without it only the operator sees them"),
};

const durationPattern = /^[1-9][0-9]*(ms|s|m|h|d)$/;
const duration = z.string().regex(durationPattern).describe("a whole number and a unit: `30s`, `10m`, `2h`, `7d`");

const approvalKeys = {
  ...ruleKeys,
  reason: z.string().min(1).optional().describe("what the person is told: why this call needs a yes"),
  timeout: duration.optional().describe("how long the request stays open; silence is no"),
  widen: z
    .union([
      z.literal("once"),
      z.strictObject({ to: z.enum(["session", "matching"]), for: duration, uses: z.int().min(1).describe("a whole number") }),
    ])
    .optional()
    .describe("how far one yes may reach if the approver says so; `once` is the default"),
};

export interface RuleKeys {
  name?: string | undefined;
  on_deny?: string | undefined;
  mode?: "observe" | undefined;
  explain?: "model" | undefined;
}

export interface ApprovalKeys extends RuleKeys {
  reason?: string | undefined;
  timeout?: string | undefined;
  widen?: "once" | { to: "session" | "matching"; for: string; uses: number } | undefined;
}

/** An entry of `require`, `deny_if` or `require_approval`: conditions that are ANDed, or one condition alone, with what belongs to the rule. */
export type Entry<Keys = RuleKeys> = ({ conditions: readonly Condition[] } & Keys) | (Condition & Keys);

function entryWith<Extra extends z.core.$ZodLooseShape>(extra: Extra, fewest: 0 | 1) {
  return z.union([z.strictObject({ conditions: z.array(nested).min(fewest), ...extra }), conditionWith(extra)]);
}

const requireEntry = entryWith(ruleKeys, 1) as unknown as z.ZodType<Entry>;
const denyEntry = entryWith(ruleKeys, 0) as unknown as z.ZodType<Entry>;
const approvalEntry = entryWith(approvalKeys, 0) as unknown as z.ZodType<Entry<ApprovalKeys>>;

export const scopes = ["grant", "session", "run", "user", "tenant", "agent", "server", "global"] as const;
export type Scope = (typeof scopes)[number];

const windowSchema = z.union([
  z.enum(["minute", "hour", "day", "week", "month", "lifetime"]),
  z.int().min(1).describe("a whole number of seconds, aligned to the epoch"),
  z.strictObject({ sliding: duration }),
]);

const limitSchema = z.strictObject({
  counter: z.string().min(1),
  window: windowSchema.optional(),
  max: z.union([z.number(), z.string()]).optional().describe("at most 9,000,000,000, with at most six fraction digits"),
  concurrent: z.int().min(1).describe("a whole number").optional().describe("caps calls in flight; stands without window, max and amounts"),
  scope: z
    .union([z.enum(scopes), z.array(z.enum(scopes)).min(1)])
    .optional()
    .describe("`grant` where absent"),
  increment: z.union([z.number(), z.string()]).optional().describe("what one call counts, 1 where absent"),
  increment_from: z.string().optional().describe("the argument that holds the amount"),
  unit: z
    .union([z.literal("none"), z.strictObject({ path: z.string(), is: z.string() })])
    .optional()
    .describe("required with `increment_from`"),
  count: z.enum(["sent", "answered", "protocol", "success"]).optional().describe("which calls count; `sent` where absent"),
  across: z.literal("servers").optional().describe("one counter for every server of the guard"),
  expires: duration.optional().describe("when a lifetime counter that is no longer touched ends"),
  ...ruleKeys,
});

export type Limit = z.infer<typeof limitSchema>;

const auditSchema = z.strictObject({
  record: z.array(z.string()).optional().describe("argument fields whose values are recorded"),
  secret: z.array(z.string()).optional().describe("argument fields shown nowhere"),
});

const ruleLists = {
  require: z.array(requireEntry).optional(),
  deny_if: z.array(denyEntry).optional(),
  require_approval: z.array(approvalEntry).optional(),
  limits: z.array(limitSchema).optional(),
};

/** Whether `value` implements Standard Schema 1 (https://standardschema.dev); a JSON Schema that merely has such a key does not. */
export function isStandardSchema(value: unknown): value is StandardSchemaV1 {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return false;
  return typeof (value as Partial<StandardSchemaV1>)["~standard"]?.validate === "function";
}

const argumentsSchema = z.union([
  z.custom<StandardSchemaV1>(isStandardSchema).meta({ description: "a Standard Schema", [onlyInTypeScript]: true }),
  z.record(z.string(), z.json()).describe("a JSON Schema"),
  z.boolean(),
]);

const toolSchema = z.strictObject({
  ...ruleLists,
  arguments: argumentsSchema.optional().describe("a JSON Schema for the arguments, judged besides the server's own"),
  inputSchema: z.literal("ignore").optional().describe("do not judge by the server's schema; the way out where it is wrong or unusable"),
  audit: auditSchema.optional(),
  optional: z.literal(true).optional().describe("the server may lack this tool"),
});

const hideSchema = z.union([
  z.literal("*"),
  z.array(z.union([z.string().min(1), z.strictObject({ name: z.string().min(1), optional: z.literal(true) })])),
]);

export const policySchema = z
  .strictObject({
    $schema: z.string().optional(),
    version: z.literal("1"),
    description: z.string().optional(),
    default: z.enum(["allow", "deny"]).describe("the verdict for tools that `tools` does not list"),
    hide: hideSchema.optional().describe("tools taken out of every list, and denied when called"),
    all_tools: z.strictObject({ ...ruleLists, audit: auditSchema.optional() }).optional(),
    tools: z.record(z.string(), toolSchema).optional(),
    audit: auditSchema.optional(),
  })
  .meta({ title: "Holdpoint policy", description: "What an agent may do with the tools of one MCP server" });

/** A policy is never changed, so that its lists may be `as const`. Conditions and schemas are left as they are: their types say so themselves. */
type Unchanging<T> = T extends readonly (infer Element)[]
  ? readonly Element[]
  : T extends string | number | boolean | undefined
    ? T
    : {
        readonly [Key in keyof T]: T[Key] extends readonly (infer Element)[] | undefined
          ? readonly Element[] | Extract<T[Key], undefined>
          : T[Key];
      };

type Shape = z.infer<typeof policySchema>;
type AuditFields = Unchanging<z.infer<typeof auditSchema>>;

export type ToolRules = Unchanging<Omit<z.infer<typeof toolSchema>, "audit">> & { readonly audit?: AuditFields | undefined };
export type RuleLists = Pick<ToolRules, keyof typeof ruleLists>;
/** A policy as it is written: plain data, the same in JSON and in TypeScript, but for predicates and Standard Schemas, which only TypeScript can hold. */
export type PolicyDocument = Readonly<Omit<Shape, "hide" | "all_tools" | "tools" | "audit">> & {
  readonly hide?: Unchanging<NonNullable<Shape["hide"]>> | undefined;
  readonly all_tools?: (RuleLists & { readonly audit?: AuditFields | undefined }) | undefined;
  readonly tools?: Readonly<Record<string, ToolRules>> | undefined;
  readonly audit?: AuditFields | undefined;
};

/** The parts that the published JSON Schema names. */
export const namedParts = {
  condition: conditionSchema,
  requirement: requireEntry,
  denial: denyEntry,
  approval: approvalEntry,
  limit: limitSchema,
  tool: toolSchema,
  audit: auditSchema,
  duration,
  reference,
  literal,
  list,
  listElement,
  operand,
  numberOperand,
  orderOperand,
  textOperand,
  listOperand,
  textListOperand,
  ...comparisonKeys,
  ...approvalKeys,
};
