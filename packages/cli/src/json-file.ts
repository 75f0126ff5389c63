import { Failure, reasonOf } from "./failure.ts";

/**
 * Reads JSON, as `JSON.parse` does. `name` is the file or option that the text is from.
 *
 * @throws {Failure} with line and column, and none of the text: a configuration may hold secrets.
 */
export function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const before = text.slice(0, positionIn(reasonOf(error)) ?? firstFault(text)).split("\n");
    const reason = reasonOf(error).replace(/(?:,? (?:\.{3})?".*" is not valid JSON|(?: in JSON)? at position .*)$/s, "");
    throw new Failure(`${name}:${before.length}:${(before.at(-1) ?? "").length + 1}: the text is not JSON: ${reason}`, { cause: error });
  }
}

/**
 * JSON with comments and trailing commas, as VS Code and its kin write it.
 *
 * @throws {Failure} as `parseJson` does.
 */
export function parseJsonc(name: string, text: string): unknown {
  const string = /"(?:\\.|[^"\\])*"/.source;
  const keepStrings = (pattern: RegExp) => new RegExp(`(${string})|${pattern.source}`, "g");
  // Blanked out rather than cut out, so that a fault keeps its line and column.
  const blank = (found: string, kept: string | undefined) => kept ?? found.replace(/[^\n]/g, " ");
  return parseJson(name, text.replace(keepStrings(/\/\/[^\n]*|\/\*[\s\S]*?\*\//), blank).replace(keepStrings(/,(?=\s*[}\]])/), blank));
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
