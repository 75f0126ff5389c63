import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { note as box, confirm, intro, isCancel, multiselect, outro, select, text } from "@clack/prompts";
import { pinTools, printable } from "@holdpoint/core";
import { type Command, Option } from "commander";
import { type Choice, recommendedChoice } from "../chosen-policy.ts";
import { exitCodes, Failure } from "../failure.ts";
import { type ListedServer, listServer, nameOf, type ServerAddress } from "../live-server.ts";
import { apartFromRepeated, driftOf, lockName, readLockIfThere } from "../lock-file.ts";
import { type ConfiguredServer, findServers } from "../mcp-configs.ts";
import { readText } from "../policy-file.ts";
import { fileNames, filesFor, type PlannedFile } from "../project-files.ts";
import { reasonFor, type ScannedTool, scanTools } from "../recommended-policy.ts";
import { endWith, note, notePrinted, startProgress, type Terminal, writeJson } from "../terminal.ts";
import { jsonText } from "../visible-text.ts";
import { withServer } from "./lock.ts";
import { toolTable } from "./scan.ts";
import { readTimeout } from "./server-options.ts";

interface Options {
  readonly yes?: boolean;
  readonly dir: string;
  readonly format: "ts" | "yaml" | "json";
  readonly home: boolean;
  readonly timeout: string;
  readonly json?: boolean;
}

export function addInit(program: Command, terminal: Terminal): void {
  program
    .command("init")
    .summary("write policies for the servers that this project is configured with")
    .description(
      "Finds the MCP servers of the usual clients in the project and the home folder, lists their tools, and asks for each tool whether to\n" +
        "allow, limit, approve, deny or hide it. Writes a policy with its types and its test for each server, and holdpoint.lock.\n" +
        "The servers are started to be asked; no tool is called. No file is replaced without a yes.",
    )
    .option("--yes", "take every recommendation, and ask nothing: files that are there stay as they are")
    .option("--dir <folder>", "where policies are written", "policies")
    .addOption(new Option("--format <format>", "how policies are written").choices(["ts", "yaml", "json"]).default("ts"))
    .option("--no-home", "look in the project alone")
    .option("--timeout <seconds>", "how long a server may take", "60")
    .option("--json", "print what was written as JSON; with --yes")
    .action(async (options: Options) => {
      if (!options.yes && !isInteractive(terminal))
        throw new Failure("there is no terminal to ask on: take the recommendations with `--yes`");
      const asking = options.yes ? recommending(terminal) : askingOn(terminal);
      await init(terminal, options, asking);
    });
}

/** Whoever decides: a person, or the recommendation. */
interface Asking {
  begin(found: readonly ConfiguredServer[]): Promise<readonly ConfiguredServer[]>;
  choose(name: string, tools: readonly ScannedTool[], server: ListedServer): Promise<ReadonlyMap<string, Choice>>;
  mayReplace(path: string, why: string): Promise<boolean>;
  end(written: readonly string[]): Promise<void>;
}

async function init(terminal: Terminal, options: Options, asking: Asking): Promise<void> {
  const project = process.cwd();
  const timeoutMs = readTimeout(options.timeout);
  const found = await findServers({ project, home: options.home ? homedir() : undefined, env: process.env, platform: process.platform });
  if (found.length === 0)
    throw new Failure("no MCP server is configured in the project or the home folder: scan one with `holdpoint scan -- command`");
  const chosen = await asking.begin(found);

  const files: PlannedFile[] = [];
  const pinned: Record<string, ListedServer["tools"]> = {};
  const names = fileNames(chosen);
  for (const server of chosen) {
    const found = await listTools(terminal, server, timeoutMs);
    if (!found) continue;
    const { once, repeated } = apartFromRepeated(found.tools);
    for (const { tool, problem } of repeated) await note(terminal, `${server.name}: ${printable(tool)} ${problem}`);
    const listed = { ...found, tools: once };
    const tools = scanTools({ tools: listed.tools, server: server.name }).filter(({ name }) => name !== "" && name !== "*");
    const choices = await asking.choose(server.name, tools, listed);
    const base = join(options.dir, names.get(server) ?? server.name);
    files.push(...filesFor(base, server.name, listed, tools, choices, options.format));
    pinned[server.name] = listed.tools;
  }
  const lock = await readLockIfThere(lockName);
  const drifted = Object.entries(pinned).filter(([name, tools]) => lock && (driftOf(lock, name, tools)?.length ?? 0) > 0);
  if (Object.keys(pinned).length > 0) files.push({ path: lockName, content: `${jsonText(withServer(lock, pinTools(pinned)), 2)}\n` });
  const written = await writeAll(
    terminal,
    files,
    asking,
    drifted.map(([name]) => name),
  );
  if (options.json) await writeJson(terminal, { servers: Object.keys(pinned), written });
  await asking.end(written);
}

