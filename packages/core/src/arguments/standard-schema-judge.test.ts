import type { StandardSchemaV1 } from "@standard-schema/spec";
import { expect, test } from "vitest";
import * as z from "zod";
import type { JsonObject } from "./json-snapshot.ts";
import { isStandardSchema, judgeStandardSchema } from "./standard-schema-judge.ts";

/** A Standard Schema by hand. */
function schemaOf(validate: (value: unknown) => unknown): StandardSchemaV1 {
  return { "~standard": { version: 1, vendor: "test", validate: validate as StandardSchemaV1.Props["validate"] } };
}

const changes = [
  {
    pointer: "",
    message: "the schema changes the arguments instead of judging them: use a strict schema, without defaults, coercion or transforms",
  },
];

test("a strict schema accepts, and key order is no change", () => {
  const schema = z.strictObject({ amount: z.number(), note: z.string().optional(), lines: z.array(z.strictObject({ sku: z.string() })) });
  expect(judgeStandardSchema(schema, { lines: [{ sku: "a" }], amount: 5 })).toEqual([]);
  expect(judgeStandardSchema(z.looseObject({ amount: z.number() }), { more: 1, amount: 5 })).toEqual([]);
});

test("[sent-is-checked] a schema that strips, defaults, coerces or transforms refuses", () => {
  expect(judgeStandardSchema(z.object({ a: z.number() }), { a: 1, extra: 2 })).toEqual(changes);
  expect(judgeStandardSchema(z.object({ a: z.number() }), { a: 1 })).toEqual([]);
  expect(judgeStandardSchema(z.strictObject({ a: z.number().default(5) }), {})).toEqual(changes);
  expect(judgeStandardSchema(z.strictObject({ a: z.coerce.number() }), { a: "5" })).toEqual(changes);
  expect(judgeStandardSchema(z.strictObject({ a: z.string().trim() }), { a: " x" })).toEqual(changes);
  expect(
    judgeStandardSchema(
      z.strictObject({ a: z.string() }).transform(() => new Map()),
      { a: "x" },
    ),
  ).toEqual(changes);
  expect(
    judgeStandardSchema(
      schemaOf(() => ({ value: undefined })),
      {},
    ),
  ).toEqual(changes);
});

test("[sent-is-checked] a schema that writes into what it is given changes nothing that is sent", () => {
  const args: JsonObject = { a: { b: 1 } };
  const meddler = schemaOf((value) => {
    (value as { a: { b: number } }).a.b = 2;
    return { value };
  });
  expect(judgeStandardSchema(meddler, args)).toEqual(changes);
  expect(args).toEqual({ a: { b: 1 } });
});

test("[fail-closed] a promise, an error or no verdict at all refuses, and no stack is shown", async () => {
  const promise = [{ pointer: "", message: "the schema answers with a promise: use a synchronous schema" }];
  expect(judgeStandardSchema(z.strictObject({ a: z.string().refine(async () => true) }), { a: "x" })).toEqual(promise);
  expect(
    judgeStandardSchema(
      schemaOf(() => Promise.reject(new Error("late"))),
      {},
    ),
  ).toEqual(promise);
  await new Promise((resolve) => setTimeout(resolve));
  const throwing = schemaOf(() => {
    throw new Error("secret at /home/x.ts:1");
  });
  expect(judgeStandardSchema(throwing, {})).toEqual([{ pointer: "", message: "the schema threw instead of judging" }]);
  for (const verdict of [undefined, null, true, "ok"]) {
    expect(
      judgeStandardSchema(
        schemaOf(() => verdict),
        {},
      ),
    ).toEqual([{ pointer: "", message: "the schema gave no verdict" }]);
  }
  expect(
    judgeStandardSchema(
      schemaOf((value) => ({ value, issues: [] })),
      {},
    ),
  ).toEqual([{ pointer: "", message: "the arguments do not match the schema" }]);
  expect(
    judgeStandardSchema(
      schemaOf((value) => ({ value, issues: "no" })),
      {},
    ),
  ).not.toEqual([]);
  expect(judgeStandardSchema({} as StandardSchemaV1, {})).not.toEqual([]);
});

test("issues name their place as a JSON Pointer", () => {
  const schema = z.strictObject({ lines: z.array(z.strictObject({ "a/b": z.number() })) });
  expect(judgeStandardSchema(schema, { lines: [{ "a/b": 1 }, { "a/b": "S3CRET" }] })).toEqual([
    { pointer: "/lines/1/a~1b", message: "Invalid input: expected number, received string", isForeign: true },
  ]);
  const keyed = schemaOf(() => ({ issues: [{ message: "wrong", path: [{ key: "a" }, 0, Symbol("s")] }] }));
  expect(judgeStandardSchema(keyed, { a: [1] })).toEqual([{ pointer: "/a/0/Symbol(s)", message: "wrong", isForeign: true }]);
  const many = schemaOf(() => ({ issues: Array.from({ length: 50 }, () => ({ message: "wrong" })) }));
  expect(judgeStandardSchema(many, {})).toHaveLength(8);
});

test("values that a library quotes in its messages are left out", () => {
  const quoting = (message: string, path: PropertyKey[]) => schemaOf(() => ({ issues: [{ message, path }] }));
  const args = { iban: "DE89 3704", amount: 950, nested: { pin: "4711", note: 'say "hi"' }, plain: "a" };
  const messageFor = (message: string, path: PropertyKey[]) => judgeStandardSchema(quoting(message, path), args)[0]?.message;
  expect(messageFor('must be an IBAN (was "DE89 3704")', ["iban"])).toBe('must be an IBAN (was "…")');
  expect(messageFor("Expected <=500 but received 950", ["amount"])).toBe("Expected <=500 but received …");
  expect(messageFor('bad: {"pin":"4711","note":"say \\"hi\\""}', ["nested"])).toBe('bad: {"pin":"…","note":"…"}');
  expect(messageFor("expected a number", ["plain"])).toBe("expected … number");
  expect(messageFor("x".repeat(5000), ["plain"])).toBe("the value does not match the schema");
  expect(messageFor("a `b` \u202e c", [])).toContain("\\u{202e}");
});

test("functions and objects with `~standard` are Standard Schemas", () => {
  expect(isStandardSchema(z.string())).toBe(true);
  expect(isStandardSchema(Object.assign(() => true, { "~standard": {} }))).toBe(true);
  expect(isStandardSchema({ type: "object" })).toBe(false);
  expect(isStandardSchema(true)).toBe(false);
});
