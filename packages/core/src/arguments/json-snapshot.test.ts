import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Snapshot, takeSnapshot } from "./json-snapshot.ts";

function problemOf(snapshot: Snapshot): string {
  return snapshot.ok ? "none" : `${snapshot.code} at ${snapshot.pointer || "/"}`;
}

test("[sent-is-checked] plain JSON comes back equal and as a copy", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const snapshot = takeSnapshot(value);
      if (!snapshot.ok) return; // the generator makes lone surrogates, which are refused
      expect(JSON.stringify(snapshot.value)).toBe(JSON.stringify(value));
      if (value !== null && typeof value === "object") expect(snapshot.value).not.toBe(value);
    }),
  );
});

test("[sent-is-checked] what JSON cannot carry is refused, with its place", () => {
  class Money {
    amount = 5;
  }
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const holey: unknown[] = [1];
  holey[2] = 3;
  const extra = Object.assign([1], { more: 2 });
  const cases: [unknown, string][] = [
    [{ a: () => 1 }, "not_json at /a"],
    [{ a: 1n }, "not_json at /a"],
    [{ a: Number.NaN }, "not_json at /a"],
    [{ a: Number.POSITIVE_INFINITY }, "not_json at /a"],
    [{ a: new Date(0) }, "not_json at /a"],
    [{ a: new Map() }, "not_json at /a"],
    [{ a: { b: new Money() } }, "not_json at /a/b"],
    [{ a: new (class extends Array {})() }, "not_json at /a"],
    [{ a: Symbol("s") }, "not_json at /a"],
    [{ [Symbol("s")]: 1 }, "not_json at /"],
    [
      {
        get a() {
          return 1;
        },
      },
      "not_json at /a",
    ],
    [{ a: Object.defineProperty([1], 0, { get: () => 1 }) }, "not_json at /a/0"],
    [{ a: holey }, "not_json at /a"],
    [{ a: extra }, "not_json at /a"],
    [{ a: Object.assign([1], { [Symbol("s")]: 2 }) }, "not_json at /a"],
    [{ a: new Uint8Array(new SharedArrayBuffer(2)) }, "not_json at /a"],
    [{ a: runInNewContext("new Date(0)") }, "not_json at /a"],
    [{ a: runInNewContext("new (class extends Array {})()") }, "not_json at /a"],
    [{ a: [undefined] }, "not_json at /a/0"],
    [{ a: "\ud800" }, "not_json at /a"],
    [{ "\ud800": 1 }, "not_json at /\ufffd"],
    [{ "a/b~": 1n }, "not_json at /a~1b~0"],
    [{ toJSON: () => ({}) }, "not_json at /toJSON"],
    [{ a: new String("boxed") }, "not_json at /a"],
    [undefined, "not_json at /"],
    [cycle, `too_large at ${"/self".repeat(64)}`],
  ];
  for (const [value, problem] of cases) expect(problemOf(takeSnapshot(value))).toBe(problem);
});

test("[sent-is-checked] an object that throws while it is read is refused", () => {
  const hostile = new Proxy(
    {},
    {
      ownKeys: () => {
        throw new Error("no");
      },
    },
  );
  expect(problemOf(takeSnapshot({ a: hostile }))).toBe("not_json at /");
});

test("[sent-is-checked] of a proxy that answers differently each time, one answer is all that anybody sees", () => {
  let reads = 0;
  const flipping = new Proxy(
    { to: "" },
    {
      get: () => `got ${reads++}`,
      getOwnPropertyDescriptor: () => ({ value: `described ${reads++}`, enumerable: true, configurable: true, writable: true }),
    },
  );
  const snapshot = takeSnapshot({ a: flipping });
  if (!snapshot.ok) throw new Error(snapshot.problem);
  const seen = JSON.stringify(snapshot.value);
  expect([JSON.stringify(snapshot.value), JSON.stringify(snapshot.value)]).toEqual([seen, seen]);
  expect(seen).toMatch(/^\{"a":\{"to":"described \d"\}\}$/);
});

test("[sent-is-checked] `__proto__` is a key like any other, and changes no prototype", () => {
  const snapshot = takeSnapshot(JSON.parse('{ "__proto__": { "admin": true }, "constructor": 1 }'));
  if (!snapshot.ok) throw new Error(snapshot.problem);
  expect(Object.getPrototypeOf(snapshot.value)).toBe(Object.prototype);
  expect(JSON.stringify(snapshot.value)).toBe('{"__proto__":{"admin":true},"constructor":1}');
  expect((snapshot.value as Record<string, unknown>).admin).toBeUndefined();
});

test("undefined properties are left out, and -0 is 0, as in JSON text", () => {
  expect(takeSnapshot({ a: undefined, b: -0 })).toEqual({ ok: true, value: { b: 0 } });
});

test("[sent-is-checked] each bound refuses one step above it and admits the step below", () => {
  const bounds = { maxBytes: 100, maxDepth: 3, maxNodes: 10 };
  expect(problemOf(takeSnapshot("x".repeat(97), bounds))).toBe("none");
  expect(problemOf(takeSnapshot("x".repeat(99), bounds))).toContain("too_large");
  expect(problemOf(takeSnapshot({ a: { b: { c: 1 } } }, bounds))).toBe("none");
  expect(problemOf(takeSnapshot({ a: { b: { c: {} } } }, bounds))).toContain("too_large");
  expect(problemOf(takeSnapshot(Array(9).fill(0), bounds))).toBe("none");
  expect(problemOf(takeSnapshot(Array(10).fill(0), bounds))).toContain("too_large");
});

test("bytes are counted as UTF-8 text with escapes", () => {
  const bounds = { maxBytes: 60, maxDepth: 3, maxNodes: 10 };
  expect(problemOf(takeSnapshot("é".repeat(29), bounds))).toBe("none");
  expect(problemOf(takeSnapshot("é".repeat(30), bounds))).toContain("too_large");
  expect(problemOf(takeSnapshot("\u0001".repeat(10), bounds))).toContain("too_large");
});

test("[sent-is-checked] a million levels and fifty megabytes are refused without being walked", () => {
  let deep: unknown = 0;
  for (let level = 0; level < 1_000_000; level++) deep = [deep];
  expect(problemOf(takeSnapshot(deep))).toContain("too_large");
  expect(problemOf(takeSnapshot({ text: "x".repeat(50_000_000) }))).toBe("too_large at /text");
  expect(problemOf(takeSnapshot(new Array(4_000_000_000)))).toContain("too_large");
});
