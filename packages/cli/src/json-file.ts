import { printable, type RepeatedKey, repeatedKeys } from "@holdpoint/core";
import { Failure, reasonOf } from "./failure.ts";

/**
 * Reads JSON. `name` is the file or option that the text is from.
 *
 * @throws {Failure} with line and column, and no value of the text: a configuration may hold secrets. Also where a key stands twice in one object.
 */
export function parseJson(name: string, text: string): unknown {
  const value = parseLooseJson(name, text);
  const [repeated] = repeatedKeys(text);
  if (repeated) throw new Failure(`${name}:${placeIn(text, repeated.index)}: ${saidTwice(repeated)}: keep one of the two`);
  return value;
}

/**
 * The same as `JSON.parse` has it: of a key that stands twice, the last value.
 *
 * @throws {Failure} as `parseJson` does of what is no JSON.
 */
export function parseLooseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const place = placeIn(text, positionIn(reasonOf(error)) ?? firstFault(text));
    const reason = reasonOf(error).replace(/(?:,? (?:\.{3})?".*" is not valid JSON|(?: in JSON)? at position .*)$/s, "");
    throw new Failure(`${name}:${place}: the text is not JSON: ${reason}`, { cause: error });
  }
}

export function saidTwice({ key, pointer }: RepeatedKey): string {
  return `the key \`${printable(key)}\` stands twice at \`${printable(pointer)}\``;
}

/**
 * JSON with comments and trailing commas, as VS Code and its kin write it and read it.
 *
 * @throws {Failure} as `parseLooseJson` does.
 */
export function parseJsonc(name: string, text: string): unknown {
  const string = /"(?:\\.|[^"\\])*"/.source;
  const keepStrings = (pattern: RegExp) => new RegExp(`(${string})|${pattern.source}`, "g");
  // Blanked out rather than cut out, so that a fault keeps its line and column.
  const blank = (found: string, kept: string | undefined) => kept ?? found.replace(/[^\n]/g, " ");
  return parseLooseJson(name, text.replace(keepStrings(/\/\/[^\n]*|\/\*[\s\S]*?\*\//), blank).replace(keepStrings(/,(?=\s*[}\]])/), blank));
}

/** Line and column, counted from 1. */
function placeIn(text: string, index: number): string {
  const before = text.slice(0, index).split("\n");
  return `${before.length}:${(before.at(-1) ?? "").length + 1}`;
}

function positionIn(message: string): number | undefined {
  const [, position] = / at position ([0-9]+)/.exec(message) ?? [];
  return position === undefined ? undefined : Number(position);
}

/** Where the text stops being the beginning of some JSON: the engine does not say that of what it calls unexpected. */
function firstFault(text: string): number {
  let [sound, faulty] = [0, text.length + 1];
  while (sound + 1 < faulty) {
    const middle = (sound + faulty) >> 1;
    if (canGoOn(text.slice(0, middle))) sound = middle;
    else faulty = middle;
  }
  // A word that is none of JSON's is wrong from its beginning.
  return sound === text.length ? sound : text.slice(0, sound).replace(/[a-z]+$/, "").length;
}

function canGoOn(text: string): boolean {
  // A word such as `true`, and an escape, may end in what was cut off.
  const whole = text.replace(/(?:\\(?:u[0-9a-fA-F]{0,3})?|[a-z]+)$/, "");
  try {
    JSON.parse(whole);
    return true;
  } catch (error) {
    const position = positionIn(reasonOf(error));
    return position === undefined ? reasonOf(error).startsWith("Unexpected end") : position >= whole.length;
  }
}
