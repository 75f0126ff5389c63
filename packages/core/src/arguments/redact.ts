import { formatPath, ownValue, type Path, type Step } from "../conditions/path.ts";
import { HoldpointError } from "../holdpoint-error.ts";
import { canonicalJson } from "./canonical-json.ts";
import { jsonPointer, type PointerToken } from "./json-pointer.ts";
import type { Json, JsonObject } from "./json-snapshot.ts";

/** Stands where a secret value was. */
export const secretMark = "(secret)";

/** A deep copy with every value at a `secret` path replaced by `secretMark`; the copy is the caller's own. */
export function redact(args: JsonObject, secret: readonly Path[]): JsonObject {
  return secret.reduce<Json>((value, path) => replaceAt(value, path.steps, () => secretMark), structuredClone(args)) as JsonObject;
}

/**
 * Puts the original values back where a person, who saw only the mark, left it.
 *
 * Throws `HoldpointError` (`edit_unclear`) where a mark stands that has no secret of its own: where none was, in a list that the person made longer or
 * shorter, or in an element that may be another one by now. In a list only one element may differ from what was shown; otherwise nobody can tell whose
 * secret it was.
 */
export function restoreSecrets(edited: JsonObject, original: JsonObject, secret: readonly Path[]): JsonObject {
  const seen: Seen = { original, shown: redact(original, secret), left: redact(edited, secret) };
  const restored = secret.reduce<Json>((value, path) => restoreAt(value, seen, path.steps, path), edited) as JsonObject;
  if (secret.length > 0) refuseStrayMarks(restored, original, []);
  return restored;
}

/** The values that the policy opted in, by path; secrets never, also not as part of an object that was opted in. */
export function recordedValues(args: JsonObject, record: readonly Path[], secret: readonly Path[]): JsonObject | undefined {
  if (record.length === 0) return undefined;
  const shown = redact(args, secret);
  const found: [string, Json][] = record.flatMap((path) => {
    const value = readEvery(shown, path.steps);
    return value === undefined ? [] : [[formatPath(path), value]];
  });
  return Object.fromEntries(found);
}

/** The JSON Pointers at which two values differ, the highest ones only. */
export function changedPointers(before: Json, after: Json, place = ""): readonly string[] {
  if (isObject(before) && isObject(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => {
      const pointer = `${place}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      const [old, now] = [ownValue(before, key), ownValue(after, key)];
      return old === undefined || now === undefined ? [pointer] : changedPointers(old, now, pointer);
    });
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    return before.flatMap((old, index) => changedPointers(old as Json, after[index] as Json, `${place}/${index}`));
  }
  return Object.is(before, after) ? [] : [place];
}

function replaceAt(value: Json, [step, ...rest]: readonly Step[], replacement: (old: Json) => Json): Json {
  if (step === undefined) return replacement(value);
  if (Array.isArray(value)) {
    return value.map((element, index) =>
      step.kind === "elements" || (step.kind === "index" && step.index === index) ? replaceAt(element, rest, replacement) : element,
    );
  }
  if (step.kind !== "name" || !isObject(value) || !Object.hasOwn(value, step.name)) return value;
  const copy = { ...value };
  Object.defineProperty(copy, step.name, {
    value: replaceAt(value[step.name] as Json, rest, replacement),
    enumerable: true,
    configurable: true,
    writable: true,
  });
  return copy;
}

/** One place of the arguments: what was there, what a person was shown, and what the person left, secrets hidden in both. */
interface Seen {
  readonly original: Json | undefined;
  readonly shown: Json | undefined;
  readonly left: Json | undefined;
}

const unseen: Seen = { original: undefined, shown: undefined, left: undefined };

function restoreAt(edited: Json, seen: Seen, [step, ...rest]: readonly Step[], path: Path): Json {
  if (step === undefined) {
    if (edited !== secretMark) return edited;
    if (seen.original === undefined) throw editUnclear(formatPath(path));
    return seen.original;
  }
  if (Array.isArray(edited)) {
    const elementAt = elementsOf(seen);
    return edited.map((element, index) =>
      step.kind === "elements" || (step.kind === "index" && step.index === index)
        ? restoreAt(element, elementAt(index), rest, path)
        : element,
    );
  }
  if (step.kind !== "name" || !isObject(edited) || !Object.hasOwn(edited, step.name)) return edited;
  const { name } = step;
  const inside: Seen = { original: ownOf(seen.original, name), shown: ownOf(seen.shown, name), left: ownOf(seen.left, name) };
  return replaceAt(edited, [step], (value) => restoreAt(value, inside, rest, path));
}

/** The elements that are certainly those that were shown at their index. */
function elementsOf({ original, shown, left }: Seen): (index: number) => Seen {
  if (!Array.isArray(original) || !Array.isArray(shown) || !Array.isArray(left) || original.length !== left.length) return () => unseen;
  const [before, after] = [shown, left].map((list) => list.map((element) => canonicalJson(element as Json))) as [string[], string[]];
  const changed = after.flatMap((element, index) => (element === before[index] ? [] : [index]));
  return (index) => {
    const isItself = !changed.includes(index) || (changed.length === 1 && !before.includes(after[index] as string));
    return isItself ? { original: original[index], shown: shown[index], left: left[index] } : unseen;
  };
}

function ownOf(value: Json | undefined, name: string): Json | undefined {
  return value === undefined ? undefined : ownValue(value, name);
}

function refuseStrayMarks(restored: Json, original: Json | undefined, at: readonly PointerToken[]): void {
  if (restored === secretMark && original !== secretMark) throw editUnclear(jsonPointer(at));
  if (Array.isArray(restored)) {
    const before: readonly Json[] = Array.isArray(original) ? original : [];
    for (const [index, element] of restored.entries()) refuseStrayMarks(element as Json, before[index], [...at, index]);
  } else if (isObject(restored)) {
    for (const [key, value] of Object.entries(restored)) refuseStrayMarks(value, ownOf(original, key), [...at, key]);
  }
}

function editUnclear(place: string): HoldpointError {
  const problem = `an edit leaves \`${secretMark}\` at \`${place}\`, where it cannot be told which secret is meant`;
  return new HoldpointError("edit_unclear", `${problem}: leave it where it was shown, and change one element of a list at most`);
}

function readEvery(value: Json | undefined, [step, ...rest]: readonly Step[]): Json | undefined {
  if (value === undefined || step === undefined) return value;
  if (step.kind === "name") return readEvery(ownValue(value, step.name), rest);
  if (!Array.isArray(value)) return undefined;
  if (step.kind === "index") return readEvery(value[step.index], rest);
  return value.map((element) => readEvery(element, rest) ?? null);
}

function isObject(value: Json): value is JsonObject {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
