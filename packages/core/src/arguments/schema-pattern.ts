import { compileRegex } from "../conditions/regular-expression.ts";
import { charge, type Run } from "./schema-evaluation.ts";

export type PatternTest = (text: string, run: Run) => boolean;

/** Instructions times characters that are about as much work as one step of a judgement. */
const workPerStep = 20;

/**
 * Compiles a `pattern` of a schema for the linear engine. JSON Schema's patterns are ECMA-262 regular expressions with the `u` flag (Validation §6.3.3,
 * Core §6.4); where RE2 writes the same thing otherwise it is rewritten, and what RE2 cannot run, or reads with another meaning, is an error.
 */
export function compilePattern(
  source: string,
  maxInstructions: number,
): { readonly matches: PatternTest; readonly instructions: number } | { readonly error: string } {
  const translated = toRe2(source);
  if (typeof translated !== "string") return translated;
  const instructions = mostInstructions(translated);
  if (instructions > maxInstructions) return { error: "it, or all patterns of the schema together, are too large" };
  const compiled = compileRegex(translated);
  if ("error" in compiled) return compiled;
  return {
    instructions,
    matches: (text, run) => {
      charge(run, 1 + Math.ceil((text.length * instructions) / workPerStep));
      return compiled.test(text);
    },
  };
}

/** About how large the program of a pattern is, never much less: counted repetitions are written out. Known before it is compiled, which takes as long. */
function mostInstructions(pattern: string): number {
  const groups = [0];
  let last = 0;
  for (const [token, fewest, most] of pattern.matchAll(/\\x\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{([0-9]+)(?:,([0-9]*))?\}|./gsu)) {
    if (token === "(") {
      groups.push(0);
      continue;
    }
    if (fewest !== undefined) last *= Math.max(Number(fewest), Number(most ?? 0), 1) * 2 - 1;
    else if (token === ")" && groups.length > 1) last = groups.pop()! + 2;
    else last = 1;
    groups[groups.length - 1]! += last;
  }
  return groups.reduce((sum, group) => sum + group, 0);
}

/** ECMA-262 counts every Unicode space, the byte order mark and the line separators as white space; RE2 only the ASCII ones. */
const space = "\\t\\n\\v\\f\\r \\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}\\x{FEFF}";
const notSpace =
  "\\x00-\\x08\\x0E-\\x1F!-\\x{9F}\\x{A1}-\\x{167F}\\x{1681}-\\x{1FFF}\\x{200B}-\\x{2027}\\x{202A}-\\x{202E}\\x{2030}-\\x{205E}\\x{2060}-\\x{2FFF}\\x{3001}-\\x{FEFE}\\x{FF00}-\\x{10FFFF}";

const escapeToken =
  /\\(?:u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|u\{[0-9A-Fa-f]+\}|x[0-9A-Fa-f]{2}|c[A-Za-z]|[pP]\{[^}]{0,64}\}|0[0-9]?|.)/s;
const groupToken = /\((?:\?(?:<[=!]|P?<[^>]{0,64}>|[a-zA-Z-]*:|.))?/s;
const classStartToken = /\[\^?\]|\[\^?/;
const tokenOutside = new RegExp(`${escapeToken.source}|${groupToken.source}|${classStartToken.source}|.`, "suy");
const tokenInClass = new RegExp(`${escapeToken.source}|.`, "suy");

function toRe2(source: string): string | { readonly error: string } {
  let translated = "";
  let inClass = false;
  let previous = "";
  for (let position = 0; position < source.length; ) {
    const expression = inClass ? tokenInClass : tokenOutside;
    expression.lastIndex = position;
    const token = expression.exec(source)![0];
    position += token.length;
    const written = inClass
      ? tokenWithin(token, previous, source.slice(position, position + 2))
      : token.startsWith("\\")
        ? escapeFor(token, false)
        : tokenBetween(token);
    if (written === undefined) return { error: `\`${token}\` is not supported by the linear engine` };
    if (inClass ? token === "]" : token === "[" || token === "[^") inClass = !inClass;
    translated += written;
    previous = token;
  }
  return inClass ? { error: "a bracket is not closed" } : translated;
}

function tokenBetween(token: string): string | undefined {
  if (token === ".") return "[^\\n\\r\\x{2028}\\x{2029}]";
  if (token === "[]") return "[^\\x00-\\x{10FFFF}]";
  if (token === "[^]") return "[\\x00-\\x{10FFFF}]";
  if (!token.startsWith("(?")) return token;
  // A name means nothing to a pattern that is only tested.
  if (/^\(\?P?<[^=!]/.test(token)) return "(?:";
  return token === "(?:" || /^\(\?[is]+:?$/.test(token) ? token : undefined;
}

const setEscape = /^\\[sSdDwWpP]/;

function tokenWithin(token: string, previous: string, next: string): string | undefined {
  if (token.startsWith("\\")) return escapeFor(token, true);
  if (token === "[") return "\\[";
  // Beside a set of characters a hyphen makes no range.
  return token === "-" && (setEscape.test(previous) || setEscape.test(next)) ? "\\-" : token;
}

/** An escape in RE2's writing; undefined where it has none, or where RE2 gives the letter another meaning. */
function escapeFor(token: string, inClass: boolean): string | undefined {
  const letter = token[1]!;
  if (letter === "s") return inClass ? space : `[${space}]`;
  if (letter === "S") return inClass ? notSpace : `[^${space}]`;
  if (letter === "u" && token.length > 2) return codePoint(token);
  if (letter === "x" || letter === "0") return token === "\\0" ? "\\x00" : token.length === 4 ? token : undefined;
  if (letter === "c") return token.length === 3 ? `\\x{${(token.charCodeAt(2) % 32).toString(16)}}` : undefined;
  if (letter === "b" && inClass) return "\\x08";
  if (letter === "B" && inClass) return undefined;
  if (letter === "p" || letter === "P") return token.replace(/\{(?:General_Category|gc|Script|sc)=/, "{");
  if (/[dDwWbBfnrtv]/.test(letter)) return token;
  return /[A-Za-z0-9]/.test(letter) || letter > "~" ? undefined : token;
}

function codePoint(token: string): string | undefined {
  const digits = token.match(/[0-9A-Fa-f]{2,}|[0-9A-Fa-f]/g)!;
  const units = digits.map((hexadecimal) => Number.parseInt(hexadecimal, 16));
  const code = units.length === 2 ? String.fromCharCode(...units).codePointAt(0)! : units[0]!;
  return (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff ? undefined : `\\x{${code.toString(16)}}`;
}
