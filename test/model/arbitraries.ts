import {
  type Condition,
  type Entry,
  type Json,
  type JsonObject,
  type Limit,
  type PolicyDocument,
  predicate,
  type ToolRules,
} from "@holdpoint/core";
import * as fc from "fast-check";
import type { Section } from "./conditions.ts";

/* Policies, calls and contexts from small worlds, so that they meet: the same few names, words, numbers and places on both sides. */

const words = ["", "a", "b", "A", "ab", "usd", "5", "a/b.txt", "a/b/c.txt", "b\nd", "😀", "\u212a"];
const paths = [
  "/data",
  "/data/",
  "/data/x/y",
  "/database",
  "/data/../etc",
  "/",
  "//data",
  "/~x",
  "data",
  "/C:/x",
  "/data/%2e",
  "/d\\x",
  "/..x",
  "/data/.",
];
const urls = [
  "https://example.com",
  "https://api.example.com/x",
  "HTTPS://EXAMPLE.COM:8080/?a@b",
  "https://example.com.",
  "https://u@example.com",
  "https://evil.com/example.com",
  "https://evil.com?@example.com",
  "http://127.0.0.1/",
  "http://2130706433/",
  "http://[::1]:80/",
  "http://[0:0::1]/",
  "http://[::ffff:127.0.0.1]/",
  "http://[::7f00:1]/",
  "https://éxample.com",
  "https://xn--xample-9ua.com",
  "https://xn--a/",
  "https://example.com:/",
  "https://example.com:99999/",
  "ftp://example.com",
  "https://example.com/a b",
];
const addresses = [
  "10.0.0.1",
  "10.255.255.255",
  "11.0.0.0",
  "192.168.1.7",
  "010.0.0.1",
  "::1",
  "2001:db8::5",
  "2001:db9::",
  "::ffff:10.0.0.1",
  "::a00:1",
  "10.1",
  "fe80::1%0",
];
const dates = ["2026-01-31", "2026-01-05", "2025-12-31", "2026-02-30"];

const word = fc.constantFrom(...words);
const text = fc.oneof(
  { weight: 4, arbitrary: word },
  fc.constantFrom(...paths, ...urls, ...addresses, ...dates),
  fc.string({ maxLength: 4 }),
);
const number = fc.constantFrom(0, -0, 1, 2, 3, 5, -1, 0.5, 1.25, 0.1, 100, 1e21, 1e-7, 2 ** 53);
const scalar: fc.Arbitrary<Json> = fc.oneof(fc.constantFrom(null, true, false), number, text);
const flat: fc.Arbitrary<Json> = fc.oneof(
  { weight: 3, arbitrary: scalar },
  fc.array(scalar, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom("a", "b", "__proto__"), scalar, { maxKeys: 2 }),
);
const value: fc.Arbitrary<Json> = fc.oneof({ weight: 3, arbitrary: scalar }, flat, fc.array(flat, { maxLength: 3 }));

export const args: fc.Arbitrary<JsonObject> = fc.record(
  {
    a: value,
    b: value,
    list: fc.oneof(fc.array(flat, { maxLength: 3 }), value),
    nest: flat,
    "b.c": scalar,
    amount: amountValue(),
    currency: fc.constantFrom<Json>("usd", "eur", 1),
  },
  { requiredKeys: [] },
);

function amountValue(): fc.Arbitrary<Json> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom<Json>(1, 2, 3, "1.5", "0.000001") },
    fc.constantFrom<Json>("1e3", -1, 0.1 + 0.2, null, "", "007", 9e9, 1e21),
  );
}

export const context: fc.Arbitrary<JsonObject> = fc
  .record(
    {
      grant: fc.constantFrom("g", "h"),
      tenant: fc.constantFrom<Json>("t", "a", 5, ""),
      user: fc.constantFrom("ann", "bob"),
      session: fc.constant("s"),
      bound: scalar,
    },
    { requiredKeys: ["grant"] },
  )
  .map((fields) => fields as JsonObject);

const argumentPaths = [
  "args.a",
  "args.b",
  "args.list[*]",
  "args.list[0]",
  "args.list[*].a",
  "args.list[*][*]",
  'args["b.c"]',
  "args.nest.a",
  "args.nest",
  "args",
  "args.missing",
];
const otherPaths = ["context.tenant", "context.user", 'context["bound"]', "time.hour", "time.weekday", "tool.name", "tool.server"];

/** Where a condition is to stand. */
interface Place {
  readonly section: Section;
  readonly within: "each" | undefined;
}

