import type { Json } from "@holdpoint/core";
import type { Atom, Facts, Truth } from "./atoms.ts";

/** Stands for a path at which there is nothing. */
export const absent: unique symbol = Symbol("absent");
export type Value = Json | typeof absent;

/**
 * Values of which no atom can tell one from another. The classes of a path cover every value that can stand there: what holds in each of them holds for
 * every call. Some may hold no value at all, which costs answers and never makes one wrong.
 */
export interface ValueClass {
  readonly truths: ReadonlyMap<string, Truth>;
  /** One value of the class, where one is known. */
  readonly sample?: Value | undefined;
}

/** With more classes than this a path is not looked through. */
const mostClasses = 4_000;

/**
 * Splits what can stand at a path by what the atoms say of it. `undefined` where that is too much.
 *
 * - Numbers: each number that is compared with, and each gap between two of them: the order of numbers is all that an atom sees.
 * - Texts and lists: each one that is compared with; of the rest, whatever combination of answers the text operators could give, and each stretch of
 *   lengths.
 * - The other types, and nothing at all.
 */
export function classesOf(
  path: string,
  atoms: readonly Atom[],
  { factsWith: facts, fits, names }: Stage,
): readonly ValueClass[] | undefined {
  const domain = domainOf(path, names);
  const samples = new Map<string, Value>([...samplesFor(atoms, domain), ...domain.samples].map((sample) => [keyOf(sample), sample]));
  for (const value of domain.without ?? []) samples.delete(keyOf(value));
  const known: ValueClass[] = [...samples.values()].map((sample) => ({ truths: truthsAt(facts(path, sample), atoms), sample }));
  const others: ValueClass[] = [];
  const stranger = unlike(atoms);
  for (const kind of domain.open) {
    const combinations = otherValues(kind, atoms, truthsAt(facts(path, strangers[kind](stranger)), atoms));
    if (combinations === undefined) return undefined;
    others.push(...combinations);
  }
  const classes = merge([...known, ...others], (sample) => fits(path, sample));
  return classes.length > mostClasses ? undefined : classes;
}

/** What the classes are found with. */
export interface Stage {
  /** Facts in which a value stands at a path, and nothing anywhere else. */
  readonly factsWith: (path: string, value: Value) => Facts;
  /** Whether the tool takes such a value there, as far as a glance at its schema shows. It decides which sample is shown, and nothing else. */
  readonly fits: (path: string, value: Value) => boolean;
  /** The name of the tool, or those that it cannot have where it stands for all others. */
  readonly names: string | ReadonlySet<string>;
}

function truthsAt(facts: Facts, atoms: readonly Atom[]): ReadonlyMap<string, Truth> {
  return new Map(atoms.map((atom) => [atom.key, atom.ask(facts)]));
}

/** One class for each combination of answers; its sample is the first value that gave it, or the first that fits. */
function merge(classes: readonly ValueClass[], fits: (sample: Value) => boolean): readonly ValueClass[] {
  const merged = new Map<string, ValueClass>();
  for (const each of classes) {
    const key = JSON.stringify([...each.truths.values()]);
    const former = merged.get(key);
    const isBetter = each.sample !== undefined && (former?.sample === undefined || (!fits(former.sample) && fits(each.sample)));
    if (former === undefined || isBetter) merged.set(key, each);
  }
  return [...merged.values()];
}

type OpenKind = "string" | "array" | "object";

interface Domain {
  readonly samples: readonly Value[];
  /** Types of which there are more values than samples. */
  readonly open: readonly OpenKind[];
  readonly numbers: boolean;
  /** Values that cannot stand there. */
  readonly without?: Iterable<Value> | undefined;
}

const anything: Domain = { samples: [absent, true, false, null], open: ["string", "array", "object"], numbers: true };
const identity: ReadonlySet<string> = new Set(["session", "run", "user", "tenant", "agent"].map((key) => `context.${key}`));

