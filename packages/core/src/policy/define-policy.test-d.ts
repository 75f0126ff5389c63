import { expectTypeOf, test } from "vitest";
import * as z from "zod";
import type { PaymentTools } from "../../test-data/types/payments.ts";
import { definePolicy, type Policy } from "./define-policy.ts";
import type { PolicyDocument } from "./policy-schema.ts";
import { predicate } from "./predicate.ts";

type PayRules = NonNullable<NonNullable<Policy<PaymentTools>["tools"]>["pay"]>;

/** One tool's rules, as a policy that nothing else is in. */
function pay(rules: NonNullable<NonNullable<Policy<PaymentTools, { plan: "free" | "paid" }, never>["tools"]>["pay"]>) {
  return rules;
}

test("a policy that uses all there is compiles, and is a document", () => {
  const policy = definePolicy<PaymentTools>()({
    version: "1",
    default: "deny",
    description: "Payments desk",
    hide: ["free", { name: "gone", optional: true }],
    audit: { secret: ["args.password"] },
    all_tools: {
      limits: [{ counter: "calls", window: "minute", max: 60, scope: "grant" }],
      require: [
        { path: "context.tenant", op: "exists", value: true },
        { path: "args.whatever.deep[0]", op: "gt", value: 3 },
      ],
    },
    tools: {
      list_payments: {},
      free: {
        require: [
          { path: "args.foo.bar", op: "lte", value: 5 },
          { path: "args.foo[3].x", op: "eq", value: "a" },
        ],
      },
      raw: { arguments: z.strictObject({ id: z.string() }), deny_if: [{ path: "args.id", op: "glob", value: "test-*" }] },
      pay: {
        optional: true,
        inputSchema: "ignore",
        audit: { record: ["args.amount", "args.items[*].sku"], secret: ["args.note"] },
        arguments: { type: "object", properties: { amount: { maximum: 5 } } },
        require: [
          { path: "args.amount", op: "lte", value: 500, on_deny: "Too much." },
          { path: "args.amount", op: "lte", value: { from: "context.max_amount" } },
          { path: "args.currency", op: "eq", value: "gbp" },
          { path: "args.currency", op: "in", value: ["gbp", "eur"] },
          { path: "args.currency", op: "starts_with", value: "g" },
          { path: "args.level", op: "in", value: [1, 2] },
          { path: "args.level", op: "gte", value: 2 },
          { path: "args.note", op: "regex", value: "^a" },
          { path: "args.note", op: "exists", value: false },
          { path: "args.note", op: "length_lte", value: 80 },
          { path: "args.note", op: "ends_with", value: "." },
          { path: "args.note", op: "within_path", value: ["/srv", "/tmp"] },
          { path: "args.price", op: "host_in", value: ["*.example.com"] },
          { path: "args.price", op: "cidr_in", value: ["10.0.0.0/8"] },
          { path: "args.live", op: "eq", value: true },
          { path: "args.items", op: "length_lte", value: 10 },
          { path: "args.items[0].sku", op: "starts_with", value: "A" },
          { path: "args.items[*].sku", op: "not_in", value: ["A1", "B2"] },
          { path: "args.items[*].tags", op: "contains", value: "x" },
          { path: "args.items[*].tags[*]", op: "neq", value: "x" },
          { path: "args.items[*]", op: "eq", value: { literal: { sku: "a", qty: 1 } } },
          { path: "args.items", op: "contains", value: { literal: { sku: "a", qty: 1 } } },
          { path: "args.items", op: "eq", value: [{ literal: { sku: "a", qty: 1 } }] },
          { path: "args.items[0].tags", op: "eq", value: ["x", "y"] },
          { path: "args.items[0].tags", op: "in", value: [["x"], [], { literal: ["y"] }] },
          { path: "args.matrix", op: "contains", value: [1, 2] },
          { path: "args.matrix", op: "neq", value: [[1, 2], { literal: [3] }] },
          { path: "args.extra.list", op: "eq", value: ["a", 1, null, ["b"], { literal: { c: 1 } }] },
          { path: "args.customer.address.city", op: "eq", value: "London" },
          { path: "args.customer.address.zip", op: "eq", value: null },
          { path: "args.metadata.order_id", op: "glob", value: "o-*" },
          { path: "args.extra.a.b[0].c", op: "eq", value: 5 },
          { path: "args.open.id", op: "eq", value: "x" },
          { path: "args.open.other.thing", op: "gt", value: 5 },
          { path: "args.target", op: "eq", value: "me" },
          { path: "args.target.account", op: "eq", value: "me" },
          { path: "args.count", op: "lt", value: 5 },
          { path: "args.count", op: "regex", value: "5" },
          { path: "args.resource-group", op: "eq", value: "x" },
          { path: 'args["odd.key"]', op: "gt", value: 5 },
          { path: 'args["quoted\\"key"]', op: "gt", value: 5 },
          { path: "args.tree.children[*].children[*].name", op: "eq", value: "x" },
          { path: "args.mode.type", op: "eq", value: "a" },
          { path: "args.mode.x", op: "gt", value: 1 },
          { path: "args.matrix[0][1]", op: "gt", value: 1 },
          { path: "context.plan.tier", op: "eq", value: "gold" },
          { path: "tool.annotations.readOnlyHint", op: "eq", value: true },
          { conditions: [{ path: "tool.category", op: "neq", value: "financial" }] },
          { path: "tool.server", op: "eq", value: "stripe" },
          { path: "time.hour", op: "lt", value: 18 },
          { path: "time.date", op: "lt", value: "2030-01-01" },
          { path: "args.legacy.id", op: "lt", value: 18, undeclared: true },
          { path: "args.amount", op: "lt", value: 18, undeclared: true },
          {
            each: {
              path: "args.items",
              conditions: [
                { path: "item.sku", op: "eq", value: "a" },
                { path: "item.qty", op: "lt", value: 3 },
                { path: "args.live", op: "eq", value: true },
                { path: "item.legacy", op: "eq", value: 1, undeclared: true },
                { each: { path: "item.tags", conditions: [{ path: "item", op: "glob", value: "*" }] } },
              ],
            },
            on_deny: "No such item.",
          },
          {
            any: [
              { path: "args.amount", op: "lt", value: 5 },
              { not: { path: "args.live", op: "eq", value: true } },
              { all: [{ path: "time.hour", op: "gte", value: 9 }, predicate("small", ({ args }) => args["amount"] === 1)] },
            ],
            name: "small or quiet",
          },
          predicate("business hours", ({ time }) => time.hour > 8),
        ],
        deny_if: [
          { conditions: [] },
          {
            conditions: [
              { path: "args.note", op: "contains", value: "x", when_missing: true },
              { not: { path: "args.amount", op: "gt", value: 5 } },
            ],
            on_deny: "no",
            name: "n",
          },
          { path: "args.price", op: "eq", value: { from: "args.note" }, mode: "observe", explain: "model" },
        ],
        require_approval: [
          { conditions: [], reason: "always", timeout: "10m" },
          { path: "args.amount", op: "gt", value: 100, reason: "big", widen: { to: "session", for: "1h", uses: 3 } },
        ],
        limits: [
          {
            counter: "a",
            window: "month",
            max: 1000,
            scope: "tenant",
            increment_from: "args.amount",
            unit: { path: "args.currency", is: "usd" },
          },
          { counter: "b", window: { sliding: "10m" }, max: "5.5", scope: ["tenant", "user"], increment_from: "args.price", unit: "none" },
          { counter: "c", window: 90, max: 5, increment_from: "args.items[0].qty", unit: "none" },
          { counter: "d", window: "lifetime", max: 5, scope: "session", increment: 2, count: "success", across: "servers" },
          { counter: "e", concurrent: 3 },
        ],
      },
    },
  });
  expectTypeOf(policy).toEqualTypeOf<PolicyDocument>();
});