/** A server that does not answer is said to be left out, and the others go on. */
async function listTools(terminal: Terminal, server: ConfiguredServer, timeoutMs: number): Promise<ListedServer | undefined> {
  const progress = startProgress(terminal, `asking ${server.name} for its tools`);
  try {
    if (typeof server.address === "string") throw new Failure(server.address);
    return await listServer(server.address, { timeoutMs });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    progress.end();
    endWith(terminal, exitCodes.unreachable);
    await note(terminal, `${server.name} is left out: ${error.message}`);
    await notePrinted(terminal, error.printed);
    return undefined;
  } finally {
    progress.end();
  }
}

/** Every question comes before the first file: whoever stops at one has nothing half-written. */
async function writeAll(
  terminal: Terminal,
  files: readonly PlannedFile[],
  asking: Asking,
  drifted: readonly string[],
): Promise<readonly string[]> {
  const chosen: PlannedFile[] = [];
  const kept = new Set<string>();
  for (const file of files) {
    const { path, content, about } = file;
    if (existsSync(path) && (await readText(path)) === content) continue;
    const isFree = !existsSync(path) || (path === lockName && drifted.length === 0);
    const why = path === lockName ? `the tools of ${drifted.join(", ")} differ from it` : "it is there already";
    if (about !== undefined && kept.has(about))
      await note(terminal, `${path} is not written: it would test another policy than the one that stays`);
    else if (isFree || (await asking.mayReplace(path, why))) chosen.push(file);
    else {
      kept.add(path);
      await note(terminal, `${path} stays as it is: ${why}`);
    }
  }
  for (const { path, content } of chosen) {
    await mkdir(dirname(resolve(path)), { recursive: true });
    await writeFile(path, content);
  }
  return chosen.map(({ path }) => path);
}

function recommending(terminal: Terminal): Asking {
  return {
    begin: async (found) => found,
    choose: async (_name, tools) => recommended(tools),
    mayReplace: async () => false,
    async end(written) {
      for (const path of written) await note(terminal, `wrote ${path}`);
      for (const step of nextSteps(written)) await note(terminal, step);
    },
  };
}

function recommended(tools: readonly ScannedTool[]): ReadonlyMap<string, Choice> {
  return new Map(tools.map(({ name, risk }) => [name, recommendedChoice(risk.category)]));
}

/** What is left to do, with what the written files import and the project does not have. */
function nextSteps(written: readonly string[]): readonly string[] {
  if (written.length === 0) return [];
  const install = (flag: string, names: readonly string[]) => {
    const missing = names.filter((name) => !isInstalled(name));
    return missing.length === 0 ? [] : [`next: npm install ${flag}${missing.join(" ")}`];
  };
  return [
    ...install("", ["@holdpoint/core"]),
    ...install("--save-dev ", ["@holdpoint/testing", "vitest"]),
    "next: run the tests with `npx vitest run`, and give the policies to `createGuard`",
  ];
}

