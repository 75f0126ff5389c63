import { contentHash } from "../arguments/canonical-json.ts";
import { compileArguments, type Judge } from "../arguments/input-schema.ts";
import { compileConditions, conditionToken, type Test } from "../conditions/condition.ts";
import { operandOf } from "../conditions/operators.ts";
import { type Path, parsePath } from "../conditions/path.ts";
import type { ToolDefinition } from "../guard/pins.ts";
import { type CompiledLimit, compileLimit } from "../limits/limits.ts";
import { parseDuration } from "../limits/window.ts";
import { checkAgainstTools } from "./check-against-tools.ts";
import { isClaim } from "./condition-checks.ts";
import { loadPolicy, policyDigest } from "./load-policy.ts";
import { type MergedPolicy, mergePolicies } from "./merge-policies.ts";
import { intersectPaths } from "./path-sets.ts";
import { PolicyError, type PolicyIssue } from "./policy-error.ts";
import type { ApprovalKeys, Condition, Entry, PolicyDocument, RuleLists, ToolRules } from "./policy-schema.ts";

export type Section = "require" | "deny_if" | "require_approval";

/** One entry of `require`, `deny_if` or `require_approval`, ready to be tested. */
export interface CompiledRule {
  /** JSON Pointer for people, as PolicyLayer logs them: `/tools/create_charge/deny_if/args.amount-gt`. */
  readonly id: string;
  readonly section: Section;
  readonly conditions: readonly Condition[];
  /** The conditions ANDed, three-valued. */
  readonly test: Test;
  readonly onDeny: string | undefined;
  readonly observe: boolean;
  readonly explain: boolean;
}

export interface CompiledApproval extends CompiledRule {
  /** Content hash: what an approval is bound to. Ids are for people. */
  readonly hash: string;
  readonly holdsFunction: boolean;
  readonly reason: string | undefined;
  readonly timeoutMs: number;
  readonly widen: { readonly to: "session" | "matching"; readonly forMs: number; readonly uses: number } | undefined;
}

/** All that applies to one tool: its own rules, then those of `all_tools`. */
export interface CompiledTool {
  /** Listed under `tools`, or let in by `default`. */
  readonly admitted: boolean;
  readonly hidden: boolean;
  readonly ignoresInputSchema: boolean;
  /** True where a condition reads what the server claims of the tool. */
  readonly readsClaims: boolean;
  readonly arguments: Judge | undefined;
  readonly argumentsId: string;
  readonly require: readonly CompiledRule[];
  readonly denyIf: readonly CompiledRule[];
  readonly approvals: readonly CompiledApproval[];
  readonly limits: readonly CompiledLimit[];
  readonly record: readonly Path[];
  readonly secret: readonly Path[];
}

interface CompiledLayer {
  readonly default: "allow" | "deny";
  readonly hidesAll: boolean;
  readonly tools: ReadonlyMap<string, CompiledTool>;
  /** What applies to tools that the policy does not list. */
  readonly others: CompiledTool;
}

export interface CompiledPolicy {
  /** SHA-256 of the document's canonical JSON, in hex: names the policy in the audit trail. */
  readonly digest: string;
  readonly layers: readonly CompiledLayer[];
  /** By the name of each tool that a layer names: what applies to it, layer by layer. */
  readonly tools: ReadonlyMap<string, readonly CompiledTool[]>;
  /** What applies to all other tools, layer by layer. */
  readonly others: readonly CompiledTool[];
}

/** How long a request for approval stays open where its rule does not say. */
const defaultApprovalTimeoutMs = 10 * 60_000;

/**
 * Turns a policy into closures indexed by tool, so that a decision costs the same for one tool and for ten thousand.
 *
 * Takes a document, loaded or not, or what `mergePolicies` made. Throws `PolicyError` with every issue when it cannot be fully understood. Where `tools` says
 * what the server lists, so are names, paths and operators that its tools rule out.
 *
 * @example
 * const policy = compilePolicy({ version: "1", default: "deny", tools: { get_weather: {} } });
 */
export function compilePolicy(source: PolicyDocument | MergedPolicy, { tools }: CompileOptions = {}): CompiledPolicy {
  const documents = "layers" in source ? mergePolicies(source).layers : [loadPolicy(source)];
  const rootOf = (index: number) => (documents.length > 1 ? `/layers/${index}` : "");
  const issues = tools ? documents.flatMap((document, index) => placed(checkAgainstTools(document, tools), rootOf(index))) : [];
  if (issues.length > 0) throw new PolicyError(issues);
  if (!("layers" in source)) return compileAlone(documents[0] as PolicyDocument);
  const layers = documents.map((document, index) => compileLayer(document, rootOf(index)));
  return compileLayers(layers, contentHash(documents.map(policyDigest)));
}

