import { createGuard, type Json, type JsonObject, predicate } from "@holdpoint/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { args } from "../model/arbitraries.ts";
import { cases } from "../model/effort.ts";

/** Ways of handing over a value so that it reads differently the second time, or is no JSON at all. */
const tricks: Record<string, (value: Json) => unknown> = {
  "as it is": (value) => value,
  "a proxy that changes its answers": (value) => {
    let reads = 0;
    const target = { amount: 1, kept: value };
    return new Proxy(target, {
      get: (_, key) => (key === "amount" ? 1_000_000 * ++reads : Reflect.get(target, key)),
      getOwnPropertyDescriptor: (_, key) => ({
        value: key === "amount" ? reads++ * 1_000_000 : value,
        enumerable: true,
        configurable: true,
        writable: true,
      }),
    });
  },
  "a getter": (value) => ({
    get amount() {
      return value;
    },
  }),
  "`toJSON`": (value) => ({ kept: value, toJSON: () => ({ amount: 1_000_000 }) }),
  "an inherited amount": (value) => Object.create({ amount: 1_000_000 }, { kept: { value, enumerable: true } }),
  "an own `__proto__`": (value) => JSON.parse(`{"__proto__": {"amount": 1000000}, "kept": ${JSON.stringify(value)}}`),
  "two keys of one name": (value) => JSON.parse(`{"amount": 1000000, "amount": 1, "kept": ${JSON.stringify(value)}}`),
  "keys that only look alike": (value) => ({ amount: 1, "amount\u200b": value, ["\u0430mount"]: value, Amount: value }),
  "minus zero": (value) => ({ amount: -0, kept: value }),
  "integers beyond what a double tells apart": () => ({ amount: 2 ** 53 + 2, most: Number.MAX_VALUE, least: Number.MIN_VALUE }),
  "a hidden property": (value) => Object.defineProperty({ kept: value }, "amount", { value: 1_000_000, enumerable: false }),
  "a symbol": (value) => ({ kept: value, [Symbol("amount")]: 1_000_000 }),
  "a class": () =>
    new (class {
      readonly amount = 1_000_000;
    })(),
  "a date": () => new Date(0),
  "a map": () => new Map([["amount", 1]]),
  "a function": () => () => 1,
  "a bigint": () => 1n,
  "not a number": () => Number.NaN,
  infinity: () => Number.POSITIVE_INFINITY,
  "a lone surrogate": () => "\ud800",
  "a key with a lone surrogate": (value) => ({ "\udc00": value }),
  "a sparse list": () => Object.assign(new Array(3), { 0: 1, 2: 2 }),
  "a list with a name": () => Object.assign([1], { amount: 2 }),
  "a boxed number": () => Object(1),
  "a revoked proxy": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  "a cycle": () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    return cycle;
  },
};

test("[sent-is-checked] whatever the arguments are made of, what is sent is plain JSON, and the very text that was judged", async () => {
  let seen: unknown;
  const guard = createGuard({
    policy: {
      version: "1",
      default: "deny",
      tools: {
        pay: {
          require: [
            predicate("small", ({ args }) => {
              seen = args;
              return !JSON.stringify(args).includes("000000");
            }),
          ],
        },
      },
    },
  });
  const hostile = fc.tuple(fc.constantFrom(...Object.keys(tricks)), args, fc.constantFrom("deep", "in a list", "alone"));
  await fc.assert(
    fc.asyncProperty(hostile, async ([name, value, where]) => {
      const made = (tricks[name] as (value: Json) => unknown)(value);
      const given = where === "deep" ? { a: { b: made } } : where === "in a list" ? { list: [made] } : made;
      let sent: JsonObject | undefined;
      const result = await guard.run({ session: guard.session(), tool: "pay", arguments: given }, (snapshot) => {
        sent = snapshot;
        return { value: "sent", outcome: { kind: "success" } };
      });
      if (sent === undefined) {
        expect(result).toMatchObject({ outcome: "deny", code: expect.stringMatching(/^(not_json|too_large|require)$/) });
        return;
      }
      const text = JSON.stringify(sent);
      expect(JSON.stringify(seen)).toBe(text);
      expect(text).not.toContain("000000");
      expectPlain(sent);
      if (typeof given === "object" && given !== null && where !== "alone") Object.assign(given, { a: "changed", list: "changed" });
      expect(JSON.stringify(sent)).toBe(text);
    }),
    { numRuns: cases(2_000) },
  );
});

function expectPlain(value: Json): void {
  // JSON text has no minus zero: a rule that told it from zero would judge what is not sent.
  expect(Object.is(value, -0)).toBe(false);
  if (value === null || typeof value !== "object") return;
  expect(Object.getPrototypeOf(value)).toBe(Array.isArray(value) ? Array.prototype : Object.prototype);
  for (const key of Reflect.ownKeys(value)) {
    if (Array.isArray(value) && key === "length") continue;
    const property = Object.getOwnPropertyDescriptor(value, key) as PropertyDescriptor;
    expect([typeof key, "value" in property, property.enumerable]).toEqual(["string", true, true]);
    expectPlain(property.value);
  }
}

test("[sent-is-checked] arguments too deep or too large are refused, with a clear message", async () => {
  const guard = createGuard({ policy: { version: "1", default: "allow" } });
  let deep: unknown = 1;
  for (let level = 0; level < 1_000_000; level++) deep = [deep];
  const text = "x".repeat(50 * 1024 * 1024);
  for (const value of [{ deep }, { text }, { [text]: 1 }, { list: new Array(200_000).fill(0) }]) {
    const refused = await guard.admit({ session: guard.session(), tool: "x", arguments: value });
    expect(refused).toMatchObject({ outcome: "deny", code: "too_large" });
    expect(refused.outcome === "deny" && refused.message.length).toBeLessThan(300);
  }
});
