import type { Debit } from "@holdpoint/core";
import { expect, test } from "vitest";
import { storeFailure } from "./store-failure.ts";
import { parseReservationId, reservationId, storedDebits, storedKey } from "./stored-debit.ts";

const debit: Debit = { key: "calls", window: { kind: "lifetime" }, amount: 1_000_000, max: 2_000_000 };

test("a key is stored as it reads, unless a database could not tell it from another", () => {
  const keys = ["calls", "calls ", "", "a".repeat(200), "a".repeat(201), "a\0b", "a\0c", "\ud800", "\ud801", "\ufffd", "sha256:abc"];
  const stored = keys.map((key) => storedKey("lifetime", key));
  expect(new Set(stored).size).toBe(keys.length);
  expect(stored.slice(0, 3)).toEqual(["lifetime:calls", "lifetime:calls ", "lifetime:"]);
  for (const key of stored) expect(Buffer.from(key, "utf8").toString("utf8")).toBe(key);
  for (const key of stored.slice(4, 9)) expect(key).toMatch(/^lifetime:sha256:[0-9a-f]{64}$/);
  expect(storedKey("lifetime", storedKey("lifetime", "\0").slice("lifetime:".length))).not.toBe(storedKey("lifetime", "\0"));
});

test("one key in two kinds of window is two counters", () => {
  expect(storedKey("calendar", "calls")).not.toBe(storedKey("sliding", "calls"));
});

test("[no-over-admission] debits that sums cannot bear are refused", () => {
  for (const bad of [
    { amount: -1 },
    { amount: 0.5 },
    { amount: Number.NaN },
    { amount: 2 ** 53 },
    { max: -1 },
    { max: Number.POSITIVE_INFINITY },
  ]) {
    expect(() => storedDebits([{ ...debit, ...bad }], 1000)).toThrow("no whole number of millionths");
  }
  expect(() => storedDebits([debit, debit], 1000)).toThrow("share a key");
});

test("weeks start on Monday", () => {
  const [week] = storedDebits([{ ...debit, window: { kind: "calendar", unit: "week" } }], 1000);
  expect(new Date(week?.originMs ?? 0).getUTCDay()).toBe(1);
});

test("only an id of the form that the stores give is read", () => {
  expect(parseReservationId(reservationId("3f2a-01", 42))).toEqual({ epoch: "3f2a-01", sequence: 42 });
  for (const id of ["", "42", "a:", ":1", "a:1:2", "a:-1", "A:1", "a:1e3"]) expect(parseReservationId(id)).toBeUndefined();
});

test("a failure names its code and what to do, nothing of where the server is, and a full database is told apart", () => {
  const named = (error: object) => storeFailure("Store", Object.assign(new Error("connect to redis://user:secret@host failed"), error));
  expect(named({ code: "ECONNREFUSED" }).message).toBe("Store failed: ECONNREFUSED");
  expect(named({}).message).toBe("Store failed: Error");
  expect(named({ message: "READONLY You can't write against a read only replica." })).toMatchObject({
    message: expect.stringMatching(/^Store failed: READONLY: [^:]+: [^:]+$/),
    full: false,
  });
  expect(named({ message: "OOM command not allowed when used memory > 'maxmemory'." })).toMatchObject({
    message: "Store failed: OOM: the server has reached its `maxmemory`: raise it",
    full: true,
  });
  expect(named({ errstr: "database or disk is full" })).toMatchObject({ full: true });
  expect(storeFailure("Store", "down").message).toBe("Store failed: no reason was given");
});
