import { contentHash } from "../arguments/canonical-json.ts";
import type { Json, JsonObject } from "../arguments/json-snapshot.ts";
import { takeSnapshot } from "../arguments/json-snapshot.ts";
import { redact } from "../arguments/redact.ts";
import { formatPath, isPathError, type Path, parsePath } from "../conditions/path.ts";
import type { Call } from "../decision/decide.ts";
import type { MaybePromise } from "../limits/counter-store.ts";
import type { CompiledApproval } from "../policy/compile-policy.ts";
import type { ApprovalRecord } from "./approval-store.ts";

/** What a person is asked. The arguments are the model's text: show them with `printable`. */
export interface ApprovalRequest {
  readonly id: string;
  readonly server: string;
  readonly tool: string;
  /** A frozen copy; secret fields read `(secret)`. */
  readonly arguments: JsonObject;
  readonly reasons: readonly string[];
  readonly rules: readonly string[];
  readonly identity: JsonObject;
  /** The short form of what a yes is bound to; the same on every screen that shows this request. */
  readonly fingerprint: string;
  /** Milliseconds since the epoch. */
  readonly requestedAt: number;
  readonly expiresAt: number;
  /** How far the yes may reach, where every rule that asks offers it. */
  readonly offers?: { readonly to: "session" | "matching"; readonly forMs: number; readonly uses: number } | undefined;
  /** Aborted when the answer is no longer needed. */
  readonly signal: AbortSignal;
}

/** A person's answer. Only an object of exactly this shape with `approved: true` approves; anything else refuses. */
export type Verdict =
  | {
      readonly approved: true;
      /** Who answered, for the record. */
      readonly by?: string | undefined;
      /** The arguments as the person wants them; the call is decided again with these. */
      readonly arguments?: JsonObject | undefined;
      /** Use the width that the request offers. */
      readonly widen?: boolean | undefined;
      /** Set where nothing vouches that a person answered. */
      readonly unverified?: boolean | undefined;
    }
  | { readonly approved: false; readonly by?: string | undefined; readonly reason?: string | undefined };

export type Approver = (request: ApprovalRequest) => MaybePromise<Verdict>;

export interface Binding {
  readonly binding: string;
  readonly wide: ApprovalRecord["wide"];
  /** Every width in which an earlier yes may cover this call. */
  readonly wideBindings: readonly string[];
}

/**
 * What a yes to `rules` is bound to (design §6). Changing any of it asks again. A run is left out of the identity: the call that uses a durable
 * yes is often made by a later run of the same session. What is offered to a session without a name of its own reaches no further than that object.
 */
export function bind(
  call: Call,
  rules: readonly CompiledApproval[],
  around: { namespace: string; session: string; definition: string | undefined; policy: string },
): Binding {
  const { run: _run, ...identity } = call.context;
  const { session: named, ...lasting } = identity;
  const common = {
    namespace: around.namespace,
    server: call.server,
    tool: call.tool,
    definition: around.definition ?? null,
    rules: rules.map((rule) => rule.hash).sort(),
    policy: rules.some((rule) => rule.holdsFunction) ? around.policy : null,
  };
  const bySession = contentHash({ ...common, identity, session: named ?? around.session, wide: "session" });
  const byMatch = contentHash({ ...common, identity: lasting, wide: "matching" });
  return {
    binding: contentHash({ ...common, identity, arguments: call.arguments }),
    wide: narrowestOffer(rules, { session: bySession, matching: byMatch }),
    wideBindings: rules.every((rule) => rule.widen) ? [bySession, byMatch] : [],
  };
}

/** The same, for one call alone: what the host's own flow asks names the call (`callId`), and two equal calls are two questions there. */
export function forOneCall(binding: Binding, callId: string | undefined): Binding {
  return { ...binding, binding: contentHash({ call: callId ?? null, binding: binding.binding }) };
}

/** A yes reaches only as far as every rule that asked offers. */
function narrowestOffer(rules: readonly CompiledApproval[], bindings: { session: string; matching: string }): ApprovalRecord["wide"] {
  const offers = rules.map((rule) => rule.widen);
  if (offers.length === 0 || offers.some((offer) => offer === undefined)) return undefined;
  const given = offers as NonNullable<(typeof offers)[number]>[];
  const to = given.some((offer) => offer.to === "session") ? "session" : "matching";
  return {
    to,
    binding: bindings[to],
    forMs: Math.min(...given.map((offer) => offer.forMs)),
    uses: Math.min(...given.map((offer) => offer.uses)),
  };
}

