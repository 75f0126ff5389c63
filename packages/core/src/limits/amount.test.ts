import fc from "fast-check";
import { expect, test } from "vitest";
import { formatAmount, MAX_MICROS, parseAmount } from "./amount.ts";

const ofWhole = (digits: bigint) => Number(digits);

test("a number is read as its shortest decimal, in millionths", () => {
  expect(parseAmount(1)).toEqual({ micros: 1_000_000 });
  expect(parseAmount(0.1)).toEqual({ micros: 100_000 });
  expect(parseAmount(0.000001)).toEqual({ micros: 1 });
  expect(parseAmount(19.99)).toEqual({ micros: 19_990_000 });
  expect(parseAmount(9_000_000_000)).toEqual({ micros: MAX_MICROS });
});

test("a plain decimal string is read exactly, up to the last millionth", () => {
  expect(parseAmount("12.50")).toEqual({ micros: 12_500_000 });
  expect(parseAmount("8999999999.999999")).toEqual({ micros: MAX_MICROS - 1 });
  expect(parseAmount("9000000000.000000")).toEqual({ micros: MAX_MICROS });
  expect(parseAmount("007")).toEqual({ micros: 7_000_000 });
});

test("minus zero is zero, as a number and as a string", () => {
  expect(parseAmount(-0)).toEqual({ micros: 0 });
  expect(parseAmount("-0.00")).toEqual({ micros: 0 });
});

test.each([
  [-1, "is negative"],
  ["-0.000001", "is negative"],
  [-1e21, "is negative"],
  [9_000_000_000.000002, "is more than 9,000,000,000"],
  ["9000000000.000001", "is more than 9,000,000,000"],
  ["9".repeat(400), "is more than 9,000,000,000"],
  [1e21, "is more than 9,000,000,000"],
  [0.1 + 0.2, "has more than six fraction digits"],
  [1e-7, "has more than six fraction digits"],
  [-1e-7, "has more than six fraction digits"],
  ["1.0000000", "has more than six fraction digits"],
  [Number.NaN, "is not a finite number"],
  [Number.POSITIVE_INFINITY, "is not a finite number"],
  ["1e3", "is not a plain decimal such as `12.50`"],
  ["+1", "is not a plain decimal such as `12.50`"],
  [" 1", "is not a plain decimal such as `12.50`"],
  ["1\n", "is not a plain decimal such as `12.50`"],
  ["1,5", "is not a plain decimal such as `12.50`"],
  [".5", "is not a plain decimal such as `12.50`"],
  ["5.", "is not a plain decimal such as `12.50`"],
  ["0x10", "is not a plain decimal such as `12.50`"],
  ["", "is not a plain decimal such as `12.50`"],
  ["١", "is not a plain decimal such as `12.50`"],
  [null, "is neither a number nor a decimal string"],
  [true, "is neither a number nor a decimal string"],
  [[1], "is neither a number nor a decimal string"],
  [{ amount: 1 }, "is neither a number nor a decimal string"],
] as const)("[fail-closed] %j is no amount: it %s", (value, problem) => {
  expect(parseAmount(value)).toEqual({ problem });
});

test("every amount survives being written and read", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: BigInt(MAX_MICROS) }), (micros) => {
      expect(parseAmount(formatAmount(ofWhole(micros)))).toEqual({ micros: ofWhole(micros) });
    }),
  );
});

test("reading agrees with decimal arithmetic over big integers", () => {
  const digits = (maximum: number) => fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: 1, maxLength: maximum });
  fc.assert(
    fc.property(digits(12), digits(6), (whole, fraction) => {
      const exact = BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, "0"));
      const read = parseAmount(`${whole}.${fraction}`);
      if (exact > BigInt(MAX_MICROS)) expect(read).toHaveProperty("problem");
      else expect(read).toEqual({ micros: ofWhole(exact) });
    }),
  );
});

test("amounts are written as their shortest decimal", () => {
  expect([0, 1, 1_500_000, 20_000_000, MAX_MICROS - 1].map(formatAmount)).toEqual(["0", "0.000001", "1.5", "20", "8999999999.999999"]);
});
