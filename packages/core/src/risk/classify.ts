import { type Category, graver, isGraver, type Level, levelOf } from "./category.ts";
import { readDescription } from "./description.ts";
import { type Reading, readName } from "./name.ts";
import { readParameters } from "./parameters.ts";
import { readShape } from "./schema-shape.ts";
import { findSignals, type Signal } from "./signals.ts";
import { carriers, words } from "./vocabulary.ts";
import { nameTokens } from "./words.ts";

/** A tool as `tools/list` describes it (Model Context Protocol, `Tool`). */
export interface ClassifiableTool {
  readonly name: string;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  readonly inputSchema?: unknown;
  readonly annotations?: ToolHints | undefined;
}

export interface ToolHints {
  readonly title?: string | undefined;
  readonly readOnlyHint?: boolean | undefined;
  readonly destructiveHint?: boolean | undefined;
  readonly idempotentHint?: boolean | undefined;
  readonly openWorldHint?: boolean | undefined;
}

/** What is known of the server that offers the tool; both keys are optional, and decide only what the tool itself leaves open. */
export interface ServerContext {
  readonly server?: string | undefined;
  /** The names of all tools of the server. */
  readonly siblings?: readonly string[] | undefined;
}

export interface Evidence {
  readonly says: Category;
  readonly because: string;
  readonly from: "name" | "description" | "schema" | "annotations";
}

export interface Classification {
  readonly category: Category;
  readonly level: Level;
  /** 1 (harmless) to 5; follows the category, one more where a signal aggravates it. */
  readonly score: 1 | 2 | 3 | 4 | 5;
  readonly signals: readonly Signal[];
  /** Every source that had a say, in the order in which it was heard. */
  readonly evidence: readonly Evidence[];
}

/**
 * Judges what a tool does from how it is named, described and shaped. Deterministic and without I/O; time is bounded whatever the server sends. Annotations are
 * claims: they may raise the category, never lower it. What nothing shows to be a read is a write.
 *
 * @example
 * classify({ name: "delete_repository" }).category; // "destructive"
 */
export function classify(tool: ClassifiableTool, context: ServerContext = {}): Classification {
  const name = text(tool.name);
  const description = text(tool.description) || text(tool.title);
  const parameters = readParameters(tool.inputSchema);
  const evidence: Evidence[] = [];
  const byDescription = readDescription(description);
  const byName = readName(name, byDescription?.category === "read" && byDescription.firmness === "verb" ? byDescription.verb : undefined);
  if (byName) evidence.push({ says: byName.category, because: byName.because, from: "name" });
  if (byDescription) evidence.push({ says: byDescription.category, because: byDescription.because, from: "description" });

  let category = weigh(byName, byDescription);
  const spent = carrierSending(byName, description, context);
  if (spent && category !== "financial") {
    category = "financial";
    evidence.push({ says: "financial", because: spent, from: "name" });
  }
  for (const shape of readShape(
    parameters,
    `${nameTokens(name).join(" ")} ${description.slice(0, 2_000)}`.toLowerCase(),
    byName,
    category,
  )) {
    category = category === undefined ? shape.category : graver(category, shape.category);
    evidence.push({ says: shape.category, because: shape.because, from: "schema" });
  }
  if (category === undefined) {
    category = "write";
    evidence.push({ says: "write", because: "nothing shows that the tool only reads, so it is taken to write", from: "name" });
  }
  const additive = category === "read" || byName === undefined || byName.firmness === "guess" || additiveVerbs.has(byName.verb ?? "");
  for (const claim of claims(tool.annotations, category, additive)) {
    category = graver(category, claim.says);
    evidence.push(claim);
  }
  const signals = findSignals({ name, description, parameters, category, reading: byName?.verb ? byName : byDescription });
  return { category, level: levelOf[category], score: scoreOf(category, signals), signals, evidence };
}

