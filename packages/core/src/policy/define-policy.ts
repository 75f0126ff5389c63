import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Identity } from "../guard/session.ts";
import { loadPolicy } from "./load-policy.ts";
import type { ApprovalKeys, PolicyDocument, RuleKeys, Scope } from "./policy-schema.ts";
import type { Claim, Fact, FactsOf, OnePlace, PathOf, Section, TypedCondition } from "./typed-conditions.ts";

/**
 * Writes a policy in TypeScript. With the types of the server's tools (`holdpoint types` prints them), a tool, path, operator or value that the server
 * does not have is a compile error; without, the document alone is checked. Either way it is loaded at once, strictly, and answered frozen: plain
 * data, the same as in a `policy.json`.
 *
 * `Context` names what the host adds to the identity, besides `grant`, `user`, `tenant`, `agent`, `session` and `run`; left out, every key passes.
 *
 * @throws {PolicyError} when the policy cannot be fully understood, with every reason at once.
 *
 * @example
 * const policy = definePolicy<{ create_refund: { amount: number; currency: "usd" | "eur" } }>()({
 *   version: "1",
 *   default: "deny",
 *   tools: { create_refund: { deny_if: [{ path: "args.amount", op: "gt", value: 100_00 }] } },
 * });
 */
export function definePolicy<Tools extends object, Context = Identity>(): DefinePolicy<Tools, Context>;
export function definePolicy(document: PolicyDocument): PolicyDocument;
export function definePolicy(...given: readonly unknown[]): unknown {
  return given.length === 0 ? (document: unknown) => loadPolicy(document) : loadPolicy(given[0]);
}

/** `Undeclared` is inferred, and is `true` only where the document says `undeclared: true` somewhere. */
type DefinePolicy<Tools extends object, Context> = <Undeclared extends true = never>(
  document: Policy<Tools, Context, Undeclared>,
) => PolicyDocument;

/** A policy for tools of these types: from the name of each tool to the type of its arguments. */
export interface Policy<Tools extends object, Context = Identity, Undeclared = true> {
  $schema?: string;
  version: "1";
  description?: string;
  default: "allow" | "deny";
  hide?: "*" | readonly (keyof Tools | { name: string; optional: true })[];
  all_tools?: RuleLists<unknown, Context, Undeclared> & { audit?: Audit<AnyArgument> };
  tools?: { [Name in keyof Tools]?: ToolRules<Tools[Name], Context, Undeclared> };
  audit?: Audit<AnyArgument>;
}

type AnyArgument = FactsOf<unknown, "args">[1];

interface ToolRules<Args, Context, Undeclared> extends RuleLists<Args, Context, Undeclared> {
  arguments?: StandardSchemaV1 | { readonly [keyword: string]: unknown } | boolean;
  inputSchema?: "ignore";
  audit?: Audit<FactsOf<Args, "args">[1]>;
  optional?: true;
}

interface Audit<Path> {
  record?: readonly Path[];
  secret?: readonly Path[];
}

interface RuleLists<Args, Context, Undeclared> {
  require?: readonly Entry<Args, Context, "require", Undeclared, RuleKeys>[];
  deny_if?: readonly Entry<Args, Context, "deny_if", Undeclared, RuleKeys>[];
  require_approval?: readonly Entry<Args, Context, "require_approval", Undeclared, TypedApprovalKeys>[];
  limits?: readonly Limit<FactsOf<Args, "args">>[];
}

type Entry<Args, Context, In extends Section, Undeclared, Keys> =
  | ({ conditions: readonly (TypedCondition<Args, Context, In, Undeclared> | Claim<Context, In>)[]; path?: never } & Keys)
  | ((TypedCondition<Args, Context, In, Undeclared> | Claim<Context, In>) & Keys);

type Duration = `${number}${"ms" | "s" | "m" | "h" | "d"}`;

interface TypedApprovalKeys extends ApprovalKeys {
  timeout?: Duration;
  widen?: "once" | { to: "session" | "matching"; for: Duration; uses: number };
}

/** That `unit` stands without `increment_from` is left to loading: to rule it out here would hide the paths while `unit` is not written yet. */
type Limit<Facts extends Fact> = CountedLimit | AmountLimit<Facts> | ConcurrentLimit;

interface LimitKeys extends RuleKeys {
  counter: string;
  scope?: Scope | readonly Scope[];
  across?: "servers";
}

interface WindowedLimit extends LimitKeys {
  window: "minute" | "hour" | "day" | "week" | "month" | "lifetime" | number | { sliding: Duration };
  max: number | string;
  expires?: Duration;
  concurrent?: never;
}

interface CountedLimit extends WindowedLimit {
  increment?: number | string;
  count?: "sent" | "answered" | "protocol" | "success";
  increment_from?: never;
}

interface AmountLimit<Facts extends Fact> extends WindowedLimit {
  increment_from: OnePlace<PathOf<Facts, "number" | "number choice" | "string" | "unknown">>;
  unit: "none" | Unit<Extract<Facts, ["string" | "text choice" | "unknown", string, unknown]>>;
  count?: "sent";
  increment?: never;
}

type Unit<Facts> = Facts extends [string, infer Path, infer Choice] ? { path: OnePlace<Path>; is: Choice & string } : never;

interface ConcurrentLimit extends LimitKeys {
  concurrent: number;
  window?: never;
  max?: never;
  increment?: never;
  increment_from?: never;
  count?: never;
  expires?: never;
}
