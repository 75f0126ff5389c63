import type { Condition, Entry, Limit, PolicyDocument, ToolRules } from "@holdpoint/core";
import fc, { type Arbitrary } from "fast-check";
import { anyClaim, anyCondition } from "./any-condition.ts";
import { anyLimits } from "./any-limits.ts";

export interface AnyPolicyOptions {
  /** Whether functions may stand in it, which JSON cannot hold. Default `false`. */
  readonly predicates?: boolean | undefined;
  /** The tools that it may list. Default: four, one of them called `constructor`. */
  readonly tools?: readonly string[] | undefined;
}

type Section = "require" | "deny_if" | "require_approval";
type Lists = Pick<ToolRules, Section | "limits">;

/**
 * Any policy that loads: every section, operator, window and scope, small ones first, and smaller still when it shrinks.
 *
 * @example
 * fc.assert(
 *   fc.asyncProperty(anyPolicy(), async (policy) => { … }),
 * );
 */
export function anyPolicy({
  predicates = false,
  tools: names = ["read_file", "create_refund", "search", "constructor"],
}: AnyPolicyOptions = {}): Arbitrary<PolicyDocument> {
  return fc.subarray([...names], { maxLength: 3 }).chain((listed) =>
    fc
      .record({
        default: fc.constantFrom("deny" as const, "allow" as const),
        lists: fc.array(anyLists(predicates), { minLength: listed.length + 1, maxLength: listed.length + 1 }),
        limits: anyLimits(listed.length + 1),
        extras: fc.array(anyToolKeys, { minLength: listed.length, maxLength: listed.length }),
        hide: fc.option(fc.subarray(["delete_customer", { name: "drop_table", optional: true as const }], { minLength: 1 }), {
          nil: undefined,
        }),
        audit: anyAudit,
        description: fc.option(fc.constant("Any policy"), { nil: undefined }),
      })
      .map(({ lists, limits, extras, ...rest }) => {
        const rules = lists.map((list, index) => together(list, limits[index] ?? []));
        const shared = rules[listed.length] ?? {};
        // `all_tools` admits none: where no tool is admitted it could have no effect, and would not load.
        const hasEffect = Object.keys(shared).length > 0 && (rest.default === "allow" || listed.length > 0);
        return withoutUndefined({
          version: "1",
          ...rest,
          all_tools: hasEffect ? shared : undefined,
          tools:
            listed.length > 0 ? Object.fromEntries(listed.map((name, index) => [name, { ...rules[index], ...extras[index] }])) : undefined,
        }) as PolicyDocument;
      }),
  );
}

function together(lists: Omit<Lists, "limits">, limits: readonly Limit[]): Lists {
  return { ...lists, ...(limits.length > 0 && { limits: [...limits] }) };
}

function anyLists(predicates: boolean): Arbitrary<Omit<Lists, "limits">> {
  const entries = (section: Section) => fc.array(anyEntry(section, predicates), { minLength: 1, maxLength: 2 });
  return fc.record(
    { require: entries("require"), deny_if: entries("deny_if"), require_approval: entries("require_approval") },
    { requiredKeys: [] },
  ) as Arbitrary<Omit<Lists, "limits">>;
}

const ruleKeys = {
  name: fc.constantFrom("a rule", "a/b~c"),
  on_deny: fc.constant("Not like this."),
  explain: fc.constant("model" as const),
};
const approvalKeys = {
  ...ruleKeys,
  reason: fc.constant("a person has to look at it"),
  timeout: fc.constantFrom("30s", "10m"),
  widen: fc.constantFrom("once" as const, { to: "session" as const, for: "1h", uses: 2 }, { to: "matching" as const, for: "1d", uses: 3 }),
};

function anyEntry(section: Section, predicates: boolean): Arbitrary<Entry> {
  const condition = anyCondition({ section, predicates });
  const alone = fc.oneof({ weight: 12, arbitrary: condition }, { weight: 1, arbitrary: anyClaim });
  const list: Arbitrary<Condition[]> = fc.oneof(
    { weight: 6, arbitrary: fc.array(condition, { minLength: 1, maxLength: 3 }) },
    { weight: 1, arbitrary: section === "require" ? anyClaim.map((claim) => [claim]) : fc.constant<Condition[]>([]) },
  );
  const keys = fc.record(section === "require_approval" ? approvalKeys : ruleKeys, { requiredKeys: [] });
  const mode = fc.option(fc.constant("observe" as const), { nil: undefined, freq: 8 });
  return fc
    .tuple(
      fc.oneof(
        alone,
        list.map((conditions) => ({ conditions })),
      ),
      keys,
      mode,
    )
    .map(([body, extra, observed]) => withoutUndefined({ ...body, ...extra, mode: observed }) as Entry);
}

const anyToolKeys = fc.record(
  {
    arguments: fc.constantFrom(
      true,
      { type: "object", properties: { amount: { type: "number", minimum: 0 } } },
      { type: "object", required: ["note"] },
    ),
    inputSchema: fc.constant("ignore" as const),
    optional: fc.constant(true as const),
  },
  { requiredKeys: [] },
);

const anyAudit = fc.option(
  fc.record(
    { record: fc.subarray(["args.amount", "args.currency"]), secret: fc.subarray(["args.note", "args.items[*].sku"]) },
    { requiredKeys: [] },
  ),
  { nil: undefined },
);

function withoutUndefined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined));
}