test("a path that the tool does not declare is an error", () => {
  // @ts-expect-error misspelt
  pay({ require: [{ path: "args.amout", op: "gt", value: 5 }] });
  // @ts-expect-error misspelt in an element
  pay({ require: [{ path: "args.items[0].skuu", op: "eq", value: "x" }] });
  // @ts-expect-error misspelt among conditions
  pay({ deny_if: [{ conditions: [{ path: "args.amout", op: "gt", value: 5 }] }] });
  // @ts-expect-error misspelt in a group
  pay({ require: [{ any: [{ path: "args.amout", op: "gt", value: 5 }] }] });
  // @ts-expect-error misspelt in the element that `each` binds
  pay({ require: [{ each: { path: "args.items", conditions: [{ path: "item.skuu", op: "eq", value: "a" }] } }] });
  // @ts-expect-error not a list
  pay({ require: [{ each: { path: "args.amount", conditions: [{ path: "item", op: "eq", value: "a" }] } }] });
  // @ts-expect-error several lists
  pay({ require: [{ each: { path: "args.items[*].tags", conditions: [{ path: "item", op: "eq", value: "a" }] } }] });
  // @ts-expect-error `item` outside `each`
  pay({ require: [{ path: "item.sku", op: "eq", value: "a" }] });
  // @ts-expect-error no such field of `time`
  pay({ require: [{ path: "time.hours", op: "lt", value: 5 }] });
  // @ts-expect-error the host named its context, and this is not in it
  pay({ require: [{ path: "context.tennant", op: "eq", value: "acme" }] });
  // @ts-expect-error a secret that is misspelt would be shown
  pay({ audit: { secret: ["args.nota"] } });
  // @ts-expect-error `undeclared` is true or absent
  pay({ require: [{ path: "args.other", op: "gt", value: 5, undeclared: false }] });
});

