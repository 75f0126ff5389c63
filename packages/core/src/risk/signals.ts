import type { Category } from "./category.ts";
import type { Reading } from "./name.ts";
import type { Parameters } from "./parameters.ts";
import { words } from "./vocabulary.ts";
import { isNegated, nameTokens, sentencesOf } from "./words.ts";

/** One risk signal: the catalogue's phrase, a stable id, and the parameter or word that triggered it. */
export interface Signal {
  readonly id: SignalId;
  readonly signal: string;
  readonly trigger: string;
}

export type SignalId =
  | "raw-content"
  | "file-path"
  | "freeform-code"
  | "url"
  | "many-parameters"
  | "bulk"
  | "admin"
  | "charges-money"
  | "sends-as-user"
  | "new-channel"
  | "overwrites"
  | "credentials";

/** Signals that come from a parameter's name; its last word decides, or the whole name. The phrase takes the parameter in parentheses. */
const parameterSignals: readonly {
  readonly id: SignalId;
  readonly phrase: string;
  readonly last: ReadonlySet<string>;
  readonly whole: ReadonlySet<string>;
}[] = [
  {
    id: "raw-content",
    phrase: "Accepts raw HTML/template content",
    last: words("body html template content markdown payload markup"),
    whole: words("body html template content payload"),
  },
  {
    id: "file-path",
    phrase: "Accepts file system path",
    last: words("path paths filepath filename directory dir folder cwd"),
    whole: words("path workingdirectory cwd dir directory"),
  },
  {
    id: "freeform-code",
    phrase: "Accepts freeform code/query input",
    last: words("sql script code command commands cmd javascript expression cypher query statement statements"),
    whole: words("sql script code command query"),
  },
  {
    id: "url",
    phrase: "Accepts URL/endpoint input",
    last: words("url urls uri uris endpoint webhook href"),
    whole: words("url endpoint webhookurl baseurl callbackurl"),
  },
  {
    id: "credentials",
    phrase: "Accepts credentials in arguments",
    last: words("password passwd passphrase secret apikey authtoken accesstoken bearer credentials credential"),
    whole: words(
      "accountsid authtoken apikey apitoken apisecret accesstoken refreshtoken bearertoken privatekey clientsecret secretkey sessioncookie authorization token connectionstring seedphrase mnemonic",
    ),
  },
];

/** What makes the `code` at the end of a name a program; any other code (`country_code`, `auth_code`) is a fact about the world. */
const programCodes = words("source js javascript python py java lua luau sql shell script program init custom user html css test");
const factualCode =
  /\b(?:project|country|currency|language|authori[sz]ation|auth|oauth|verification|confirmation|discount|promo|coupon|invite|status|error|iso|postal|zip|area|airport|ticker|short|unique|login|one-time|two-factor) code\b|\bcode (?:of|from|sent|received|for) /;
const bulkWords = words("bulk mass");
const adminWords = words("admin administrator sudo root superuser sysadmin");
/** After these `root` is an account; elsewhere it is where a tree begins: `root folder`, "the root of the repository". */
const rootOfSystem = words("user password access privilege privileges account shell permission permissions ssh");
const sendVerbs = words("send post reply respond tweet publish comment forward repost");
const messageNouns = words("conversation email mail tweet comment thread reply dm post inbox gmail chat channel");
const manyParameters = 10;

export interface SignalFacts {
  readonly name: string;
  readonly description: string;
  readonly parameters: Parameters;
  readonly category: Category;
  readonly reading: Reading | undefined;
}

export function findSignals(facts: SignalFacts): Signal[] {
  const sentences = [nameTokens(facts.name), ...sentencesOf(facts.description)];
  return [
    ...fromParameters(facts.parameters, facts.category),
    ...fromWords("bulk", "Bulk/mass operation \u2014 affects multiple targets", bulkWords, sentences, facts.category !== "read"),
    ...fromWords("admin", "Admin/system-level operation", adminWords, sentences, true),
    ...chargesMoney(facts, sentences),
    ...communicates(facts, sentences),
  ];
}

