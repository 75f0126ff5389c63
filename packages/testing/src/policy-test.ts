import {
  type Admission,
  type Approver,
  type Bounds,
  type CompiledPolicy,
  compilePolicy,
  createGuard,
  type Definition,
  decide,
  type Evaluated,
  type Guard,
  type Identity,
  type JsonObject,
  type MergedPolicy,
  memoryStore,
  type PolicyDocument,
  type RefusalCode,
  type Session,
  type ToolDefinition,
  takeSnapshot,
} from "@holdpoint/core";
import { type AuditLog, auditLog } from "./audit-log.ts";
import { type Duration, type FakeClock, fakeClock, type Instant } from "./fake-clock.ts";
import { isMutant } from "./mutate-policy.ts";
import { nameOf, type PolicyCoverage, processCoverage } from "./policy-coverage.ts";

export interface PolicyTestOptions {
  /** Who calls. Each call may add to it. Default: nobody, which has the grant `"default"`. */
  readonly context?: Identity | undefined;
  /** Where the clock stands at first. Default: the beginning of Monday, 5 January 2026 (UTC). */
  readonly now?: Instant | undefined;
  /** The server's tools as it lists them: then arguments are judged by their schemas, and conditions on `tool.*` can be read. */
  readonly tools?: readonly ToolDefinition[] | undefined;
  /** The server's name, where a condition reads it. Default `"default"`. */
  readonly server?: string | undefined;
  /** Answers what asks for approval. Without it such a call is held. */
  readonly approve?: Approver | undefined;
  readonly mode?: "enforce" | "observe" | undefined;
  /** Names the policy in a coverage table. Default: its `description`, else the beginning of its digest. */
  readonly name?: string | undefined;
  /** Collects which rules fired. Default: the collector of the process, which is there when the vitest reporter runs. */
  readonly coverage?: PolicyCoverage | false | undefined;
}

/** A call as a test writes it. */
export interface TestCall {
  readonly tool: string;
  /** Default `{}`. Anything may be given, as a model may send anything. */
  readonly arguments?: unknown;
  /** Added to the test's context, for this call. */
  readonly context?: Identity | undefined;
  /** Sets the clock first; it stays there. */
  readonly at?: Instant | undefined;
  /** Answers for this call what asks for approval. */
  readonly approve?: Approver | undefined;
  /** How the call ends once it is admitted: `success`, or `"open"` to leave it in flight until `verdict.settle` is called. Default `success`. */
  readonly ends?: Parameters<Admission["settle"]>[0]["kind"] | "open" | undefined;
}

/** What the guard said of one call, with all that a person needs to see why. */
export interface TestVerdict {
  readonly outcome: "allow" | "deny" | "hold";
  /** The rule that denied or held: a JSON Pointer, or `(hidden)`, `(default deny)` and the like. Empty where the call was allowed. */
  readonly rule: string;
  readonly code: RefusalCode | "allowed";
  /** What the model is told. Empty where the call was allowed. */
  readonly message: string;
  /** What the operator sees. */
  readonly detail: string;
  /** Milliseconds until a limit has room, where waiting helps. */
  readonly retryAfterMs?: number | undefined;
  /** What would let the call pass, as far as it was found. */
  readonly wouldPass?: Bounds | undefined;
  /** Every rule of the tool that was judged, with its conditions and the values that they saw. Judged anew when it is read. */
  readonly evaluated: readonly Evaluated[];
  /** Under `observe`: what enforcement would have refused or held. */
  readonly observed: readonly { readonly rule: string; readonly code: string }[];
  /** Room left in each counter that the call was charged to. */
  readonly room: readonly { readonly limit: string; readonly remaining: string }[];
  readonly call: {
    readonly tool: string;
    readonly arguments: unknown;
    readonly context: JsonObject /** Milliseconds since the epoch. */;
    readonly at: number;
  };
  /** Ends a call that was left open. */
  settle(kind: Exclude<TestCall["ends"], "open" | undefined>): Promise<void>;
}

/** A policy under test: the real guard on a memory store and a clock that moves by hand. Nothing is sent anywhere. */
export interface PolicyTest {
  readonly name: string;
  readonly clock: FakeClock;
  readonly audit: AuditLog;
  readonly guard: Guard;
  readonly session: Session;
  /** Decides a call, charges its limits where it passes, and ends it. */
  call(tool: string, args?: unknown, options?: Omit<TestCall, "tool" | "arguments">): Promise<TestVerdict>;
  /** The same, for a call that is one object. */
  decide(call: TestCall): Promise<TestVerdict>;
  /** Lets time pass: `"10m"`, or milliseconds. */
  advance(by: Duration): void;
  /** A test of the same policy from the beginning: no counter has been charged. */
  fresh(): PolicyTest;
}

