import { type Category, isGraver } from "./category.ts";
import type { Reading } from "./name.ts";
import {
  carrierChannels,
  cjkVerbs,
  codeWords,
  lightObjects,
  lightVerbs,
  otherChannels,
  plainEffects,
  readNouns,
  readOnlyWords,
  weakEffects,
  words,
} from "./vocabulary.ts";
import { categoryWith, isNegated, sentencesOf, type Verb, verbIn, verbLike } from "./words.ts";

/** Words before the verb of a description: "This tool allows you to quickly create …". */
const openers =
  words(`this the tool tools a an to allows allow lets let enables enable you your used useful user users can will should is it which that agent agents
  ai assistant when whenever function operation endpoint command method want wants needs need able please simple simply just for if helps in order by
  action api utility convenience helper experimental deprecated beta preview legacy new server mcp directly`);
const determiners =
  words(`the a an it them this that these those all any its their each every new existing one specific specified multiple several your
  another only`);
const subjects = words("this it tool operation action also permanently automatically");

/** What a description says that the tool does, after a heading or number such as "Purpose: 1.": its first verb, the verbs joined to that, and later sentences whose subject is the tool. */
export function readDescription(description: string): Reading | undefined {
  const all = sentencesOf(description);
  const opening = all
    .slice(0, 4)
    .findIndex((sentence, at) => sentence.length > 4 || readFirst(sentence) !== undefined || at === all.length - 1);
  const sentences = all.slice(Math.max(0, opening));
  const [first] = sentences;
  if (first === undefined) return undefined;
  let reading = readCjk(description) ?? readFirst(first) ?? nounPhrase(first) ?? nounPhrase(all[0] as string[]);
  for (const effect of [...joinedVerbs(first, reading), ...sentences.slice(1).flatMap(laterEffect), ...statedCosts(sentences)]) {
    if (reading === undefined || isGraver(effect.category, reading.category)) reading = effect;
  }
  return reading;
}

const kana = /[\u3040-\u30ff]/;

