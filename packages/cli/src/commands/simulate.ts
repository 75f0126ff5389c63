import { createReadStream } from "node:fs";
import { type Command, Option } from "commander";
import { callLines } from "../call-lines.ts";
import { exitCodes, Failure, reasonOf } from "../failure.ts";
import { readLines } from "../ndjson.ts";
import { type PolicyFile, type PolicyFormat, policyFormats, readPolicyFile } from "../policy-file.ts";
import type { SimulatedCall } from "../simulated-call.ts";
import { createSimulator, type SimulatedVerdict, type SimulatorOptions } from "../simulator.ts";
import { endWith, note, type Terminal, writeLine } from "../terminal.ts";
import { readNamedTools } from "../tools-file.ts";
import { jsonText } from "../visible-text.ts";

interface Options {
  readonly policy?: readonly string[];
  readonly tools?: string;
  readonly diff?: string;
  readonly from?: PolicyFormat;
}

export function addSimulate(program: Command, terminal: Terminal): void {
  program
    .command("simulate")
    .summary("replay calls against a policy")
    .description(
      "Replays calls against a policy: one JSON object a line in, one verdict a line out, in memory and on the clock of the calls.\n" +
        'A call is { "at"?, "server"?, "tool", "args", "context"?, "result"?, "code"? }; `result` is how the server answered: ok, tool_error, protocol_error (with the `code` of its error), unknown or unsent.',
    )
    .argument("[policy]", "the policy of every server; left out where --policy names one for each")
    .argument("[calls]", "a file with one call a line, an audit file, or `-` for stdin", "-")
    .option("--policy <server=file>", "the policy of one server; may be given several times", (pair, former: string[] = []) => [
      ...former,
      pair,
    ])
    .option("--tools <file>", "what the server lists: schemas are judged, and tools that it lacks denied")
    .option("--diff <policy>", "print only the calls whose verdict differs under this policy, with both; exits 1 where there is one")
    .addOption(new Option("--from <format>", "read the policy with the meaning of another product").choices(policyFormats))
    .option("--json", "the output is JSON lines in any case")
    .action(async (first: string | undefined, second: string, options: Options) => {
      const [policy, calls] = options.policy ? [undefined, first ?? second] : [first, second];
      const tools = options.tools === undefined ? undefined : (await readNamedTools(options.tools, terminal.stdin)).tools;
      const policies = await readPolicies(policy, options);
      const other = options.diff === undefined ? undefined : (await readPolicyFile(options.diff, options)).policy;
      await replay(terminal, linesOf(calls, terminal), {
        simulate: createSimulator({ policy: policies, tools }),
        other: other && createSimulator({ policy: other, tools }),
      });
    });
}

async function readPolicies(path: string | undefined, { policy: named, from }: Options): Promise<SimulatorOptions["policy"]> {
  if (!named) {
    if (path === undefined) throw new Failure("no policy is given: name its file, or one for each server with `--policy server=file`");
    return (await readPolicyFile(path, { from })).policy;
  }
  const policies = new Map<string, PolicyFile["policy"]>();
  for (const pair of named) {
    const at = pair.indexOf("=");
    if (at < 1) throw new Failure(`--policy ${pair}: give the server and its file: \`--policy stripe=stripe.json\``);
    policies.set(pair.slice(0, at), (await readPolicyFile(pair.slice(at + 1), { from })).policy);
  }
  return policies;
}

function linesOf(path: string, terminal: Terminal): AsyncIterable<string> {
  return readLines(path === "-" ? terminal.stdin : createReadStream(path));
}

interface Simulators {
  readonly simulate: (call: SimulatedCall) => Promise<SimulatedVerdict>;
  readonly other: ((call: SimulatedCall) => Promise<SimulatedVerdict>) | undefined;
}

async function replay(terminal: Terminal, lines: AsyncIterable<string>, { simulate, other }: Simulators): Promise<void> {
  const strange = new Set<string>();
  let leftOut = 0;
  try {
    for await (const { number, read } of callLines(lines)) {
      if ("leftOut" in read) {
        leftOut += 1;
        await note(terminal, `line ${number}: the call is left out: ${read.leftOut}`);
        continue;
      }
      if ("problem" in read) {
        endWith(terminal, exitCodes.unusable);
        await note(terminal, `line ${number}: ${read.problem}`);
        if (!other) await writeLine(terminal.stdout, jsonText(malformed(number, read.problem)));
        continue;
      }
      for (const key of read.ignored.filter((each) => !strange.has(each))) {
        strange.add(key);
        await note(terminal, `line ${number}: the key \`${key}\` is not read`);
      }
      const verdict = await simulate(read.call);
      if (!other) await writeLine(terminal.stdout, jsonText(verdict));
      else await compare(terminal, number, read.call, verdict, await other(read.call));
    }
  } catch (error) {
    throw isMissing(error) ? new Failure(`the calls cannot be read: ${reasonOf(error)}`) : error;
  }
  if (leftOut > 0) {
    endWith(terminal, exitCodes.unusable);
    await note(
      terminal,
      `${leftOut} calls are left out, and the counters lack them: have their arguments recorded with \`audit: { record: [ … ] }\``,
    );
  }
}

/** Where the line cannot be read, what stood in it is not known to be harmless. */
function malformed(number: number, problem: string) {
  return {
    outcome: "deny",
    rule: "(malformed)",
    code: "malformed",
    message: "This call cannot be read.",
    detail: `line ${number}: ${problem}`,
  };
}

async function compare(
  terminal: Terminal,
  line: number,
  call: SimulatedCall,
  policy: SimulatedVerdict,
  other: SimulatedVerdict,
): Promise<void> {
  if (policy.outcome === other.outcome) return;
  endWith(terminal, exitCodes.findings);
  const { at, ...rest } = call;
  const shown = { ...(at !== undefined && { at: new Date(at).toISOString() }), ...rest };
  await writeLine(terminal.stdout, jsonText({ line, call: shown, policy, other }));
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}
