import { compilePolicy, type DecisionFacts, decide, type PolicyDocument } from "@holdpoint/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { args, context, document, entry, instant, tool } from "../model/arbitraries.ts";
import { cases } from "../model/effort.ts";

const call = fc.record({ server: fc.constant("s"), tool, arguments: args, context });
const lists = ["require", "deny_if", "require_approval", "limits"] as const;

/** The verdict without names: what stands, what is charged, and how many yeses are needed. */
function verdictOf(document: PolicyDocument, given: Parameters<typeof decide>[1], now: number) {
  const facts: DecisionFacts = { now, namespace: "", definition: { state: "not_needed" }, mode: "enforce" };
  const verdict = decide(compilePolicy(document), given, facts);
  if (verdict.outcome === "deny") return { outcome: verdict.outcome };
  const debits = verdict.debits.map(({ debit, count }) => `${debit.key}: ${debit.amount} of ${debit.max} by ${count}`).toSorted();
  return { outcome: verdict.outcome, debits, asked: verdict.approvals.map(({ hash }) => hash).toSorted() };
}

test("[deny-wins] the order of entries never matters to the verdict, to what is charged or to who is asked", () => {
  fc.assert(
    fc.property(document, fc.array(fc.nat(), { minLength: 8, maxLength: 8 }), call, instant, (document, order, call, now) => {
      const shuffle = (rules: object = {}) =>
        Object.fromEntries(
          Object.entries(rules).map(([key, part]) => [key, (lists as readonly string[]).includes(key) ? rotated(part, order) : part]),
        );
      const tools = Object.fromEntries(
        Object.entries(document.tools ?? {})
          .toReversed()
          .map(([name, rules]) => [name, shuffle(rules)]),
      );
      expect(verdictOf({ ...document, all_tools: shuffle(document.all_tools), tools }, call, now)).toEqual(verdictOf(document, call, now));
    }),
    { numRuns: cases(1_500) },
  );
});

function rotated(part: readonly unknown[], order: readonly number[]): unknown[] {
  const left = [...part];
  return part.map((_, index) => left.splice((order[index] ?? 0) % left.length, 1)[0]);
}

const addition = fc.oneof(
  ...(["require", "deny_if", "require_approval"] as const).map((section) => fc.tuple(fc.constant(section), entry(section))),
);
const limit = fc.constant({ counter: "more", window: "minute" as const, max: 1 });

test("[deny-wins] one more entry in a listed tool, in `all_tools` or in `hide` lets through no call that was stopped before", () => {
  const rank = { allow: 2, hold: 1, deny: 0 };
  fc.assert(
    fc.property(
      document,
      addition,
      limit,
      fc.constantFrom("pay", "all", "hide", "limit"),
      call,
      instant,
      (document, [section, more], limit, where, call, now) => {
        const add = (rules: Record<string, unknown> = {}) =>
          where === "limit"
            ? { ...rules, limits: [...((rules["limits"] as []) ?? []), limit] }
            : { ...rules, [section]: [...((rules[section] as []) ?? []), more] };
        const hidden = ((document.hide as string[] | undefined) ?? []).filter((name) => name !== "other");
        const added = {
          ...document,
          ...(where === "hide" ? { hide: [...hidden, "other"] } : {}),
          ...(where === "all" || where === "limit" ? { all_tools: add(document.all_tools) } : {}),
          ...(where === "pay" ? { tools: { ...document.tools, pay: add(document.tools?.["pay"]) } } : {}),
        } as PolicyDocument;
        expect(rank[verdictOf(added, call, now).outcome]).toBeLessThanOrEqual(rank[verdictOf(document, call, now).outcome]);
      },
    ),
    { numRuns: cases(1_500) },
  );
});
