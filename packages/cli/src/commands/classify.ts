import type { ToolDefinition } from "@holdpoint/core";
import { type ClassifiableTool, classify } from "@holdpoint/core/risk";
import type { Command } from "commander";
import { note, type Terminal, writeLine } from "../terminal.ts";
import { readToolsFile } from "../tools-file.ts";

export function addClassify(program: Command, terminal: Terminal): void {
  program
    .command("classify")
    .summary("say what each tool does, and how grave that is")
    .description("Classifies the tools of a `tools/list` result, or of an array: one JSON line for each tool, in their order.")
    .argument("[tools]", "a file, or `-` for stdin", "-")
    .option("--server <name>", "the server's name, which settles what a tool leaves open")
    .option("--json", "the output is JSON lines in any case")
    .action(async (path: string, options: { readonly server?: string }) => {
      const { tools, server } = await readToolsFile(path, terminal.stdin);
      for (const line of classifyAll(tools, options.server ?? server)) {
        if (line.tool === "") await note(terminal, "an entry of the list has no name, so that no policy can name it");
        await writeLine(terminal.stdout, JSON.stringify(line));
      }
    });
}

/** Each tool with what it does, in the order of the list. */
export function classifyAll(tools: readonly ToolDefinition[], server: string | undefined) {
  const siblings = tools.map((tool) => nameOf(tool));
  return tools.map((tool) => {
    const name = nameOf(tool);
    const { category, level, score, signals, evidence } = classify({ ...(tool as ClassifiableTool), name }, { server, siblings });
    return { tool: name, category, level, score, signals, evidence };
  });
}

function nameOf(tool: unknown): string {
  const name = typeof tool === "object" && tool !== null ? (tool as { readonly name?: unknown }).name : undefined;
  return typeof name === "string" ? name : "";
}