test("an operator that the type rules out is an error", () => {
  // @ts-expect-error no operator
  pay({ require: [{ path: "args.amount", op: "gtt", value: 5 }] });
  // @ts-expect-error text operator on a number
  pay({ require: [{ path: "args.amount", op: "regex", value: "5" }] });
  // @ts-expect-error order on a string
  pay({ require: [{ path: "args.note", op: "gt", value: 5 }] });
  // @ts-expect-error order on a boolean
  pay({ require: [{ path: "args.live", op: "lt", value: 5 }] });
  // @ts-expect-error text operator on a list
  pay({ require: [{ path: "args.items", op: "starts_with", value: "a" }] });
  // @ts-expect-error text operator on the element's number
  pay({ require: [{ each: { path: "args.items", conditions: [{ path: "item.qty", op: "regex", value: "a" }] } }] });
});

test("a value that cannot be there is an error", () => {
  // @ts-expect-error a string for a number
  pay({ require: [{ path: "args.amount", op: "gt", value: "5" }] });
  // @ts-expect-error no such choice
  pay({ require: [{ path: "args.currency", op: "eq", value: "uds" }] });
  // @ts-expect-error no such choice in a list
  pay({ require: [{ path: "args.currency", op: "in", value: ["gbp", "uds"] }] });
  // @ts-expect-error no such number
  pay({ require: [{ path: "args.level", op: "eq", value: 4 }] });
  // @ts-expect-error `exists` takes a boolean
  pay({ require: [{ path: "args.note", op: "exists", value: "yes" }] });
  // @ts-expect-error a number for a boolean
  pay({ require: [{ not: { path: "args.live", op: "eq", value: 1 } }] });
  // @ts-expect-error a number in a list of strings
  pay({ require: [{ path: "args.items[0].tags", op: "eq", value: ["x", 5] }] });
  // @ts-expect-error an object without `literal` in a list
  pay({ require: [{ path: "args.items", op: "eq", value: [{ sku: "a", qty: 1 }] }] });
  // @ts-expect-error a reference in a list
  pay({ require: [{ path: "args.items[0].tags", op: "eq", value: ["x", { from: "context.user" }] }] });
  // @ts-expect-error a reference in a list, of whatever type
  pay({ require: [{ path: "args.extra.list", op: "eq", value: ["x", { from: "context.user" }] }] });
  // @ts-expect-error an object without `literal`
  pay({ require: [{ path: "args.customer", op: "eq", value: { id: "x" } }] });
  // @ts-expect-error another plan than the host has
  pay({ require: [{ path: "context.plan", op: "eq", value: "gold" }] });
  // @ts-expect-error no such category
  pay({ require: [{ path: "tool.category", op: "eq", value: "reed" }] });
});

