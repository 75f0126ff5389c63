import { type Category, graver, isGraver } from "./category.ts";
import { conjunctions, fillers, nounPairs, phrasalVerbs, places, readNouns, resourceReads } from "./vocabulary.ts";
import { categoryWith, cutVerb, nameTokens, type Verb, verbInName, verbOfAgent } from "./words.ts";

/** What a name or a description says, and how firmly: a `guess` gives way to the other source, a `verb` does not. */
export interface Reading {
  readonly category: Category;
  readonly because: string;
  readonly firmness: "verb" | "guess";
  /** The verb's base form, where a verb decided. */
  readonly verb?: string;
  /** The other words, which are the verb's objects. */
  readonly objects: readonly string[];
}

interface Found extends Verb {
  readonly at: number;
}

/**
 * Reads a tool's name as English: its head verb, that verb's object, and verbs joined to it. Undefined where the name holds no verb that is known and
 * does not end in a noun that is merely looked at. `described` is the verb of reading, if any, that the description opens with: of several verbs it is the head.
 */
export function readName(name: string, described?: string): Reading | undefined {
  let tokens = nameTokens(name);
  let found = verbsAmong(tokens);
  if (found.length === 0 && tokens.length === 1) {
    tokens = cutVerb(tokens[0] as string);
    found = verbsAmong(tokens);
  }
  const last = tokens.findLast((token) => !fillers.has(token) && /\p{L}/u.test(token));
  const phrase = phrasalVerb(tokens);
  if (phrase) return phrase;
  const doer = verbOfAgent(last ?? "");
  if (doer && found.every(({ kind }) => kind === "noun")) {
    const { category } = categoryWith(doer, tokens);
    return {
      category,
      because: `the name is of what does \`${doer.base}\``,
      firmness: "guess",
      verb: doer.base,
      objects: tokens.slice(0, -1),
    };
  }
  const spoken = agreed(found, tokens, described);
  if (spoken) return withJoined(spoken, "verb", [spoken], tokens);
  const head = headVerb(found, tokens);
  // What `auto_describe` describes by itself it may well write down: the description says.
  const alone = head !== undefined && tokens[head.verb.at - 1] === "auto";
  if (head) return withJoined(head.verb, alone ? "guess" : head.firmness, found, tokens);
  if (last === undefined || !readNouns.has(last) || (tokens.length > 1 && /(?:i[sz]e|ify|ate)$/.test(tokens[0] as string)))
    return undefined;
  return { category: "read", because: `the name is a thing that is looked at: \`${last}\``, firmness: "guess", objects: tokens };
}

function phrasalVerb(tokens: readonly string[]): Reading | undefined {
  for (let at = 0; at + 1 < tokens.length && at < 3; at++) {
    const pair = `${tokens[at]} ${tokens[at + 1]}`;
    const before = tokens.slice(0, at).some((token) => verbInName(token)?.kind === "verb");
    if (Object.hasOwn(phrasalVerbs, pair) && !before) {
      const category = phrasalVerbs[pair] as Category;
      return { category, because: `the name says \`${pair}\``, firmness: "verb", verb: pair, objects: tokens.slice(at + 2) };
    }
  }
  return undefined;
}

function verbsAmong(tokens: readonly string[]): Found[] {
  const found = tokens.flatMap((token, at) => {
    const verb = verbInName(token);
    const inPair = nounPairs.has(`${token} ${tokens[at + 1]}`) || nounPairs.has(`${tokens[at - 1]} ${token}`);
    // `by` opens what is looked up by: `domains_byComposeId`.
    return verb && !inPair && tokens[at - 1] !== "by" ? [{ ...verb, at }] : [];
  });
  return found.filter(({ at }, place) => place === found.length - 1 || at > 1 || !places.has(tokens[at] as string));
}

