import * as fc from "fast-check";
import { expect, test, vi } from "vitest";
import table from "../../test-data/truth-table.json" with { type: "json" };
import type { Json, JsonObject } from "../arguments/json-snapshot.ts";
import { type Condition, conditionSchema, operators } from "../policy/policy-schema.ts";
import { compileCondition, compileConditions, conditionText, conditionToken, type Place, type Truth } from "./condition.ts";
import { type Explanation, explainCondition } from "./explain-condition.ts";
import type { Facts } from "./facts.ts";

const sections = ["require", "deny_if", "require_approval"] as const;
const truths = [true, false, "unknown"] as const;

function factsOf(parts: { args?: unknown; context?: unknown; date?: string }): Facts {
  return {
    args: (parts.args ?? {}) as JsonObject,
    context: (parts.context ?? {}) as JsonObject,
    tool: { name: "create_refund", server: "stripe" },
    time: { hour: 9, weekday: 6, date: parts.date ?? "2026-01-31" },
  };
}

/** A condition of the table: it must also be one that the policy's shape takes. */
function conditionOf(value: unknown): Condition {
  return conditionSchema.parse(value);
}

function ask(condition: unknown, place: Place, facts: Facts): Truth {
  return compileCondition(condition as Condition, place)(facts);
}

function nested(condition: Condition, nots: number): Condition {
  return nots === 0 ? condition : { not: nested(condition, nots - 1) };
}

function typeOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}

for (const { op, value, ...samples } of table.comparisons) {
  test(`truth table: ${op} ${JSON.stringify(value)}`, () => {
    for (const section of sections) {
      for (const truth of truths) {
        for (const x of samples[`${truth}`])
          expect([x, ask(conditionOf({ path: "args.x", op, value }), { section }, factsOf({ args: { x } }))]).toEqual([x, truth]);
      }
    }
  });
}

test("the truth table asks every operator about every JSON type", () => {
  const asked = new Map<string, Set<string>>();
  for (const row of table.comparisons) {
    const types = new Set([...row.true, ...row.false, ...row.unknown].map(typeOf));
    expect([row.op, row.value, types.size]).toEqual([row.op, row.value, 6]);
    asked.set(row.op, types);
  }
  expect([...asked.keys()].sort()).toEqual([...operators].sort());
  expect(new Set(table.absent.map((row) => row.op))).toEqual(new Set(operators));
});

test("truth table: equality as Intercept has it", () => {
  for (const { op, value, ...samples } of table.intercept) {
    const condition = conditionOf({ path: "args.x", op, value, compare: "intercept" });
    for (const section of sections) {
      for (const truth of [true, false] as const) {
        for (const x of samples[`${truth}`])
          expect([op, value, x, ask(condition, { section }, factsOf({ args: { x } }))]).toEqual([op, value, x, truth]);
      }
    }
  }
});

test("[fail-closed] as Intercept has it, nothing is outside of what is no list", () => {
  for (const op of ["in", "not_in"] as const) {
    const condition = { path: "args.x", op, value: { from: "context.allowed" }, compare: "intercept" } as const;
    for (const allowed of ["a", 1, null, { a: 1 }])
      expect(ask(condition, { section: "require" }, factsOf({ args: { x: "b" }, context: { allowed } }))).toBe(false);
    expect(ask(condition, { section: "require" }, factsOf({ args: { x: "b" }, context: { allowed: ["a"] } }))).toBe(op === "not_in");
  }
});

test("truth table: dates are ordered on time.date", () => {
  for (const { op, value, ...samples } of table.dates) {
    for (const truth of [true, false] as const) {
      for (const date of samples[`${truth}`])
        expect([op, date, ask(conditionOf({ path: "time.date", op, value }), { section: "require" }, factsOf({ date }))]).toEqual([
          op,
          date,
          truth,
        ]);
    }
  }
});

test("[fail-closed] truth table: an absent path", () => {
  for (const { op, value, truth, intercept } of table.absent) {
    for (const section of sections) {
      for (const args of [{}, { y: 1 }]) {
        const asked = (extra: object) => ask(conditionOf({ path: "args.x", op, value, ...extra }), { section }, factsOf({ args }));
        expect([op, asked({})]).toEqual([op, truth]);
        expect([op, asked({ when_missing: true }), asked({ when_missing: false })]).toEqual([op, true, false]);
        expect([op, asked({ compare: "intercept" })]).toEqual([op, intercept]);
      }
    }
  }
});

