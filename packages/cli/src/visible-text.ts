/**
 * JSON that means the same and can be shown or read over: what `JSON.stringify` leaves of control, bidi and zero-width characters is escaped as JSON, and
 * JavaScript with it, escapes them.
 */
export function jsonText(value: unknown, indent?: number): string {
  return escapeInvisible(JSON.stringify(value, null, indent), (character) =>
    Array.from({ length: character.length }, (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`).join(""),
  );
}

/** YAML in which such characters stand in double quotes or comments alone, with YAML's own escapes for them. */
export function visibleYaml(text: string): string {
  return escapeInvisible(text, (character) => {
    const digits = (character.codePointAt(0) as number).toString(16);
    return digits.length > 4 ? `\\U${digits.padStart(8, "0")}` : `\\u${digits.padStart(4, "0")}`;
  });
}

export function hasInvisible(text: string): boolean {
  return text.search(invisible) !== -1;
}

function escapeInvisible(text: string, escaped: (character: string) => string): string {
  return text.replace(invisible, escaped);
}

/** Unicode categories Cf, Zl and Zp, of Cc what JSON and YAML do not escape by themselves, and what shows nothing by default, such as variation selectors. */
const invisible = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
