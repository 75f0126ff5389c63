import type { MergedPolicy, PolicyDocument, ToolDefinition } from "@holdpoint/core";
import { HoldpointError } from "@holdpoint/core";
import type { SimulatedCall } from "../simulated-call.ts";
import { createSimulator, type SimulatedVerdict } from "../simulator.ts";
import { levels } from "./effective-rules.ts";

/** A call that the two policies treat differently, decided by both engines; `times` where it takes several of them in a row. */
export interface Witness {
  readonly call: SimulatedCall;
  readonly times: number;
  readonly before: SimulatedVerdict;
  readonly after: SimulatedVerdict;
}

/** Lets both engines decide what the analysis believes to have found. */
export interface Witnesses {
  /** The witness that a call is, made up to `times` times in a row; `undefined` where it gets no further after than before. */
  of(call: SimulatedCall, times?: number): Promise<Witness | undefined>;
}

type Policy = PolicyDocument | MergedPolicy;

export function createWitnesses(before: Policy, after: Policy, tools: readonly ToolDefinition[] | undefined): Witnesses {
  return {
    async of(call, times = 1) {
      // Each witness stands alone: counters start empty.
      const decideBefore = createSimulator({ policy: before, tools });
      const decideAfter = createSimulator({ policy: after, tools });
      try {
        for (let made = 1; made <= times; made += 1) {
          const [then, now] = [await decideBefore(call), await decideAfter(call)];
          if (levels[now.outcome] > levels[then.outcome]) return { call, times: made, before: then, after: now };
          if (now.outcome === "deny") return undefined;
        }
      } catch (error) {
        // What the analysis made up may be no identity that a session can have.
        if (!HoldpointError.is(error)) throw error;
      }
      return undefined;
    },
  };
}