/** A compiled policy keeps nothing of a guard: all guards of a document share one, so that a guard for each request costs little. */
const compiledDocuments = new WeakMap<PolicyDocument, CompiledPolicy>();

function compileAlone(document: PolicyDocument): CompiledPolicy {
  const before = compiledDocuments.get(document);
  if (before !== undefined) return before;
  const compiled = compileLayers([compileLayer(document, "")], policyDigest(document));
  compiledDocuments.set(document, compiled);
  return compiled;
}

function compileLayers(layers: readonly CompiledLayer[], digest: string): CompiledPolicy {
  const names = new Set(layers.flatMap((layer) => [...layer.tools.keys()]));
  return {
    digest,
    layers,
    tools: new Map(Array.from(names, (name) => [name, layers.map((layer) => layer.tools.get(name) ?? layer.others)])),
    others: layers.map((layer) => layer.others),
  };
}

export interface CompileOptions {
  /** What the server lists, as far as it is known now. A later list never makes a policy unloadable: a tool that contradicts it is denied. */
  readonly tools?: readonly ToolDefinition[] | undefined;
}

function placed(issues: readonly PolicyIssue[], root: string): readonly PolicyIssue[] {
  return issues.map((issue) => ({ ...issue, pointer: root + issue.pointer }));
}

/** What applies to a tool, listed or not, layer by layer. */
export function toolsOf(policy: CompiledPolicy, name: string): readonly CompiledTool[] {
  return policy.tools.get(name) ?? policy.others;
}

/** What of a tool's arguments is recorded, where every layer opts in, and what is shown nowhere, where any says so. */
export function auditedFields(
  policy: CompiledPolicy,
  name: string,
): { readonly record: readonly Path[]; readonly secret: readonly Path[] } {
  const tools = toolsOf(policy, name);
  return {
    record: tools.map((tool) => tool.record).reduce(intersectPaths),
    secret: tools.flatMap((tool) => tool.secret),
  };
}

function compileLayer(document: PolicyDocument, root: string): CompiledLayer {
  const hidesAll = document.hide === "*";
  const hidden = new Set(
    Array.isArray(document.hide) ? document.hide.map((entry) => (typeof entry === "string" ? entry : entry.name)) : [],
  );
  const ids = uniqueIds();
  const shared = compileLists(document.all_tools ?? {}, `${root}/all_tools`, ids);
  const sharedReadClaims = readClaims(shared);
  const record = paths(document.audit?.record, document.all_tools?.audit?.record);
  const secret = paths(document.audit?.secret, document.all_tools?.audit?.secret);

  function compileTool(name: string | undefined, rules: ToolRules): CompiledTool {
    const place = `${root}/tools/${escapeToken(name ?? "")}`;
    const own = compileLists(rules, place, ids);
    return {
      require: both(own.require, shared.require),
      denyIf: both(own.denyIf, shared.denyIf),
      approvals: both(own.approvals, shared.approvals),
      limits: both(own.limits, shared.limits),
      admitted: document.default === "allow" || (name !== undefined && document.tools !== undefined && Object.hasOwn(document.tools, name)),
      hidden: hidesAll || (name !== undefined && hidden.has(name)),
      ignoresInputSchema: rules.inputSchema === "ignore",
      readsClaims: sharedReadClaims || readClaims(own),
      arguments: rules.arguments === undefined ? undefined : compileArguments(rules.arguments, `${place}/arguments`),
      argumentsId: `${place}/arguments`,
      record: both(record, paths(rules.audit?.record)),
      secret: both(secret, paths(rules.audit?.secret)),
    };
  }

  const tools = new Map<string, CompiledTool>();
  for (const name of Object.keys(document.tools ?? {})) tools.set(name, compileTool(name, ownProperty(document.tools, name)));
  for (const name of hidden) if (!tools.has(name)) tools.set(name, compileTool(name, {}));
  return { default: document.default, hidesAll, tools, others: compileTool(undefined, {}) };
}

/** Two lists as one. Where one is empty it is the other itself: many tools have all their rules from `all_tools`, and share them. */
function both<Part>(one: readonly Part[], other: readonly Part[]): readonly Part[] {
  if (one.length === 0) return other;
  return other.length === 0 ? one : [...one, ...other];
}