function domainOf(path: string, names: Stage["names"]): Domain {
  if (path === "tool.name") {
    if (typeof names === "string") return { samples: [names], open: [], numbers: false };
    return { samples: [], open: ["string"], numbers: false, without: names };
  }
  if (path === "time.hour") return { samples: range(0, 23), open: [], numbers: false };
  if (path === "time.weekday") return { samples: range(1, 7), open: [], numbers: false };
  if (path === "time.date") return { samples: ["2026-01-05", "1970-01-01", "9999-12-31"], open: [], numbers: false };
  if (path === "context.grant") return { samples: ["default"], open: ["string"], numbers: false };
  return identity.has(path) ? { samples: [absent], open: ["string"], numbers: false } : anything;
}

function range(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Whether the classes of `time.date` are all there are: dates are ordered, and no other operator sees them whole. */
export function isSeen({ path, op }: Atom): boolean {
  if (path === undefined || (path.startsWith("tool.") && path !== "tool.name")) return false;
  return path !== "time.date" || (op !== undefined && dateOperators.has(op));
}

const dateOperators: ReadonlySet<string> = new Set(["eq", "neq", "in", "not_in", "lt", "lte", "gt", "gte", "exists"]);

function samplesFor(atoms: readonly Atom[], domain: Domain): readonly Value[] {
  const literals = atoms.flatMap(({ expected, op }) =>
    Array.isArray(expected) && !comparesWhole.has(op) ? (expected as Json[]) : expected === undefined ? [] : [expected],
  );
  const texts = literals.filter((value) => typeof value === "string");
  if (!domain.open.includes("string")) return [...texts.filter(isDate), ...texts.filter(isDate).flatMap(neighboursOfDate)];
  const numbers = literals.filter((value) => typeof value === "number");
  const structures = literals.filter((value) => typeof value === "object" && value !== null);
  return [
    ...(domain.numbers ? numbersAround(numbers) : []),
    ...texts,
    ...texts.flatMap(textsLike),
    ...textsBelow(atoms),
    "a text",
    "",
    ...(domain.open.includes("array") ? [...structures, ...literals.map((value) => [value]), [], {}] : []),
  ];
}

/** The operators for which a list is one value; for others each of its elements is one. */
const comparesWhole: ReadonlySet<Atom["op"]> = new Set(["eq", "neq", "contains"]);

/** Each number, and one in each gap; a whole one where there is one. */
function numbersAround(given: readonly number[]): readonly number[] {
  const points = [...new Set(given)].sort((a, b) => a - b);
  const [first] = points;
  const last = points.at(-1);
  if (first === undefined || last === undefined) return [1];
  const gaps = points.slice(1).map((next, index) => between(points[index] as number, next));
  const below = first > 0 ? Math.min(0, first - 1) : first - 1;
  return [
    ...points,
    last + 1 > last ? last + 1 : Number.MAX_VALUE,
    below < first ? below : -Number.MAX_VALUE,
    ...gaps.filter((value) => value !== undefined),
  ];
}

function between(low: number, high: number): number | undefined {
  const whole = Math.floor(low) + 1;
  const middle = whole > low && whole < high ? whole : low / 2 + high / 2;
  return middle > low && middle < high ? middle : undefined;
}

/** Texts that operators may take for the one they compare with: begun with it, ended by it, below it, on that host. */
function textsLike(text: string): readonly string[] {
  const plain = text.replace(/^\^|\$$/g, "").replace(/\\(.)/g, "$1");
  const host = text.replace(/^\*\./, "a.");
  const network = text.replace(/\/\d+$/, "");
  return [
    `${text}x`,
    `x${text}`,
    `${text}/x`,
    plain,
    plain.replaceAll(".*", "x").replaceAll(/\*\*?|\?/g, "x"),
    `https://${host}/`,
    network,
  ];
}

/** Texts that satisfy two atoms at once: below the folder, or begun with the text, of the one, and like the other. */
function textsBelow(atoms: readonly Atom[]): readonly string[] {
  const textsOf = ({ expected }: Atom) => [expected].flat().filter((value) => typeof value === "string");
  const roots = atoms.filter(({ op }) => op === "within_path" || op === "starts_with").flatMap(textsOf);
  const others = atoms.filter(({ op }) => op === "glob" || op === "regex" || op === "ends_with" || op === "contains").flatMap(textsOf);
  return roots.flatMap((root) =>
    others.flatMap((other) => [other, ...textsLike(other)].map((text) => `${root.replace(/\/$/, "")}/${text.replace(/^\//, "")}`)),
  );
}

function isDate(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text));
}

