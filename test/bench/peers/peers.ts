// The policy in each engine, at the settings that measured fastest: rules parsed before the first call, and one engine or policy set for each tool found
// by a `Map`, wherever that spares an engine from looking at the rules of the other tools. Holdpoint gets the whole document.

import { createMongoAbility } from "@casl/ability";
import { preparsePolicySet, statefulIsAuthorized } from "@cedar-policy/cedar-wasm/nodejs";
import { type Call, compilePolicy, type DecisionFacts, decide, type PolicyDocument } from "@holdpoint/core";
import { PolicyEngine } from "@microsoft/agent-governance-sdk";
import { Engine } from "json-rules-engine";
import { blocked, currencies, most, type Peer, type PeerCall, tools } from "./policy.ts";

/** The policy as Holdpoint reads it. */
export const document: PolicyDocument = {
  version: "1",
  default: "deny",
  tools: Object.fromEntries(
    tools.map((tool) => [
      tool,
      {
        require: [{ path: "args.currency", op: "in", value: currencies }],
        deny_if: [
          { path: "args.amount", op: "gt", value: most },
          { path: "args.recipient", op: "eq", value: blocked },
        ],
      },
    ]),
  ),
};

/** The decision alone, which is what the other engines do. */
export function holdpoint(): Peer {
  const policy = compilePolicy(document);
  const facts: DecisionFacts = { now: 0, namespace: "", definition: { state: "not_needed" }, mode: "enforce" };
  const context = { grant: "default" };
  return {
    name: "holdpoint, decide",
    allows: ({ tool, arguments: args }) => {
      const call: Call = { server: "server", tool, arguments: args, context };
      return decide(policy, call, facts).outcome === "allow";
    },
  };
}

/** What a careful person would write for this very policy: own properties, types checked. */
export function handWritten(): Peer {
  const allowed = new Set(currencies);
  const check = ({ arguments: args }: PeerCall) => {
    const amount = Object.hasOwn(args, "amount") ? args.amount : undefined;
    const currency = Object.hasOwn(args, "currency") ? args.currency : undefined;
    const recipient = Object.hasOwn(args, "recipient") ? args.recipient : undefined;
    if (typeof currency !== "string" || !allowed.has(currency)) return { outcome: "deny", rule: "currency" };
    if (typeof amount !== "number" || amount > most) return { outcome: "deny", rule: "amount" };
    if (typeof recipient !== "string" || recipient === blocked) return { outcome: "deny", rule: "recipient" };
    return { outcome: "allow", rule: "" };
  };
  const checks = new Map(tools.map((tool) => [tool, check]));
  return { name: "hand-written closures", allows: (call) => checks.get(call.tool)?.(call).outcome === "allow" };
}

/** One rule that grants, since the first rule that fails ends a conjunction, and nothing else matches: `default_action` denies. */
export function agentGovernance(): Peer {
  const listed = currencies.map((currency) => `'${currency}'`).join(", ");
  const condition = `currency in [${listed}] and amount <= ${most} and recipient != '${blocked}'`;
  const engines = new Map(
    tools.map((tool) => {
      const engine = new PolicyEngine();
      engine.loadPolicy({ name: tool, default_action: "deny", rules: [{ name: "grant", condition, ruleAction: "allow" }] });
      return [tool, engine];
    }),
  );
  return {
    name: "@microsoft/agent-governance-sdk",
    allows: ({ tool, arguments: args }) => engines.get(tool)?.evaluatePolicy("agent", args).allowed === true,
  };
}

export function cedar(): Peer {
  const listed = currencies.map((currency) => `"${currency}"`).join(", ");
  const policy = `permit (principal, action, resource) when {
    [${listed}].contains(context.currency) && context.amount <= ${most} && context.recipient != "${blocked}"
  };`;
  for (const tool of tools) {
    const parsed = preparsePolicySet(tool, { staticPolicies: policy });
    if (parsed.type !== "success") throw new Error(JSON.stringify(parsed.errors));
  }
  const known = new Set(tools);
  const principal = { type: "Agent", id: "agent" };
  const action = { type: "Action", id: "call" };
  return {
    name: "@cedar-policy/cedar-wasm, preparsed",
    allows: ({ tool, arguments: context }) => {
      if (!known.has(tool)) return false;
      const resource = { type: "Tool", id: tool };
      const answer = statefulIsAuthorized({
        principal,
        action,
        resource,
        context,
        preparsedPolicySetId: tool,
        entities: [],
        validateRequest: false,
      });
      return answer.type === "success" && answer.response.decision === "allow";
    },
  };
}

export function casl(): Peer {
  const conditions = { amount: { $lte: most }, currency: { $in: currencies }, recipient: { $ne: blocked } };
  const abilities = new Map(
    tools.map((tool) => [tool, createMongoAbility([{ action: "call", subject: "tool", conditions }], { detectSubjectType: () => "tool" })]),
  );
  return { name: "@casl/ability", allows: ({ tool, arguments: args }) => abilities.get(tool)?.can("call", args) === true };
}

export function jsonRulesEngine(): Peer {
  const all = [
    { fact: "currency", operator: "in", value: currencies },
    { fact: "amount", operator: "lessThanInclusive", value: most },
    { fact: "recipient", operator: "notEqual", value: blocked },
  ];
  const engines = new Map(tools.map((tool) => [tool, new Engine([{ conditions: { all }, event: { type: "grant" } }])]));
  return {
    name: "json-rules-engine",
    awaited: true,
    allows: async ({ tool, arguments: args }) => {
      const result = await engines.get(tool)?.run(args);
      return result !== undefined && result.events.length > 0;
    },
  };
}