export function draftRecord(
  id: string,
  call: Call,
  rules: readonly CompiledApproval[],
  binding: Binding,
  secret: readonly Path[],
  now: number,
): ApprovalRecord {
  return {
    id,
    status: "pending",
    binding: binding.binding,
    wide: binding.wide,
    server: call.server,
    tool: call.tool,
    arguments: call.arguments,
    ...(secret.length > 0 ? { secret: secret.map(formatPath) } : undefined),
    context: call.context,
    rules: rules.map((rule) => ({ id: rule.id, hash: rule.hash })),
    reasons: rules.map(reasonFor),
    requestedAt: now,
    expiresAt: now + Math.min(...rules.map((rule) => rule.timeoutMs)),
    usesLeft: 1,
  };
}

/** What a person is told of why a rule asks. */
export function reasonFor(rule: CompiledApproval): string {
  return rule.reason ?? rule.onDeny ?? `\`${rule.id}\` asks for approval`;
}

/** A record as a person may see it: secret fields read `(secret)`. */
export function withoutSecrets(record: ApprovalRecord): ApprovalRecord {
  if (!record.secret) return record;
  const secret = secretsOf(record);
  const hide = (args: JsonObject | undefined) => args && secret && redact(args, secret);
  return { ...record, arguments: hide(record.arguments), edited: hide(record.edited) };
}

/** The paths of a record's secrets. `undefined` where one cannot be read, of another version perhaps: that hides all. */
export function secretsOf({ secret = [] }: ApprovalRecord): readonly Path[] | undefined {
  const paths = secret.map((path) => parsePath(path));
  const known = paths.filter((path): path is Path => !isPathError(path));
  return known.length === paths.length ? known : undefined;
}

/** What the approver is shown of a record. */
export function requestOf(record: ApprovalRecord, secret: readonly Path[], signal: AbortSignal): ApprovalRequest {
  return {
    id: record.id,
    server: record.server,
    tool: record.tool,
    arguments: deepFreeze(redact(record.arguments ?? {}, secret)),
    reasons: record.reasons,
    rules: record.rules.map((rule) => rule.id),
    identity: record.context,
    fingerprint: shortFingerprint(record.binding),
    requestedAt: record.requestedAt,
    expiresAt: record.expiresAt,
    offers: record.wide && { to: record.wide.to, forMs: record.wide.forMs, uses: record.wide.uses },
    signal,
  };
}

/** What every event about a request says of it. */
export function aboutApproval(record: ApprovalRecord) {
  return { approval: record.id, binding: record.binding, rules: record.rules.map((rule) => rule.id), by: record.by };
}

export function shortFingerprint(binding: string): string {
  return `${binding.slice(0, 4)}-${binding.slice(4, 8)}-${binding.slice(8, 12)}`;
}

const verdictKeys: Readonly<Record<string, string>> = {
  approved: "boolean",
  by: "string",
  reason: "string",
  arguments: "object",
  widen: "boolean",
  unverified: "boolean",
};

/** Reads an approver's answer, once. What is no verdict is a refusal that says so. */
export function readVerdict(answer: unknown): Verdict {
  const snapshot = takeSnapshot(answer);
  const verdict = snapshot.ok ? snapshot.value : undefined;
  if (verdict === null || typeof verdict !== "object" || Array.isArray(verdict)) return notAVerdict;
  for (const [key, value] of Object.entries(verdict)) {
    if (!Object.hasOwn(verdictKeys, key) || typeof value !== verdictKeys[key] || value === null || Array.isArray(value)) return notAVerdict;
  }
  return typeof (verdict as JsonObject).approved === "boolean" ? (verdict as unknown as Verdict) : notAVerdict;
}

const notAVerdict: Verdict = { approved: false, reason: "the approver's answer is no verdict" };

function deepFreeze<T extends Json>(value: T): T {
  if (value !== null && typeof value === "object") {
    for (const part of Object.values(value)) deepFreeze(part as Json);
    Object.freeze(value);
  }
  return value;
}
