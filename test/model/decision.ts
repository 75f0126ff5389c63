import type { Condition, Entry, JsonObject, Limit, PolicyDocument } from "@holdpoint/core";
import { type ModelFacts, type Section, stepsOf, truthsOf } from "./conditions.ts";
import { debitOf, type ModelDebit, mergedDebits } from "./limits.ts";
import { schemaHolds } from "./schema.ts";

/*
 * The reference model of the decision (design §4): every step is taken in the order in which it is written down, by reading the document.
 */

export interface ModelCall {
  readonly server: string;
  readonly tool: string;
  readonly args: JsonObject;
  readonly context: JsonObject;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The server's `inputSchema`; absent where no definition is known. */
  readonly inputSchema?: JsonObject | undefined;
}

export interface ModelVerdict {
  readonly outcome: "deny" | "hold" | "allow";
  /** The rule that denied, else `""`. */
  readonly rule: string;
  readonly code: string;
  readonly debits: readonly ModelDebit[];
  readonly observedDebits: readonly ModelDebit[];
  /** Ids of the rules by which a person is asked. */
  readonly approvals: readonly string[];
  /** Ids of what enforcement would have denied or held. */
  readonly observed: readonly string[];
}

interface Refusal {
  readonly rule: string;
  readonly code: string;
  readonly observe: boolean;
}

export function decideByModel(layers: readonly PolicyDocument[] | undefined, call: ModelCall, mode: "enforce" | "observe"): ModelVerdict {
  if (layers === undefined) return denied({ rule: "(no policy)", code: "no_policy" });
  const roots = layers.map((_, index) => (layers.length > 1 ? `/layers/${index}` : ""));
  const observed: string[] = [];
  /** The verdict where the refusal stands; one that is only observed is noted. */
  function stop(refusal: Refusal | undefined): ModelVerdict | undefined {
    if (refusal === undefined) return undefined;
    if (mode === "enforce" && !refusal.observe) return denied(refusal);
    observed.push(refusal.rule);
    return undefined;
  }

  for (const document of layers) {
    const stopped = stop(notAdmitted(document, call.tool));
    if (stopped) return stopped;
  }
  if (call.inputSchema === undefined && layers.some((document) => readsClaims(document, call.tool))) {
    return denied({ rule: "(definition unknown)", code: "definition_unknown" });
  }
  const ignored = layers.every((document) => rulesOf(document, call.tool).inputSchema === "ignore");
  if (call.inputSchema !== undefined && !ignored && !schemaHolds(call.inputSchema, call.args)) {
    return denied({ rule: "(inputSchema)", code: "arguments_invalid" });
  }
  for (const [index, document] of layers.entries()) {
    const schema = rulesOf(document, call.tool).arguments;
    if (schema !== undefined && !schemaHolds(schema as JsonObject, call.args)) {
      return denied({ rule: `${roots[index]}/tools/${escaped(call.tool)}/arguments`, code: "arguments_invalid" });
    }
  }
  const facts = factsOf(call);
  for (const [index, document] of layers.entries()) {
    for (const section of ["require", "deny_if"] as const) {
      for (const rule of entriesOf(document, roots[index] as string, call.tool, section)) {
        const truth = truthsOf(rule.conditions, { section, nots: 0, facts });
        const refuses = section === "require" ? truth !== true : truth !== false;
        const stopped = stop(refuses ? { rule: rule.id, code: section, observe: rule.observe } : undefined);
        if (stopped) return stopped;
      }
    }
  }
  const debits: ModelDebit[] = [];
  const observedDebits: ModelDebit[] = [];
  for (const [index, document] of layers.entries()) {
    for (const { id, limit } of limitsOf(document, roots[index] as string, call.tool)) {
      const made = debitOf(id, limit, call);
      if ("code" in made) {
        const stopped = stop({ ...made, rule: id, observe: limit.mode === "observe" });
        if (stopped) return stopped;
      } else (mode === "observe" || limit.mode === "observe" ? observedDebits : debits).push(made);
    }
  }
  const approvals: string[] = [];
  for (const [index, document] of layers.entries()) {
    for (const rule of entriesOf(document, roots[index] as string, call.tool, "require_approval")) {
      if (truthsOf(rule.conditions, { section: "require_approval", nots: 0, facts }) === false) continue;
      (mode === "observe" || rule.observe ? observed : approvals).push(rule.id);
    }
  }
  const merged = mergedDebits(debits);
  return {
    outcome: approvals.length > 0 ? "hold" : "allow",
    rule: "",
    code: "allowed",
    debits: merged,
    observedDebits: mergedDebits(observedDebits).filter(({ counter }) => !merged.some((other) => other.counter === counter)),
    approvals,
    observed,
  };
}

