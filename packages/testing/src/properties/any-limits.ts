import type { Limit } from "@holdpoint/core";
import fc, { type Arbitrary } from "fast-check";

/** A counter as every limit that names it must describe it; a limit adds its `max`. */
type Counter = Omit<Limit, "max" | "concurrent"> & { readonly concurrent?: true };

const scope = fc.option(
  fc.oneof(
    fc.constantFrom<NonNullable<Limit["scope"]>[]>("grant", "session", "run", "user", "tenant", "agent", "server", "global"),
    fc.uniqueArray(fc.constantFrom("grant" as const, "user" as const, "tenant" as const), { minLength: 1, maxLength: 2 }),
  ),
  { nil: undefined },
);
const window = fc.constantFrom<NonNullable<Limit["window"]>[]>("minute", "hour", "day", "week", "month", 90, { sliding: "10m" });
const across = fc.option(fc.constant("servers" as const), { nil: undefined, freq: 5 });

const counted: Arbitrary<Omit<Counter, "counter">> = fc.record({
  window,
  scope,
  across,
  increment: fc.constantFrom(undefined, 1, 2, "0.5"),
  count: fc.constantFrom(undefined, "sent", "answered", "protocol", "success"),
});
const metered: Arbitrary<Omit<Counter, "counter">> = fc.record({
  window,
  scope,
  across,
  increment_from: fc.constantFrom("args.amount", "args.nested.cost"),
  unit: fc.constantFrom("none" as const, { path: "args.currency", is: "usd" }),
});
const lifetime: Arbitrary<Omit<Counter, "counter">> = fc.oneof(
  fc.record({ window: fc.constant("lifetime" as const), scope: fc.constant("session" as const) }),
  fc.record({ window: fc.constant("lifetime" as const), expires: fc.constantFrom("1h", "7d"), scope }),
);
const concurrent: Arbitrary<Omit<Counter, "counter">> = fc.record({ concurrent: fc.constant(true as const), scope, across });

const counter = fc.oneof(
  { weight: 4, arbitrary: counted },
  { weight: 2, arbitrary: metered },
  { weight: 1, arbitrary: lifetime },
  { weight: 1, arbitrary: concurrent },
);

/**
 * Lists of limits for `places` (tools, or `all_tools`) of one policy, that load together: limits that name one counter agree on all but their `max`.
 */
export function anyLimits(places: number): Arbitrary<readonly (readonly Limit[])[]> {
  return fc.array(counter, { maxLength: 3 }).chain((counters) => {
    const one = fc
      .subarray(counters.map((_, index) => index))
      .chain((indices) => fc.tuple(...indices.map((index) => limitOn(`counter ${index}`, counters[index] as Counter))));
    return fc.array(one, { minLength: places, maxLength: places });
  });
}

function limitOn(name: string, { concurrent: isConcurrent, ...rest }: Counter): Arbitrary<Limit> {
  const shared = withoutUndefined({ ...rest, counter: name });
  const keys = fc.record({ on_deny: fc.constant("Not so many."), mode: fc.constant("observe" as const) }, { requiredKeys: [] });
  // One call may not count more than `max`, but for `max: 0`, which stops every call.
  const least = Math.ceil(Number(rest.increment ?? 1));
  const bound = isConcurrent
    ? fc.integer({ min: 1, max: 3 }).map((most) => ({ concurrent: most }))
    : fc
        .oneof({ weight: 8, arbitrary: fc.integer({ min: least, max: least + 4 }) }, { weight: 1, arbitrary: fc.constantFrom(0, "7.5") })
        .map((max) => ({ max }));
  return fc.tuple(bound, keys).map(([most, extra]) => ({ ...shared, ...most, ...extra }) as Limit);
}

function withoutUndefined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined));
}
