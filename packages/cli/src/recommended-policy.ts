import { type PolicyDocument, printable, type ToolDefinition } from "@holdpoint/core";
import { type ClassifiableTool, type Classification, classify, recommendPolicy } from "@holdpoint/core/risk";
import type { ToolList } from "./tools-file.ts";
import type { PolicyComments } from "./written-policy.ts";

/** One tool of a server, and what it was found to do. */
export interface ScannedTool {
  readonly tool: ToolDefinition;
  readonly name: string;
  readonly risk: Classification;
}

export function scanTools({ tools, server }: ToolList): readonly ScannedTool[] {
  const siblings = tools.map(nameOf);
  return tools.map((tool) => {
    const name = nameOf(tool);
    return { tool, name, risk: classify({ ...(tool as ClassifiableTool), name }, { server, siblings }) };
  });
}

/** The recommended policy, with the reason for each rule beside it. */
export function recommendationFor(list: ToolList): { readonly policy: PolicyDocument; readonly comments: PolicyComments } {
  const scanned = scanTools(list);
  const title =
    list.server === undefined ? "What the agent may do with this server" : `What the agent may do with ${printable(list.server)}`;
  return {
    policy: recommendPolicy(list.tools as readonly ClassifiableTool[], { server: list.server }),
    comments: {
      heading: `${title}: a start, as recommended by what each tool does.\nTools that are not listed are denied. Read it, and change it to what is meant.`,
      tools: new Map(scanned.map(({ name, risk }) => [name, reasonFor(risk)])),
    },
  };
}

/** Why a tool got its rule, on one line: no text of the server may end a comment. */
export function reasonFor({ category, level, signals, evidence }: Classification): string {
  const because = evidence.filter(({ says }) => says === category).map((each) => each.because);
  const reasons = [because[0], ...signals.map(({ signal }) => signal)].filter((reason) => reason !== undefined);
  return printable(`${category} (${level}): ${reasons.join("; ") || "by its name"}`, 240);
}

function nameOf(tool: unknown): string {
  const name = typeof tool === "object" && tool !== null ? (tool as { readonly name?: unknown }).name : undefined;
  return typeof name === "string" ? name : "";
}
