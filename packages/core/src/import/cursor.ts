import { jsonPointer } from "../arguments/json-pointer.ts";
import { nearest } from "../policy/nearest.ts";
import type { ImportLog } from "./import-log.ts";

/** A value of the document that is being read, and its JSON Pointer (RFC 6901). */
export interface Cursor {
  readonly value: unknown;
  readonly pointer: string;
}

/** The keys of one object, each a cursor; a key that is absent is absent here. */
export type Fields<Key extends string> = { readonly [K in Key]?: Cursor };

/** Reads an object whose keys are all known. An unknown key is an issue at the key; anything but an object is an issue, and undefined. */
export function readFields<const Key extends string>(at: Cursor, keys: readonly Key[], log: ImportLog): Fields<Key> | undefined {
  const entries = readEntries(at, log);
  if (!entries) return undefined;
  const fields: { [K in Key]?: Cursor } = {};
  for (const [name, field] of entries) {
    const key = keys.find((known) => known === name);
    if (key === undefined) log.issue(field.pointer, `unknown key \`${name}\``, fixOfKey(name, keys), "key");
    else fields[key] = field;
  }
  return fields;
}

function fixOfKey(name: string, keys: readonly string[]): string {
  const meant = nearest(name, keys);
  return meant === undefined ? `the keys here are ${listed(keys)}` : `did you mean \`${meant}\`?`;
}

/** Reads an object with any keys, such as tools by name. */
export function readEntries(at: Cursor, log: ImportLog): [string, Cursor][] | undefined {
  if (!isObject(at.value)) {
    log.issue(at.pointer, `expected an object, found ${kindOf(at.value)}`, "write keys and values here");
    return undefined;
  }
  return Object.entries(at.value).map(([name, value]) => [name, { value, pointer: at.pointer + jsonPointer([name]) }]);
}

/** Reads a list; an absent one, and one left empty in YAML, has no items. */
export function readList(at: Cursor | undefined, log: ImportLog): Cursor[] {
  if (at === undefined || at.value === null) return [];
  if (Array.isArray(at.value)) return at.value.map((value: unknown, index) => ({ value, pointer: `${at.pointer}/${index}` }));
  log.issue(at.pointer, `expected a list, found ${kindOf(at.value)}`, "write a list here");
  return [];
}

/** Reads a text. An absent or empty one is undefined. */
export function readText(at: Cursor | undefined, log: ImportLog): string | undefined {
  if (at === undefined) return undefined;
  if (typeof at.value === "string") return at.value === "" ? undefined : at.value;
  log.issue(at.pointer, `expected text, found ${kindOf(at.value)}`, "put it in quotes");
  return undefined;
}

/** Reads one of a few words; undefined where it is absent or none of them, the latter with an issue. */
export function readWord<const Word extends string>(at: Cursor | undefined, words: readonly Word[], log: ImportLog): Word | undefined {
  if (at === undefined) return undefined;
  const word = words.find((known) => known === at.value);
  if (word === undefined) log.issue(at.pointer, `\`${shown(at.value)}\` has no meaning here`, `write ${listed(words)}`);
  return word;
}

/** Reads a whole number of at least `least`, at most 9,000,000,000. */
export function readWholeNumber(at: Cursor | undefined, least: 0 | 1, log: ImportLog): number | undefined {
  if (at === undefined) return undefined;
  if (Number.isInteger(at.value) && (at.value as number) >= least && (at.value as number) <= largestNumber) return at.value as number;
  log.issue(at.pointer, `\`${shown(at.value)}\` is not a whole number from ${least} to 9,000,000,000`, "write one");
  return undefined;
}

export const largestNumber = 9_000_000_000;

export function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** The kind of a value in the words of a JSON file. */
export function kindOf(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  const kinds: Record<string, string> = { string: "text", number: "a number", boolean: "true or false", object: "an object" };
  return kinds[typeof value] ?? "something that is not JSON";
}

/** A value of the document as a message shows it. */
export function shown(value: unknown): string {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : kindOf(value);
}

function listed(words: readonly string[]): string {
  return words.map((word) => `\`${word}\``).join(", ");
}
