import { type Limit, loadPolicy, type PolicyDocument, PolicyError } from "@holdpoint/core";
import { conditionMutations, dropped, type Mutation } from "./mutate-condition.ts";

/** A policy with one mistake in it. */
export interface Mutant {
  /** The place and the mistake, in one line; names the mutant in reports and in `equivalent`. */
  readonly id: string;
  /** JSON Pointer into the document. */
  readonly pointer: string;
  /** What was changed: `gt became gte`. */
  readonly description: string;
  readonly policy: PolicyDocument;
}

const key = Symbol.for("holdpoint.mutants");
const shared = globalThis as { [key]?: WeakSet<object> };
/** A test file and the matchers may each have loaded their own copy of this package: a mutant is one to both. */
const mutants = shared[key] ?? new WeakSet<object>();
shared[key] = mutants;

/** Whether `mutatePolicy` made this document; its calls belong in no coverage table. */
export function isMutant(policy: object): boolean {
  return mutants.has(policy);
}

/**
 * The small mistakes that a person makes in a policy, one at a time: a rule, a condition or a hidden tool that was left out, an operator turned round, a
 * bound off by one, `deny` for `allow`, a window too wide. Each mutant loads; a change that does not load is no mistake that can happen.
 *
 * Bounds are moved so that only a test on each side of the boundary notices: `gt 100` becomes `gte 100` and `gt 101`. Throws `PolicyError` where the policy
 * itself does not load.
 *
 * @example
 * for (const { id, policy: mutant } of mutatePolicy(policy)) console.log(id);
 */
export function mutatePolicy(policy: PolicyDocument): readonly Mutant[] {
  const document = loadPolicy(policy);
  return mutationsOf(document).flatMap(({ at, description, change }) => {
    const mutated = tryLoad(changedAt(document, at, change));
    if (mutated === undefined) return [];
    mutants.add(mutated);
    const pointer = `/${at.map((token) => String(token).replaceAll("~", "~0").replaceAll("/", "~1")).join("/")}`;
    return [{ id: `${pointer}: ${description}`, pointer, description, policy: mutated }];
  });
}

function mutationsOf(document: PolicyDocument): readonly Mutation[] {
  const places = [
    ...(document.all_tools ? [{ at: ["all_tools"], lists: document.all_tools }] : []),
    ...Object.entries(document.tools ?? {}).map(([name, lists]) => ({ at: ["tools", name], lists })),
  ];
  return [
    ...documentMutations(document),
    ...places.flatMap(({ at, lists }) => {
      const sections = (["require", "deny_if", "require_approval"] as const).flatMap((section) =>
        (lists[section] ?? []).flatMap((entry, index) => [
          dropped([...at, section], index, "the rule"),
          ...conditionMutations(entry, [...at, section, index]),
        ]),
      );
      const limits = (lists.limits ?? []).flatMap((limit, index) => limitMutations(limit, at, index));
      return [...sections, ...limits];
    }),
    ...widenedWindows(document),
  ];
}

function documentMutations(document: PolicyDocument): Mutation[] {
  const other = document.default === "deny" ? "allow" : "deny";
  const hidden = Array.isArray(document.hide) ? document.hide : [];
  return [
    { at: ["default"], description: `\`${document.default}\` became \`${other}\``, change: () => other },
    ...(document.hide === "*" ? [{ at: ["hide"], description: "left out", change: () => undefined }] : []),
    ...hidden.map((_, index) => dropped(["hide"], index, "the hidden tool")),
    ...Object.keys(document.tools ?? {}).map((name) => ({
      at: ["tools", name],
      description: "the tool was left out",
      change: () => undefined,
    })),
  ];
}

function limitMutations(limit: Limit, at: readonly (string | number)[], index: number): Mutation[] {
  const place = [...at, "limits", index];
  const bounds = (["max", "concurrent"] as const).flatMap((key) => {
    const bound = limit[key];
    if (bound === undefined || !Number.isFinite(Number(bound))) return [];
    return [1, -1].map((step) => ({
      at: [...place, key],
      description: `${bound} became ${Number(bound) + step}`,
      change: () => (typeof bound === "string" ? String(Number(bound) + step) : bound + step),
    }));
  });
  return [dropped([...at, "limits"], index, "the limit"), ...bounds];
}

const wider: Readonly<Record<string, string>> = { minute: "hour", hour: "day", day: "week", week: "month" };

/** A window becomes wider in every limit of its counter, since limits that share a counter agree on it. */
function widenedWindows(document: PolicyDocument): Mutation[] {
  const counters = new Map<string, Limit["window"]>();
  for (const lists of [document.all_tools, ...Object.values(document.tools ?? {})]) {
    for (const { counter, window } of lists?.limits ?? []) counters.set(counter, window);
  }
  return [...counters].flatMap(([counter, window]) => {
    const wide = widen(window);
    if (wide === undefined) return [];
    const change = (whole: unknown) => withWindow(whole as PolicyDocument, counter, wide);
    return [{ at: [], description: `the window of \`${counter}\` became ${JSON.stringify(wide)}`, change }];
  });
}

function widen(window: Limit["window"]): Limit["window"] {
  if (typeof window === "number") return 2 * window;
  if (typeof window === "string") return wider[window] as Limit["window"];
  if (window === undefined) return undefined;
  const [, count, unit] = /^([0-9]+)(.+)$/.exec(window.sliding) ?? [];
  return { sliding: `${2 * Number(count)}${unit}` };
}

function withWindow(document: PolicyDocument, counter: string, window: Limit["window"]): PolicyDocument {
  const inLists = <Lists extends { readonly limits?: readonly Limit[] | undefined }>(lists: Lists): Lists =>
    lists.limits ? { ...lists, limits: lists.limits.map((limit) => (limit.counter === counter ? { ...limit, window } : limit)) } : lists;
  return {
    ...document,
    ...(document.all_tools && { all_tools: inLists(document.all_tools) }),
    ...(document.tools && { tools: Object.fromEntries(Object.entries(document.tools).map(([name, lists]) => [name, inLists(lists)])) }),
  };
}

/** A copy that differs in one place and shares the rest. */
function changedAt(value: unknown, [token, ...rest]: readonly (string | number)[], change: (value: unknown) => unknown): unknown {
  if (token === undefined) return change(value);
  if (Array.isArray(value)) {
    return value.flatMap((element, index) => {
      if (index !== token) return [element];
      const changed = changedAt(element, rest, change);
      return changed === undefined ? [] : [changed];
    });
  }
  const entries = Object.entries(value as object).map(
    ([key, part]) => [key, key === token ? changedAt(part, rest, change) : part] as const,
  );
  return Object.fromEntries(entries.filter(([, part]) => part !== undefined));
}

function tryLoad(document: unknown): PolicyDocument | undefined {
  try {
    return loadPolicy(document);
  } catch (error) {
    if (PolicyError.is(error)) return undefined;
    throw error;
  }
}
