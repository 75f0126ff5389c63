import type { Category } from "./category.ts";
import type { Reading } from "./name.ts";
import { readName } from "./name.ts";
import type { Parameter, Parameters } from "./parameters.ts";
import { words, writableQueries } from "./vocabulary.ts";

/** What the shape of a schema shows beyond the name: an operation to choose, code to run, money to move. */
export interface Shape {
  readonly category: Category;
  readonly because: string;
}

const operationNames = words(
  "action actions operation operations method command op subcommand verb request_method http_method operation_type action_type",
);
const httpMethods = words("post put patch delete");
const codeNames = words("sql script javascript js_code cypher statement statements shell_command bash shell");
const codeWhereVague = words("code command cmd expression query commands queries");
const codeDescribed =
  /\b(?:sql|cypher|gremlin|graphql|mutation|javascript|python|bash|shell|script|source code|code to (?:run|execute)|command to (?:run|execute))\b/;
/** Verbs that look at code without running it: `format_sql`, `explain_query`, `search_code`. */
const looksAtCode = words(
  "explain analyze analyse validate format lint check convert translate parse search find describe review preview compare get summarize explain_query",
);
const outputPaths = words(
  "outputpath savepath destinationpath destpath outputfile outputdir outputdirectory saveto savedir targetpath savetofile destinationfile outputfilepath downloadpath downloaddir localpath",
);
const savers = words("download dump export extract convert render screenshot fetch scrape crawl");
const flagVerbs = words("delete remove purge truncate destroy drop overwrite apply");
/** What such a flag takes out of the answer, not out of the world: `remove_duplicates`. */
const shapesAnswer = words(
  "duplicates duplicate stopwords whitespace html markup formatting punctuation images scripts comments styles ads boilerplate nulls blanks base64",
);
const recipients = words(
  "to recipient destination toaddress payee beneficiary destinationaccount paymentmethod paymentmethodid card fromaccount toaccount recipientaddress source",
);
const noMoneyMoves = words("price product coupon plan discount budget goal estimate rate fee quote tax shipping variant promotion");

export function readShape({ list, unreadable }: Parameters, text: string, name: Reading | undefined, soFar: Category | undefined): Shape[] {
  if (unreadable) return [{ category: "write", because: "the input schema cannot be read, so what the tool takes is unknown" }];
  const operations = list.filter(choosesOperation);
  let unread = mostOperations;
  const shapes = list.flatMap((parameter) => {
    const choices = operations.includes(parameter) ? parameter.choices.slice(0, Math.max(0, unread)) : [];
    unread -= operations.includes(parameter) ? parameter.choices.length : 0;
    return [...chosenOperation(parameter, choices, name), ...flag(parameter, soFar), ...writesFile(parameter, name, soFar)];
  });
  if (unread < 0) shapes.push({ category: "write", because: `only the first ${mostOperations} operations that can be chosen are read` });
  if (soFar === "read" && savesToFile(text, name))
    shapes.push({ category: "write", because: "the description says that what is read is saved to a file" });
  return [...shapes, ...freeformCode(list, text, name, soFar), ...movesMoney(list, name, soFar)];
}

/** As many operations are read of a schema, so that one with a hundred thousand takes no longer than one with many. */
const mostOperations = 200;

function choosesOperation({ tokens }: Parameter): boolean {
  return operationNames.has(tokens.join("_")) || operationNames.has(tokens.at(-1) ?? "");
}

/** Verbs of names whose `action` says what to look for, unless reading is itself one of the actions: `list_audit_logs` with `action: "create" | "delete"`. */
const filterable = words("list search find query count get fetch retrieve");

/** `action: "create" | "delete" | "list"`: the gravest that can be chosen. */
function chosenOperation({ name, tokens }: Parameter, choices: readonly string[], named: Reading | undefined): Shape[] {
  const filters = named?.firmness === "verb" && filterable.has(named.verb ?? "");
  if (filters && !choices.some((choice) => /^get$/i.test(choice) || readName(choice)?.category === "read")) return [];
  // `add_mock_rule` keeps a method, `fetch` uses it.
  const describesRequest = named?.firmness === "verb" && named.category === "write";
  return choices.flatMap((choice): Shape[] => {
    const because = `parameter \`${name}\` can be \`${choice.slice(0, 40)}\``;
    if (tokens.at(-1) === "method" && /^[A-Z]+$/.test(choice) && httpMethods.has(choice.toLowerCase()))
      return describesRequest ? [] : [{ category: "execute", because }];
    const reading = readName(choice);
    return reading && reading.category !== "read" ? [{ category: reading.category, because }] : [];
  });
}

