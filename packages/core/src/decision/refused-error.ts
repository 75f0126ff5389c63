import { canonicalJson } from "../arguments/canonical-json.ts";
import type { JsonObject } from "../arguments/json-snapshot.ts";
import { HoldpointError } from "../holdpoint-error.ts";
import type { Refusal, Refusing } from "./refusal.ts";

/** Under `onDeny: "throw"`, what an adapter rejects with where it would have returned a refusal. Its message is the one for the model. */
export class RefusedError extends HoldpointError {
  override name = "RefusedError";
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super("refused", refusal.message);
    this.refusal = refusal;
  }

  static override is(value: unknown): value is RefusedError {
    return HoldpointError.is(value) && value.code === "refused";
  }
}

const refusals = new WeakMap<object, Refusal>();

/** Remembers that `value` is what an adapter made of a refusal. The mark is this process's knowledge of the object: no server can forge it, no copy has it. */
export function markRefusal<T extends object>(value: T, refusal: Refusal): T {
  refusals.set(value, refusal);
  return value;
}

/** The refusal that an adapter's result stands for; `undefined` for everything else, also where it looks like one. */
export function refusalOf(value: unknown): Refusal | undefined {
  if (RefusedError.is(value)) return value.refusal;
  return value !== null && typeof value === "object" ? refusals.get(value) : undefined;
}

/** A call by its tool and arguments. */
interface RefusedCall {
  readonly tool: string;
  readonly arguments: JsonObject;
}

const refusedCalls = new WeakMap<Refusal, RefusedCall>();

/** The refusal of this call, and of no other that goes on from it. */
export function refusalFor(refusal: Refusing, { tool, arguments: args }: RefusedCall): Refusal {
  const refused: Refusal = { outcome: "deny", ...refusal };
  refusedCalls.set(refused, { tool, arguments: args });
  return refused;
}

/**
 * Whether it is this very call that was refused, at whatever seam. A tool may answer with the refusal of another call, which it made in the midst of its
 * own work: then it has run.
 */
export function isRefusalOf(refusal: Refusal, { tool, arguments: args }: RefusedCall): boolean {
  const refused = refusedCalls.get(refusal);
  return refused?.tool === tool && canonicalJson(refused.arguments) === canonicalJson(args);
}

export function isRefusal(value: unknown): boolean {
  return refusalOf(value) !== undefined;
}
