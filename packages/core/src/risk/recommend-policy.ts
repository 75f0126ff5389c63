import type { PolicyDocument, ToolRules } from "../policy/policy-schema.ts";
import { type Category, graver } from "./category.ts";
import { type ClassifiableTool, classify } from "./classify.ts";

export interface RecommendOptions {
  /** Whether somebody can approve calls; without it what moves money is refused. Default true. */
  readonly approvals?: boolean | undefined;
  /** Becomes the document's own description. */
  readonly description?: string | undefined;
  /** The server's name, which settles what a tool leaves open. */
  readonly server?: string | undefined;
}

/**
 * A policy to start from, by category as the catalogue publishes it: reads pass, writes at 30 and executions at 10 a minute per grant, what moves money waits for a
 * person, what destroys is hidden, and all else is denied. A name that is listed twice gets the graver of its rules.
 */
export function recommendPolicy(tools: readonly ClassifiableTool[], options: RecommendOptions = {}): PolicyDocument {
  const siblings = tools.map(({ name }) => name);
  const categories = new Map<string, Category>();
  for (const tool of tools) {
    // `*` is no tool's name in a policy; such a tool stays unlisted, so denied.
    if (typeof tool.name !== "string" || tool.name === "" || tool.name === "*") continue;
    const { category } = classify(tool, { server: options.server, siblings });
    const known = categories.get(tool.name);
    categories.set(tool.name, known === undefined ? category : moreRestricted(known, category));
  }
  const hidden = [...categories].filter(([, category]) => category === "destructive").map(([name]) => name);
  const listed = [...categories].filter(([, category]) => category !== "destructive");
  return {
    version: "1",
    ...(options.description === undefined ? {} : { description: options.description }),
    default: "deny",
    ...(hidden.length > 0 ? { hide: hidden } : {}),
    ...(listed.length > 0 || hidden.length === 0
      ? { tools: Object.fromEntries(listed.map(([name, category]) => [name, rulesFor(name, category, options.approvals ?? true)])) }
      : {}),
  };
}

/** Hidden is stricter than held: of two critical categories the destructive one stands. */
function moreRestricted(one: Category, other: Category): Category {
  return one === "destructive" || other === "destructive" ? "destructive" : graver(one, other);
}

function rulesFor(name: string, category: Category, approvals: boolean): ToolRules {
  switch (category) {
    case "read":
      return {};
    case "write":
      return perMinute(name, 30);
    case "execute":
      return perMinute(name, 10);
    case "financial":
      return approvals
        ? { require_approval: [{ conditions: [], reason: "Moves money or incurs charges." }] }
        : { deny_if: [{ conditions: [], on_deny: "Requires human approval." }] };
    case "destructive":
      throw new Error(`\`${name}\` is hidden, so it has no rules`);
  }
}

function perMinute(name: string, max: number): ToolRules {
  return { limits: [{ counter: `${name}_rate`, window: "minute", max, scope: "grant" }] };
}
