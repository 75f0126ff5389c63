import {
  canonicalJson,
  isPathError,
  type Json,
  type JsonObject,
  type Path,
  type PolicyDocument,
  parsePath,
  redact,
  secretMark,
  takeSnapshot,
} from "@holdpoint/core";
import { describeCall } from "./describe-verdict.ts";
import { type MockTool, type MockTools, protocolError, unexpectedCall } from "./mock-tool.ts";

/** What a real server listed and answered. Plain JSON, to be kept beside the tests. */
export interface Cassette {
  readonly version: "1";
  readonly server?: { readonly name: string; readonly version: string } | undefined;
  readonly tools: readonly JsonObject[];
  readonly calls: readonly RecordedCall[];
  /** Argument fields that were left out, of one tool or of all. A replayed call is compared without them. */
  readonly secret: readonly SecretField[];
}

export interface RecordedCall {
  readonly tool: string;
  readonly arguments: JsonObject;
  readonly result?: JsonObject | undefined;
  /** The JSON-RPC error that came instead. */
  readonly error?: { readonly code: number; readonly message: string; readonly data?: Json | undefined } | undefined;
}

export interface SecretField {
  readonly tool?: string | undefined;
  /** Such as `args.api_key`. */
  readonly path: string;
}

/** What `recordUpstream` needs of a client; those of the MCP SDK 1.x and 2.x fit. */
export interface RecordableClient {
  listTools(params?: never): Promise<{ readonly tools: readonly object[]; readonly nextCursor?: string | undefined }>;
  callTool(params: never, ...rest: never[]): Promise<object>;
  getServerVersion?(): { readonly name: string; readonly version: string } | undefined;
}

export interface RecordOptions {
  /** Its `audit.secret` fields are left out. */
  readonly policy?: PolicyDocument | undefined;
  /** Further fields to leave out, of every tool: `["args.api_key"]`. */
  readonly secret?: readonly string[] | undefined;
}

export interface Recording<Client> {
  /** Use it in place of the client: its `callTool` is recorded. */
  readonly client: Client;
  /** What has been recorded so far. */
  cassette(): Cassette;
  /** Writes the cassette to a file, as JSON. */
  save(file: string | URL): Promise<void>;
}

/**
 * Records a real server for tests: its tool list at once, and every call that is made by the recording's client. Calls that got no answer (a timeout, a lost
 * connection) are not recorded. A secret field's value is left out of the arguments, and wherever else it stands, as text or as part of one: in other
 * arguments, results, errors and tools. It is not found where a server has encoded it.
 *
 * @example
 * const recording = await recordUpstream(client, { policy });
 * await recording.client.callTool({ name: "get_weather", arguments: { city: "Oslo" } });
 * await recording.save("weather.cassette.json");
 */
export async function recordUpstream<Client extends RecordableClient>(
  client: Client,
  { policy, secret = [] }: RecordOptions = {},
): Promise<Recording<Client>> {
  const fields = [...secret.map((path) => ({ path })), ...(policy ? secretFields(policy) : [])];
  const pathsOf = secretPaths(fields);
  const server = client.getServerVersion?.();
  const tools = await listAll(client);
  const calls: RecordedCall[] = [];

  async function callTool(params: { readonly name: string; readonly arguments?: unknown }, ...rest: unknown[]): Promise<unknown> {
    const about = { tool: params.name, arguments: plain(params.arguments ?? {}) };
    try {
      const result = await (client.callTool as (...all: unknown[]) => Promise<unknown>)(params, ...rest);
      calls.push({ ...about, result: plain(result) });
      return result;
    } catch (error) {
      const { code, message, data } = error as { code?: unknown; message: string; data?: unknown };
      // The SDKs give their own failures, such as timeouts, codes above −32600 or none; what a server answers carries a JSON-RPC code.
      if (typeof code === "number" && !localCodes.includes(code)) {
        const text = message.replace(/^MCP error -?[0-9]+: /, "");
        calls.push({ ...about, error: { code, message: text, ...(data !== undefined && { data: plain(data) }) } });
      }
      throw error;
    }
  }

  function cassette(): Cassette {
    const found = calls.flatMap((call) => secretsIn(call.arguments, redact(call.arguments, pathsOf(call.tool))));
    const redacted = calls.map((call) => ({ ...call, arguments: redact(call.arguments, pathsOf(call.tool)) }));
    return {
      version: "1",
      ...(server && { server: { name: server.name, version: server.version } }),
      ...(scrub({ tools, calls: redacted as unknown as Json }, found) as unknown as Pick<Cassette, "tools" | "calls">),
      secret: fields,
    };
  }

  return {
    client: recorded(client, callTool),
    cassette,
    async save(file) {
      const { writeFile } = await import("node:fs/promises");
      await writeFile(file, `${JSON.stringify(cassette(), null, 2)}\n`);
    },
  };
}