for (const { condition, rows } of table.quantified) {
  test(`truth table: ${JSON.stringify(condition)}`, () => {
    for (const [list, ...columns] of rows) {
      const facts = factsOf({ args: list === "absent" ? {} : { list } });
      for (const section of sections) {
        const expected = columns[section === "require" ? 0 : 1];
        const found = [0, 1, 2].map((nots) => ask(conditionOf(nested(condition as Condition, nots)), { section }, facts));
        expect([section, list, found]).toEqual([section, list, expected]);
      }
    }
  });
}

const atoms: Record<string, Condition> = {
  T: { path: "args.one", op: "eq", value: 1 },
  F: { path: "args.one", op: "eq", value: 2 },
  U: { path: "args.none", op: "eq", value: 1 },
};

test("truth table: any, all and not", () => {
  const spelled = (value: unknown): unknown => {
    if (typeof value === "string") return atoms[value];
    if (Array.isArray(value)) return value.map(spelled);
    return Object.fromEntries(Object.entries(value as object).map(([key, part]) => [key, spelled(part)]));
  };
  for (const row of table.logic) {
    for (const section of sections)
      expect([row, ask(spelled(row.condition), { section }, factsOf({ args: { one: 1 } }))]).toEqual([row, row.truth]);
  }
});

test("truth table: values found at another path", () => {
  for (const { condition, args, context, truth } of table.references) {
    for (const section of sections)
      expect([condition, ask(conditionOf(condition), { section }, factsOf({ args, context }))]).toEqual([condition, truth]);
  }
});

test("[sent-is-checked] an inherited property is absent", () => {
  const condition: Condition = { path: "args.toString", op: "exists", value: true };
  expect(ask(condition, { section: "require" }, factsOf({}))).toBe(false);
  expect(ask({ ...condition, path: "args.a.constructor" }, { section: "require" }, factsOf({ args: { a: {} } }))).toBe(false);
  expect(ask({ ...condition, path: "args.__proto__" }, { section: "require" }, factsOf({ args: JSON.parse('{"__proto__":1}') }))).toBe(
    true,
  );
});

test("each binds the innermost element, and still reads the call's other facts", () => {
  const condition: Condition = {
    each: {
      path: "args.orders",
      conditions: [
        { path: "item.tenant", op: "eq", value: { from: "context.tenant" } },
        { each: { path: "item.lines", conditions: [{ path: "item.price", op: "lte", value: { from: "context.bound" } }] } },
      ],
    },
  };
  const asked = (price: number, tenant = "acme") =>
    ask(
      condition,
      { section: "require" },
      factsOf({ args: { orders: [{ tenant, lines: [{ price }] }] }, context: { tenant: "acme", bound: 10 } }),
    );
  expect([asked(10), asked(11), asked(10, "other")]).toEqual([true, false, false]);
});

test("each over a path with [*] asks every list", () => {
  const condition: Condition = { each: { path: "args.orders[*].lines", conditions: [{ path: "item", op: "lte", value: 5 }] } };
  const asked = (...lines: number[][]) =>
    ask(condition, { section: "require" }, factsOf({ args: { orders: lines.map((line) => ({ lines: line })) } }));
  expect([asked([1], [5]), asked([1], [6]), asked([1], [])]).toEqual([true, false, "unknown"]);
});

test("[fail-closed] a predicate is unknown when it throws or answers anything but a boolean", () => {
  const asked = (check: unknown) => ask({ predicate: "p", check }, { section: "require" }, factsOf({ args: { a: 1 } }));
  expect(asked(() => true)).toBe(true);
  expect(asked(() => false)).toBe(false);
  const answers = [() => 1, () => "true", () => undefined, () => null, () => new Boolean(true), () => ({ then: 1 })];
  for (const check of answers) expect(asked(check)).toBe("unknown");
  expect(
    asked(() => {
      throw new Error("no");
    }),
  ).toBe("unknown");
  expect(
    asked(() => ({
      get then() {
        throw new Error("no");
      },
    })),
  ).toBe("unknown");
});