/** A flag that deletes, or a trial run that would otherwise be a real one. Shows that a tool is no read; what else it is, the name says. */
function flag({ name, tokens, types }: Parameter, soFar: Category | undefined): Shape[] {
  if (soFar !== "read" && soFar !== undefined) return [];
  const joined = tokens.join("");
  const trial = /^(?:dryrun|confirm|confirmed|forceupdate|forceoverwrite|forcewrite)$/.test(joined);
  const deletes = flagVerbs.has(tokens[0] ?? "") && !shapesAnswer.has(tokens[1] ?? "");
  if (!types.includes("boolean") || !(trial || deletes)) return [];
  return [{ category: "write", because: `the flag \`${name}\` shows that a call can have an effect` }];
}

function writesFile({ name, tokens }: Parameter, reading: Reading | undefined, soFar: Category | undefined): Shape[] {
  if (soFar !== "read" || !outputPaths.has(tokens.join(""))) return [];
  return [{ category: "write", because: `parameter \`${name}\` names a file that ${reading?.verb ?? "the call"} writes` }];
}

/** "Downloads the attachment to a local directory": the reading is remote, the writing is here. */
function savesToFile(text: string, name: Reading | undefined): boolean {
  if (!savers.has(name?.verb ?? "")) return false;
  return /\b(?:sav|writ|download|export|extract)\w*\b[^.]{0,80} (?:to|into) (?:(?:a|an|the|your|local|specified|given|output) ){0,3}(?:new |google )*(?:file|sheet|spreadsheet|database|dataset|bigquery|notion|drive|disk|path|directory|folder|bucket|location|filesystem|s3)\b/.test(
    text,
  );
}

/** Code or a query language in an argument runs, unless the tool's verb only looks at it or the server says that nothing but reading is possible. */
function freeformCode(list: readonly Parameter[], text: string, name: Reading | undefined, soFar: Category | undefined): Shape[] {
  if (soFar !== undefined && soFar !== "read") return [];
  if (looksAtCode.has(name?.verb ?? "") || /\bread[ -]?only\b|\bselect (?:query|queries|statement)|\bread mode\b/.test(text)) return [];
  const language = text.split(/[^a-z0-9]+/).find((word) => writableQueries.has(word));
  if (name?.verb === "query" && language !== undefined)
    return [{ category: "execute", because: `a query of \`${language}\` can change what it queries` }];
  return list.flatMap((parameter): Shape[] => {
    const { name: called, tokens, types, description, choices } = parameter;
    if (choices.length > 0 || (types.length > 0 && !types.some((type) => type === "string" || type === "array"))) return [];
    const plain = codeNames.has(tokens.join("_"));
    const vague =
      codeWhereVague.has(tokens.at(-1) ?? "") &&
      tokens.length <= 2 &&
      codeDescribed.test(`${description} ${tokens.includes("query") ? text : ""}`);
    return plain || vague ? [{ category: "execute", because: `parameter \`${called}\` takes code or a query that is run` }] : [];
  });
}

/** An amount with a currency and somebody to pay, or an order for a market. A price tag alone moves nothing. */
function movesMoney(list: readonly Parameter[], name: Reading | undefined, soFar: Category | undefined): Shape[] {
  if (soFar === "read" || soFar === "destructive" || soFar === "financial") return [];
  if (name?.objects.some((word) => noMoneyMoves.has(word))) return [];
  const named = new Map(list.map((parameter) => [parameter.tokens.join(""), parameter.name]));
  const has = (...names: string[]) => names.map((each) => named.get(each)).find((each) => each !== undefined);
  const amount = has("amount", "amountincents", "amountcents", "totalamount");
  const unit = has("currency", "currencycode", "asset", "token", "tokenaddress", "mint");
  const payee = list.find((parameter) => recipients.has(parameter.tokens.join("")))?.name;
  if (amount !== undefined && unit !== undefined && (payee !== undefined || name === undefined || name.firmness === "guess")) {
    return [{ category: "financial", because: `parameters \`${amount}\` and \`${unit}\` move money` }];
  }
  const side = has("side");
  const quantity = has("quantity", "qty", "size", "amount");
  if (side !== undefined && quantity !== undefined && has("symbol", "ticker", "pair", "market", "instrument", "tokenid") !== undefined) {
    return [{ category: "financial", because: `parameters \`${side}\` and \`${quantity}\` place an order` }];
  }
  return [];
}
