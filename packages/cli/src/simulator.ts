import {
  type Admission,
  type Bounds,
  type CallRequest,
  type Catalog,
  createGuard,
  type Guard,
  type MergedPolicy,
  memoryStore,
  type Outcome,
  type PolicyDocument,
  type Refusal,
  type RefusalCode,
  type ToolDefinition,
} from "@holdpoint/core";
import type { SimulatedCall } from "./simulated-call.ts";

/** What becomes of one simulated call. `hold`: a person would be asked; nothing is charged. */
export interface SimulatedVerdict {
  readonly outcome: "allow" | "deny" | "hold";
  /** The rule that decided, as a JSON Pointer or `(hidden)` and its like; empty for a call that is allowed. */
  readonly rule: string;
  readonly code: RefusalCode | "allowed" | "approval_required";
  /** For the model; empty for a call that is allowed. */
  readonly message: string;
  /** For the operator. */
  readonly detail?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly wouldPass?: Bounds | undefined;
}

export interface SimulatorOptions {
  /** The policy of every server, or one for each: a server without one denies. */
  readonly policy: PolicyDocument | MergedPolicy | ReadonlyMap<string, PolicyDocument | MergedPolicy>;
  /** What every server lists. With it, schemas are judged and what is not listed is denied. */
  readonly tools?: readonly ToolDefinition[] | undefined;
}

/**
 * Replays calls against a policy, in memory and on the clock of the calls. The decision is a guard's own: the very code that runs in an agent, with a
 * store that starts empty and without an approver. The same calls in the same order get the same verdicts, whatever the machine.
 */
export function createSimulator({ policy, tools }: SimulatorOptions): (call: SimulatedCall) => Promise<SimulatedVerdict> {
  const servers = new Map<string, { readonly guard: Guard; readonly catalog: Catalog | undefined }>();
  const store = memoryStore({ durability: "process", maxKeys: mostCounters, maxEntriesPerKey: mostCounters });
  let now = 0;

  /** One guard for each server, all on one store: counters are the server's own, unless a limit says `across: "servers"`. */
  function open(server: string) {
    const known = servers.get(server);
    if (known) return known;
    const source = policy instanceof Map ? policy.get(server) : policy;
    const guard = createGuard({ policies: source ? { [server]: source } : {}, store, clock: () => now });
    const opened = { guard, catalog: tools && guard.catalog(guard.session(), server, async () => tools) };
    servers.set(server, opened);
    return opened;
  }

  return async function simulate({ at, server = defaultServer(policy), tool, args, context, result, code }) {
    now = at ?? now;
    const { guard, catalog } = open(server);
    // The guard takes arguments that are absent for none; `null` that was written is no object.
    const request: CallRequest = { session: guard.session(context), server, tool, arguments: args === null ? [] : args, catalog };
    const passed = await guard.admit(request);
    if (passed.outcome === "allow")
      return allowed(passed, { kind: result === "ok" ? "success" : result, ...(code !== undefined && { code }) });
    if (passed.outcome === "suspended") throw new Error("nothing suspends a simulated call");
    if (passed.code !== "no_approver") return denied(passed);
    const preview = await guard.preview(request);
    return held(passed, preview.outcome === "hold" ? preview.reasons : []);
  };
}

/** A store that fills up would refuse calls that a real one, on a server, would let pass. */
const mostCounters = 2 ** 31;

function defaultServer(policy: SimulatorOptions["policy"]): string {
  const [only, ...others] = policy instanceof Map ? policy.keys() : [];
  return only !== undefined && others.length === 0 ? only : "default";
}

async function allowed(admission: Admission, outcome: Outcome): Promise<SimulatedVerdict> {
  await admission.settle(outcome);
  return { outcome: "allow", rule: "", code: "allowed", message: "" };
}

function denied({ rule, code, message, detail, retryAfterMs, denial }: Refusal): SimulatedVerdict {
  // The store's wait is exact: after it the call fits, as long as nothing else is charged meanwhile.
  const wouldPass =
    denial?.wouldPass ?? (code === "limit" && retryAfterMs !== undefined ? { arguments: [], waitMs: retryAfterMs } : undefined);
  return {
    outcome: "deny",
    rule,
    code,
    message,
    detail,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(wouldPass && { wouldPass }),
  };
}

function held({ rule }: Refusal, reasons: readonly string[]): SimulatedVerdict {
  const why = reasons.join("; ");
  return {
    outcome: "hold",
    rule,
    code: "approval_required",
    message: "This call needs a person's approval.",
    detail: `a person would be asked: ${why}`,
  };
}