test("[fail-closed] a predicate that answers with a promise is unknown, and its rejection is nobody's", async () => {
  const unhandled = vi.fn();
  process.on("unhandledRejection", unhandled);
  const check = async () => {
    throw new Error("late");
  };
  expect(ask({ predicate: "p", check }, { section: "require" }, factsOf({}))).toBe("unknown");
  await new Promise((resolve) => setTimeout(resolve, 10));
  process.off("unhandledRejection", unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

test("a predicate sees the arguments, the context and the time of the call, frozen all through", () => {
  const facts = factsOf({ args: { a: { b: [1] } }, context: { user: "ann" }, date: "2026-02-01" });
  const seen: unknown[] = [];
  const check = (given: { args: { a: { b: number[] } } }) => {
    seen.push(structuredClone(given), Object.isFrozen(given.args), Object.isFrozen(given.args.a.b));
    return given.args.a.b[0] === 1;
  };
  expect(ask({ predicate: "p", check }, { section: "require" }, facts)).toBe(true);
  expect(seen).toEqual([{ args: facts.args, context: facts.context, time: facts.time }, true, true]);
});

test("a predicate judges arguments that hold null", () => {
  const check = ({ args }: { args: { note: null; list: unknown[] } }) => args.note === null && args.list[0] === null;
  expect(ask({ predicate: "p", check }, { section: "require" }, factsOf({ args: { note: null, list: [null] } }))).toBe(true);
});

test("[sent-is-checked] a predicate cannot change what was checked", () => {
  const facts = factsOf({ args: { deep: { list: [{ a: 1 }] } } });
  const check = ({ args }: { args: { deep: { list: { a: number }[] } } }) => {
    (args.deep.list[0] as { a: number }).a = 2;
    return true;
  };
  expect(ask({ predicate: "p", check }, { section: "require" }, facts)).toBe("unknown");
  expect(facts.args).toEqual({ deep: { list: [{ a: 1 }] } });
});

test("[strict-load] a condition that does not load does not compile", () => {
  const compile = (condition: unknown) => () => compileCondition(condition as Condition, { section: "require" });
  expect(compile({ path: "amount", op: "eq", value: 1 })).toThrow("start it at `args`");
  expect(compile({ path: "item.a", op: "eq", value: 1 })).toThrow("only inside `each`");
  expect(compile({ path: "args.a", op: "eq", value: { from: "nowhere" } })).toThrow("cannot start like `nowhere`");
  expect(compile({ path: "args.a", op: "regex", value: "(?=a)" })).toThrow("linear time");
  expect(compile({ path: "args.a", op: "lt", value: "2026-01-31" })).toThrow("only numbers are ordered");
});

test("conditions of a rule are ANDed, and none always matches", () => {
  const facts = factsOf({ args: { one: 1 } });
  const { T, F, U } = atoms as { T: Condition; F: Condition; U: Condition };
  const asked = (...conditions: Condition[]) => compileConditions(conditions, { section: "deny_if" })(facts);
  expect([asked(), asked(T), asked(U, T), asked(U, F), asked(T, T, U)]).toEqual([true, true, "unknown", false, "unknown"]);
});

test("a condition has a short name for rule ids and a line for the operator", () => {
  const rows: [Condition, string, string][] = [
    [{ path: "args.amount", op: "gt", value: 100 }, "args.amount-gt", "args.amount gt 100"],
    [{ path: 'args["amount"]', op: "in", value: ["a", { literal: { b: 1 } }] }, "args.amount-in", 'args.amount in ["a",{"b":1}]'],
    [{ path: "args.tenant", op: "eq", value: { from: "context.tenant" } }, "args.tenant-eq", "args.tenant eq context.tenant"],
    [{ not: { any: [{ path: "args.a", op: "exists", value: true }] } }, "not", "not (any (args.a exists true))"],
    [{ all: [{ path: "args.a", op: "exists", value: true }] }, "all", "all (args.a exists true)"],
    [
      {
        any: [
          { path: "args.a", op: "eq", value: 1 },
          { path: "args.b", op: "eq", value: 2 },
        ],
      },
      "any",
      "any (args.a eq 1, args.b eq 2)",
    ],
    [
      {
        all: [
          { path: "args.a", op: "eq", value: 1 },
          { path: "args.b", op: "eq", value: 2 },
        ],
      },
      "all",
      "all (args.a eq 1, args.b eq 2)",
    ],
    [
      {
        each: {
          path: 'args["items"]',
          conditions: [
            { path: 'item["price"]', op: "lt", value: 5 },
            { path: "item.kind", op: "eq", value: { from: 'item["wanted"]' } },
          ],
        },
      },
      "args.items-each",
      "each of args.items (item.price lt 5 and item.kind eq item.wanted)",
    ],
    [
      { each: { path: "args.items", conditions: [{ path: "item.price", op: "lt", value: 5 }] } },
      "args.items-each",
      "each of args.items (item.price lt 5)",
    ],
    [{ predicate: "business hours", check: () => true }, "business hours", "business hours"],
  ];
  for (const [condition, token, text] of rows) expect([conditionToken(condition), conditionText(condition)]).toEqual([token, text]);
});

test("an explanation shows what was compared with what, element by element", () => {
  const facts = factsOf({ args: { items: [{ price: 5 }, {}] }, context: { bound: 4 } });
  const condition: Condition = { path: "args.items[*].price", op: "lte", value: { from: "context.bound" } };
  expect(explainCondition(condition, { section: "require" }, facts)).toEqual({
    text: "args.items[*].price lte context.bound",
    truth: false,
    parts: [
      {
        text: "args.items[0].price lte context.bound",
        truth: false,
        compared: { path: "args.items[0].price", op: "lte", expected: 4, saw: 5 },
        parts: [],
      },
      {
        text: "args.items[1].price lte context.bound",
        truth: "unknown",
        compared: { path: "args.items[1].price", op: "lte", expected: 4 },
        parts: [],
      },
    ],
  });
});

const names = fc.constantFrom("a", "b", "list");
const scalars = fc.constantFrom<Json>(null, true, 0, 1, "a", "b", "1", 2);
const values: fc.Arbitrary<Json> = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof({ maxDepth: 3 }, scalars, fc.array(tie("json"), { maxLength: 3 }), fc.dictionary(names, tie("json"), { maxKeys: 3 })),
})).json;
const facts = fc.record({ args: fc.dictionary(names, values), context: fc.dictionary(names, values) }).map(factsOf);
const steps = fc.array(fc.constantFrom(".a", ".b", ".list", "[0]", "[*]", '["a"]'), { maxLength: 3 });
const paths = fc
  .tuple(fc.constantFrom("args.", "context.", "item.", "item"), names, steps)
  .map(([root, name, rest]) => (root === "item" ? root : root + name) + rest.join(""));