function denied({ rule, code }: { rule: string; code: string }): ModelVerdict {
  return { outcome: "deny", rule, code, debits: [], observedDebits: [], approvals: [], observed: [] };
}

export function factsOf({ args, context, tool, server, now }: ModelCall): ModelFacts {
  const instant = new Date(now);
  const time = { hour: instant.getUTCHours(), weekday: instant.getUTCDay() || 7, date: instant.toISOString().slice(0, 10) };
  return { args, context, tool: { name: tool, server }, time };
}

function isListed({ tools }: PolicyDocument, tool: string): boolean {
  return Object.keys(tools ?? {}).includes(tool);
}

function rulesOf(document: PolicyDocument, tool: string) {
  return (isListed(document, tool) ? document.tools?.[tool] : undefined) ?? {};
}

function notAdmitted(document: PolicyDocument, tool: string): Refusal | undefined {
  const hidden = document.hide === "*" || (document.hide ?? []).some((entry) => (typeof entry === "string" ? entry : entry.name) === tool);
  if (hidden) return { rule: "(hidden)", code: "hidden", observe: false };
  if (document.default === "allow" || isListed(document, tool)) return undefined;
  return { rule: "(default deny)", code: "default_deny", observe: false };
}

interface ModelRule {
  readonly id: string;
  readonly conditions: readonly Condition[];
  readonly observe: boolean;
}

/** The tool's own entries, then those for all tools. */
export function entriesOf(document: PolicyDocument, root: string, tool: string, section: Section): readonly ModelRule[] {
  const lists = [
    [`${root}/tools/${escaped(tool)}`, rulesOf(document, tool)[section] ?? []],
    [`${root}/all_tools`, document.all_tools?.[section] ?? []],
  ] as const;
  return lists.flatMap(([place, entries]) => {
    const rules = (entries as readonly Entry[]).map((entry) => {
      const conditions = conditionsOf(entry);
      const token = entry.name ?? (conditions.length === 0 ? "always" : conditions.map(tokenOf).join(","));
      return { id: `${place}/${section}/${escaped(token)}`, conditions, observe: entry.mode === "observe" };
    });
    return numbered(rules);
  });
}

function limitsOf(document: PolicyDocument, root: string, tool: string): readonly { id: string; limit: Limit }[] {
  const lists = [
    [`${root}/tools/${escaped(tool)}`, rulesOf(document, tool).limits ?? []],
    [`${root}/all_tools`, document.all_tools?.limits ?? []],
  ] as const;
  return lists.flatMap(([place, limits]) =>
    numbered(limits.map((limit) => ({ id: `${place}/limits/${escaped(limit.name ?? limit.counter)}`, limit }))),
  );
}

/** A second equal id gets `#2`. */
function numbered<Rule extends { readonly id: string }>(rules: readonly Rule[]): readonly Rule[] {
  return rules.map((rule, index) => {
    const before = rules.slice(0, index).filter(({ id }) => id === rule.id).length;
    return before === 0 ? rule : { ...rule, id: `${rule.id}#${before + 1}` };
  });
}

const ruleKeys = ["name", "on_deny", "mode", "explain", "reason", "timeout", "widen"];

function conditionsOf(entry: Entry): readonly Condition[] {
  if ("conditions" in entry) return entry.conditions;
  return [Object.fromEntries(Object.entries(entry).filter(([key]) => !ruleKeys.includes(key))) as unknown as Condition];
}

function tokenOf(condition: Condition): string {
  if ("op" in condition) return `${canonical(condition.path)}-${condition.op}`;
  if ("each" in condition) return `${canonical(condition.each.path)}-each`;
  if ("predicate" in condition) return condition.predicate;
  return Object.keys(condition)[0] as string;
}

function canonical(path: string): string {
  const steps = stepsOf(path).map((step) => {
    if (step === "elements") return "[*]";
    if ("index" in step) return `[${step.index}]`;
    return /^[^.[\]"\p{Cc}]+$/u.test(step.name) ? `.${step.name}` : `[${JSON.stringify(step.name)}]`;
  });
  return /^[a-z]+/.exec(path)?.[0] + steps.join("");
}

function escaped(token: string): string {
  return token.replaceAll("~", "~0").replaceAll("/", "~1");
}

function readsClaims(document: PolicyDocument, tool: string): boolean {
  const rules = (["require", "deny_if", "require_approval"] as const).flatMap((section) => entriesOf(document, "", tool, section));
  return rules.some(({ conditions }) => conditions.some((condition) => "op" in condition && isClaim(condition.path)));
}

function isClaim(path: string): boolean {
  const [first] = stepsOf(path);
  return (
    path.startsWith("tool") &&
    typeof first === "object" &&
    "name" in first &&
    ["annotations", "category", "description"].includes(first.name)
  );
}