function comparison(place: Place): fc.Arbitrary<Condition> {
  const path = fc.constantFrom(...(place.within ? ["item", "item.a", "item[0]", "item[*]"] : []), ...argumentPaths, ...otherPaths);
  const sources = [
    "context.tenant",
    'context["bound"]',
    ...(place.section === "deny_if" ? ["args.a", "args.nest.b", ...(place.within ? ["item.b"] : [])] : []),
  ];
  const from = fc.record({ from: fc.constantFrom(...sources) });
  const literal = fc.record({ literal: flat });
  const listElement = fc.oneof(scalar, literal, fc.array(fc.oneof(scalar, literal), { maxLength: 2 }));
  const orFrom = <T>(arbitrary: fc.Arbitrary<T>) => fc.oneof({ weight: 5, arbitrary: arbitrary as fc.Arbitrary<unknown> }, from);
  const lists = (...texts: string[]) => fc.uniqueArray(fc.constantFrom(...texts), { minLength: 1, maxLength: 3 });
  const operand: Record<string, fc.Arbitrary<unknown>> = {
    eq: orFrom(listElement),
    neq: orFrom(listElement),
    contains: orFrom(listElement),
    in: orFrom(fc.array(listElement, { minLength: 1, maxLength: 3 })),
    not_in: orFrom(fc.array(listElement, { minLength: 1, maxLength: 3 })),
    lt: orFrom(number),
    lte: orFrom(number),
    gt: orFrom(number),
    gte: orFrom(number),
    length_lte: orFrom(fc.nat({ max: 4 })),
    length_gte: orFrom(fc.nat({ max: 4 })),
    exists: fc.boolean(),
    regex: fc.constantFrom("", "a", "^a$", "b.d", "(?i)AB", "[0-9]+", "\\.txt$", "^(a|b)*$"),
    glob: orFrom(fc.constantFrom("*", "**", "a/*.txt", "a/**", "a*b", "?", "**/c.txt", "")),
    starts_with: orFrom(word),
    ends_with: orFrom(word),
    within_path: fc.oneof(fc.constantFrom("/data", "/", "/data/x/"), lists("/data", "/a/b"), from),
    host_in: fc.oneof(lists("example.com", "*.example.com", "127.0.0.1", "[::1]", "xn--xample-9ua.com"), from),
    cidr_in: fc.oneof(lists("10.0.0.0/8", "192.168.1.7", "2001:db8::/32", "::1", "0.0.0.0/0"), from),
  };
  const plain = Object.entries(operand).map(([op, value]) =>
    fc.tuple(path, value, fc.constantFrom(undefined, undefined, true, false), fc.nat({ max: 9 })).map(([path, value, when, intercept]) => ({
      path,
      op,
      value,
      ...(when !== undefined && op !== "exists" && place.section !== "require" ? { when_missing: when } : {}),
      ...(intercept === 0 ? { compare: "intercept" } : {}),
    })),
  );
  const dated = fc.record({
    path: fc.constant("time.date"),
    op: fc.constantFrom("lt", "lte", "gt", "gte"),
    value: fc.constantFrom("2026-01-31", "2026-01-05", "2025-12-31"),
  });
  return fc.oneof(...plain, dated) as fc.Arbitrary<Condition>;
}

const checks: readonly ((facts: { args: Readonly<Record<string, unknown>> }) => boolean)[] = [
  () => true,
  () => false,
  ({ args }) => args["a"] === 1,
  ({ args }) => args["a"] as boolean,
  ({ args }) => (args["nest"] as { a: boolean }).a,
];
const predicates: fc.Arbitrary<Condition> = fc.constantFrom(...checks).map((check) => predicate(String(check), check));

function condition(place: Place, depth: number): fc.Arbitrary<Condition> {
  if (depth === 0) return comparison(place);
  const inner = condition(place, depth - 1);
  const parts = fc.array(inner, { minLength: 1, maxLength: 3 });
  const list = fc.constantFrom(...(place.within ? ["item", "item.a"] : []), "args.list", "args.a", "args.nest.a");
  const elements = fc.array(condition({ ...place, within: "each" }, depth - 1), { minLength: 1, maxLength: 2 });
  return fc.oneof(
    { weight: 6, arbitrary: comparison(place) },
    { weight: 1, arbitrary: parts.map((any) => ({ any })) },
    { weight: 1, arbitrary: parts.map((all) => ({ all })) },
    { weight: 2, arbitrary: inner.map((not) => ({ not })) },
    { weight: 2, arbitrary: fc.record({ path: list, conditions: elements }).map((each) => ({ each })) },
    { weight: 1, arbitrary: predicates },
  );
}

export function entry(section: Section): fc.Arbitrary<Entry> {
  const one = condition({ section, within: undefined }, 2);
  const claim = fc.constant<Condition>({ path: 'tool["category"]', op: "eq", value: "Read" });
  const keys = fc.record(
    { name: fc.constantFrom("named", "a/b~c"), mode: fc.constant("observe" as const), on_deny: fc.constant("No.") },
    { requiredKeys: [] },
  );
  const rare = fc.oneof({ weight: 5, arbitrary: fc.constant({}) }, keys);
  const conditions = fc.oneof(
    { weight: 20, arbitrary: one },
    {
      weight: 6,
      arbitrary: fc.array(one, { minLength: section === "require" ? 1 : 0, maxLength: 3 }).map((conditions) => ({ conditions })),
    },
    { weight: 1, arbitrary: claim },
  );
  return fc.tuple(conditions, rare).map(([one, more]) => ({ ...one, ...more }) as Entry);
}

const sections = ["require", "deny_if", "require_approval"] as const;

