import type { MergedPolicy, PolicyDocument, PolicyIssue, ToolDefinition } from "@holdpoint/core";
import { compilePolicy, PolicyError, printable } from "@holdpoint/core";
import { type Command, Option } from "commander";
import { type DeadRule, findDeadRules } from "../analysis/dead-rules.ts";
import { effectivePolicy } from "../analysis/effective-rules.ts";
import { exitCodes, Failure, type Issue } from "../failure.ts";
import { listSource } from "../live-server.ts";
import { type Drift, driftOf, lockName, readLock, readLockIfThere } from "../lock-file.ts";
import { type PolicyFile, type PolicyFormat, policyFormats, readPolicyFile } from "../policy-file.ts";
import { endWith, issueLine, safeLine, startProgress, styled, type Terminal, writeJson, writeLine } from "../terminal.ts";

interface Options {
  readonly against?: string;
  readonly server?: string;
  readonly lock?: string;
  readonly from?: PolicyFormat;
  readonly json?: boolean;
}

export function addCheck(program: Command, terminal: Terminal): void {
  program
    .command("check")
    .summary("find what is wrong with a policy")
    .description(
      "Loads a policy strictly and looks for rules that never make a difference; with --against, holds it against the tools of its server.",
    )
    .argument("<policy>")
    .option("--against <source>", "the server: a tools file, a URL, or a command in quotes")
    .option("--server <name>", "the server's name in the lock, where that holds several")
    .option("--lock <file>", `the lock to compare with (default: ${lockName}, where there is one)`)
    .addOption(new Option("--from <format>", "read the policy with the meaning of another product").choices(policyFormats))
    .option("--json", "print JSON")
    .action(async (path: string, options: Options) => {
      const found = await check(path, options, terminal);
      if (isFinding(found)) endWith(terminal, exitCodes.findings);
      if (options.json) await writeJson(terminal, { ok: !isFinding(found), ...found });
      else await print(terminal, path, found);
    });
}

/** All that a check found, in the order of its severity. */
interface Found {
  /** What keeps the policy from loading, and what the tools of the server rule out. */
  readonly issues: readonly Issue[];
  /** What an import read more strictly than it may have been meant. */
  readonly notes: PolicyFile["notes"];
  readonly deadRules: readonly DeadRule[];
  /** Rules of which the analysis cannot tell. */
  readonly cannotTell: readonly DeadRule[];
  /** Tools of the server that no rule names, and what becomes of calls to them. */
  readonly unnamed: readonly string[];
  readonly unnamedAre: "allow" | "deny";
  readonly drift: readonly Drift[];
}

/** A tool that no rule names is denied under `default: "deny"`, which is what most policies mean; under `allow` it is let through unlooked at. */
function isFinding({ issues, deadRules, unnamed, unnamedAre, drift }: Found): boolean {
  return issues.length + deadRules.length + drift.length > 0 || (unnamed.length > 0 && unnamedAre === "allow");
}

async function check(path: string, options: Options, terminal: Terminal): Promise<Found> {
  const nothing: Found = { issues: [], notes: [], deadRules: [], cannotTell: [], unnamed: [], unnamedAre: "deny", drift: [] };
  const file = await readPolicyFile(path, options).catch((error: unknown) => {
    if (error instanceof Failure && error.issues.length > 0) return error;
    throw error;
  });
  if (file instanceof Failure) return { ...nothing, issues: file.issues };

  const progress = startProgress(terminal, "looking for rules that never make a difference");
  try {
    const listed = options.against === undefined ? undefined : await listSource(options.against, terminal.stdin);
    const dead = await findDeadRules(effectivePolicy(file.policy), listed?.tools);
    return {
      issues: listed ? issuesAgainst(file.policy, listed.tools) : [],
      notes: file.notes,
      deadRules: dead.filter(({ state }) => state !== "cannot tell"),
      cannotTell: dead.filter(({ state }) => state === "cannot tell"),
      unnamed: listed ? unnamedTools(file.policy, listed.tools) : [],
      unnamedAre: layersOf(file.policy).some((layer) => layer.default === "deny") ? "deny" : "allow",
      drift: listed ? await driftFrom(listed.tools, listed.server, options) : [],
    };
  } finally {
    progress.end();
  }
}