function compileLists(lists: RuleLists, place: string, ids: UniqueIds) {
  return {
    require: (lists.require ?? []).map((entry) => compileRule(entry, "require", place, ids)),
    denyIf: (lists.deny_if ?? []).map((entry) => compileRule(entry, "deny_if", place, ids)),
    approvals: (lists.require_approval ?? []).map((entry) => compileApproval(entry, place, ids)),
    limits: (lists.limits ?? []).map((limit) =>
      compileLimit(limit, { id: ids(`${place}/limits/${escapeToken(limit.name ?? limit.counter)}`) }),
    ),
  };
}

function compileRule(entry: Entry, section: Section, place: string, ids: UniqueIds): CompiledRule {
  const conditions = conditionsOf(entry);
  const token = entry.name ?? (conditions.length === 0 ? "always" : conditions.map(conditionToken).join(","));
  return {
    id: ids(`${place}/${section}/${escapeToken(token)}`),
    section,
    conditions,
    test: compileConditions(conditions, { section }),
    onDeny: entry.on_deny,
    observe: entry.mode === "observe",
    explain: entry.explain === "model",
  };
}

function compileApproval(entry: Entry<ApprovalKeys>, place: string, ids: UniqueIds): CompiledApproval {
  const rule = compileRule(entry, "require_approval", place, ids);
  const { widen, timeout } = entry;
  return {
    ...rule,
    hash: contentHash({ place, entry: withoutFunctions(entry) as never }),
    holdsFunction: rule.conditions.some(holdsFunction),
    reason: entry.reason,
    timeoutMs: timeout === undefined ? defaultApprovalTimeoutMs : parseDuration(timeout),
    widen: widen === undefined || widen === "once" ? undefined : { to: widen.to, forMs: parseDuration(widen.for), uses: widen.uses },
  };
}

/** The conditions of an entry: its list, or the one condition that it is. */
function conditionsOf(entry: Entry): readonly Condition[] {
  if ("conditions" in entry) return entry.conditions;
  const { name, on_deny, mode, explain, reason, timeout, widen, ...condition } = entry as Condition & ApprovalKeys;
  return [condition as Condition];
}

function readClaims({ require, denyIf, approvals }: Pick<CompiledTool, "require" | "denyIf" | "approvals">): boolean {
  return [require, denyIf, approvals].some((rules) => rules.some(({ conditions }) => conditions.some(readsClaim)));
}

/** A condition on a claim stands alone in its rule, so that what nests in others need not be looked at. */
function readsClaim(condition: Condition): boolean {
  if (!("op" in condition)) return false;
  const operand = operandOf(condition);
  const texts = "from" in operand ? [condition.path, operand.from] : [condition.path];
  return paths(texts).some(isClaim);
}

function holdsFunction(condition: Condition): boolean {
  if ("predicate" in condition) return true;
  if ("any" in condition) return condition.any.some(holdsFunction);
  if ("all" in condition) return condition.all.some(holdsFunction);
  if ("not" in condition) return holdsFunction(condition.not);
  return "each" in condition && condition.each.conditions.some(holdsFunction);
}

/** A function has no content to hash: it counts by its name, and an approval that depends on one is bound to the policy's digest besides. */
function withoutFunctions(value: unknown): unknown {
  if (typeof value === "function") return "(function)";
  if (Array.isArray(value)) return value.map(withoutFunctions);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, part]) => part !== undefined)
      .map(([key, part]) => [key, withoutFunctions(part)]),
  );
}

function paths(...lists: (readonly string[] | undefined)[]): Path[] {
  return lists
    .flatMap((list) => list ?? [])
    .map((text) => {
      const path = parsePath(text);
      if ("error" in path) throw new TypeError(path.error);
      return path;
    });
}

function ownProperty(tools: PolicyDocument["tools"], name: string): ToolRules {
  return (tools && Object.getOwnPropertyDescriptor(tools, name)?.value) ?? {};
}

type UniqueIds = (id: string) => string;

function uniqueIds(): UniqueIds {
  const seen = new Map<string, number>();
  return (id) => {
    const count = (seen.get(id) ?? 0) + 1;
    seen.set(id, count);
    return count === 1 ? id : `${id}#${count}`;
  };
}

function escapeToken(token: string): string {
  return token.replaceAll("~", "~0").replaceAll("/", "~1");
}
