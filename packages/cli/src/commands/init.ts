import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { note as box, cancel, confirm, intro, isCancel, multiselect, outro, select, text } from "@clack/prompts";
import { pinTools, printable } from "@holdpoint/core";
import { type Command, Option } from "commander";
import { type Choice, policyFrom, policyTestFrom, recommendedChoice } from "../chosen-policy.ts";
import { exitCodes, Failure } from "../failure.ts";
import { type ListedServer, listServer, nameOf, type ServerAddress } from "../live-server.ts";
import { driftOf, lockName, readLockIfThere } from "../lock-file.ts";
import { type ConfiguredServer, findServers } from "../mcp-configs.ts";
import { readText } from "../policy-file.ts";
import { reasonFor, type ScannedTool, scanTools } from "../recommended-policy.ts";
import { endWith, note, startProgress, type Terminal, writeJson } from "../terminal.ts";
import { writtenPolicy } from "../written-policy.ts";
import { withServer } from "./lock.ts";
import { toolTable } from "./scan.ts";
import { typesOf } from "./types.ts";

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
  const found = await findServers({ project, home: options.home ? homedir() : undefined, env: process.env, platform: process.platform });
  if (found.length === 0)
    throw new Failure("no MCP server is configured in the project or the home folder: scan one with `holdpoint scan -- command`");
  const chosen = await asking.begin(found);

  const files = new Map<string, string>();
  const pinned: Record<string, ListedServer["tools"]> = {};
  const names = fileNames(chosen);
  for (const server of chosen) {
    const listed = await listTools(terminal, server, Number(options.timeout) * 1000);
    if (!listed) continue;
    const tools = scanTools({ tools: listed.tools, server: server.name }).filter(({ name }) => name !== "" && name !== "*");
    const choices = await asking.choose(server.name, tools, listed);
    for (const [path, content] of filesFor(
      join(options.dir, names.get(server) ?? server.name),
      server.name,
      listed,
      tools,
      choices,
      options.format,
    ))
      files.set(path, content);
    pinned[server.name] = listed.tools;
  }
  const lock = await readLockIfThere(lockName);
  const drifted = Object.entries(pinned).filter(([name, tools]) => lock && (driftOf(lock, name, tools)?.length ?? 0) > 0);
  if (Object.keys(pinned).length > 0) files.set(lockName, `${JSON.stringify(withServer(lock, pinTools(pinned)), null, 2)}\n`);
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
    return undefined;
  } finally {
    progress.end();
  }
}

function* filesFor(
  base: string,
  name: string,
  listed: ListedServer,
  tools: readonly ScannedTool[],
  choices: ReadonlyMap<string, Choice>,
  format: Options["format"],
): Generator<[string, string]> {
  const policy = policyFrom(`What the agent may do with ${printable(name)}`, choices);
  const file = base.split(/[/\\]/).at(-1) ?? name;
  const comments = {
    heading: `The tools of ${printable(listed.server ?? name)}${listed.version === undefined ? "" : ` ${printable(listed.version)}`}, with what each was found to do.`,
    tools: new Map(tools.map((tool) => [tool.name, reasonFor(tool.risk)])),
    ...(format === "ts" && { types: { module: `./${file}.types.ts`, name: "Tools" } }),
  };
  const path = `${base}.${format}`;
  yield [path, writtenPolicy(path, policy, comments)];
  yield [`${base}.types.ts`, typesOf(listed.tools, "Tools", name)];
  yield [`${base}.test.ts`, policyTestFrom(`${file}.${format}`, choices)];
}

async function writeAll(
  terminal: Terminal,
  files: ReadonlyMap<string, string>,
  asking: Asking,
  drifted: readonly string[],
): Promise<readonly string[]> {
  const written: string[] = [];
  for (const [path, content] of files) {
    if (existsSync(path) && (await readText(path)) === content) continue;
    const why = path === lockName && drifted.length > 0 ? `the tools of ${drifted.join(", ")} differ from it` : "it is there already";
    const isNew = !existsSync(path) || (path === lockName && drifted.length === 0);
    if (!isNew && !(await asking.mayReplace(path, why))) {
      await note(terminal, `${path} stays as it is: ${why}`);
      continue;
    }
    await mkdir(dirname(resolve(path)), { recursive: true });
    await writeFile(path, content);
    written.push(path);
  }
  return written;
}

/** A name that is safe as a file's; servers of one name in two files get two. */
function fileNames(servers: readonly ConfiguredServer[]): ReadonlyMap<ConfiguredServer, string> {
  const taken = new Map<string, number>();
  return new Map(
    servers.map((server) => {
      const base =
        server.name
          .toLowerCase()
          .replace(/[^a-z0-9_-]+/g, "-")
          .replace(/^-+|-+$/g, "") || "server";
      const count = (taken.get(base) ?? 0) + 1;
      taken.set(base, count);
      return [server, count === 1 ? base : `${base}-${count}`] as const;
    }),
  );
}

function recommending(terminal: Terminal): Asking {
  return {
    begin: async (found) => found,
    choose: async (_name, tools) => recommended(tools),
    mayReplace: async () => false,
    async end(written) {
      for (const path of written) await note(terminal, `wrote ${path}`);
    },
  };
}

function recommended(tools: readonly ScannedTool[]): ReadonlyMap<string, Choice> {
  return new Map(tools.map(({ name, risk }) => [name, recommendedChoice(risk.category)]));
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
      outro("next: give the policies to `createGuard`, and run their tests", common);
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
    cancel("stopped: nothing was written", common);
    throw new Failure("stopped before the end");
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