/**
 * Puts a bare policy under test. What decides is the guard itself, so that what a test sees is what runs; only the server is missing. Throws `PolicyError`
 * where the policy does not load.
 *
 * @example
 * const refunds = policyTest(policy, { context: { user: "ann" } });
 * const verdict = await refunds.call("create_refund", { amount: 500_00, reason: "late" });
 * verdict.outcome; // "deny"
 * verdict.rule; // "/tools/create_refund/deny_if/args.amount-gt"
 */
export function policyTest(policy: PolicyDocument | MergedPolicy, options: PolicyTestOptions = {}): PolicyTest {
  const { server = "default", mode = "enforce", tools } = options;
  const clock = fakeClock(options.now);
  const audit = auditLog();
  const compiled = compilePolicy(policy);
  const name = options.name ?? nameOf(policy, compiled.digest);
  const coverage = options.coverage === false || isMutant(policy) ? undefined : (options.coverage ?? processCoverage());
  coverage?.add(name, compiled);
  const store = memoryStore({ durability: "process" });
  const guard = createGuard({ policies: { [server]: policy }, mode, clock, audit, store, approve: options.approve });
  const session = guard.session(options.context);
  const catalog = tools && guard.catalog(session, server, async () => tools);

  async function decideCall({ tool, arguments: args = {}, context, at, approve, ends = "success" }: TestCall): Promise<TestVerdict> {
    if (at !== undefined) clock.set(at);
    const now = clock();
    const caller = context ? session.with(context) : session;
    const recorded = audit.decisions.length;
    const admitted = await guard.admit({ session: caller, server, tool, arguments: args, catalog, approve });
    if (admitted.outcome === "suspended")
      throw new Error("the approver suspended the call: a policy test has no host to go on with it", { cause: admitted.cause });
    const [event] = audit.decisions.slice(recorded);
    const definition = catalog?.definition(tool) ?? { state: "not_needed" as const };
    const verdict: TestVerdict = {
      ...(admitted.outcome === "allow" ? allowed : { ...summaryOf(admitted), outcome: admitted.code === "no_approver" ? "hold" : "deny" }),
      observed: event?.observed ?? [],
      room: event?.room ?? [],
      get evaluated() {
        if (admitted.outcome === "deny" && !wereRulesJudged(admitted.code)) return [];
        return evaluate(compiled, { server, tool, args, context: caller.context, now, definition, mode });
      },
      call: { tool, arguments: args, context: caller.context, at: now },
      async settle(kind) {
        if (admitted.outcome === "allow") await admitted.settle({ kind });
      },
    };
    coverage?.record(compiled, verdict);
    if (ends !== "open") await verdict.settle(ends);
    return verdict;
  }

  return {
    name,
    clock,
    audit,
    guard,
    session,
    call: (tool, args, more) => decideCall({ ...more, tool, arguments: args }),
    decide: decideCall,
    advance: clock.advance,
    fresh: () => policyTest(policy, { ...options, now: clock() }),
  };
}

const allowed = { outcome: "allow", rule: "", code: "allowed", message: "", detail: "" } as const;

type Refused = Exclude<Awaited<ReturnType<Guard["admit"]>>, { outcome: "allow" | "suspended" }>;

function summaryOf({ rule, code, message, detail, retryAfterMs, denial }: Refused) {
  const waitMs = retryAfterMs === undefined ? undefined : { arguments: [], waitMs: retryAfterMs };
  return {
    rule,
    code,
    message,
    detail,
    retryAfterMs,
    get wouldPass() {
      return denial?.wouldPass ?? waitMs;
    },
  };
}

const beforeTheRules = ["no_policy", "hidden", "default_deny", "arguments_invalid", "not_json", "too_large", "canary", "cancelled"];

/** Whether a call with this refusal came as far as its tool's rules. */
function wereRulesJudged(code: RefusalCode): boolean {
  return !beforeTheRules.includes(code) && !code.startsWith("definition_");
}

interface Given {
  readonly server: string;
  readonly tool: string;
  readonly args: unknown;
  readonly context: JsonObject;
  readonly now: number;
  readonly definition: Definition;
  readonly mode: "enforce" | "observe";
}

function evaluate(policy: CompiledPolicy, { server, tool, args, context, now, definition, mode }: Given): readonly Evaluated[] {
  const snapshot = takeSnapshot(args);
  if (!snapshot.ok) return [];
  const call = { server, tool, arguments: snapshot.value as JsonObject, context };
  return decide(policy, call, { now, namespace: "", definition, mode }).evaluated;
}