/** `purchase_invoice_list`, "List purchase invoices": both open with one verb. Not where an effect ends the name, is joined or leads to it (`purge_list`). */
function agreed(found: readonly Found[], tokens: readonly string[], described: string | undefined): Found | undefined {
  const verb = found.find(({ base, category }) => base === described && category === "read");
  if (verb === undefined || tokens.some((token) => conjunctions.has(token))) return undefined;
  const effects = found.filter(({ category }) => category !== "read");
  const acts = effects.some(({ at }) => (at > verb.at && at === tokens.length - 1) || (at === 0 && verb.at === 1 && tokens.length === 2));
  return acts ? undefined : verb;
}

/** The verb that governs the name, and whether it may be overruled by the description. */
function headVerb(found: readonly Found[], tokens: readonly string[]): { verb: Found; firmness: Reading["firmness"] } | undefined {
  const sure = found.find((verb) => verb.kind === "verb");
  const [first] = found;
  if (first === undefined) return undefined;
  if (sure === undefined) return headAmongNouns(found, tokens);
  if (sure === first) return { verb: sure, firmness: "verb" };
  const ends = sure.at === tokens.length - 1;
  // `run_get_report` runs; `order_get`, `post_list_comments` and `list_create` are resources with their verb.
  const resource = first.kind === "noun" || (ends && (first.at > 0 || resourceReads.has(sure.base) || first.category === "read"));
  if (sure.category === "read") return resource ? { verb: sure, firmness: "verb" } : { verb: first, firmness: "verb" };
  // `list_update_sites` lists, `list_update` updates a list: in doubt the graver reading, which the description cannot soften.
  return { verb: sure, firmness: "verb" };
}

/** Every candidate may be a noun: the one that leads is the verb, unless what follows shows that it is a thing (`order_status`, `post_search`). */
function headAmongNouns(found: readonly Found[], tokens: readonly string[]): { verb: Found; firmness: Reading["firmness"] } {
  const first = found[0] as Found;
  const last = found.at(-1) as Found;
  const leads = first.at <= 1;
  if (first.category === "read") {
    const effect = found.find((verb) => verb.category !== "read" && verb.at === tokens.length - 1 && verb.kind === "either");
    return effect ? { verb: effect, firmness: "guess" } : { verb: first, firmness: leads ? "verb" : "guess" };
  }
  if (last.category === "read" && last.at === tokens.length - 1 && first.kind === "noun") return { verb: last, firmness: "guess" };
  const firm =
    first.kind === "either" && first.at === 0 && tokens.length > 1 && !(tokens.length === 2 && readNouns.has(tokens[1] as string));
  return { verb: first, firmness: firm ? "verb" : "guess" };
}

/** Adds verbs that happen as well: joined by a word (`get_or_create`), or a second effect that ends the name or follows at once (`search_replace`). */
function withJoined(head: Found, firmness: Reading["firmness"], found: readonly Found[], tokens: readonly string[]): Reading {
  const objects = tokens.filter((_, at) => at !== head.at);
  const after = tokens.slice(head.at + 1, 1 + tokens.findLastIndex((token) => !fillers.has(token)));
  let { category, object } = categoryWith(head, after.length > 0 ? after : objects);
  if (object === undefined && after.length > 0) ({ category, object } = categoryWith(head, objects));
  if (object === undefined && head.kind === "noun" && readNouns.has(after.at(-1) ?? "")) {
    return { category: "read", because: `the name is a thing that is looked at: \`${after.at(-1)}\``, firmness: "guess", objects: tokens };
  }
  let because = object === undefined ? `the name's verb is \`${head.base}\`` : `the name says \`${head.base}\` of \`${object}\``;
  for (const verb of found) {
    if (verb.at <= head.at) continue;
    const joined = conjunctions.has(tokens[verb.at - 1] as string);
    const compound =
      verb.kind === "verb" &&
      head.category === "read" &&
      head.kind === "either" &&
      (verb.at === head.at + 1 || verb.at === tokens.length - 1);
    const second = verb.kind === "verb" && head.category !== "read" && verb.at === head.at + 1;
    if ((joined || compound || second) && isGraver(verb.category, category)) {
      category = graver(category, verb.category);
      because = `the name joins \`${head.base}\` and \`${verb.base}\``;
    }
  }
  return { category, because, firmness, verb: head.base, objects };
}
