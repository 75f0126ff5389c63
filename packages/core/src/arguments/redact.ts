import { formatPath, ownValue, type Path, type Step } from "../conditions/path.ts";
import { HoldpointError } from "../holdpoint-error.ts";
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
 * Throws `HoldpointError` (`edit_unclear`) where a mark stands that has no secret of its own: in a list that the person made longer or shorter, nobody can
 * tell whose secret it was.
 */
export function restoreSecrets(edited: JsonObject, original: JsonObject, secret: readonly Path[]): JsonObject {
  return secret.reduce<Json>((value, path) => restoreAt(value, original, path.steps), edited) as JsonObject;
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

function restoreAt(edited: Json, original: Json | undefined, [step, ...rest]: readonly Step[]): Json {
  if (step === undefined) {
    if (edited !== secretMark) return edited;
    if (original === undefined)
      throw new HoldpointError("edit_unclear", "an edit leaves `(secret)` where it cannot be told which secret is meant");
    return original;
  }
  if (Array.isArray(edited)) {
    const sameLength = Array.isArray(original) && original.length === edited.length;
    return edited.map((element, index) =>
      step.kind === "elements" || (step.kind === "index" && step.index === index)
        ? restoreAt(element, sameLength ? original[index] : undefined, rest)
        : element,
    );
  }
  if (step.kind !== "name" || !isObject(edited) || !Object.hasOwn(edited, step.name)) return edited;
  const before = original === undefined ? undefined : ownValue(original, step.name);
  return replaceAt(edited, [step], (value) => restoreAt(value, before, rest));
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
