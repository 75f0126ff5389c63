import { readFileSync } from "node:fs";
import type { Condition, Json } from "@holdpoint/core";
import { expect, test } from "vitest";
import { type Asked, type ModelFacts, type Section, type Truth, truthOf } from "./conditions.ts";

/** The table that the engine is held to, asked of the model. */
const table = JSON.parse(readFileSync(new URL("../../packages/core/test-data/truth-table.json", import.meta.url), "utf8"));
const sections: readonly Section[] = ["require", "deny_if", "require_approval"];

function ask(condition: unknown, section: Section, facts: Partial<ModelFacts>): Truth {
  const asked: Asked = {
    section,
    nots: 0,
    facts: { args: {}, context: {}, tool: {}, time: { hour: 9, weekday: 6, date: "2026-01-31" }, ...facts },
  };
  return truthOf(condition as Condition, asked);
}

type Samples = Record<"true" | "false" | "unknown", readonly Json[] | undefined>;

test.each(["comparisons", "intercept", "dates"])("the model agrees with the truth table: %s", (part) => {
  for (const { op, value, ...samples } of table[part] as ({ op: string; value: unknown } & Samples)[]) {
    for (const section of sections) {
      for (const truth of ["true", "false", "unknown"] as const) {
        for (const x of samples[truth] ?? []) {
          const condition = {
            path: part === "dates" ? "time.date" : "args.x",
            op,
            value,
            ...(part === "intercept" ? { compare: "intercept" } : {}),
          };
          const found = ask(condition, section, part === "dates" ? { time: { date: x } } : { args: { x } });
          expect({ condition, x, found: String(found) }).toEqual({ condition, x, found: truth });
        }
      }
    }
  }
});

test("the model agrees with the truth table: what is absent", () => {
  for (const { op, value, truth, intercept } of table.absent) {
    for (const section of sections) {
      expect([op, value, ask({ path: "args.x", op, value }, section, {})]).toEqual([op, value, truth]);
      expect([op, value, ask({ path: "args.x", op, value, compare: "intercept" }, section, {})]).toEqual([op, value, intercept]);
    }
  }
});

test("the model agrees with the truth table: quantified", () => {
  for (const { condition, rows } of table.quantified) {
    for (const [list, required, denied] of rows) {
      const facts = { args: list === "absent" ? {} : { list } };
      const nested = [condition, { not: condition }, { not: { not: condition } }];
      for (const section of sections) {
        const found = nested.map((each) => ask(each, section, facts));
        expect([condition, list, section, found]).toEqual([condition, list, section, section === "require" ? required : denied]);
      }
    }
  }
});

test("the model agrees with the truth table: logic and references", () => {
  const letters: Record<string, unknown> = {
    T: { path: "args.t", op: "eq", value: 1 },
    F: { path: "args.t", op: "eq", value: 2 },
    U: { path: "args.nowhere", op: "eq", value: 1 },
  };
  const spelled = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value), (_, part) => (typeof part === "string" ? (letters[part] ?? part) : part));
  for (const { condition, truth } of table.logic)
    expect([condition, ask(spelled(condition), "deny_if", { args: { t: 1 } })]).toEqual([condition, truth]);
  for (const { condition, truth, ...facts } of table.references) {
    expect([condition, facts, ask(condition, "deny_if", facts)]).toEqual([condition, facts, truth]);
  }
});