test("what a list of rules does not take is an error", () => {
  // @ts-expect-error `when_missing` in `require`
  pay({ require: [{ path: "args.note", op: "eq", value: "x", when_missing: true }] });
  // @ts-expect-error `exists` says itself what missing means
  pay({ deny_if: [{ path: "args.note", op: "exists", value: true, when_missing: true }] });
  // @ts-expect-error no boolean
  pay({ deny_if: [{ path: "args.note", op: "eq", value: "x", when_missing: "pass" }] });
  // @ts-expect-error in `require` the model would write both sides
  pay({ require: [{ path: "args.note", op: "eq", value: { from: "args.price" } }] });
  // @ts-expect-error in `require_approval` too
  pay({ require_approval: [{ path: "args.note", op: "eq", value: { from: "args.price" } }] });
  // @ts-expect-error a server's claim in a group
  pay({ require: [{ any: [{ path: "tool.category", op: "eq", value: "read" }] }] });
  // @ts-expect-error a misspelt key
  pay({ require: [{ path: "args.amount", op: "gt", value: 5, on_denny: "x" }] });
  // @ts-expect-error a key of approvals
  pay({ deny_if: [{ path: "args.note", op: "eq", value: "x", reason: "x" }] });
  // @ts-expect-error no such mode
  pay({ require: [{ path: "args.amount", op: "gt", value: 5, mode: "observ" }] });
  // @ts-expect-error no duration
  pay({ require_approval: [{ conditions: [], timeout: "10 minutes" }] });
  // @ts-expect-error wider without a bound
  pay({ require_approval: [{ conditions: [], widen: "session" }] });
  // @ts-expect-error a predicate without a check
  pay({ require: [{ predicate: "business hours" }] });
  // @ts-expect-error no such list
  pay({ require_if: [] });
});

test("a limit that contradicts itself is an error", () => {
  // @ts-expect-error no such window
  pay({ limits: [{ counter: "a", window: "minutes", max: 5 }] });
  // @ts-expect-error no duration
  pay({ limits: [{ counter: "a", window: { sliding: "ten minutes" }, max: 5 }] });
  // @ts-expect-error no `max`
  pay({ limits: [{ counter: "a", window: "minute" }] });
  // @ts-expect-error no such scope
  pay({ limits: [{ counter: "a", window: "minute", max: 5, scope: "tennant" }] });
  // @ts-expect-error an amount without its unit
  pay({ limits: [{ counter: "a", window: "minute", max: 5, increment_from: "args.amount" }] });
  // @ts-expect-error a boolean is no amount
  pay({ limits: [{ counter: "a", window: "minute", max: 5, increment_from: "args.live", unit: "none" }] });
  // @ts-expect-error many amounts
  pay({ limits: [{ counter: "a", window: "minute", max: 5, increment_from: "args.items[*].qty", unit: "none" }] });
  // @ts-expect-error no such unit
  pay({ limits: [{ counter: "a", window: "minute", max: 5, increment_from: "args.amount", unit: { path: "args.currency", is: "chf" } }] });
  // @ts-expect-error an amount is counted when it is sent
  pay({ limits: [{ counter: "a", window: "minute", max: 5, increment_from: "args.amount", unit: "none", count: "success" }] });
  // @ts-expect-error calls in flight have no maximum beside them
  pay({ limits: [{ counter: "a", concurrent: 5, max: 5 }] });
});

test("a document that is wrong at its top is an error", () => {
  // @ts-expect-error no such tool
  (): unknown => definePolicy<PaymentTools>()({ version: "1", default: "deny", tools: { pey: {} } });
  // @ts-expect-error no such tool to hide: an open door
  (): unknown => definePolicy<PaymentTools>()({ version: "1", default: "deny", hide: ["pey"] });
  // @ts-expect-error absent by a name only is a typo
  (): unknown => definePolicy<PaymentTools>()({ version: "1", default: "deny", hide: [{ name: "gone" }] });
  // @ts-expect-error no such verdict
  (): unknown => definePolicy<PaymentTools>()({ version: "1", default: "den" });
  // @ts-expect-error no such version
  (): unknown => definePolicy<PaymentTools>()({ version: "2", default: "deny" });
  // @ts-expect-error no such key
  (): unknown => definePolicy<PaymentTools>()({ version: "1", default: "deny", tool: {} });
  // @ts-expect-error untyped documents have a shape too
  (): unknown => definePolicy({ version: "1", default: "deny", tools: { pay: { require: [{ path: "args.a", op: "gtt", value: 1 }] } } });
});

test("a tool that the server may lack is added to the types", () => {
  definePolicy<PaymentTools & { old_pay: { sum: number } }>()({
    version: "1",
    default: "deny",
    tools: { old_pay: { optional: true, deny_if: [{ path: "args.sum", op: "gt", value: 5 }] } },
  });
});

test("rules can be shared and annotated", () => {
  const small = { path: "args.amount", op: "lt", value: 5 } as const satisfies NonNullable<PayRules["require"]>[number];
  const rules: PayRules = { require: [small, { path: "args.legacy", op: "eq", value: 1, undeclared: true }] };
  definePolicy<PaymentTools>()({ version: "1", default: "deny", tools: { pay: { require: [small] } } });
  expectTypeOf(rules).toEqualTypeOf<PayRules>();
});