const whenMissing = fc.option(fc.record({ when_missing: fc.boolean() }), { nil: {} });
const operands = fc.oneof(
  fc.record({
    op: fc.constantFrom("eq", "neq", "contains"),
    value: fc.oneof(
      scalars,
      values.map((literal) => ({ literal })),
      fc.constant({ from: "context.a" }),
    ),
  }),
  fc.record({
    op: fc.constantFrom("in", "not_in"),
    value: fc.oneof(
      fc.array(
        values.map((literal) => ({ literal })),
        { minLength: 1, maxLength: 3 },
      ),
      fc.constant({ from: "context.list" }),
    ),
  }),
  fc.record({ op: fc.constantFrom("lt", "gte", "length_lte", "length_gte"), value: fc.constantFrom(0, 1, 2) }),
  fc.record({ op: fc.constant("exists"), value: fc.boolean() }),
  fc.record({ op: fc.constantFrom("regex", "glob", "starts_with"), value: fc.constantFrom("a", "^b$", "a*", "") }),
);
const comparisons = fc.tuple(paths, operands, whenMissing).map(([path, operand, extra]) => ({ path, ...operand, ...extra }) as Condition);
const { condition: conditions } = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    comparisons,
    fc.record({ any: fc.array(tie("condition"), { minLength: 1, maxLength: 3 }) }),
    fc.record({ all: fc.array(tie("condition"), { minLength: 1, maxLength: 3 }) }),
    fc.record({ not: tie("condition") }),
    fc.record({ each: fc.record({ path: paths, conditions: fc.array(tie("condition"), { minLength: 1, maxLength: 2 }) }) }),
  ),
}));
/** Generated conditions may start at `item` anywhere, so they stand inside an `each`. */
const place = fc.record({ section: fc.constantFrom(...sections), negated: fc.boolean(), within: fc.constant("each" as const) });
const truth = (condition: Condition, where: Place, known: Facts, item: Json) => compileCondition(condition, where)(known, item);
const opposite = (where: Place): Place => ({ ...where, negated: where.negated !== true });

