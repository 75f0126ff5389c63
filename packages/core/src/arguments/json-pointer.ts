export type PointerToken = string | number;

/** Writes a JSON Pointer (RFC 6901): `["tools", "a/b", 0]` is `/tools/a~1b/0`, no tokens are `""`, the whole document. */
export function jsonPointer(tokens: readonly PointerToken[]): string {
  return tokens.map((token) => `/${String(token).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}
