import type { JsonObject } from "../arguments/json-snapshot.ts";
import { type Facts, timeFacts } from "../conditions/facts.ts";
import type { Definition } from "../guard/definitions.ts";
import { type LimitCall, type LimitDebit, mergeDebits } from "../limits/limits.ts";
import { type CompiledApproval, type CompiledPolicy, type CompiledRule, type CompiledTool, toolsOf } from "../policy/compile-policy.ts";
import { describeRule, type Evaluated, evaluateAll } from "./evidence.ts";
import { badArguments, judgeDefinition } from "./judge-definition.ts";
import { notAvailable, notPermitted, type RefusalCode, type Refusing } from "./refusal.ts";
import { type Bounds, findBounds } from "./would-pass.ts";

/** A call as it is judged: names, and plain JSON taken once. */
export interface Call {
  readonly server: string;
  readonly tool: string;
  readonly arguments: JsonObject;
  /** The identity of the session and what the host added. */
  readonly context: JsonObject;
}

/** What the decision needs besides the policy and the call. */
export interface DecisionFacts {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly namespace: string;
  readonly definition: Definition;
  readonly mode: "enforce" | "observe";
  readonly failOpen?: { readonly inputSchema?: boolean } | undefined;
}

/** The call may not leave. Carries its evidence: `detail`, `evaluated` and `wouldPass` are worked out when they are first read. */
export interface Denial {
  readonly outcome: "deny";
  /** The rule that refused: a JSON Pointer, or `(hidden)`, `(default deny)`, `(no policy)`, `(definition …)`. */
  readonly rule: string;
  readonly code: RefusalCode;
  /** For the model. */
  readonly message: string;
  /** For the operator: paths, types and policy literals, never argument values. */
  readonly detail: string;
  readonly retryAfterMs?: number | undefined;
  /** Bounds which, applied together, were verified by deciding again. For the operator; for the model only under `explain: "model"`. */
  readonly wouldPass?: Bounds | undefined;
  readonly evaluated: readonly Evaluated[];
  /** True where the rule says `explain: "model"`. */
  readonly explains: boolean;
}

/** The call may leave once the debits are reserved and the approvals are given; the guard sees to both. */
export interface Plan {
  readonly outcome: "allow" | "hold";
  readonly debits: readonly LimitDebit[];
  readonly approvals: readonly CompiledApproval[];
  /** Debits of observed limits: charged if enforcement would have let the call pass, and never a reason to refuse. */
  readonly observedDebits: readonly LimitDebit[];
  /** What enforcement would have refused or held, under `observe`. */
  readonly observed: readonly (Denial | CompiledApproval)[];
  /** Weaknesses that the host chose and that were used: to be recorded. */
  readonly failedOpen: readonly string[];
  readonly evaluated: readonly Evaluated[];
}

/**
 * Decides one call: pure and synchronous. It answers a denial, or the plan of what must be reserved and who must be asked before the call may leave.
 *
 * The order (design §4) fixes only which rule is named: given the same counters, approvals and time, any deny beats any hold, and any hold beats allow.
 * Limits without room are found later, by the store.
 *
 * @example
 * const verdict = decide(compilePolicy(document), call, { now: Date.now(), namespace: "", definition: { state: "not_needed" }, mode: "enforce" });
 */
export function decide(policy: CompiledPolicy | undefined, call: Call, facts: DecisionFacts): Denial | Plan {
  if (policy === undefined) {
    return deny({
      rule: "(no policy)",
      code: "no_policy",
      message: notAvailable(call.tool),
      detail: `no policy for server \`${call.server}\``,
    });
  }
  const judging = new Judging(policy, call, facts);
  return judge(judging, toolsOf(policy, call.tool)) ?? new LazyPlan(judging);
}

function judge(judging: Judging, tools: readonly CompiledTool[]): Denial | undefined {
  const { call, given } = judging;
  const observing = given.mode === "observe";

  for (const tool of tools) {
    const refusal = admission(tool, call.tool);
    const denial = refusal && stand(judging, deny(refusal, judging), false);
    if (denial) return denial;
  }
  const definition = judgeDefinition(tools, call, given);
  if (definition === "failed open") judging.failedOpen = ["inputSchema"];
  else if (definition) return deny(definition);

  for (const tool of tools) {
    const problems = tool.arguments?.(call.arguments);
    if (problems && problems.length > 0) return deny(badArguments(tool.argumentsId, problems, tools, call));
  }
  for (const tool of tools) {
    for (const rule of tool.require) {
      const truth = rule.test(judging);
      const denial = truth === true ? undefined : stand(judging, denyBy(rule, judging), rule.observe);
      if (denial) return denial;
    }
    for (const rule of tool.denyIf) {
      const truth = rule.test(judging);
      const denial = truth === false ? undefined : stand(judging, denyBy(rule, judging), rule.observe);
      if (denial) return denial;
    }
  }
  for (const tool of tools) {
    if (tool.limits.length === 0) continue;
    const limitCall: LimitCall = { namespace: given.namespace, server: call.server, args: call.arguments, context: call.context };
    for (const limit of tool.limits) {
      const made = limit.debitFor(limitCall);
      if ("refusal" in made) {
        const denial = stand(judging, deny(made.refusal, judging), limit.observe);
        if (denial) return denial;
      } else if (observing || limit.observe) judging.observedDebits = [...judging.observedDebits, made];
      else judging.debits = [...judging.debits, made];
    }
  }
  for (const tool of tools) {
    for (const rule of tool.approvals) {
      if (rule.test(judging) === false) continue;
      if (observing || rule.observe) judging.observed = [...judging.observed, rule];
      else judging.approvals = [...judging.approvals, rule];
    }
  }
  return undefined;
}