function isInstalled(name: string): boolean {
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    if (existsSync(join(folder, "node_modules", name, "package.json"))) return true;
    if (folder === dirname(folder)) return false;
  }
}

function isInteractive({ stdin, stdout }: Terminal): boolean {
  return (stdin as { isTTY?: boolean }).isTTY === true && stdout.isTTY === true;
}

function askingOn(terminal: Terminal): Asking {
  const common = { input: terminal.stdin as NodeJS.ReadStream, output: terminal.stdout as NodeJS.WriteStream };
  return {
    async begin(found) {
      intro("holdpoint init", common);
      const message = "Which servers get a policy? Each is started, or reached, to be asked for its tools.";
      const options = found.map((server) => ({ value: server, label: printable(server.name), hint: hintFor(server) }));
      return answered(await multiselect({ ...common, message, options, initialValues: [...found], required: true }));
    },
    async choose(name, tools, { server, version }) {
      box(
        toolTable(terminal.stdout, tools),
        `${printable(name)}: ${tools.length} tools${server === undefined ? "" : ` of ${printable(server)} ${printable(version ?? "")}`}`,
        common,
      );
      const way = answered(
        await select({
          ...common,
          message: `What may the agent do with ${printable(name)}?`,
          options: [
            { value: "all", label: "what is recommended", hint: summaryOf(recommended(tools)) },
            { value: "each", label: "let me go through the tools" },
          ],
        }),
      );
      if (way === "all") return recommended(tools);
      const choices = new Map<string, Choice>();
      for (const [index, tool] of tools.entries()) choices.set(tool.name, await chooseFor(tool, `${index + 1}/${tools.length}`));
      return choices;
    },
    mayReplace: async (path, why) => answered(await confirm({ ...common, message: `Replace ${path}? (${why})`, initialValue: false })),
    async end(written) {
      const steps = written.length === 0 ? "nothing was written" : `${written.map((path) => `wrote ${path}`).join("\n")}`;
      box(steps, "done", common);
      outro(nextSteps(written).join("\n   ") || "everything is as it was", common);
    },
  };

  async function chooseFor({ name, risk }: ScannedTool, count: string): Promise<Choice> {
    const preselected = recommendedChoice(risk.category);
    const kind = answered(
      await select({
        ...common,
        message: `${count} ${printable(name)}: ${reasonFor(risk)}`,
        initialValue: preselected.kind,
        options: (Object.keys(meanings) as Choice["kind"][]).map((value) => ({
          value,
          label: value,
          hint: `${meanings[value]}${value === preselected.kind ? ", recommended" : ""}`,
        })),
      }),
    );
    if (kind !== "limit") return { kind };
    const perMinute = preselected.kind === "limit" ? preselected.perMinute : 30;
    const given = answered(
      await text({
        ...common,
        message: "How many calls a minute?",
        initialValue: String(perMinute),
        validate: (value) => (/^[1-9][0-9]{0,8}$/.test(value ?? "") ? undefined : "a whole number, one or more"),
      }),
    );
    return { kind, perMinute: Number(given) };
  }

  function answered<Value>(answer: Value): Exclude<Value, symbol> {
    if (!isCancel(answer)) return answer as Exclude<Value, symbol>;
    throw new Failure("stopped: nothing was written", { exitCode: exitCodes.interrupted });
  }
}

const meanings = {
  allow: "let through",
  limit: "let through, so many times a minute",
  approve: "ask a person each time",
  deny: "refuse, but leave in the list",
  hide: "refuse, and take out of the list",
} as const;

function summaryOf(choices: ReadonlyMap<string, Choice>): string {
  return [...Map.groupBy(choices.values(), ({ kind }) => kind)].map(([kind, of]) => `${kind} ${of.length}`).join(", ");
}

function hintFor({ file, address }: ConfiguredServer): string {
  const place = relative(process.cwd(), file);
  return `${place.startsWith("..") ? file : place}: ${typeof address === "string" ? address : printable(nameOf(address as ServerAddress))}`;
}
