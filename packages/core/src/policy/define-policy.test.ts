import { expect, test } from "vitest";
import { definePolicy } from "./define-policy.ts";
import { loadPolicy } from "./load-policy.ts";

interface Tools {
  pay: { amount: number; currency: "usd" | "eur" };
}

test("a typed policy is plain, frozen data: the same document as its JSON", () => {
  const policy = definePolicy<Tools>()({
    version: "1",
    default: "deny",
    tools: { pay: { deny_if: [{ path: "args.amount", op: "gt", value: 100, on_deny: "Too much." }] } },
  });
  expect(loadPolicy(JSON.parse(JSON.stringify(policy)))).toEqual(policy);
  expect(Object.isFrozen(policy.tools?.["pay"]?.deny_if?.[0])).toBe(true);
});

test("without types the document alone is given", () => {
  const policy = definePolicy({ version: "1", default: "deny", tools: { list: {} } });
  expect(policy.default).toBe("deny");
});

test("[strict-load] what the types cannot see is refused as the policy is defined", () => {
  const define = definePolicy<Tools>();
  expect(() => define({ version: "1", default: "deny", tools: { pay: { require: [{ any: [] }] } } })).toThrow("/tools/pay/require/0");
  expect(() => define({ version: "1", default: "deny", tools: { pay: { limits: [{ counter: "a", window: "day", max: -1 }] } } })).toThrow(
    "/tools/pay/limits/0/max",
  );
  expect(() => definePolicy({ version: "2" } as never)).toThrow("/version");
});

test("[strict-load] a document that is missing by mistake does not load", () => {
  const missing = undefined as never;
  expect(() => definePolicy(missing)).toThrow("the policy does not load");
  expect(() => definePolicy<Tools>()(missing)).toThrow("the policy does not load");
});
