import type { Json } from "../arguments/json-snapshot.ts";
import type { Operator } from "../policy/policy-schema.ts";
import type { Matcher } from "./operators.ts";

/**
 * Equality as PolicyLayer's Intercept has it (its `internal/engine/operators.go`): two numbers by value, anything else by the text that Go's
 * `fmt.Sprintf("%v", …)` gives, so that `5` equals `"5"` and `true` equals `"true"`. Its other operators never coerce, and stay as they are.
 */
export const interceptMatchers: Partial<Record<Operator, (expected: Json) => Matcher>> = {
  eq: equalTo,
  neq: (expected) => negated(equalTo(expected)),
  in: oneOf,
  not_in(expected) {
    const matches = oneOf(expected);
    return (actual) => {
      const truth = matches(actual);
      return truth === "unknown" ? truth : !truth;
    };
  },
  contains(expected) {
    const equals = equalTo(expected);
    return function contains(actual) {
      if (typeof actual === "string") return typeof expected === "string" && actual.includes(expected);
      return Array.isArray(actual) && actual.some((element) => equals(element));
    };
  },
};

function negated(matcher: (actual: Json) => boolean): Matcher {
  return (actual) => !matcher(actual);
}

/** Nothing can be said of what is no list: an empty one would let everything be outside of it. */
function oneOf(expected: Json): Matcher {
  if (!Array.isArray(expected)) return () => "unknown";
  const entries = (expected as readonly Json[]).map(equalTo);
  return (actual) => entries.some((equals) => equals(actual));
}

function equalTo(expected: Json): (actual: Json) => boolean {
  const text = goText(expected);
  return function equals(actual) {
    return typeof actual === "number" && typeof expected === "number" ? actual === expected : goText(actual) === text;
  };
}

/** What Go's `%v` prints for a decoded JSON value; maps are printed in the order of their keys. */
function goText(value: Json): string {
  if (value === null) return "<nil>";
  if (typeof value === "number") return goNumber(value);
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return `[${value.map(goText).join(" ")}]`;
  const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return `map[${entries.map(([key, entry]) => `${key}:${goText(entry)}`).join(" ")}]`;
}

/** The shortest digits, as in JavaScript, but with an exponent of two digits and already below 0.0001. */
function goNumber(value: number): string {
  if (Object.is(value, -0)) return "-0";
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e21)) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}
