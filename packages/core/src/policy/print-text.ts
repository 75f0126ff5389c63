/** Text of a server, made safe to stand in TypeScript source. */

/** Characters that a reader does not see, or that reorder what he sees (Unicode categories Cc, Cf, Zl, Zp, lone surrogates, what is ignorable by default). */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;

const longestComment = 400;

/** A string literal. */
export function quote(text: string): string {
  return JSON.stringify(text).replace(invisible, escapeUnits);
}

export function propertyName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : quote(name);
}

/**
 * A documentation comment with a line break behind it, or nothing where there is no text. What could end the comment, or steer the compiler by an `@`
 * directive, is escaped.
 */
export function commentOf(text: unknown, indent: string): string {
  if (typeof text !== "string" || text.trim() === "") return "";
  const shown = text.length > longestComment ? `${text.slice(0, longestComment).trimEnd()}…` : text.trim();
  const lines = shown.split(/\r\n|[\n\r\u2028\u2029]/).map((line) => line.trimEnd().replaceAll("\t", " ").replace(invisible, escapeUnits));
  const safe = lines.map((line) => line.replaceAll("*/", "*\\/").replaceAll("@", "\\@"));
  if (safe.length === 1) return `${indent}/** ${safe[0]} */\n`;
  return `${indent}/**\n${safe.map((line) => `${indent} * ${line}`.trimEnd()).join("\n")}\n${indent} */\n`;
}

function escapeUnits(character: string): string {
  return Array.from({ length: character.length }, (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`).join("");
}
