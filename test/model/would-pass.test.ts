import { compilePolicy, decide, type Json, type JsonObject, type PolicyDocument } from "@holdpoint/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { args, context, document, instant } from "./arbitraries.ts";
import { decideByModel } from "./decision.ts";
import { cases } from "./effort.ts";
import { expectAgreement } from "./paste.ts";

/** Rules about the same two arguments, with literals that meet: what passes one is often refused by the next. */
const crowded: fc.Arbitrary<PolicyDocument> = fc
  .record(
    Object.fromEntries(
      (["require", "deny_if", "require_approval"] as const).map((section) => [section, fc.array(comparison(section), { maxLength: 4 })]),
    ),
  )
  .map((lists) => ({ version: "1", default: "deny", tools: { pay: lists } }) as PolicyDocument);
const few = fc.record({ a: fc.integer({ min: 0, max: 5 }), b: fc.integer({ min: 0, max: 5 }) }, { requiredKeys: [] });

function comparison(section: string): fc.Arbitrary<object> {
  const number = fc.integer({ min: 1, max: 4 });
  const list = fc.uniqueArray(number, { minLength: 1, maxLength: 4 });
  const path = fc.constantFrom("args.a", "args.b");
  const missing = section === "require" ? {} : { when_missing: false };
  return fc.oneof(
    fc.record({ path, op: fc.constantFrom("in", "not_in"), value: list }).map((each) => ({ ...each, ...missing })),
    fc.record({ path, op: fc.constantFrom("eq", "neq", "lt", "lte", "gt", "gte"), value: number }).map((each) => ({ ...each, ...missing })),
    fc.record({ path, op: fc.constant("exists"), value: fc.boolean() }),
  );
}

type Bounds = NonNullable<Extract<ReturnType<typeof decide>, { outcome: "deny" }>["wouldPass"]>;
type Bound = Bounds["arguments"][number];

/** What an argument may become to be just within a bound. */
function edgesOf({ op, value }: Bound): readonly (Json | undefined)[] {
  if (op === "in") return value as readonly Json[];
  if (op === "exists") return [undefined];
  return [op === "lt" ? (value as number) - 1 : op === "gt" ? (value as number) + 1 : value];
}

function isWithin({ op, value }: Bound, given: Json | undefined): boolean {
  if (op === "exists") return given === undefined;
  if (op === "in") return (value as readonly Json[]).some((each) => JSON.stringify(each) === JSON.stringify(given));
  if (op === "eq") return JSON.stringify(value) === JSON.stringify(given);
  const [one, other] = [given, value] as [number, number];
  return { lt: one < other, lte: one <= other, gt: one > other, gte: one >= other }[op];
}

function changed(args: JsonObject, [name, ...rest]: readonly string[], value: Json | undefined): JsonObject {
  const { [name as string]: former, ...others } = args;
  const inner = rest.length > 0 ? changed((former ?? {}) as JsonObject, rest, value) : value;
  return inner === undefined ? others : { ...others, [name as string]: inner };
}

/** Every call that has each bounded argument at an edge, within all bounds on it. */
function callsWithin(args: JsonObject, bounds: readonly Bound[]): readonly JsonObject[] {
  const paths = Map.groupBy(bounds, ({ path }) => path);
  return [...paths].reduce<readonly JsonObject[]>(
    (made, [path, on]) => {
      const values = on.flatMap(edgesOf).filter((value) => on.every((bound) => isWithin(bound, value)));
      return made.flatMap((each) => values.map((value) => changed(each, stepsOf(path), value)));
    },
    [args],
  );
}

function stepsOf(path: string): readonly string[] {
  return path === 'args["b.c"]' ? ["b.c"] : path.split(".").slice(1);
}

const policies = fc.oneof(
  fc.tuple(document, fc.array(fc.tuple(args, context), { minLength: 20, maxLength: 20 })),
  fc.tuple(crowded, fc.array(fc.tuple(few, context), { minLength: 20, maxLength: 20 })),
);

test("what is said to pass does pass, by the model too, at each edge and with each value that is named", () => {
  let told = 0;
  fc.assert(
    fc.property(policies, instant, ([document, calls], now) => {
      const policy = compilePolicy(document);
      for (const [args, context] of calls) {
        const call = { server: "s", tool: "pay", context };
        const facts = { now, namespace: "", definition: { state: "not_needed" as const }, mode: "enforce" as const };
        const verdict = decide(policy, { ...call, arguments: args }, facts);
        if (verdict.outcome !== "deny" || verdict.wouldPass === undefined) continue;
        const within = callsWithin(args, verdict.wouldPass.arguments);
        expect(within).not.toEqual([]);
        for (const each of within) {
          told++;
          const { outcome } = decideByModel([document], { ...call, args: each, now, inputSchema: undefined }, "enforce");
          const passes = verdict.wouldPass.asks ? outcome !== "deny" : outcome === "allow";
          expectAgreement({ document, args, context, now, each }, verdict.wouldPass, passes ? verdict.wouldPass : outcome);
        }
      }
    }),
    { numRuns: cases(150) },
  );
  expect(told).toBeGreaterThan(0);
});
