import { existsSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "./failure.ts";
import { parseJsonc } from "./json-file.ts";
import type { ServerAddress } from "./live-server.ts";
import { readText } from "./policy-file.ts";

/** One server of a client's configuration. */
export interface ConfiguredServer {
  /** As the client names it. */
  readonly name: string;
  /** The file that configures it. */
  readonly file: string;
  /** How it is reached; text where the configuration does not say so, or needs what is not here. */
  readonly address: ServerAddress | string;
}

export interface Surroundings {
  readonly project: string;
  /** Absent where the home folder is not to be looked at. */
  readonly home?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
}

/**
 * Finds the MCP servers that the usual clients are configured with, in the project and then in the home folder: Claude Code, Claude Desktop, VS Code,
 * Cursor, Windsurf, Gemini CLI. A server that is configured alike in several files is found once.
 *
 * @throws {Failure} for a configuration that cannot be read: it may hold the server that was meant.
 */
export async function findServers(around: Surroundings): Promise<readonly ConfiguredServer[]> {
  const found: ConfiguredServer[] = [];
  const seen = new Set<string>();
  for (const file of configFiles(around)) {
    if (!existsSync(file)) continue;
    for (const server of serversIn(file, parseJsonc(file, await readText(file)), around)) {
      const key = JSON.stringify([server.name, server.address]);
      if (!seen.has(key)) found.push(server);
      seen.add(key);
    }
  }
  return found;
}

function configFiles({ project, home, env, platform }: Surroundings): readonly string[] {
  const inProject = [".mcp.json", ".vscode/mcp.json", ".cursor/mcp.json", ".gemini/settings.json"].map((name) => join(project, name));
  if (home === undefined) return inProject;
  const settings =
    platform === "darwin"
      ? join(home, "Library/Application Support")
      : platform === "win32"
        ? (env["APPDATA"] ?? join(home, "AppData/Roaming"))
        : (env["XDG_CONFIG_HOME"] ?? join(home, ".config"));
  const inHome = [".claude.json", ".cursor/mcp.json", ".codeium/windsurf/mcp_config.json", ".gemini/settings.json"].map((name) =>
    join(home, name),
  );
  return [...inProject, ...inHome, join(settings, "Claude/claude_desktop_config.json"), join(settings, "Code/User/mcp.json")];
}

type Fields = Readonly<Record<string, unknown>>;

function serversIn(file: string, config: unknown, around: Surroundings): readonly ConfiguredServer[] {
  if (!isFields(config)) return [];
  // Claude Code keeps the servers of each project beside those of the user.
  const projects = isFields(config["projects"]) ? config["projects"] : {};
  const holders = [config, Object.hasOwn(projects, around.project) ? projects[around.project] : undefined];
  return holders.flatMap((holder) => {
    const servers = isFields(holder) ? (holder["mcpServers"] ?? holder["servers"]) : undefined;
    return Object.entries(isFields(servers) ? servers : {}).map(([name, entry]) => ({ name, file, address: addressIn(entry, around) }));
  });
}

function addressIn(entry: unknown, around: Surroundings): ServerAddress | string {
  if (!isFields(entry)) return "its configuration is no object";
  const { command, args, env, cwd } = entry;
  const url = entry["url"] ?? entry["serverUrl"] ?? entry["httpUrl"];
  try {
    const expand = (text: string) => expandVariables(text, around);
    if (typeof command === "string") {
      return {
        command: expand(command),
        args: textsIn(args).map(expand),
        env: entriesIn(env, expand),
        cwd: typeof cwd === "string" ? expand(cwd) : around.project,
      };
    }
    if (typeof url === "string") return { url: expand(url), headers: entriesIn(entry["headers"], expand) };
  } catch (error) {
    if (error instanceof Failure) return error.message;
    throw error;
  }
  return "its configuration names neither a command nor a URL";
}

function textsIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

function entriesIn(value: unknown, expand: (text: string) => string): Readonly<Record<string, string>> {
  const entries = Object.entries(isFields(value) ? value : {});
  return Object.fromEntries(entries.flatMap(([key, text]) => (typeof text === "string" ? [[key, expand(text)] as const] : [])));
}

/** `${NAME}`, `${NAME:-default}` (Claude Code), `${env:NAME}`, `${workspaceFolder}`, `${userHome}` (VS Code, Cursor). */
function expandVariables(text: string, { project, home, env }: Surroundings): string {
  return text.replace(/\$\{([^}]+)\}/g, (whole, inside: string) => {
    if (inside === "workspaceFolder") return project;
    if (inside === "userHome" && home !== undefined) return home;
    const [, name, otherwise] = /^(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/.exec(inside) ?? [];
    const value = name === undefined ? undefined : (env[name] ?? otherwise);
    if (value === undefined) throw new Failure(`\`${whole}\` has no value here`);
    return value;
  });
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
