// `decide` against hand-written closures, by the number of tools and of rules on a tool.
// Goal: within 3 × of hand-written for policies without regular expressions, flat in the number of tools.

import { type Call, compilePolicy, type DecisionFacts, decide, type PolicyDocument } from "@holdpoint/core";
import { RE2JS } from "re2js";
import { bench, measure, report } from "./measure.ts";

const facts: DecisionFacts = { now: 0, namespace: "", definition: { state: "not_needed" }, mode: "enforce" };
const call: Call = {
  server: "s",
  tool: "t0",
  arguments: { amount: 5, currency: "usd", note: "thanks for the lunch" },
  context: { grant: "default" },
};

function policyOf(tools: number, rules: number): PolicyDocument {
  const deny_if = Array.from({ length: rules }, (_, index) => ({
    conditions: [{ path: "args.amount", op: "gt" as const, value: 500 + index }],
  }));
  const require = [{ path: "args.currency", op: "in" as const, value: ["usd", "eur", "gbp"] }];
  return {
    version: "1",
    default: "deny",
    tools: Object.fromEntries(Array.from({ length: tools }, (_, index) => [`t${index}`, { require, deny_if }])),
  };
}

/** What a careful person would write by hand for the same policy: own properties, types checked, a result that says which rule. */
function byHand(tools: number, rules: number): (call: Call) => { outcome: string; rule?: string } {
  const currencies = new Set(["usd", "eur", "gbp"]);
  const bounds = Array.from({ length: rules }, (_, index) => 500 + index);
  const check = ({ arguments: args }: Call) => {
    const currency = Object.hasOwn(args, "currency") ? args.currency : undefined;
    if (typeof currency !== "string" || !currencies.has(currency)) return { outcome: "deny", rule: "currency" };
    for (const bound of bounds) {
      const amount = Object.hasOwn(args, "amount") ? args.amount : undefined;
      if (typeof amount !== "number" || amount > bound) return { outcome: "deny", rule: "amount" };
    }
    return { outcome: "allow" };
  };
  const checks = new Map(Array.from({ length: tools }, (_, index) => [`t${index}`, check]));
  return (given) => checks.get(given.tool)?.(given) ?? { outcome: "deny", rule: "default" };
}

await bench("decide by tools and rules", async () => {
  for (const rules of [1, 10, 100]) {
    const candidates = [1, 50, 1000].flatMap((tools) => {
      const policy = compilePolicy(policyOf(tools, rules));
      const check = byHand(tools, rules);
      return [
        { name: `by hand, ${tools} tools`, run: () => check(call) },
        { name: `decide, ${tools} tools`, run: () => decide(policy, call, facts) },
      ];
    });
    report(`${rules} rules on a tool`, await measure(candidates), "by hand, 1 tools");
  }
});

await bench("decide with a regular expression, beside the engine alone", async () => {
  const source = "^[a-z ]{1,200}$";
  const engine = RE2JS.compile(source);
  const policy = compilePolicy({
    version: "1",
    default: "deny",
    tools: { t0: { require: [{ path: "args.note", op: "regex", value: source }] } },
  });
  const note = String(call.arguments.note);
  report(
    "one regular expression",
    await measure([
      { name: "re2js alone", run: () => engine.matcher(note).find() },
      { name: "decide", run: () => decide(policy, call, facts) },
    ]),
    "re2js alone",
  );
});
