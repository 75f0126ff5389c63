import { RE2JS } from "re2js";
import { compileRegex, type RegularExpression } from "./regular-expression.ts";

/**
 * Compiles a glob over a whole text: `*` matches any characters but `/`, a double one any characters, both also none; every other character, `?`
 * and brackets included, stands for itself. So `/a/` and a double star is everything that begins with `/a/`. It runs on the linear engine.
 */
export function compileGlob(pattern: string): RegularExpression | { readonly error: string } {
  if (pattern.includes("***")) return { error: "`***` means nothing in a glob: write `*` (stops at `/`) or `**` (does not)" };
  const parts = pattern.split(/(\*\*?)/).map((part) => (part === "**" ? "(?s:.*)" : part === "*" ? "[^/]*" : RE2JS.quote(part)));
  return compileRegex(`^(?:${parts.join("")})$`);
}