function layersOf(policy: PolicyDocument | MergedPolicy): readonly PolicyDocument[] {
  return "layers" in policy ? policy.layers : [policy];
}

function issuesAgainst(policy: PolicyDocument | MergedPolicy, tools: readonly ToolDefinition[]): readonly PolicyIssue[] {
  try {
    compilePolicy(policy, { tools });
    return [];
  } catch (error) {
    if (PolicyError.is(error)) return error.issues;
    throw error;
  }
}

function unnamedTools(policy: PolicyDocument | MergedPolicy, tools: readonly ToolDefinition[]): readonly string[] {
  const layers = layersOf(policy);
  const names = new Set(
    layers.flatMap(({ tools: rules = {}, hide = [] }) => [
      ...Object.keys(rules),
      ...(hide === "*" ? [] : hide.map((entry) => (typeof entry === "string" ? entry : entry.name))),
    ]),
  );
  return layers.some(({ hide }) => hide === "*") ? [] : tools.map(({ name }) => name).filter((name) => !names.has(name));
}

async function driftFrom(tools: readonly ToolDefinition[], listedName: string | undefined, options: Options): Promise<readonly Drift[]> {
  const lock = options.lock === undefined ? await readLockIfThere(lockName) : await readLock(options.lock);
  if (!lock) return [];
  const [only, ...others] = lock.servers;
  const names = [options.server, ...(others.length === 0 ? [only?.server] : []), listedName].filter((name) => name !== undefined);
  const server = options.server ?? names.find((name) => lock.servers.some((each) => each.server === name));
  const drift = server === undefined ? undefined : driftOf(lock, server, tools);
  if (drift) return drift;
  if (options.server === undefined && options.lock === undefined) return [];
  throw new Failure(
    `the lock names ${lock.servers.map((each) => `\`${each.server}\``).join(", ") || "no server"}: say with \`--server\` which one this is`,
  );
}

const meanings = {
  shadowed: "never makes a difference",
  contradictory: "can never be true, and acts only where a value is missing or cannot be compared",
  blocking: "can be met by no call, so that the tool is always denied",
} as const;

async function print(terminal: Terminal, path: string, found: Found): Promise<void> {
  const out = (text: string) => writeLine(terminal.stdout, text);
  const heading = (text: string) => out(styled(terminal.stdout, "bold", text));
  const section = async (title: string, lines: readonly string[]) => {
    if (lines.length === 0) return;
    await heading(title);
    for (const line of lines) await out(safeLine(line));
  };
  await section("what does not fit", found.issues.map(issueLine));
  await section("rules without effect", found.deadRules.map(deadLine));
  await section(
    `tools of the server that no rule names: ${found.unnamedAre === "deny" ? "denied" : "let through"}`,
    found.unnamed.map((name) => `  ${printable(name)}`),
  );
  await section(
    "differs from the lock",
    found.drift.map(({ tool, problem }) => `  ${printable(tool)} ${problem}`),
  );
  await section("read more strictly than it may have been meant", found.notes.map(issueLine));
  await section(
    "cannot tell whether these rules have an effect",
    found.cannotTell.map(({ tool, rule, reason }) => `  ${placed(rule, tool)}: ${reason}`),
  );
  const verdict = isFinding(found)
    ? styled(terminal.stdout, "red", "✗ look at the above")
    : styled(terminal.stdout, "green", "✓ nothing wrong found");
  await out(`${verdict}: ${safeLine(path)}`);
}

function deadLine({ tool, rule, state, by }: DeadRule): string {
  const reason = by.length === 0 ? "" : `: whatever it stops is stopped by ${by.join(" and ")}`;
  return `  ${placed(rule, tool)} ${meanings[state as keyof typeof meanings]}${reason}`;
}

function placed(rule: string, tool: string): string {
  return tool === "*" || rule.includes("/tools/") ? rule : `${rule} (for ${tool})`;
}
