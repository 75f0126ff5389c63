import { HoldpointError } from "../holdpoint-error.ts";
import type { Predicate } from "./policy-schema.ts";

/**
 * A condition written in TypeScript, for what the operators cannot say. `check` is synchronous and sees deep-frozen facts; where it throws or answers
 * anything but a boolean, the condition is unknown. `name` stands for it in rule ids and in what the operator reads.
 *
 * A policy with functions is no JSON any more: to serialise it throws, where `JSON.stringify` would silently leave the function out.
 *
 * @throws {HoldpointError} `predicate_invalid` when the name is empty or `check` is no function.
 *
 * @example
 * const businessHours = predicate("business hours", ({ time }) => time.weekday <= 5 && time.hour >= 9 && time.hour < 17);
 */
export function predicate(name: string, check: Predicate["check"]): Predicate {
  if (typeof name !== "string" || name.trim() === "") {
    throw new HoldpointError(
      "predicate_invalid",
      "the predicate has no name: give it one that says what it checks, such as `business hours`",
    );
  }
  if (typeof check !== "function") {
    throw new HoldpointError("predicate_invalid", `the predicate \`${name}\` has no check: give it a function that answers true or false`);
  }
  // The refusal sits on the function, since that is the one part of a predicate which a loaded policy keeps as it is.
  const checked: Predicate["check"] = (facts) => check(facts);
  Object.defineProperty(checked, "toJSON", { value: () => refuseToSerialise(name) });
  return Object.freeze({ predicate: name, check: Object.freeze(checked) });
}

function refuseToSerialise(name: string): never {
  throw new HoldpointError(
    "policy_not_serialisable",
    `the predicate \`${name}\` is a function and cannot be written as JSON: keep this policy in TypeScript, or say it with conditions`,
  );
}