/** Verbs that only add, so that a server which calls such a tool destructive says something that the words do not. */
const additiveVerbs: ReadonlySet<string> = new Set([
  "create",
  "add",
  "send",
  "insert",
  "append",
  "post",
  "upload",
  "register",
  "sync",
  "import",
  "submit",
  "manage",
  "handle",
  "process",
]);
/** Verbs with an effect that leave open which; the description says. */
const vagueVerbs: ReadonlySet<string> = new Set([
  "use",
  "make",
  "take",
  "handle",
  "manage",
  "process",
  "begin",
  "complete",
  "prepare",
  "send",
  "submit",
  "open",
]);
/** Verbs of plain reading, and what descriptions say beside them without meaning an effect: "Generate a list of …". */
const plainReads: ReadonlySet<string> = words(
  `get list describe show search read fetch retrieve view find query count lookup check verify validate compare inspect detect analyze analyse explain
  calculate estimate preview summarize summarise reflect browse explore`,
);
const idioms: ReadonlySet<string> = words(
  "generate make take use open load connect select authenticate index report map review format resolve test",
);

/** A firm name is believed, and the description can make it graver; a guess, or no verb at all, gives way to the description. */
function weigh(name: Reading | undefined, description: Reading | undefined): Category | undefined {
  if (name === undefined || description === undefined) return name?.category ?? description?.category;
  if (name.firmness === "guess") {
    if (description.firmness === "verb") return description.category;
    return graver(name.category, description.category);
  }
  if (name.category === "read") return description.firmness === "verb" ? raised(name, description) : name.category;
  const critical = description.category === "destructive" || description.category === "financial";
  // "Write input to a terminal" of a `pty_write`: the same verb, whose object only the description tells.
  const told = critical || vagueVerbs.has(name.verb ?? "") || (description.category === "execute" && description.verb === name.verb);
  return told && description.firmness === "verb" ? graver(name.category, description.category) : name.category;
}

/** A read by name that is described as an effect is that effect; "Generate a list" or "Create a summary" of a `get_…` is no effect. */
function raised(name: Reading, description: Reading): Category {
  if (!isGraver(description.category, name.category)) return name.category;
  const idiom = plainReads.has(name.verb ?? "") && idioms.has(description.verb ?? "");
  return idiom ? name.category : description.category;
}

/**
 * A message sent by the carrier itself is paid for by the account. That it is a carrier shows in the server's name, in tools beside this one that buy phone
 * numbers, or in a name with nothing beside it to name another channel, where the dearest reading is the safe one.
 */
function carrierSending(name: Reading | undefined, description: string, { server, siblings }: ServerContext): string | undefined {
  if (name?.verb !== "send") return undefined;
  const objects = name.objects.filter((word) => !carriers.has(word));
  if (!objects.every((word) => ["message", "sms", "mms"].includes(word)) || objects.length === 0) return undefined;
  if (description !== "") {
    const silent =
      description.length < 200 &&
      !/\b(?:via|through|using|conversation|channel|chat|email|user|on behalf|thread|room|group)\b/i.test(description);
    if (!silent) return undefined;
    if (server !== undefined && nameTokens(server).some((word) => carriers.has(word))) return `the server is a carrier: \`${server}\``;
    const sells = siblings?.find((sibling) => /phone[_-]?number/i.test(sibling) && readName(sibling)?.category === "financial");
    return sells === undefined ? undefined : `the server is a carrier: it has \`${sells}\``;
  }
  return "nothing names the channel, and carriers charge for each message";
}

function claims(hints: ToolHints | undefined, category: Category, additive: boolean): Evidence[] {
  if (typeof hints !== "object" || hints === null) return [];
  const found: Evidence[] = [];
  if (hints.readOnlyHint === true)
    found.push({ says: "read", because: "`readOnlyHint` is true: a claim, which lowers nothing", from: "annotations" });
  if (hints.readOnlyHint === false && category === "read")
    found.push({ says: "write", because: "`readOnlyHint` is false", from: "annotations" });
  // In the protocol "destructive" means "not only additive": an update says as much itself, and stays a write.
  if (hints.destructiveHint === true && additive)
    found.push({ says: "destructive", because: "`destructiveHint` is true", from: "annotations" });
  return found;
}

const baseScore: Readonly<Record<Category, number>> = { read: 1, write: 3, execute: 3, destructive: 4, financial: 4 };
const aggravating: ReadonlySet<string> = new Set(["bulk", "admin", "freeform-code", "credentials"]);

function scoreOf(category: Category, signals: readonly Signal[]): Classification["score"] {
  const aggravated = signals.some(({ id }) => aggravating.has(id));
  return (baseScore[category] + (aggravated ? 1 : 0)) as Classification["score"];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
