import { expect, test } from "vitest";
import { CounterStoreError, HoldpointError } from "./holdpoint-error.ts";
import { PolicyError } from "./policy/policy-error.ts";

test("two copies of the package recognise each other's errors", async () => {
  const copy: typeof import("./holdpoint-error.ts") = await import(`./holdpoint-error.ts?${"copy"}`);
  const error = new copy.CounterStoreError("the store is down", { cause: new Error("refused") });
  expect(error).not.toBeInstanceOf(HoldpointError);
  expect(HoldpointError.is(error)).toBe(true);
  expect(CounterStoreError.is(error)).toBe(true);
  expect(PolicyError.is(error)).toBe(false);
});

test("an error is told apart by its code, and what merely looks like one is none", () => {
  const issue = { pointer: "", message: "the key `version` is missing", fix: 'add `version`: `"1"`' };
  const error = new PolicyError([issue]);
  expect(error).toMatchObject({ name: "PolicyError", code: "policy_invalid", issues: [issue] });
  expect(error.message).toBe('the policy does not load:\n  the document: the key `version` is missing: add `version`: `"1"`');
  expect(Object.keys(error)).not.toContain("Symbol(holdpoint.error)");
  for (const other of [undefined, "policy_invalid", new Error("x"), { code: "policy_invalid" }])
    expect(HoldpointError.is(other)).toBe(false);
});
