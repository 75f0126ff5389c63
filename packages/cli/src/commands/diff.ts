import { type Command, Option } from "commander";
import type { Widening } from "../analysis/change.ts";
import { type Comparison, comparePolicies } from "../analysis/compare-policies.ts";
import { effectivePolicy } from "../analysis/effective-rules.ts";
import { anyOtherTool } from "../analysis/scene.ts";
import type { Witness } from "../analysis/witness.ts";
import { exitCodes } from "../failure.ts";
import { listSource } from "../live-server.ts";
import { type PolicyFormat, policyFormats, readPolicyFile } from "../policy-file.ts";
import type { SimulatedVerdict } from "../simulator.ts";
import { endWith, safeLine, startProgress, styled, type Terminal, writeJson, writeLine } from "../terminal.ts";
import { jsonText } from "../visible-text.ts";

interface Options {
  readonly against?: string;
  readonly from?: PolicyFormat;
  readonly widening: boolean;
  readonly json?: boolean;
}

export function addDiff(program: Command, terminal: Terminal): void {
  program
    .command("diff")
    .summary("say what a new policy admits that the old one did not, and the reverse")
    .description(
      "Compares what two policies let through. Each way round has one of three answers: widened, with a call that both engines decided;\n" +
        "not, which holds for every call; or cannot tell.",
    )
    .argument("<old>")
    .argument("<new>")
    .option("--no-widening", "exit 1 unless it is certain that the new policy admits nothing more")
    .option("--against <source>", "a tools file, URL or command: the calls that are shown then satisfy its schemas")
    .addOption(new Option("--from <format>", "read the old policy with the meaning of another product").choices(policyFormats))
    .option("--json", "print JSON")
    .action(async (oldPath: string, newPath: string, options: Options) => {
      const before = effectivePolicy((await readPolicyFile(oldPath, options)).policy);
      const after = effectivePolicy((await readPolicyFile(newPath)).policy);
      const tools = options.against === undefined ? undefined : (await listSource(options.against, terminal.stdin)).tools;
      const progress = startProgress(terminal, "going through the calls that the two policies treat differently");
      const widened = await comparePolicies(before, after, tools);
      const narrowed = await comparePolicies(after, before, tools);
      progress.end();
      if (!options.widening && widened.answer !== "not") endWith(terminal, exitCodes.findings);
      if (options.json) {
        const toJson = (comparison: Comparison) => ({ ...comparison, findings: comparison.findings.map(findingJson) });
        await writeJson(terminal, { widened: toJson(widened), narrowed: toJson(narrowed) });
        return;
      }
      await print(terminal, "the new policy admits what the old one did not", widened);
      await print(terminal, "the old policy admitted what the new one does not", narrowed);
    });
}

/** The two policies are named by their order: for what was narrowed, `before` is the new one. */
function findingJson({ witness, ...finding }: Widening) {
  return { ...finding, ...(witness && { witness: { ...witness, call: callOf(witness) } }) };
}

function callOf({ call }: Witness) {
  const { at, tool, args, context, result } = call;
  return { at: new Date(at ?? 0).toISOString(), tool, args, context, result };
}

const answers = { widened: "yes", not: "no", "cannot tell": "cannot tell" } as const;
const styles = { widened: "red", not: "green", "cannot tell": "yellow" } as const;

async function print(terminal: Terminal, question: string, { answer, findings }: Comparison): Promise<void> {
  const out = (text: string) => writeLine(terminal.stdout, text);
  await out(`${styled(terminal.stdout, "bold", question)}: ${styled(terminal.stdout, styles[answer], answers[answer])}`);
  for (const { tool, cause, witness, reason } of findings) {
    const name = tool === anyOtherTool ? "every tool that neither policy names" : tool;
    if (!witness) {
      await out(safeLine(`  ${name}, ${cause}: cannot tell: ${reason}`));
      continue;
    }
    await out(safeLine(`  ${name}, ${cause}: ${verdictText(witness.before)} → ${verdictText(witness.after)}`));
    await out(`    ${jsonText(callOf(witness))}${witness.times > 1 ? `, made ${witness.times} times` : ""}`);
  }
}

function verdictText({ outcome, rule }: SimulatedVerdict): string {
  return rule === "" ? outcome : `${outcome} by ${rule}`;
}
