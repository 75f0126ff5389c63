import type { Condition } from "@holdpoint/core";
import fc, { type Arbitrary } from "fast-check";

export interface AnyConditionOptions {
  readonly section: "require" | "deny_if" | "require_approval";
  /** Inside `each`, where paths start at `item`, too. */
  readonly within?: "each" | undefined;
  /** How deep `any`, `all`, `not` and `each` may nest. Default 2. */
  readonly depth?: number | undefined;
  /** Whether functions may stand in it, which JSON cannot hold. Default `false`. */
  readonly predicates?: boolean | undefined;
}

const argumentPaths = [
  "args.amount",
  "args.currency",
  "args.path",
  "args.url",
  "args.address",
  "args.note",
  "args.tags",
  "args.tags[*]",
  "args.items[0].price",
  "args.items[*].price",
  "args.nested.flag",
  'args["odd.key"]',
];
const itemPaths = ["item", "item.price", "item.sku"];
const contextPaths = ["context.user", "context.tenant", "context.plan"];
const otherPaths = [...contextPaths, "time.hour", "time.weekday", "tool.name", "tool.server"];

/**
 * Any condition that loads in the given section, of every operator, small ones first. Its paths come from a small set, so that conditions meet each other and the
 * arguments of `anyCall`. Conditions on the server's claims (`tool.annotations` and so on) are left out, since they stand alone: `anyPolicy` has them.
 *
 * @example
 * fc.assert(fc.property(anyCondition({ section: "deny_if" }), (condition) => { … }));
 */
export function anyCondition({ section, within, depth = 2, predicates = false }: AnyConditionOptions): Arbitrary<Condition> {
  const comparison = anyComparison(section, within);
  const leaf = predicates ? fc.oneof({ weight: 9, arbitrary: comparison }, { weight: 1, arbitrary: anyPredicate }) : comparison;
  if (depth <= 0) return leaf;
  const inner = anyCondition({ section, within, depth: depth - 1, predicates });
  const some = fc.array(inner, { minLength: 1, maxLength: 3 });
  const element = fc.array(anyCondition({ section, within: "each", depth: depth - 1, predicates }), { minLength: 1, maxLength: 2 });
  return fc.oneof(
    { weight: 8, arbitrary: leaf },
    { weight: 1, arbitrary: some.map((any) => ({ any })) },
    { weight: 1, arbitrary: some.map((all) => ({ all })) },
    { weight: 1, arbitrary: inner.map((not) => ({ not })) },
    {
      weight: 1,
      arbitrary: fc.record({ path: fc.constantFrom("args.items", "args.tags"), conditions: element }).map((each) => ({ each })),
    },
  );
}

/** A condition on what the server says of its tool; it must be alone in its rule. */
export const anyClaim: Arbitrary<Condition> = fc.constantFrom<Condition[]>(
  { path: "tool.annotations.destructiveHint", op: "eq", value: true },
  { path: "tool.annotations.readOnlyHint", op: "neq", value: true },
  { path: "tool.category", op: "in", value: ["Destructive", "Financial"] },
  { path: "tool.description", op: "contains", value: "bulk" },
);

const anyPredicate: Arbitrary<Condition> = fc.constantFrom<Condition[]>(
  { predicate: "always", check: () => true },
  { predicate: "never", check: () => false },
  { predicate: "office hours", check: ({ time }) => time.hour >= 9 && time.hour < 17 },
  {
    predicate: "throws",
    check: () => {
      throw new Error("a predicate that throws");
    },
  },
);

const scalar = fc.oneof(
  fc.integer({ min: -2, max: 1_000 }),
  fc.constantFrom(0.1, 0.5, 99.99),
  fc.constantFrom("", "usd", "eur", "ann", "acme", "é", "😀"),
  fc.boolean(),
  fc.constant(null),
);
const literal = fc
  .oneof(scalar, fc.array(scalar, { maxLength: 2 }), fc.dictionary(fc.constantFrom("price", "sku"), scalar))
  .map((value) => ({ literal: value }));
const listed = fc.oneof(scalar, literal);
const listElement = fc.oneof({ weight: 4, arbitrary: listed }, { weight: 1, arbitrary: fc.array(listed, { maxLength: 2 }) });
const text = fc.constantFrom("", "a", "usd", "/srv", "ann@", "é");
const texts = <T>(...values: T[]) => fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 3 });
const roots = fc.constantFrom("/srv", "/srv/data", "/");
const count = fc.nat({ max: 4 });
const number = fc.oneof(fc.integer({ min: -2, max: 1_000 }), fc.constantFrom(0.1, 99.99));

function anyComparison(section: AnyConditionOptions["section"], within: "each" | undefined): Arbitrary<Condition> {
  const items = within === "each" ? itemPaths : [];
  const path = fc.constantFrom(...argumentPaths, ...argumentPaths, ...otherPaths, ...items, ...items);
  // Outside `deny_if` the model would write both sides.
  const written = section === "deny_if" ? ["args.amount", "args.note", ...items] : [];
  const from = fc.constantFrom(...contextPaths, ...written).map((from) => ({ from }));
  const or = <T>(value: Arbitrary<T>) => fc.oneof({ weight: 5, arbitrary: value }, { weight: 1, arbitrary: from as Arbitrary<never> });
  const values: readonly [ops: readonly string[], value: Arbitrary<unknown>][] = [
    [["eq", "neq", "contains"], or(listElement)],
    [["in", "not_in"], or(fc.array(listElement, { minLength: 1, maxLength: 3 }))],
    [["lt", "lte", "gt", "gte"], or(number)],
    [["length_lte", "length_gte"], or(count)],
    [["exists"], fc.boolean()],
    [["regex"], fc.constantFrom("^a", "[0-9]+$", "(?i)usd|eur", "")],
    [["glob"], or(fc.constantFrom("*", "**", "/srv/*", "*.txt"))],
    [["starts_with", "ends_with"], or(text)],
    [["within_path"], or(fc.oneof(roots, texts("/srv", "/tmp")))],
    [["host_in"], or(texts("example.com", "*.example.com", "10.0.0.1"))],
    [["cidr_in"], or(texts("10.0.0.0/8", "192.168.1.1", "2001:db8::/32"))],
  ];
  const general = values.map(([ops, value]) => fc.record({ path, op: fc.constantFrom(...ops), value }));
  const dates = fc.record({
    path: fc.constant("time.date"),
    op: fc.constantFrom("lt", "lte", "gt", "gte", "eq"),
    value: fc.constantFrom("2026-01-05", "2026-06-30"),
  });
  const extras = fc.record({ when_missing: fc.boolean() }, { requiredKeys: [] });
  return fc.tuple(fc.oneof(...general, dates), extras).map(([comparison, extra]) => {
    const bare = section === "require" || comparison.op === "exists";
    return { ...comparison, ...(bare ? {} : extra) } as Condition;
  });
}
