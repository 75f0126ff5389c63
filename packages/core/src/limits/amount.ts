import type { Json } from "../arguments/json-snapshot.ts";

/** Millionths in one unit: amounts are counted in whole millionths, so that sums are exact. */
const MICROS_PER_UNIT = 1_000_000;

/** The largest amount and the largest `max`: 9,000,000,000, which in millionths is still a safe integer. */
export const MAX_MICROS = 9_000_000_000 * MICROS_PER_UNIT;

/**
 * Reads an amount exactly (design §5): a JSON number, or a plain decimal string such as `"12.50"`; non-negative, at most 9,000,000,000, with at most
 * six fraction digits. A number means its shortest decimal, which is also what goes over the wire: `0.1 + 0.2` has seventeen digits and is refused.
 *
 * `problem` says what is wrong without repeating the value, so that it may be shown to an operator.
 */
export function parseAmount(value: Json): { readonly micros: number } | { readonly problem: string } {
  if (typeof value !== "number" && typeof value !== "string") return { problem: "is neither a number nor a decimal string" };
  const text = String(value);
  const decimal = plainDecimal.exec(text);
  if (decimal === null) return { problem: typeof value === "number" ? unwritable(value) : "is not a plain decimal such as `12.50`" };
  const [, sign, whole = "", fraction = ""] = decimal;
  if (fraction.length > FRACTION_DIGITS) return { problem: "has more than six fraction digits" };
  // The digits are read as one integer: no sum or product could round.
  const micros = Number(whole + fraction.padEnd(FRACTION_DIGITS, "0"));
  if (sign !== "" && micros !== 0) return { problem: "is negative" };
  if (micros > MAX_MICROS) return { problem: "is more than 9,000,000,000" };
  return { micros };
}

const FRACTION_DIGITS = 6;
const plainDecimal = /^(-?)([0-9]+)(?:\.([0-9]+))?$/;

/** Why JavaScript writes a number with an exponent, or not at all. */
function unwritable(value: number): string {
  if (!Number.isFinite(value)) return "is not a finite number";
  return Math.abs(value) < 1 ? "has more than six fraction digits" : value < 0 ? "is negative" : "is more than 9,000,000,000";
}

/** The shortest decimal of an amount in millionths: `1500000` is `1.5`. */
export function formatAmount(micros: number): string {
  // A product of whole numbers, since `%` is slow for the largest of them.
  const units = Math.floor(micros / MICROS_PER_UNIT);
  if (units * MICROS_PER_UNIT === micros) return String(units);
  const digits = String(micros).padStart(FRACTION_DIGITS + 1, "0");
  const fraction = digits.slice(-FRACTION_DIGITS).replace(/0+$/, "");
  return `${digits.slice(0, -FRACTION_DIGITS)}.${fraction}`;
}
