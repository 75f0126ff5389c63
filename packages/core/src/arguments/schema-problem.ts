/** One thing that is wrong with the arguments. It may be told to the model: it holds no argument values, and the schema's own words only in bounds. */
export interface SchemaProblem {
  /** JSON Pointer (RFC 6901) of the place in the arguments, made to be read: a long or unprintable key is cut and escaped. `""` is the arguments as a whole. */
  readonly pointer: string;
  /** What was expected there: "expected a number", "missing required property `reason`". */
  readonly message: string;
  /** True where the words are those of a library of the host's, which may quote what it was given. */
  readonly isForeign?: boolean | undefined;
}

/** What is said where nothing more may be. */
export const generalProblem = "the value does not match the schema";

const maxNamedProblems = 5;

/**
 * One sentence for the model: each place and what was expected there, and how many problems are not named.
 *
 * @example
 * describeProblems([{ pointer: "/amount", message: "expected a number" }]);
 * // "at `/amount`: expected a number"
 */
export function describeProblems(problems: readonly SchemaProblem[], maxNamed: number = maxNamedProblems): string {
  const named = problems.slice(0, maxNamed).map(({ pointer, message }) => (pointer === "" ? message : `at \`${pointer}\`: ${message}`));
  const unnamed = problems.length - named.length;
  return named.join("; ") + (unnamed > 0 ? `; and ${unnamed} more` : "");
}

/**
 * Text of the model or of a server, fit to be shown: whatever is invisible or could turn the line around is escaped, as is the backtick that would end the
 * quotation, and at most `maxCharacters` (64) are kept.
 */
export function shown(text: string, maxCharacters: number = 64): string {
  // A character is at most two code units, so a text of any size costs no more than what is kept.
  const characters = [...text.slice(0, maxCharacters * 2 + 1)];
  const kept = characters.length > maxCharacters ? `${characters.slice(0, maxCharacters).join("")}…` : characters.join("");
  return kept.replace(
    /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}`]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
