import {
  compilePolicy,
  createGuard,
  decide,
  describeBounds,
  type Evaluated,
  type Json,
  type JsonObject,
  takeSnapshot,
} from "@holdpoint/core";
import { type Command, Option } from "commander";
import { Failure } from "../failure.ts";
import { parseJson } from "../json-file.ts";
import { listSource } from "../live-server.ts";
import { type PolicyFile, type PolicyFormat, policyFormats, readPolicyFile } from "../policy-file.ts";
import { readCall, readTime, type SimulatedCall } from "../simulated-call.ts";
import { createSimulator, type SimulatedVerdict } from "../simulator.ts";
import { type Style, safeLine, styled, type Terminal, writeJson, writeLine } from "../terminal.ts";
import type { ToolList } from "../tools-file.ts";
import { jsonText } from "../visible-text.ts";

interface Options {
  readonly tool: string;
  readonly args: string;
  readonly context: string;
  readonly at?: string;
  readonly against?: string;
  readonly from?: PolicyFormat;
  readonly json?: boolean;
}

export function addExplain(program: Command, terminal: Terminal): void {
  program
    .command("explain")
    .summary("say what becomes of one call, and why")
    .description("Decides one call: the verdict, each condition with the value that it saw, and what would pass. Counters are empty.")
    .argument("<policy>")
    .requiredOption("--tool <name>", "the tool that is called")
    .option("--args <json>", "its arguments", "{}")
    .option("--context <json>", "who calls, and what else the host knows", "{}")
    .option("--at <time>", "when, in ISO 8601; now where left out")
    .option("--against <source>", "a tools file, URL or command: the server whose schemas are judged")
    .addOption(new Option("--from <format>", "read the policy with the meaning of another product").choices(policyFormats))
    .option("--json", "print JSON")
    .action(async (path: string, options: Options) => {
      const file = await readPolicyFile(path, options);
      const call = callFrom(options);
      const listed = options.against === undefined ? undefined : await listSource(options.against, terminal.stdin);
      const verdict = await createSimulator({ policy: file.policy, tools: listed?.tools })(call);
      const rules = await evidence(file, call, listed);
      if (options.json) await writeJson(terminal, { verdict, rules });
      else await print(terminal, call, verdict, rules);
    });
}

function callFrom({ tool, args, context, at }: Options): SimulatedCall {
  const now = at === undefined ? Date.now() : readTime(at);
  if (Number.isNaN(now)) throw new Failure(`--at ${at}: this is no ISO 8601 time, such as \`2026-01-31T09:30:00Z\``);
  const read = readCall(JSON.stringify({ tool, args: parseJson("--args", args), context: parseJson("--context", context) }));
  if ("problem" in read) throw new Failure(`the call cannot be read: ${read.problem}`);
  return { ...read.call, at: now };
}

/** Every rule of the tool as the engine judges it; none where the call is refused before any rule is asked. */
async function evidence({ policy }: PolicyFile, call: SimulatedCall, listed: ToolList | undefined): Promise<readonly Evaluated[]> {
  const snapshot = takeSnapshot(call.args);
  if (!snapshot.ok || typeof snapshot.value !== "object" || snapshot.value === null || Array.isArray(snapshot.value)) return [];
  const guard = createGuard({ policies: {} });
  const session = guard.session(call.context);
  const catalog = listed && guard.catalog(session, "default", async () => listed.tools);
  await catalog?.ready();
  const definition = catalog?.definition(call.tool) ?? ({ state: "not_needed" } as const);
  const asked = { server: "default", tool: call.tool, arguments: snapshot.value as JsonObject, context: session.context };
  return decide(compilePolicy(policy), asked, { now: call.at ?? 0, namespace: "", definition, mode: "enforce" }).evaluated;
}

const outcomeStyles = { allow: "green", hold: "yellow", deny: "red" } as const;

async function print(terminal: Terminal, call: SimulatedCall, verdict: SimulatedVerdict, rules: readonly Evaluated[]): Promise<void> {
  const out = (text: string) => writeLine(terminal.stdout, text);
  const style = (kind: Style, text: string) => styled(terminal.stdout, kind, text);
  await out(
    `${style(outcomeStyles[verdict.outcome], verdict.outcome)} ${style("bold", safeLine(call.tool))}${verdict.rule === "" ? "" : ` by ${safeLine(verdict.rule)}`}`,
  );
  if (verdict.message !== "") await out(safeLine(`  the model is told: ${verdict.message}`));
  if (verdict.detail !== undefined) await out(safeLine(`  ${verdict.detail}`));
  if (verdict.wouldPass) await out(safeLine(`  ${describeBounds(verdict.wouldPass)}`));
  for (const { rule, section, truth, conditions } of rules) {
    await out(`\n${stops(section, truth) ? style("red", "✗") : style("green", "✓")} ${safeLine(rule)} is ${truth}`);
    for (const condition of conditions) await printCondition(out, condition, 1);
  }
}

function stops(section: Evaluated["section"], truth: Evaluated["truth"]): boolean {
  return section === "require" ? truth !== true : truth !== false;
}

async function printCondition(
  out: (text: string) => Promise<void>,
  { text, truth, compared, parts }: Evaluated["conditions"][number],
  depth: number,
): Promise<void> {
  const saw = compared ? `, saw ${compared.saw === undefined ? "nothing" : shown(compared.saw)}` : "";
  await out(`${"  ".repeat(depth)}${safeLine(text)} is ${truth}${saw}`);
  for (const part of parts) await printCondition(out, part, depth + 1);
}

function shown(value: Json): string {
  const text = jsonText(value);
  return text.length <= 200 ? text : `${text.slice(0, 200)}… (${text.length - 200} more)`;
}