/** A Chinese description opens with its verb, a Japanese one ends with it. */
function readCjk(description: string): Reading | undefined {
  const [sentence = ""] = description.slice(0, 400).split(/[\u3002\n(\uff08;\uff1b]/);
  if (!/[\u3040-\u30ff\u4e00-\u9fff]/.test(sentence)) return undefined;
  const places = cjk
    .map(([verb, category]) => ({ verb, category, at: kana.test(sentence) ? sentence.lastIndexOf(verb) : sentence.indexOf(verb) }))
    .filter(({ at }) => at !== -1)
    .sort((one, other) => one.at - other.at);
  const decides = kana.test(sentence) ? places.at(-1) : places[0];
  if (decides === undefined) return undefined;
  return { category: decides.category, because: `the description says "${decides.verb}"`, firmness: "verb", objects: [] };
}

const cjk = (Object.entries(cjkVerbs) as [Category, string][]).flatMap(([category, list]) =>
  [...words(list)].map((verb) => [verb, category] as const),
);

function readFirst(words: readonly string[]): Reading | undefined {
  const sentence = withoutMeans(words);
  for (let at = 0; at < Math.min(sentence.length, 14); at++) {
    const word = sentence[at] as string;
    const verb = verbIn(word);
    const leads =
      verb !== undefined &&
      !(openers.has(word) && openers.has(sentence[at - 1] ?? "this") && sentence.length > at + 1 && at < 3 && verb.base !== "help");
    if (leads && !isNegated(sentence, at)) {
      const serves = verb.kind === "told" && verb.base !== "return" ? purpose(sentence.slice(at + 1)) : undefined;
      return serves ?? readVerb(verb, sentence, at);
    }
    if (!openers.has(word) && !word.endsWith("ly") && word !== "," && word !== "use") return undefined;
  }
  return undefined;
}

/** What is loaded into these is only looked at: "Load the page into context". */
const loadedForReading = words("context memory view session conversation");

/** "Use Seer to analyse errors" and "When …, use this tool to analyse errors" analyse errors: the verb is the purpose, not the means. */
function withoutMeans(sentence: readonly string[]): readonly string[] {
  if (/^(?:use|call|invoke|run) this (?:tool|function|method|endpoint|command)$/.test(sentence.slice(0, 3).join(" ")))
    return sentence.slice(3);
  const asked = sentence
    .slice(0, 20)
    .join(" ")
    .match(/^(?:when|if) .*?(?:use|call|invoke|run) this (?:tool|function|method|endpoint|command) to /);
  if (asked) return sentence.slice(asked[0].split(" ").length - 1);
  const use = sentence.slice(0, 4).findIndex((word) => /^(?:use|utili[sz]e|leverage|employ)s?$/.test(word));
  const to = use !== -1 && sentence.slice(0, use).every((word) => openers.has(word)) ? sentence.slice(0, use + 10).indexOf("to") : -1;
  return to <= use ? sentence : sentence.slice(to + 1);
}

function readVerb(verb: Verb, sentence: readonly string[], at: number): Reading {
  const objects = objectWords(sentence, at);
  const said = `the description says "${sentence
    .slice(at, at + 4)
    .join(" ")
    .replaceAll(" ,", ",")}"`;
  const whole = sentence.slice(at + 1);
  if (verb.base === "send" && isCarrierSend(whole)) {
    return { category: "financial", because: `${said}: a carrier charges for each`, firmness: "verb", verb: verb.base, objects };
  }
  if (verb.base === "load" && whole.includes("into") && !whole.some((word) => loadedForReading.has(word))) {
    return { category: "write", because: `${said} into something`, firmness: "verb", verb: verb.base, objects };
  }
  const combined = categoryWith(verb, objects);
  if (combined.object === undefined && lightVerbs.has(verb.base)) {
    const object = objects.find((word) => lightObjects.has(word));
    const claimed =
      whole.some((word, place) => readOnlyWords.has(word) && !isNegated(whole, place)) || joinedText(whole).includes("read mode");
    const harmless = claimed || objects.includes("select");
    if (harmless || (object !== undefined && !objects.some((word) => codeWords.has(word)))) {
      return { category: "read", because: `${said}, which only reads`, firmness: "guess", verb: verb.base, objects };
    }
  }
  return { category: combined.category, because: said, firmness: "verb", verb: verb.base, objects };
}

/** The words up to the end of the verb's phrase, where its objects stand. */
function objectWords(sentence: readonly string[], at: number): string[] {
  const objects: string[] = [];
  for (const word of sentence.slice(at + 1, at + 9)) {
    if (/^(?:with|for|from|to|against|in|on|by|that|which|using|via|into|within|when|so|based|between|after|as|if|at|and|or|,)$/.test(word))
      break;
    objects.push(word);
  }
  return objects;
}

/** "Send an SMS or MMS": the account of the server itself is charged, unless the message goes through another's service or by a choice of channels. */
function isCarrierSend(words: readonly string[]): boolean {
  const sms = words.findIndex((word) => carrierChannels.has(word));
  return (
    sms !== -1 && sms < 6 && !words.some((word) => otherChannels.has(word) || word === "via" || word === "through" || word === "using")
  );
}

/** "Current weather for a city": no verb, but a noun that is looked at. Not believed beside a verb with an effect, or after what may be a verb unknown here. */
function nounPhrase(sentence: readonly string[]): Reading | undefined {
  const served = purpose(sentence);
  const [first = "", second = ""] = sentence;
  if (served && (served.category !== "read" || openers.has(first))) return served;
  if (!openers.has(first) && !readNouns.has(first) && (determiners.has(second) || verbLike.test(first))) return undefined;
  const at = sentence.findIndex((word, place) => place < 8 && readNouns.has(word) && headEnds.test(sentence[place + 1] ?? ""));
  if (at === -1) return undefined;
  return { category: "read", because: `the description is about \`${sentence[at]}\``, firmness: "guess", objects: [...sentence] };
}

/** What may follow the head of a noun phrase: "status of …", "a web search tool"; not "report sender". */
const headEnds = /^(?:of|with|to|for|about|on|from|in|across|by|at|within|and|,|tool|api|engine|service|)$/;

/** "A tool to delete …", "Provides the ability to create …", "for sending …": an effect, or else a reading, that a phrase is said to serve. */
function purpose(sentence: readonly string[]): Reading | undefined {
  let read: Reading | undefined;
  for (const [at, word] of sentence.entries()) {
    const verb = verbIn(word);
    const before = sentence[at - 1] ?? "";
    const serves = verb?.form === "ing" ? /^(?:for|by|,|and)$/.test(before) : /^(?:to|that|which|and|can|will)$/.test(before);
    if (verb === undefined || !serves || isNegated(sentence, at)) continue;
    if (verb.category !== "read" && verb.kind === "verb") return readVerb(verb, sentence, at);
    if (verb.category === "read") read ??= readVerb(verb, sentence, at);
  }
  return read;
}

/** "Create or update", "Lists, creates and deletes", "Retrieves the next job and marks it": verbs in the form of the first, with an object of their own. */
function joinedVerbs(sentence: readonly string[], first: Reading | undefined): Reading[] {
  if (first?.verb === undefined) return [];
  let chained = true;
  return sentence.flatMap((word, at) => {
    const verb = verbIn(word);
    const inChain = chained;
    chained &&= verb !== undefined || openers.has(word) || word.endsWith("ly") || /^(?:and|or|then|also|,|\/|&)$/.test(word);
    const before = sentence[at - 1] ?? "";
    const next = sentence[at + 1] ?? "";
    if (at === 0 || verb === undefined || verb.kind === "noun" || verb.category === "read" || isNegated(sentence, at)) return [];
    const listed = /^(?:and|or|then|,|\/|&)$/.test(before) || (/^(?:also|then|optionally)$/.test(before) && at > 1);
    const form = verbIn(sentence[0] ?? "")?.form ?? verb.form;
    // "Execute an INSERT, UPDATE, or DELETE query": after such a verb the words of a list are its objects.
    const bare = !lightVerbs.has(first.verb ?? "") && ((inChain && verb.kind === "verb") || (plainEffects.has(word) && before !== ","));
    return listed && (determiners.has(next) || bare) && verb.form === form ? [readVerb(verb, sentence, at)] : [];
  });
}

const permission = /^(?:allow|let|enable|permit|help)s?$/;

/** "This permanently deletes the repository.", "It allows you to delete repositories." A sentence about another tool, or about when to use this one, has another subject. */
function laterEffect(sentence: readonly string[]): Reading[] {
  let at = 0;
  while (
    at < Math.min(sentence.length, 6) &&
    /^(?:this|it|the|tool|operation|action|function|will|also|permanently|automatically|immediately|can)$/.test(sentence[at] as string)
  )
    at++;
  const permits = permission.test(sentence[at] ?? "") ? sentence.slice(at, at + 5).indexOf("to") : -1;
  if (permits !== -1) at += permits + 1;
  if (at === 0 || !subjects.has(sentence[0] === "the" ? (sentence[1] ?? "") : (sentence[0] as string))) return [];
  const verb = verbIn(sentence[at] ?? "");
  if (
    verb === undefined ||
    verb.kind !== "verb" ||
    verb.category === "read" ||
    lightVerbs.has(verb.base) ||
    weakEffects.has(verb.base) ||
    verb.form === "ing"
  )
    return [];
  return isNegated(sentence, at) ? [] : [readVerb(verb, sentence, at)];
}

/** "Incurs monthly charges", "moves real money": costs stated as what happens, not as what may. */
function statedCosts(sentences: readonly (readonly string[])[]): Reading[] {
  return sentences.flatMap((sentence) => {
    const text = joinedText(sentence);
    const stated =
      /\b(?:real money|(?:will|is|are|be) (?:\w+ )?charged|incurs (?:\w+ ){0,4}(?:charges|fees)|charges (?:the|your) (?:card|account|customer|user))\b/.exec(
        text,
      );
    const negated = stated !== null && isNegated(sentence, text.slice(0, stated.index).split(" ").length);
    if (stated === null || negated || /\b(?:may|might|if)\b/.test(text)) return [];
    const category: Category = "financial";
    return [{ category, because: `the description says "${stated[0]}"`, firmness: "verb", objects: [] }];
  });
}

function joinedText(sentence: readonly string[]): string {
  return sentence.join(" ");
}