test("property: every condition has one of three values on any facts, and asking changes nothing", () => {
  fc.assert(
    fc.property(conditions, place, facts, values, (condition, where, known, item) => {
      const before = JSON.stringify([known, item]);
      const found = truth(condition, where, known, item);
      expect(truths).toContain(found);
      expect(truth(condition, where, known, item)).toBe(found);
      expect(JSON.stringify([known, item])).toBe(before);
    }),
    { numRuns: 500 },
  );
});

test("property: De Morgan's laws hold with the quantifiers swapped by not", () => {
  fc.assert(
    fc.property(fc.array(conditions, { minLength: 1, maxLength: 3 }), place, facts, values, (parts, where, known, item) => {
      const asked = (condition: Condition) => truth(condition, where, known, item);
      expect(asked({ not: { any: parts } })).toBe(asked({ all: parts.map((part) => ({ not: part })) }));
      expect(asked({ not: { all: parts } })).toBe(asked({ any: parts.map((part) => ({ not: part })) }));
      expect(asked({ not: { not: { all: parts } } })).toBe(asked({ all: parts }));
    }),
    { numRuns: 500 },
  );
});

test("property: every not-some is some-not, over any list that is not empty", () => {
  fc.assert(
    fc.property(
      fc.array(values, { minLength: 1, maxLength: 4 }),
      fc.array(comparisons, { minLength: 1, maxLength: 2 }),
      place,
      facts,
      (list, parts, where, known) => {
        const given = { ...known, args: { ...known.args, list } };
        const outside: Condition = { not: { each: { path: "args.list", conditions: parts } } };
        const inside: Condition = { each: { path: "args.list", conditions: [{ not: { all: parts } }] } };
        // The quantifier of `outside` is the other one, under a `not`: together they are the quantifier of `inside`.
        expect(compileCondition(outside, where)(given, null)).toBe(compileCondition(inside, where)(given, null));
      },
    ),
    { numRuns: 500 },
  );
});

test("property: order does not matter to any and all", () => {
  fc.assert(
    fc.property(fc.array(conditions, { minLength: 1, maxLength: 4 }), place, facts, values, (parts, where, known, item) => {
      const reversed = [...parts].reverse();
      expect(truth({ any: reversed }, where, known, item)).toBe(truth({ any: parts }, where, known, item));
      expect(truth({ all: reversed }, where, known, item)).toBe(truth({ all: parts }, where, known, item));
    }),
  );
});

/** The truth that the parts of an explanation add up to; `undefined` where it is not made of parts. */
function summed(condition: Condition, where: Place, { parts }: Explanation): Truth | undefined {
  const found = parts.map((part) => part.truth);
  const some = (): Truth => (found.includes(true) ? true : found.includes("unknown") ? "unknown" : false);
  const every = (): Truth => (found.includes(false) ? false : found.includes("unknown") ? "unknown" : true);
  if ("any" in condition) return some();
  if ("all" in condition) return every();
  if ("not" in condition) return found[0] === "unknown" ? "unknown" : !found[0];
  if (found.length === 0) return undefined;
  return (where.section === "require") !== (where.negated === true) ? every() : some();
}

test("property: an explanation agrees with the compiled condition, and its parts with it", () => {
  const agrees = (condition: Condition, where: Place, explanation: Explanation) => {
    const sum = summed(condition, where, explanation);
    if (sum !== undefined) expect(explanation.truth).toBe(sum);
    if ("any" in condition) condition.any.forEach((part, index) => agrees(part, where, explanation.parts[index] as Explanation));
    if ("all" in condition) condition.all.forEach((part, index) => agrees(part, where, explanation.parts[index] as Explanation));
    if ("not" in condition) agrees(condition.not, opposite(where), explanation.parts[0] as Explanation);
  };
  fc.assert(
    fc.property(conditions, place, facts, values, (condition, where, known, item) => {
      const explanation = explainCondition(condition, where, known, item);
      expect(explanation.truth).toBe(truth(condition, where, known, item));
      agrees(condition, where, explanation);
    }),
    { numRuns: 500 },
  );
});

test("[fail-closed] property: a condition of Intercept's is never unknown", () => {
  fc.assert(
    fc.property(names, operands, facts, (name, operand, known) => {
      const condition = { path: `args.${name}.a`, ...operand, compare: "intercept" } as Condition;
      for (const section of sections) expect(typeof compileCondition(condition, { section })(known)).toBe("boolean");
    }),
  );
});
