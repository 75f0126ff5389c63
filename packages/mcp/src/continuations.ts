import { type Admission, canonicalJson, type Json } from "@holdpoint/core";

/**
 * Calls that the server answered with `input_required` (MCP 2026-07-28, multi round-trip requests). The client sends such a call again with the answers:
 * it is the same call, not decided, charged or asked a second time, where all else is equal and it brings the state that the server gave.
 */
export interface Continuations {
  wait(continues: readonly unknown[], requestState: Json | undefined, admission: Admission): void;
  /** The admission of the call that this one continues. Each is redeemed once. */
  redeem(continues: readonly unknown[], requestState: Json | undefined): Admission | undefined;
  end(): void;
}

/** A call that is not continued by then is settled as unknown; a later continuation is a call of its own. */
const waitMs = 10 * 60_000;
const most = 1_000;

interface Waiting {
  readonly key: string;
  readonly admission: Admission;
  readonly timer: ReturnType<typeof setTimeout>;
}

export function createContinuations(): Continuations {
  const waiting = new Set<Waiting>();

  function drop(entry: Waiting): void {
    clearTimeout(entry.timer);
    waiting.delete(entry);
  }
  function giveUp(entry: Waiting): void {
    drop(entry);
    void entry.admission.settle({ kind: "unknown", reason: "the call was not continued" });
  }

  return {
    wait(continues, requestState, admission) {
      const timer = setTimeout(() => giveUp(entry), waitMs);
      (timer as { unref?: () => void }).unref?.();
      const entry: Waiting = { key: keyOf(continues, requestState), admission, timer };
      waiting.add(entry);
      const [oldest] = waiting;
      if (waiting.size > most && oldest) giveUp(oldest);
    },
    redeem(continues, requestState) {
      if (waiting.size === 0) return undefined;
      const key = keyOf(continues, requestState);
      for (const entry of waiting) {
        if (entry.key !== key) continue;
        drop(entry);
        return entry.admission;
      }
      return undefined;
    },
    end() {
      for (const entry of waiting) giveUp(entry);
    },
  };
}

function keyOf(continues: readonly unknown[], requestState: Json | undefined): string {
  return canonicalJson([...continues, requestState ?? null] as Json);
}
