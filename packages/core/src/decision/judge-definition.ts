import type { JsonObject } from "../arguments/json-snapshot.ts";
import { isSecret, publicPointer } from "../arguments/redact.ts";
import { describeProblems, generalProblem, type SchemaProblem } from "../arguments/schema-problem.ts";
import type { Path } from "../conditions/path.ts";
import type { CompiledTool } from "../policy/compile-policy.ts";
import type { Call, DecisionFacts } from "./decide.ts";
import { notAvailable, type Refusing } from "./refusal.ts";

/**
 * What the server says of the tool, as far as the call needs it: a definition that is unknown, changed or of no use denies, and so do arguments that its
 * `inputSchema` does not accept. `failed open` where the host chose that a schema of no use is not asked.
 */
export function judgeDefinition(tools: readonly CompiledTool[], call: Call, facts: DecisionFacts): Refusing | "failed open" | undefined {
  const { definition } = facts;
  if (definition.state === "known") {
    if (tools.every((tool) => tool.ignoresInputSchema) || definition.judge === undefined) return undefined;
    if (typeof definition.judge === "string") {
      if (facts.failOpen?.inputSchema) return "failed open";
      return definitionRefusal("unusable", call.tool, `the server's \`inputSchema\` cannot be used: ${definition.judge}`);
    }
    const problems = definition.judge(call.arguments);
    return problems.length > 0 ? badArguments("(inputSchema)", problems, tools, call) : undefined;
  }
  if (definition.state === "not_needed" && !tools.some((tool) => tool.readsClaims)) return undefined;
  const state = definition.state === "not_needed" ? "unknown" : definition.state;
  const problem =
    "problem" in definition ? definition.problem : "a rule reads what the server says of the tool, and no definition is known";
  return definitionRefusal(state, call.tool, problem);
}

function definitionRefusal(state: "unknown" | "unusable" | "changed" | "unpinned", tool: string, detail: string): Refusing {
  return { rule: `(definition ${state})`, code: `definition_${state}`, message: notAvailable(tool), detail };
}

/** Arguments that a schema does not accept, told without the values of secret fields. */
export function badArguments(rule: string, problems: readonly SchemaProblem[], tools: readonly CompiledTool[], call: Call): Refusing {
  const secret = tools.flatMap((tool) => tool.secret);
  const text = describeProblems(secret.length > 0 ? problems.map((problem) => withoutSecret(problem, call.arguments, secret)) : problems);
  return { rule, code: "arguments_invalid", message: text, detail: text };
}

function withoutSecret({ pointer, message, isForeign }: SchemaProblem, args: JsonObject, secret: readonly Path[]): SchemaProblem {
  return {
    pointer: publicPointer(pointer, args, secret),
    message: isForeign && isSecret(pointer, args, secret) ? generalProblem : message,
  };
}
