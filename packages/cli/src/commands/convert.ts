import { type Command, Option } from "commander";
import { exitCodes } from "../failure.ts";
import { writeNewFile } from "../file-output.ts";
import { documentOf, type PolicyFormat, policyFormats, readPolicyFile } from "../policy-file.ts";
import { endWith, issueLine, note, type Terminal, writeJson } from "../terminal.ts";
import { writtenPolicy } from "../written-policy.ts";

interface Options {
  readonly from?: PolicyFormat;
  readonly output?: string;
  readonly to: "json" | "yaml" | "ts";
  readonly force?: boolean;
  readonly json?: boolean;
}

export function addConvert(program: Command, terminal: Terminal): void {
  program
    .command("convert")
    .summary("write a policy of another product or form as Holdpoint's")
    .description("Reads a policy and writes it as Holdpoint's; what was read more strictly than it may have been meant is said on stderr.")
    .argument("<policy>")
    .addOption(new Option("--from <format>", "whose meaning the policy is read with").choices(policyFormats))
    .addOption(new Option("--to <form>", "what is printed where no file is named").choices(["json", "yaml", "ts"]).default("json"))
    .option("-o, --output <file>", "write to a file: .json, .yaml or .ts")
    .option("--force", "replace the file where it is there already")
    .option("--json", "print the policy and the notes as JSON")
    .action(async (path: string, options: Options) => {
      const file = await readPolicyFile(path, options);
      const policy = documentOf(file);
      for (const remark of file.notes) await note(terminal, `note:${issueLine(remark)}`);
      if (options.json) return writeJson(terminal, { format: file.format, policy, notes: file.notes });
      const comments = { heading: `Converted from ${path}.`, tools: new Map<string, string>() };
      const text = writtenPolicy(options.output ?? `policy.${options.to}`, policy, comments);
      if (options.output === undefined) terminal.stdout.write(text);
      else await writeNewFile(terminal, options.output, text, options);
      endWith(terminal, exitCodes.ok);
    });
}
