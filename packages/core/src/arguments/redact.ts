import { formatPath, ownValue, type Path, type Step } from "../conditions/path.ts";
import { HoldpointError } from "../holdpoint-error.ts";
import { canonicalJson } from "./canonical-json.ts";
import { jsonPointer, type PointerToken } from "./json-pointer.ts";
import type { Json, JsonObject } from "./json-snapshot.ts";
import { shown } from "./schema-problem.ts";

/** Stands where a secret value was. */
export const secretMark = "(secret)";

/**
 * A deep copy with every value at a `secret` path replaced by `secretMark`; the copy is the caller's own. Where the path meets a value of another shape than
 * it says (text or a list in place of an object), nobody can tell where in it the secret stands, and all of that value is replaced.
 */
export function redact(args: JsonObject, secret: readonly Path[]): JsonObject {
  return secret.reduce<Json>((value, path) => hideAt(value, path.steps), structuredClone(args)) as JsonObject;
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
  const stray = secret.length > 0 ? strayMark(restored, original, []) : undefined;
  if (stray !== undefined) throw editUnclear(publicPointer(stray, original, secret));
  return restored;
}

/**
 * A JSON Pointer into arguments as it may be shown: cut off where it would go on inside of a secret, whose keys are as secret as its values. `args` is
 * `undefined` where they could not be read.
 */
export function publicPointer(pointer: string, args: Json | undefined, secret: readonly Path[]): string {
  const tokens = pointer.split("/").slice(1);
  const shortest = Math.min(...secret.map(({ steps }) => depthOfSecret(steps, tokens, args)), tokens.length);
  return tokens
    .slice(0, shortest)
    .map((token) => `/${token}`)
    .join("");
}

/** Whether a JSON Pointer names a secret, or a place inside of one. */
export function isSecret(pointer: string, args: Json, secret: readonly Path[]): boolean {
  const tokens = pointer.split("/").slice(1);
  return secret.some(({ steps }) => depthOfSecret(steps, tokens, args) <= tokens.length);
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

/** The JSON Pointers at which two values differ, the highest ones only, and none that tells a key inside of a secret. */
export function changedPointers(before: JsonObject, after: JsonObject, secret: readonly Path[]): readonly string[] {
  const changed = differences(before, after, "");
  return secret.length === 0 ? changed : [...new Set(changed.map((pointer) => publicPointer(pointer, before, secret)))];
}

function differences(before: Json, after: Json, place: string): readonly string[] {
  if (isObject(before) && isObject(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => {
      const pointer = `${place}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      const [old, now] = [ownValue(before, key), ownValue(after, key)];
      return old === undefined || now === undefined ? [pointer] : differences(old, now, pointer);
    });
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    return before.flatMap((old, index) => differences(old as Json, after[index] as Json, `${place}/${index}`));
  }
  return Object.is(before, after) ? [] : [place];
}

/** How many tokens of a pointer lead to what is hidden under these steps; `Infinity` where it leads elsewhere. */
function depthOfSecret(steps: readonly Step[], tokens: readonly string[], args: Json | undefined): number {
  let value = args;
  for (let depth = 0; depth <= tokens.length; depth++) {
    const step = steps[depth];
    if (step === undefined || (value !== undefined && !canHold(value, step))) return depth;
    const token = tokens[depth];
    if (token === undefined) return Number.POSITIVE_INFINITY;
    if (!names(step, token)) {
      // Of a value that could not be read the token alone tells the shape.
      const isOfOtherShape = value === undefined && isIndex(token) === (step.kind === "name");
      return isOfOtherShape ? depth : Number.POSITIVE_INFINITY;
    }
    if (value !== undefined) value = Array.isArray(value) ? value[Number(token)] : ownValue(value, (step as { name: string }).name);
  }
  return Number.POSITIVE_INFINITY;
}

/** Pointers are made to be read: a long or unprintable key of theirs is cut and escaped. */
function names(step: Step, token: string): boolean {
  if (step.kind === "elements") return isIndex(token);
  if (step.kind === "index") return token === String(step.index);
  return token === jsonPointer([step.name]).slice(1) || token === jsonPointer([shown(step.name)]).slice(1);
}

/** No list that is read has more elements; a longer number is somebody's key. */
function isIndex(token: string): boolean {
  return /^(0|[1-9][0-9]{0,5})$/.test(token);
}

function canHold(value: Json, step: Step): boolean {
  return step.kind === "name" ? isObject(value) : Array.isArray(value);
}

function hideAt(value: Json, [step, ...rest]: readonly Step[]): Json {
  if (step === undefined) return secretMark;
  if (!canHold(value, step)) return value === null ? null : secretMark;
  if (step.kind === "name") return withMember(value as JsonObject, step.name, (inner) => hideAt(inner, rest));
  return (value as readonly Json[]).map((element, index) =>
    step.kind === "elements" || step.index === index ? hideAt(element, rest) : element,
  );
}

/** A copy with one member replaced, where there is one. */
function withMember(value: JsonObject, name: string, replacement: (old: Json) => Json): JsonObject {
  if (!Object.hasOwn(value, name)) return value;
  const copy = { ...value };
  Object.defineProperty(copy, name, {
    value: replacement(value[name] as Json),
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
  if (edited === secretMark && (step === undefined || seen.shown === secretMark)) {
    if (seen.original === undefined) throw editUnclear(formatPath(path));
    return seen.original;
  }
  if (step === undefined || !canHold(edited, step)) return edited;
  if (step.kind === "name") {
    const { name } = step;
    const inside: Seen = { original: ownOf(seen.original, name), shown: ownOf(seen.shown, name), left: ownOf(seen.left, name) };
    return withMember(edited as JsonObject, name, (value) => restoreAt(value, inside, rest, path));
  }
  const elementAt = elementsOf(seen);
  return (edited as readonly Json[]).map((element, index) =>
    step.kind === "elements" || step.index === index ? restoreAt(element, elementAt(index), rest, path) : element,
  );
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

/** Where a mark stands in place of something else. */
function strayMark(restored: Json, original: Json | undefined, at: readonly PointerToken[]): string | undefined {
  if (restored === secretMark && original !== secretMark) return jsonPointer(at);
  if (Array.isArray(restored)) {
    const before: readonly Json[] = Array.isArray(original) ? original : [];
    for (const [index, element] of restored.entries()) {
      const stray = strayMark(element as Json, before[index], [...at, index]);
      if (stray !== undefined) return stray;
    }
  } else if (isObject(restored)) {
    for (const [key, value] of Object.entries(restored)) {
      const stray = strayMark(value, ownOf(original, key), [...at, key]);
      if (stray !== undefined) return stray;
    }
  }
  return undefined;
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
