// This file is the whole public surface of `@holdpoint/testing/properties`: what is added here becomes API. Named exports only.

export { type AnyCallOptions, anyArgumentsFor, anyCallFor } from "./any-arguments.ts";
export { anyCall, anyContext } from "./any-call.ts";
export { anyCondition } from "./any-condition.ts";
export { anyLimits } from "./any-limits.ts";
export { type AnyPolicyOptions, anyPolicy } from "./any-policy.ts";