/** Connection closed, and request timeout: made by the SDKs themselves. */
const localCodes = [-32000, -32001];

/** The tools that replay a cassette, each with its recorded answers. */
export function cassetteTools({ tools, calls, secret }: Cassette): MockTools {
  const pathsOf = secretPaths(secret);
  return Object.fromEntries(
    tools.map((definition) => {
      const name = String(definition.name);
      const left = calls.filter((call) => call.tool === name);
      const { name: _name, ...described } = definition;
      const tool: MockTool = {
        ...described,
        judged: false,
        handle(args: JsonObject) {
          const redacted = redact(args, pathsOf(name));
          const asked = canonicalJson(scrub(redacted, secretsIn(args, redacted)));
          const index = left.findIndex((call) => canonicalJson(call.arguments) === asked);
          if (index === -1) return unexpectedCall(notRecorded(name, left));
          const [{ result, error } = {}] = left.splice(index, 1);
          return error ? protocolError(error.code, error.message, error.data) : result;
        },
      };
      return [name, tool];
    }),
  );
}

function notRecorded(tool: string, left: readonly RecordedCall[]): string {
  if (left.length === 0) return "the cassette has no further call of this tool";
  return `the cassette has ${left.map((call) => describeCall({ tool, arguments: call.arguments })).join(", ")}`;
}

async function listAll(client: RecordableClient): Promise<readonly JsonObject[]> {
  const tools: JsonObject[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.listTools(...((cursor === undefined ? [] : [{ cursor }]) as never[]));
    tools.push(...page.tools.map(plain));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return tools;
}

/** The client itself, but for `callTool`. Methods are bound to it, since clients have private fields. */
function recorded<Client extends RecordableClient>(client: Client, callTool: unknown): Client {
  return new Proxy(client, {
    get(target, key) {
      if (key === "callTool") return callTool;
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function secretFields(policy: PolicyDocument): readonly SecretField[] {
  const everywhere = [...(policy.audit?.secret ?? []), ...(policy.all_tools?.audit?.secret ?? [])];
  const ofTools = Object.entries(policy.tools ?? {}).flatMap(([tool, rules]) =>
    (rules.audit?.secret ?? []).map((path) => ({ tool, path })),
  );
  return [...everywhere.map((path) => ({ path })), ...ofTools];
}

/** Throws a `TypeError` for a path that cannot be read: a field that is not left out would get in. */
function secretPaths(fields: readonly SecretField[]): (tool: string) => readonly Path[] {
  const parsed = fields.map(({ tool, path: text }) => {
    const path = parsePath(text);
    if (isPathError(path)) throw new TypeError(`\`secret\`: ${path.error}: ${path.fix}`);
    if (path.root !== "args") throw new TypeError(`\`secret\`: \`${text}\` is no argument: start the path at \`args\``);
    return { tool, path };
  });
  return (name) => parsed.filter(({ tool }) => tool === undefined || tool === name).map(({ path }) => path);
}

/** The texts and numbers that stand where the redacted copy has the mark. */
function secretsIn(original: Json | undefined, redacted: Json | undefined): readonly string[] {
  if (redacted === secretMark) return original === secretMark ? [] : leaves(original);
  if (original === null || typeof original !== "object" || redacted === null || typeof redacted !== "object") return [];
  return Object.entries(original).flatMap(([key, part]) => secretsIn(part as Json, (redacted as JsonObject)[key]));
}

function leaves(value: Json | undefined): readonly string[] {
  if (typeof value === "string" || typeof value === "number") return [String(value)];
  if (value === null || typeof value !== "object") return [];
  return Object.values(value).flatMap((part) => leaves(part as Json));
}

/** A copy without any of the secrets: in texts, in keys, and as numbers. The longest go first, since one may be part of another. */
function scrub(value: Json, secrets: readonly string[]): Json {
  const longestFirst = [...new Set(secrets)].filter((secret) => secret !== "").sort((one, other) => other.length - one.length);
  const clean = (text: string) => longestFirst.reduce((cleaned, secret) => cleaned.replaceAll(secret, secretMark), text);
  const walk = (part: Json): Json => {
    if (typeof part === "string") return clean(part);
    if (typeof part === "number") return longestFirst.includes(String(part)) ? secretMark : part;
    if (Array.isArray(part)) return part.map(walk);
    if (part === null || typeof part !== "object") return part;
    return Object.fromEntries(Object.entries(part).map(([key, inner]) => [clean(key), walk(inner as Json)]));
  };
  return longestFirst.length === 0 ? value : walk(value);
}

function plain(value: unknown): JsonObject {
  const snapshot = takeSnapshot(JSON.parse(JSON.stringify(value)));
  if (!snapshot.ok) throw new TypeError(`a cassette holds JSON: ${snapshot.problem}`);
  return snapshot.value as JsonObject;
}