function fromParameters({ list, count }: Parameters, category: Category): Signal[] {
  const signals = parameterSignals.flatMap(({ id, phrase, last, whole }) =>
    list
      .filter(({ tokens, types, choices, description }) => {
        if (
          choices.length > 0 ||
          (types.length > 0 && types.every((type) => type === "boolean" || type === "number" || type === "integer"))
        )
          return false;
        if (id === "freeform-code" && category === "read" && tokens.at(-1) === "query") return false;
        if (id === "freeform-code" && tokens.at(-1) === "code" && !isProgram(tokens, description)) return false;
        return last.has(tokens.at(-1) ?? "") || whole.has(tokens.join(""));
      })
      .map(({ name }): Signal => ({ id, signal: `${phrase} (${name})`, trigger: name })),
  );
  if (count < manyParameters) return signals;
  return [...signals, { id: "many-parameters", signal: `High parameter count (${count} properties)`, trigger: `${count} properties` }];
}

function isProgram(tokens: readonly string[], description: string): boolean {
  return tokens.length === 1 ? !factualCode.test(description) : programCodes.has(tokens.at(-2) as string);
}

/** A word in the name, or in a clause of the description that does not deny it. */
function fromWords(
  id: SignalId,
  signal: string,
  triggers: ReadonlySet<string>,
  sentences: readonly (readonly string[])[],
  applies: boolean,
): Signal[] {
  if (!applies) return [];
  for (const sentence of sentences) {
    const at = sentence.findIndex(
      (word, place) =>
        triggers.has(word) && !isNegated(sentence, place) && (word !== "root" || rootOfSystem.has(sentence[place + 1] ?? "")),
    );
    if (at !== -1) return [{ id, signal, trigger: sentence[at] as string }];
  }
  return [];
}

/** The more particular phrase first: what is charged for, in the catalogue's words. */
const charges: readonly { readonly phrase: string; readonly all: readonly ReadonlySet<string>[] }[] = [
  { phrase: "Incurs monthly phone number charges", all: [words("phone"), words("number numbers")] },
  { phrase: "Sends paid SMS/call for verification", all: [words("verification otp")] },
  { phrase: "Incurs per-minute call charges", all: [words("call calls dial")] },
  { phrase: "Incurs per-message SMS/MMS charges", all: [words("message messages sms mms")] },
];

function chargesMoney({ name, description, category, reading }: SignalFacts, sentences: readonly (readonly string[])[]): Signal[] {
  if (category === "financial") {
    const said = [...nameTokens(name), ...(sentences[1] ?? [])];
    const row = charges.find(({ all }) => all.every((set) => said.some((word) => set.has(word))));
    const trigger = reading?.verb ?? name;
    return [{ id: "charges-money", signal: row?.phrase ?? "Charges or moves money", trigger }];
  }
  const cost = /\bcosts?:?\s+(?:[$€£]\s?\d|\d[\d.]*\s?(?:usd|eur|cents?|credits?)\b)/i.exec(description.slice(0, 2_000));
  return cost !== null && category !== "read" ? [{ id: "charges-money", signal: "States a cost per call", trigger: cost[0] }] : [];
}

function communicates({ name, category, reading }: SignalFacts, sentences: readonly (readonly string[])[]): Signal[] {
  if (category === "read") return [];
  const said = [...nameTokens(name), ...(sentences[1] ?? []).slice(0, 12)];
  const verb = reading?.verb ?? "";
  const signals: Signal[] = [];
  const message = said.find((word) => messageNouns.has(word) && word !== verb);
  if (sendVerbs.has(verb) && message !== undefined && category === "write") {
    signals.push({ id: "sends-as-user", signal: "Sends message as authenticated user", trigger: `${verb} \u2026 ${message}` });
  }
  const channel = nameTokens(name).at(-1) ?? "";
  if (verb === "create" && (channel === "conversation" || channel === "channel")) {
    signals.push({ id: "new-channel", signal: "Creates new messaging channel", trigger: channel });
  }
  const overwrite = said.find((word) => word.startsWith("overwrit"));
  if (overwrite !== undefined) signals.push({ id: "overwrites", signal: "Overwrites file contents", trigger: overwrite });
  return signals;
}
