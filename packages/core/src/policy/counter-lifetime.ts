import type { CounterStore, Window } from "../limits/counter-store.ts";
import type { CompiledLimit } from "../limits/limits.ts";
import { scopesOf } from "../limits/limits.ts";
import { windowKey } from "../limits/window.ts";
import type { CompiledPolicy } from "./compile-policy.ts";
import type { PolicyIssue } from "./policy-error.ts";

const dayMs = 86_400_000;

/** Limits that count for a day or more on a store that forgets with its process, without the host having said that this is meant (design §5). */
export function longWindows(policy: CompiledPolicy, store: CounterStore): readonly PolicyIssue[] {
  if (store.durability !== "process" || store.acceptsLongWindows) return [];
  return limitsOf(policy)
    .filter((limit) => isLong(limit.window) && !limit.endsWithSession)
    .map((limit) => ({
      pointer: limit.id,
      message: `\`${limit.limit.counter}\` counts for a day or more, and the counter store forgets when the process ends`,
      fix: 'use a store of `@holdpoint/stores`, or say that you mean it: `store: memoryStore({ durability: "process" })`',
    }));
}

function isLong(window: Window): boolean {
  switch (window.kind) {
    case "calendar":
      return window.unit === "day" || window.unit === "week" || window.unit === "month";
    case "seconds":
      return window.seconds * 1000 >= dayMs;
    case "sliding":
      return window.ms >= dayMs;
    case "lifetime":
      return true;
    case "concurrent":
      return false;
  }
}

/** Counters of `before` that would start anew under `after`, since their key would be another one. */
export function resetCounters(before: CompiledPolicy, after: CompiledPolicy): readonly PolicyIssue[] {
  const kept = new Map(limitsOf(after).map((limit) => [limit.limit.counter, limit]));
  const seen = new Set<string>();
  return limitsOf(before).flatMap((limit) => {
    const { counter } = limit.limit;
    const next = kept.get(counter);
    if (!next || keyOf(limit) === keyOf(next) || seen.has(counter)) return [];
    seen.add(counter);
    return [
      {
        pointer: next.id,
        message: `counter \`${counter}\` would start anew: its window or scope has changed`,
        fix: "give it another name, or pass `{ carry: false }`",
      },
    ];
  });
}

function keyOf({ limit, window }: CompiledLimit): string {
  return JSON.stringify([windowKey(window), scopesOf(limit), limit.across ?? null]);
}

function limitsOf(policy: CompiledPolicy): readonly CompiledLimit[] {
  return [...new Set(policy.layers.flatMap((layer) => [layer.others, ...layer.tools.values()]).flatMap((tool) => tool.limits))];
}
