import { canonicalJson } from "./canonical-json.ts";
import type { Json } from "./json-snapshot.ts";
import { type Check, charge, type Run, reject } from "./schema-evaluation.ts";
import type { Keywords } from "./schema-keywords.ts";
import { shown } from "./schema-problem.ts";

/** What the keywords of JSON Schema Validation §6.1 to §6.3 say of a value's type, its equality, numbers and text. `format` says nothing (§7.2.1). */

const typePhrases = {
  null: "null",
  boolean: "true or false",
  integer: "an integer",
  number: "a number",
  string: "a string",
  array: "a list",
  object: "an object",
} as const;
type TypeName = keyof typeof typePhrases;

export function typeCheck(keywords: Keywords): Check | undefined {
  const stated = keywords.value("type");
  if (stated === undefined) return undefined;
  const types: readonly Json[] = [...new Set<Json>(Array.isArray(stated) ? stated : [stated])];
  if (types.length === 0 || !types.every(isTypeName))
    throw keywords.unusable("type", `expected some of ${Object.keys(typePhrases).join(", ")}`);
  const message = `expected ${alternatives(types.map((type) => typePhrases[type]))}`;
  if (types.length === 1) {
    const [type] = types as [TypeName];
    return (value, run) => isOfType(value, type) || reject(run, "type", message);
  }
  return (value, run) => types.some((type) => isOfType(value, type)) || reject(run, "type", message);
}

function isTypeName(name: Json): name is TypeName {
  return typeof name === "string" && Object.hasOwn(typePhrases, name);
}

function isOfType(value: Json, type: TypeName): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

export function literalChecks(keywords: Keywords): Check[] {
  const checks: Check[] = [];
  const literals = keywords.list("enum");
  if (literals) checks.push(oneOfLiterals("enum", literals));
  if (keywords.has("const")) checks.push(oneOfLiterals("const", [keywords.value("const")!]));
  return checks;
}

const maxShownLiterals = 12;

function oneOfLiterals(keyword: "enum" | "const", literals: readonly Json[]): Check {
  const scalars = new Set(literals.filter(isScalar));
  const structures = new Set(literals.filter((literal) => !isScalar(literal)).map(canonicalJson));
  const named = literals
    .slice(0, maxShownLiterals)
    .map((literal) => `\`${shown(typeof literal === "string" ? literal : JSON.stringify(literal))}\``);
  const more = literals.length > named.length ? ` and ${literals.length - named.length} others` : "";
  const message = literals.length === 1 ? `expected ${named[0]}` : `expected one of ${named.join(", ")}${more}`;
  return (value, run) => {
    const found = isScalar(value) ? scalars.has(value) : structures.size > 0 && structures.has(equalityText(value, run));
    return found || reject(run, keyword, message);
  };
}

function isScalar(value: Json): boolean {
  return typeof value !== "object" || value === null;
}

/** Equal JSON values have equal texts. */
export function equalityText(value: Json, run: Run): string {
  const text = isScalar(value) ? JSON.stringify(value) : canonicalJson(value);
  charge(run, 1 + (text.length >> 3));
  return text;
}

export function numberChecks(keywords: Keywords): Check<number>[] {
  const checks: Check<number>[] = [];
  const bound = (keyword: string, limit: number, phrase: string, holds: (value: number) => boolean) =>
    checks.push((value, run) => holds(value) || reject(run, keyword, `expected a number ${phrase} ${limit}`));

  const minimum = keywords.number("minimum");
  const maximum = keywords.number("maximum");
  // Draft 04, and schemas written after it, make the bound itself exclusive by a flag.
  const above = exclusive(keywords, "exclusiveMinimum", minimum);
  const below = exclusive(keywords, "exclusiveMaximum", maximum);
  if (minimum !== undefined) bound("minimum", minimum, "of at least", (value) => value >= minimum);
  if (maximum !== undefined) bound("maximum", maximum, "of at most", (value) => value <= maximum);
  if (above !== undefined) bound("exclusiveMinimum", above, "above", (value) => value > above);
  if (below !== undefined) bound("exclusiveMaximum", below, "below", (value) => value < below);

  const divisor = keywords.number("multipleOf");
  if (divisor !== undefined) {
    if (divisor <= 0) throw keywords.unusable("multipleOf", "expected a number above 0");
    checks.push((value, run) => {
      charge(run, 10);
      return isMultiple(value, divisor) || reject(run, "multipleOf", `expected a multiple of ${divisor}`);
    });
  }
  return checks;
}

function exclusive(keywords: Keywords, name: string, inclusive: number | undefined): number | undefined {
  return typeof keywords.value(name) === "boolean" ? (keywords.flag(name) ? inclusive : undefined) : keywords.number(name);
}

/** On the decimals as they are written, since 0.07 is a multiple of 0.01 and its binary fraction is not. */
function isMultiple(value: number, divisor: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(divisor)) return value % divisor === 0;
  const [valueDigits, valueExponent] = decimal(value);
  const [divisorDigits, divisorExponent] = decimal(divisor);
  const exponent = Math.min(valueExponent, divisorExponent);
  return (valueDigits * 10n ** BigInt(valueExponent - exponent)) % (divisorDigits * 10n ** BigInt(divisorExponent - exponent)) === 0n;
}

/** A number as a whole number times a power of ten. */
function decimal(value: number): [bigint, number] {
  const [mantissa, exponent] = value.toExponential().split("e") as [string, string];
  const [whole, fraction = ""] = mantissa.split(".") as [string, string?];
  return [BigInt(whole + fraction), Number(exponent) - fraction.length];
}

export function stringChecks(keywords: Keywords): Check<string>[] {
  const checks: Check<string>[] = [];
  const shortest = keywords.count("minLength");
  const longest = keywords.count("maxLength");
  if (shortest !== undefined) {
    checks.push(
      (value, run) =>
        (value.length >= shortest && lengthOf(value) >= shortest) ||
        reject(run, "minLength", `expected at least ${counted(shortest, "character")}`),
    );
  }
  if (longest !== undefined) {
    checks.push(
      (value, run) =>
        value.length <= longest ||
        lengthOf(value) <= longest ||
        reject(run, "maxLength", `expected at most ${counted(longest, "character")}`),
    );
  }
  const pattern = keywords.pattern("pattern");
  if (pattern)
    checks.push(
      (value, run) => pattern.matches(value, run) || reject(run, "pattern", `expected text that matches \`${shown(pattern.source)}\``),
    );
  return checks.length === 0 ? checks : [chargeText, ...checks];
}

function chargeText(value: string, run: Run): true {
  charge(run, value.length >> 4);
  return true;
}

/** In characters, that is code points (Validation §6.3.1). */
function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length++;
  return length;
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function alternatives(phrases: readonly string[]): string {
  return phrases.length === 1 ? phrases[0]! : `${phrases.slice(0, -1).join(", ")} or ${phrases.at(-1)}`;
}