function neighboursOfDate(date: string): readonly string[] {
  return [-1, 1]
    .map((days) => new Date(Date.parse(date) + days * 86_400_000))
    .flatMap((day) => (Number.isNaN(day.getTime()) ? [] : day.toISOString().slice(0, 10)));
}

/** A text that nobody compares with, and values that hold it. */
const unheardOf = "\u{e000}holdpoint";
const strangers: Readonly<Record<OpenKind, (text: string) => Json>> = {
  string: (text) => text,
  array: (text) => [[text]],
  object: (text) => ({ [text]: text }),
};

function unlike(atoms: readonly Atom[]): string {
  const literals = JSON.stringify(atoms.map(({ expected }) => expected));
  let text = unheardOf;
  while (literals.includes(text)) text += "x";
  return text;
}

/** What an operator may answer of a value of the kind which equals none of the samples; absent where it answers the same of all of them. */
const answers: Partial<Record<string, Partial<Record<OpenKind, readonly Truth[]>>>> = {
  regex: { string: [true, false] },
  glob: { string: [true, false] },
  starts_with: { string: [true, false] },
  ends_with: { string: [true, false] },
  contains: { string: [true, false], array: [true, false, "unknown"] },
  within_path: { string: [true, false, "unknown"] },
  host_in: { string: [true, false, "unknown"] },
  cidr_in: { string: [true, false, "unknown"] },
};

/** Every combination of answers that values of one kind could get, beside those that the samples stand for; `plain` are those of one that no atom knows. */
function otherValues(kind: OpenKind, atoms: readonly Atom[], plain: ReadonlyMap<string, Truth>): readonly ValueClass[] | undefined {
  let combinations: ReadonlyMap<string, Truth>[] = lengthsOf(kind, atoms).map((lengths) => new Map([...plain, ...lengths]));
  for (const atom of atoms) {
    const possible = answers[atom.op ?? ""]?.[kind];
    if (possible === undefined || !mayVary(atom, kind)) continue;
    combinations = combinations.flatMap((truths) => possible.map((truth) => new Map([...truths, [atom.key, truth]])));
    if (combinations.length > mostClasses) return undefined;
  }
  return combinations.map((truths) => ({ truths }));
}

/** `contains` with anything but a text is unknown of every text. */
function mayVary({ op, expected }: Atom, kind: OpenKind): boolean {
  return op !== "contains" || kind === "array" || typeof expected === "string";
}

/** The answers of `length_lte` and `length_gte` go together: one combination for each stretch of lengths between those compared with. */
function lengthsOf(kind: OpenKind, atoms: readonly Atom[]): readonly (readonly [string, Truth][])[] {
  const lengths = atoms.filter(({ op }) => op === "length_lte" || op === "length_gte");
  if (kind === "object" || lengths.length === 0) return [[]];
  const candidates = [0, ...lengths.flatMap(({ expected }) => [(expected as number) - 1, expected as number, (expected as number) + 1])];
  return candidates
    .filter((length) => length >= 0)
    .map((length) =>
      lengths.map(({ key, op, expected }) => [key, op === "length_lte" ? length <= (expected as number) : length >= (expected as number)]),
    );
}

function keyOf(value: Value): string {
  return value === absent ? "absent" : JSON.stringify(value);
}
