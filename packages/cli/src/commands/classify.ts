import type { Command } from "commander";
import { scanTools } from "../recommended-policy.ts";
import { note, type Terminal, writeLine } from "../terminal.ts";
import { readToolsFile } from "../tools-file.ts";
import { jsonText } from "../visible-text.ts";

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
      for (const { name, risk } of scanTools({ tools, server: options.server ?? server })) {
        if (name === "") await note(terminal, "an entry of the list has no name, so that no policy can name it");
        const { category, level, score, signals, evidence } = risk;
        await writeLine(terminal.stdout, jsonText({ tool: name, category, level, score, signals, evidence }));
      }
    });
}
