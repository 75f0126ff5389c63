import { contentHash } from "../arguments/canonical-json.ts";
import type { Json } from "../arguments/json-snapshot.ts";
import { takeSnapshot } from "../arguments/json-snapshot.ts";
import { HoldpointError } from "../holdpoint-error.ts";

/** A tool as a server's `tools/list` describes it (MCP `Tool`). Everything in it is the server's claim. */
export interface ToolDefinition {
  readonly name: string;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  readonly inputSchema?: unknown;
  readonly outputSchema?: unknown;
  readonly annotations?: unknown;
}

const pinnedParts = ["title", "description", "inputSchema", "outputSchema", "annotations"] as const;
type PinnedPart = (typeof pinnedParts)[number];

/** One tool as a person accepted it: a hash of each part that the model or the guard relies on. Absent parts have no hash. */
export type Pin = { readonly name: string } & { readonly [Part in PinnedPart]?: string };

/** The content of `holdpoint.lock`. Tools are a list, sorted by name, since a tool may be called `__proto__`. */
export interface Pins {
  readonly version: "1";
  readonly servers: readonly { readonly server: string; readonly tools: readonly Pin[] }[];
}

/**
 * Pins the tools of each server as they are now. Throws `HoldpointError` (`tool_repeated`) where a server lists a tool twice: nobody can tell which of the two
 * was accepted, and the guard denies it.
 *
 * @example
 * const lock = pinTools({ files: [{ name: "read_file", description: "Reads a file" }] });
 */
export function pinTools(servers: Readonly<Record<string, readonly ToolDefinition[]>>): Pins {
  return {
    version: "1",
    servers: Object.entries(servers)
      .map(([server, tools]) => ({ server, tools: pinEach(server, tools) }))
      .sort((a, b) => (a.server < b.server ? -1 : 1)),
  };
}

function pinEach(server: string, tools: readonly ToolDefinition[]): readonly Pin[] {
  const pins = tools.map(pinTool).sort(byName);
  const repeated = pins.find(({ name }, index) => index > 0 && pins[index - 1]?.name === name);
  if (!repeated) return pins;
  throw new HoldpointError("tool_repeated", `pinning \`${server}\`: the tool \`${repeated.name}\` is listed twice: leave it out`);
}

function pinTool(tool: ToolDefinition): Pin {
  const hashes = pinnedParts.flatMap((part) => (tool[part] === undefined ? [] : [[part, contentHash(plain(tool[part]))]]));
  return { name: tool.name, ...Object.fromEntries(hashes) };
}

/** The parts in which a tool differs from its pin; empty where it does not. */
export function changedParts(pin: Pin, tool: ToolDefinition): readonly PinnedPart[] {
  const now = pinTool(tool);
  return pinnedParts.filter((part) => pin[part] !== now[part]);
}

/**
 * Reads the content of `holdpoint.lock`. Throws `HoldpointError` (`lock_invalid`) naming the place when it cannot be fully understood, since an unread pin
 * would be an open door.
 */
export function parsePins(json: unknown): Pins {
  const snapshot = takeSnapshot(json, { maxBytes: 64 * 1024 * 1024, maxDepth: 8, maxNodes: 5_000_000 });
  if (!snapshot.ok) throw invalid(snapshot.pointer, snapshot.problem);
  const lock = snapshot.value as { version?: unknown; servers?: unknown };
  onlyKeys(lock, ["version", "servers"], "");
  if (lock.version !== "1") throw invalid("/version", 'must be `"1"`');
  const servers = new Set<string>();
  for (const [index, entry] of list(lock.servers, "/servers").entries()) {
    const place = `/servers/${index}`;
    const { server, tools } = onlyKeys(entry, ["server", "tools"], place);
    if (typeof server !== "string") throw invalid(`${place}/server`, "must be text");
    if (servers.has(server)) throw invalid(place, "stands here twice");
    servers.add(server);
    const names = new Set<unknown>();
    for (const [at, pin] of list(tools, `${place}/tools`).entries()) {
      const pinned = onlyKeys(pin, ["name", ...pinnedParts], `${place}/tools/${at}`);
      for (const [key, value] of Object.entries(pinned)) {
        if (typeof value !== "string") throw invalid(`${place}/tools/${at}/${key}`, "must be text");
      }
      if (pinned.name === undefined) throw invalid(`${place}/tools/${at}`, "lacks `name`");
      if (names.has(pinned.name)) throw invalid(`${place}/tools/${at}`, "stands here twice");
      names.add(pinned.name);
    }
  }
  return lock as unknown as Pins;
}

function onlyKeys(value: unknown, keys: readonly string[], place: string): Record<string, unknown> {
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw invalid(place, "must be an object");
  for (const key of Object.keys(value)) if (!keys.includes(key)) throw invalid(`${place}/${key}`, `unknown key \`${key}\``);
  return value as Record<string, unknown>;
}

function list(value: unknown, place: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(place, "must be a list");
  return value;
}

function invalid(pointer: string, problem: string): HoldpointError {
  return new HoldpointError("lock_invalid", `holdpoint.lock: at \`${pointer || "/"}\`: ${problem}: write it anew with \`holdpoint lock\``);
}

function plain(value: unknown): Json {
  const snapshot = takeSnapshot(value);
  return snapshot.ok ? snapshot.value : { unreadable: snapshot.problem };
}

function byName(a: Pin, b: Pin): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
