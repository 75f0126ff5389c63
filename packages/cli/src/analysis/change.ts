import type { EffectiveTool } from "./effective-rules.ts";
import type { Scene } from "./scene.ts";
import type { Witness, Witnesses } from "./witness.ts";

/** What two policies do to one tool. */
export interface Change {
  readonly scene: Scene;
  readonly before: EffectiveTool;
  readonly after: EffectiveTool;
  readonly witnesses: Witnesses;
}

/** One thing that stops calls before, and does not, or may not, stop them after. */
export interface Widening {
  readonly tool: string;
  /** What stopped them: a rule's id, `(hidden)`, `(default deny)`. */
  readonly cause: string;
  readonly answer: "widened" | "cannot tell";
  readonly witness?: Witness | undefined;
  /** Why it cannot be told. */
  readonly reason?: string | undefined;
}