/** What conditions read of one call, and what has been found of it so far. One class for both, and no literal, for the speed of each decision. */
class Judging implements Facts {
  readonly policy: CompiledPolicy;
  readonly call: Call;
  readonly given: DecisionFacts;
  debits: readonly LimitDebit[] = none;
  observedDebits: readonly LimitDebit[] = none;
  approvals: readonly CompiledApproval[] = none;
  observed: Plan["observed"] = none;
  failedOpen: readonly string[] = none;

  constructor(policy: CompiledPolicy, call: Call, given: DecisionFacts) {
    this.policy = policy;
    this.call = call;
    this.given = given;
  }

  get args(): JsonObject {
    return this.call.arguments;
  }

  get context(): JsonObject {
    return this.call.context;
  }

  get time(): Facts["time"] {
    return timeFacts(this.given.now);
  }

  get tool(): JsonObject {
    const { definition } = this.given;
    return definition.state === "known" ? definition.facts : { name: this.call.tool, server: this.call.server };
  }
}

/** Most calls find nothing of most kinds: one list for all of them. */
const none: readonly never[] = Object.freeze([]);

/** The denial where it stands; under `observe` it is noted, and the call goes on. */
function stand(judging: Judging, denial: Denial, ruleObserves: boolean): Denial | undefined {
  if (!ruleObserves && judging.given.mode === "enforce") return denial;
  judging.observed = [...judging.observed, denial];
  return undefined;
}

/** A class for its speed: an accessor of its own would cost each plan more than the decision. */
class LazyPlan implements Plan {
  readonly outcome: Plan["outcome"];
  readonly debits: readonly LimitDebit[];
  readonly approvals: readonly CompiledApproval[];
  readonly observedDebits: readonly LimitDebit[];
  readonly observed: Plan["observed"];
  readonly failedOpen: readonly string[];
  readonly #judging: Judging;

  constructor(judging: Judging) {
    this.outcome = judging.approvals.length > 0 ? "hold" : "allow";
    this.debits = judging.debits.length > 1 ? mergeDebits(judging.debits) : judging.debits;
    this.approvals = judging.approvals;
    this.observedDebits = uncharged(judging.observedDebits, this.debits);
    this.observed = judging.observed;
    this.failedOpen = judging.failedOpen;
    this.#judging = judging;
  }

  get evaluated(): readonly Evaluated[] {
    return evaluateAll(this.#judging.policy, this.#judging.call.tool, this.#judging);
  }
}

/** A counter that an enforced limit charges is not charged again for an observed one. */
function uncharged(observed: readonly LimitDebit[], enforced: readonly LimitDebit[]): readonly LimitDebit[] {
  if (observed.length === 0) return observed;
  return mergeDebits(observed).filter(({ debit }) => !enforced.some((other) => other.debit.key === debit.key));
}

function deny({ rule, code, message, detail, retryAfterMs }: Refusing, judging?: Judging): Denial {
  return new LazyDenial(rule, code, message, detail, judging, false, retryAfterMs);
}

function denyBy(rule: CompiledRule, judging: Judging): Denial {
  const code = rule.section === "require" ? "require" : "deny_if";
  return new LazyDenial(rule.id, code, rule.onDeny ?? notPermitted, rule, judging, rule.explain, undefined);
}

/** A class for its speed, as `LazyPlan` is. */
class LazyDenial implements Denial {
  readonly outcome = "deny";
  readonly rule: string;
  readonly code: RefusalCode;
  readonly message: string;
  readonly retryAfterMs: number | undefined;
  readonly explains: boolean;
  /** Text, or the rule that it describes: to describe one costs many times what judging it does. */
  #detail: string | CompiledRule;
  readonly #judging: Judging | undefined;
  #bounds: Bounds | undefined;

  constructor(
    rule: string,
    code: RefusalCode,
    message: string,
    detail: string | CompiledRule,
    judging: Judging | undefined,
    explains: boolean,
    retryAfterMs: number | undefined,
  ) {
    this.rule = rule;
    this.code = code;
    this.message = message;
    this.retryAfterMs = retryAfterMs;
    this.explains = explains;
    this.#detail = detail;
    this.#judging = judging;
  }

  get detail(): string {
    if (typeof this.#detail !== "string") this.#detail = describeRule(this.#detail, this.#judging as Judging);
    return this.#detail;
  }

  get evaluated(): readonly Evaluated[] {
    return this.#judging ? evaluateAll(this.#judging.policy, this.#judging.call.tool, this.#judging) : [];
  }

  get wouldPass(): Bounds | undefined {
    if (!this.#judging) return undefined;
    const { policy, call, given } = this.#judging;
    this.#bounds ??= findBounds(policy, call, this, (changed) => decide(policy, changed, given));
    return this.#bounds;
  }
}

function admission(tool: CompiledTool, name: string): Refusing | undefined {
  if (tool.hidden) return { rule: "(hidden)", code: "hidden", message: notAvailable(name), detail: `\`hide\` names \`${name}\`` };
  if (tool.admitted) return undefined;
  return {
    rule: "(default deny)",
    code: "default_deny",
    message: notAvailable(name),
    detail: `\`tools\` does not list \`${name}\`, and \`default\` is \`deny\``,
  };
}