const rules: fc.Arbitrary<ToolRules> = fc.record(
  Object.fromEntries(sections.map((section) => [section, fc.array(entry(section), { maxLength: 2 })])),
  { requiredKeys: [] },
);

const schema: fc.Arbitrary<JsonObject> = fc.record(
  {
    type: fc.constant("object"),
    required: fc.subarray(["a", "amount"]),
    properties: fc.dictionary(
      fc.constantFrom("a", "b"),
      fc.constantFrom<JsonObject>({ type: "string" }, { type: "number", maximum: 3 }, { enum: [1, "a", null] }),
      { maxKeys: 2 },
    ),
  },
  { requiredKeys: [] },
);

/** What limits of one name agree on; each use has its own `max`. */
export function counters(windows: fc.Arbitrary<object>, fewest: number): fc.Arbitrary<readonly object[]> {
  const scope = fc.oneof(
    fc.constantFrom("grant", "tenant", "user", "session", "server", "global"),
    fc.constantFrom(["user", "tenant"], ["tenant", "user"]),
  );
  const counted = fc
    .record(
      { window: windows, count: fc.constantFrom("sent", "answered", "protocol", "success"), increment: fc.constantFrom(1, 2, "0.5") },
      { requiredKeys: ["window"] },
    )
    .map(({ window, ...rest }) => ({ ...window, ...rest }));
  const metered = windows.map((window) => ({ ...window, increment_from: "args.amount" }));
  const unit = fc.constantFrom("none", { path: "args.currency", is: "usd" });
  const kind = fc.oneof(
    counted,
    fc.tuple(metered, unit).map(([meter, unit]) => ({ ...meter, unit })),
    fc.nat({ max: 2 }).map((n) => ({ concurrent: n + 1 })),
  );
  return fc
    .array(fc.record({ scope, kind, across: fc.constantFrom(undefined, undefined, "servers") }), { minLength: fewest, maxLength: 3 })
    .map((made) => made.map(({ scope, kind, across }, index) => ({ counter: `c${index}`, scope, ...kind, ...(across ? { across } : {}) })));
}

/** Limits that use some of the counters, each with its own `max`. */
export function uses(fewest: number) {
  return fc.array(fc.tuple(fc.nat({ max: 3 }), fc.constantFrom(2, 3, 4, "5"), fc.nat({ max: 5 })), { minLength: fewest, maxLength: 3 });
}

export function limitsOn(shared: readonly object[], chosen: readonly (readonly [number, number | string, number])[]): readonly Limit[] {
  const apart = chosen.filter(([which], index) => which < shared.length && chosen.findIndex(([other]) => other === which) === index);
  return apart.map(([which, max, observe]) => {
    const counter = shared[which] as object;
    return { ...counter, ...("concurrent" in counter ? {} : { max }), ...(observe === 0 ? { mode: "observe" } : {}) } as Limit;
  });
}

const windows = fc.constantFrom<object>({ window: "minute" }, { window: 90 }, { window: { sliding: "30s" } }, { window: "week" });

const toolRules = fc.tuple(rules, fc.option(schema, { nil: undefined, freq: 6 }), fc.boolean()).map(([rules, schema, ignores]) => ({
  ...rules,
  ...(schema ? { arguments: schema } : {}),
  ...(ignores ? { inputSchema: "ignore" as const } : {}),
}));

const unlimited: fc.Arbitrary<PolicyDocument> = fc
  .record({
    default: fc.constantFrom("allow" as const, "deny" as const),
    hide: fc.boolean(),
    pay: toolRules,
    read: fc.option(toolRules, { nil: undefined }),
    all: fc.option(rules, { nil: undefined }),
  })
  .map(({ default: verdict, hide, pay, read, all }) => ({
    version: "1",
    default: verdict,
    ...(hide ? { hide: ["hidden"] } : {}),
    ...(all ? { all_tools: all } : {}),
    tools: { pay, ...(read ? { read } : {}) },
  })) as fc.Arbitrary<PolicyDocument>;

export const document: fc.Arbitrary<PolicyDocument> = fc
  .tuple(unlimited, counters(windows, 0), uses(0), uses(0))
  .map(([document, shared, own, all]) => ({
    ...document,
    all_tools: { ...document.all_tools, limits: limitsOn(shared, all) },
    tools: { ...document.tools, pay: { ...document.tools?.["pay"], limits: limitsOn(shared, own) } },
  })) as fc.Arbitrary<PolicyDocument>;

/** Two layers that go together: one has the limits, both know the same tools. */
export const layers: fc.Arbitrary<readonly PolicyDocument[]> = fc.tuple(document, unlimited).map(([one, other]) => {
  const tools = (document: PolicyDocument) => ({ ...document, default: "allow" as const, tools: { pay: document.tools?.["pay"] ?? {} } });
  return [tools(one), tools(other)];
});

export const tool = fc.oneof({ weight: 8, arbitrary: fc.constant("pay") }, fc.constantFrom("read", "hidden", "other", "__proto__"));
export const inputSchema = fc.option(schema, { nil: undefined });
/** Instants around the dates and days that conditions ask about. */
export const instant = fc.integer({ min: Date.UTC(2025, 11, 30), max: Date.UTC(2026, 1, 2) });
