import type { Category } from "./category.ts";
import { agentThings, brands, type Combination, combinations, type Kind, verbs, words } from "./vocabulary.ts";

/** A verb as the tables know it. `form` is how it was written: `create`, `creates`, `creating`. */
export interface Verb {
  readonly base: string;
  readonly category: Category;
  readonly kind: Kind;
  readonly form: "base" | "s" | "ing";
}

/** How an English verb that the tables lack may end: "sanitize", "anonymises", "zaps". Read where only a verb or a noun phrase can stand. */
export const verbLike = /(?:i[sz]e|ify|ate|s)$/;

/** Gerunds that are things ("a listing", "a booking"), so no verbs in a name. */
const gerundNouns = words(
  "booking building billing holding hosting listing meeting posting pricing rating reading ring setting shipping staging string testing tracking trading training using",
);

const lexicon: ReadonlyMap<string, Verb> = new Map(
  (Object.entries(verbs) as [Category, Partial<Record<Kind, string>>][])
    .flatMap(([category, kinds]) =>
      (Object.entries(kinds) as [Kind, string][]).flatMap(([kind, list]) =>
        [...words(list)].flatMap((base) => inflections({ base, category, kind })),
      ),
    )
    .sort((one, other) => rank(other[1]) - rank(one[1])),
);

/** A base form is written last into the map, so that it wins over an inflection that looks the same. */
function rank(verb: Verb): number {
  return verb.form === "base" ? 0 : 1;
}

function inflections(verb: Omit<Verb, "form">): [string, Verb][] {
  const { base } = verb;
  const s = /(?:[sxz]|ch|sh|o)$/.test(base) ? `${base}es` : /[^aeiou]y$/.test(base) ? `${base.slice(0, -1)}ies` : `${base}s`;
  const stem = /[^aeiouy]e$|ue$/.test(base) ? base.slice(0, -1) : base;
  const forms: [string, Verb][] = [
    [base, { ...verb, form: "base" }],
    [s, { ...verb, form: "s" }],
    [`${stem}ing`, { ...verb, form: "ing" }],
  ];
  if (/[^aeiou][aeiou][bdgklmnprt]$/.test(base)) forms.push([`${base}${base.slice(-1)}ing`, { ...verb, form: "ing" }]);
  return forms;
}

/** The verb that a word of a description is, in any form. */
export function verbIn(word: string): Verb | undefined {
  return lexicon.get(word);
}

/** The verb that a token of a name is: in base form, or a gerund that is no thing (`crawling_exa`). A plural such as `updates` is a noun there. */
export function verbInName(token: string): Verb | undefined {
  const verb = lexicon.get(token) ?? prefixed(token);
  if (verb === undefined || verb.kind === "told") return undefined;
  return verb.form === "base" || (verb.form === "ing" && !gerundNouns.has(token)) ? verb : undefined;
}

/** `reader`, `runner`, `creator`: whoever does a verb. */
const agents: ReadonlyMap<string, Verb> = new Map(
  [...lexicon.values()]
    .filter(({ form, kind }) => form === "base" && kind !== "told")
    .flatMap((verb): [string, Verb][] => {
      const stem = verb.base.replace(/e$/, "");
      return [`${stem}er`, `${stem}or`, `${stem}${stem.slice(-1)}er`].map((agent) => [agent, verb]);
    })
    .filter(([agent]) => !agentThings.has(agent) && !lexicon.has(agent)),
);

/** The verb of the one who does it: a name that ends in `runner` runs something. */
export function verbOfAgent(token: string): Verb | undefined {
  return agents.get(token);
}

const brandSpelling = new RegExp(`(?:${[...brands].join("|")})(?![a-z])`, "g");

/** `resend`, `unset`, `disassociate`: an effect done again or undone. What is read again stays unknown, so that `retail` and `unread` are no verbs. */
function prefixed(token: string): Verb | undefined {
  const base = /^(?:un|re|dis|de)(.{3,})$/.exec(token)?.[1];
  const verb = lexicon.get(base ?? "");
  return verb?.form === "base" && verb.kind === "verb" && verb.category !== "read" ? verb : undefined;
}

const longestName = 256;
const mostTokens = 32;

/** A name's words: `create_issue`, `createIssue`, `create-issue`, `github.createIssue`, `server__create_issue`, `HTTPFetch`. */
export function nameTokens(name: string): string[] {
  return name
    .slice(0, longestName)
    .replace(brandSpelling, (brand) => ` ${brand.toLowerCase()} `)
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean)
    .slice(0, mostTokens);
}

/** `createissue`: a name without any separator is cut after the verb that it begins with, if what is left is long enough to be its object. */
export function cutVerb(token: string): string[] {
  for (let length = Math.min(12, token.length - 3); length >= 3; length--) {
    if (lexicon.get(token.slice(0, length))?.form === "base") return [token.slice(0, length), token.slice(length)];
  }
  return [token];
}

const compiledCombinations = combinations.map((row: Combination) => ({
  ...row,
  verbs: words(row.verbs),
  objects: words(row.objects),
  unless: words(row.unless ?? ""),
}));

/** What a verb means beside these words; the verb's own category where no combination fits. */
export function categoryWith(verb: Verb, beside: readonly string[]): { category: Category; object?: string } {
  for (const row of compiledCombinations) {
    if (!row.verbs.has(verb.base) || beside.some((word) => row.unless.has(word))) continue;
    const candidates = "last" in row && row.last ? beside.slice(-1) : beside;
    const object = candidates.find((word) => row.objects.has(word));
    if (object !== undefined) return { category: row.category, object };
  }
  return { category: verb.category };
}

const longestDescription = 2_000;
const mostSentences = 24;

/**
 * The sentences of a description's first 2,000 characters, as lower-case words without punctuation. Names of other tools (anything in backticks or with
 * an underscore) are left out, as are Markdown and labels such as `WARNING:` or `Notion |`.
 */
export function sentencesOf(description: string): string[][] {
  return description
    .slice(0, longestDescription)
    .replace(/`[^`]*`|\*+/g, " ")
    .replace(/\[[A-Z _-]{1,24}\]/g, " ")
    .split(/[.!?]\s|[\n;\u2022]|\s[-\u2013\u2014]\s|:\s|\s\|\s/)
    .slice(0, mostSentences)
    .map(wordsOf)
    .filter((sentence) => sentence.length > 0);
}

/** Keeps commas as words of their own: they separate the verbs of a list. */
function wordsOf(text: string): string[] {
  return (
    text
      .toLowerCase()
      .replace(/[\u2018\u2019]/g, "'")
      .match(/[\p{L}\p{N}_'-]+|[,/&]/gu) ?? []
  )
    .filter((word) => !/.[_]./.test(word))
    .map((word) => word.replace(/'s$/, ""))
    .slice(0, 80);
}

const negations = words(
  "no not never without cannot can't don't doesn't won't isn't non nor neither instead rather unlike avoid prevent prevents don\u2019t",
);
const reach = 6;

/** Whether the word at this place is denied: "do NOT attempt bulk", "without deleting", "changes and previews nothing". */
export function isNegated(sentence: readonly string[], at: number): boolean {
  const denied = sentence.slice(Math.max(0, at - reach), at).some((word) => negations.has(word));
  return denied || sentence.slice(at + 1, at + 4).includes("nothing");
}
