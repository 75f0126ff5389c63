import { RE2JS } from "re2js";

export interface RegularExpression {
  /** Whether the expression matches anywhere in the text, in time linear in its length. */
  test(text: string): boolean;
}

/** A pattern's program may have this many instructions; the time for a text is at worst its length times these. */
const largestProgram = 10_000;

/**
 * Compiles an expression in RE2 syntax (https://github.com/google/re2/wiki/Syntax): unanchored, `.` does not match a line feed unless `(?s)` is
 * given, `^` and `$` are the ends of the whole text unless `(?m)` is given, characters are code points. Answers why instead where RE2 cannot run
 * it (look-around, back-references, repetition over 1,000) or its program is too large.
 */
export function compileRegex(source: string): RegularExpression | { readonly error: string } {
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(source);
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^error parsing regexp: /, "") : "it does not compile";
    return { error: `the regular expression cannot run in linear time: ${reason}` };
  }
  if (compiled.programSize() > largestProgram) {
    return { error: `the regular expression is too large: ${compiled.programSize()} instructions, at most ${largestProgram}` };
  }
  return literalTest(source) ?? { test: (text) => compiled.test(text) };
}

/** Characters that stand for themselves. Only ASCII: a code point of two code units, halved by a lone surrogate, would be found by `includes`. */
const literalPattern = /^(\^?)([A-Za-z0-9 _\-/@:,;=<>!#%&~"'`]+)(\$?)$/;

/** The same verdict without the engine, for the common pattern that is a plain word, perhaps anchored. */
function literalTest(source: string): RegularExpression | undefined {
  const parts = literalPattern.exec(source);
  if (parts === null) return undefined;
  const literal = parts[2] as string;
  if (parts[1] === "") return { test: parts[3] === "" ? (text) => text.includes(literal) : (text) => text.endsWith(literal) };
  return { test: parts[3] === "" ? (text) => text.startsWith(literal) : (text) => text === literal };
}
