import { expect, test } from "vitest";
import { HoldpointError } from "../holdpoint-error.ts";
import { definePolicy } from "./define-policy.ts";
import { predicate } from "./predicate.ts";

const facts = { args: {}, context: {}, time: { hour: 10, weekday: 2, date: "2026-01-06" } };

test("a predicate answers what its check answers", () => {
  const { check } = predicate("mornings", ({ time }) => time.hour < 12);
  expect(check(facts)).toBe(true);
  expect(check({ ...facts, time: { ...facts.time, hour: 12 } })).toBe(false);
});

test("a predicate needs a name and a check", () => {
  expect(() => predicate("", () => true)).toThrow("the predicate has no name");
  expect(() => predicate("  ", () => true)).toThrow("the predicate has no name");
  expect(() => predicate("x", undefined as never)).toThrow("the predicate `x` has no check");
});

test("[strict-load] a policy with a predicate refuses to be written as JSON, also after it was loaded", () => {
  const mornings = predicate("mornings", ({ time }) => time.hour < 12);
  const policy = definePolicy({ version: "1", default: "deny", tools: { pay: { require: [{ any: [mornings] }] } } });
  for (const value of [mornings, policy]) {
    expect(() => JSON.stringify(value)).toThrow("the predicate `mornings` is a function and cannot be written as JSON");
    expect(() => JSON.stringify(value)).toThrow(expect.toSatisfy(HoldpointError.is));
  }
});

test("a predicate leaves the function it was given as it was", () => {
  const check = Object.freeze(() => true);
  expect(predicate("always", check).check(facts)).toBe(true);
  expect(Reflect.ownKeys(check)).not.toContain("toJSON");
});
