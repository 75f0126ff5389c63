import { createHash } from "node:crypto";
import { CounterStoreError } from "@holdpoint/core";

/** What is used of an `ioredis` client, of version 5 or 6, Cluster clients included. */
export interface IoredisClient {
  readonly status: string;
  eval(script: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>;
  evalsha(sha: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>;
}

/** What is used of a `redis` client, of version 5 or 6, clusters included. */
export interface NodeRedisClient {
  readonly isReady?: boolean;
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  evalSha(sha: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

export type RedisClient = IoredisClient | NodeRedisClient;

export interface Script {
  readonly source: string;
  readonly sha: string;
}

/** A script under the name by which a server remembers it. */
export function script(source: string): Script {
  return { source, sha: createHash("sha1").update(source).digest("hex") };
}

/** Runs a script on the server that holds its keys, all of which share one Cluster slot. */
export type RunScript = (script: Script, keys: readonly string[], parameters: readonly string[]) => Promise<unknown>;

/**
 * Runs scripts on a client by name, and by text where the server does not know them. What the client would only queue, since it has lost its
 * connection, is rejected at once: the call would be denied anyway, and the debits taken after it.
 *
 * Before the first script, and whenever a server does not know one, since it is then another server or was restarted, the server is checked: one that
 * may evict keys forgets counters, and one that refuses a command would stop a script half-way. While scripts run, it is checked again once a minute beside
 * them, since its settings can be changed.
 *
 * @throws TypeError if the client is of neither library.
 */
export function scriptRunner(client: RedisClient, prefix: string): RunScript {
  const { connected, ...adapted } = adapt(client);
  const [run, evaluate] = unlessSilent(adapted.run, adapted.evaluate);
  let fit: Promise<void> | undefined;
  let seenAt = 0;

  function look(): Promise<void> {
    seenAt = performance.now();
    const looking = refuseUnfit(evaluate, prefix);
    // What is not known to be fit is looked at again, before the next script.
    looking.catch(() => {
      fit = undefined;
    });
    return looking;
  }
  function seeFit(): Promise<void> {
    fit = look();
    return fit;
  }

  return async function runScript(script, keys, parameters) {
    if (!connected()) throw new CounterStoreError("Redis failed: the client is not connected");
    await (fit ?? seeFit());
    if (performance.now() - seenAt >= lookAgainMs) void look();
    try {
      return await run(script, keys, parameters);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
      await seeFit();
      return evaluate(script, keys, parameters);
    }
  };
}

const lookAgainMs = 60_000;

/**
 * Answers with the server's settings of memory, empty where they may not be read: `CONFIG` is forbidden on managed servers, and `INFO` seldom. Before that it
 * runs each command that the scripts do, and answers with the one that is refused and the server's words. What a script has written stays when its next
 * command is refused, so a user whose ACL lacks one would have calls charged that are denied.
 */
const fitness = script(`
local probe = KEYS[1]
for _, command in ipairs({
  {'TIME'}, {'DEL', probe}, {'EXISTS', probe}, {'SET', probe, '0', 'PX', 60000}, {'INCR', probe}, {'GET', probe}, {'DEL', probe},
  {'HSET', probe, 'a', 0}, {'HINCRBY', probe, 'a', 1}, {'HGET', probe, 'a'}, {'HMGET', probe, 'a'}, {'PERSIST', probe}, {'PEXPIREAT', probe, 1}, {'DEL', probe},
  {'ZADD', probe, 0, 'a'}, {'ZSCORE', probe, 'a'}, {'ZRANGE', probe, 0, -1}, {'ZREVRANGE', probe, 0, 0}, {'ZRANGEBYSCORE', probe, 0, 0},
  {'ZREMRANGEBYSCORE', probe, 1, 1}, {'ZREM', probe, 'a'}
}) do
  local answer = redis.pcall(unpack(command))
  if type(answer) == 'table' and answer.err then return {command[1], answer.err} end
end
local info = redis.pcall('INFO', 'memory')
return type(info) == 'string' and info or ''`);

async function refuseUnfit(evaluate: RunScript, prefix: string): Promise<void> {
  const answer = await evaluate(fitness, [`${prefix}:probe`], []);
  if (Array.isArray(answer)) {
    const [command, words] = answer.map(String);
    // Before version 7 a script's place stands before the word.
    const [, word = "ERR"] = /(?:^| )-?([A-Z]{2,}) /.exec(words ?? "") ?? [];
    if (word !== "ERR" && word !== "NOPERM") throw new Error(`${word} ${words}`);
    throw new CounterStoreError(
      `Redis refuses \`${command}\` on keys that begin with \`${prefix}:\`: allow it in the user's ACL, and rename no command`,
      { cause: new Error(words) },
    );
  }
  const [, policy] = /maxmemory_policy:([a-z-]+)/.exec(String(answer)) ?? [];
  if (policy === undefined || policy === "noeviction") return;
  throw new CounterStoreError(
    `Redis may evict keys (\`maxmemory-policy\` is \`${policy}\`), and a counter that is evicted admits calls again: set it to \`noeviction\``,
  );
}

/**
 * Sends nothing more to a server that answers nothing: some clients end a connection that is idle, and one that is written to never is. So it may be
 * replaced by another, and no debit waits in it to be taken later.
 */
function unlessSilent(...ways: readonly [RunScript, RunScript]): readonly [RunScript, RunScript] {
  let waiting = 0;
  let heardAt = 0;
  const bounded =
    (send: RunScript): RunScript =>
    async (script, keys, parameters) => {
      if (waiting === 0) heardAt = performance.now();
      else if (performance.now() - heardAt >= silentMs) {
        throw new CounterStoreError(
          "Redis failed: no answer for 3 s: see whether the server is reached, and set the client's `socketTimeout`",
        );
      }
      waiting += 1;
      try {
        return await send(script, keys, parameters);
      } finally {
        waiting -= 1;
        heardAt = performance.now();
      }
    };
  return [bounded(ways[0]), bounded(ways[1])];
}

/** More than a guard waits. */
const silentMs = 3000;

interface AdaptedClient {
  readonly run: RunScript;
  readonly evaluate: RunScript;
  /** False once a connection that was there is lost; a client that connects for the first time is given its time. */
  connected(): boolean;
}

function adapt(client: RedisClient): AdaptedClient {
  if ("evalsha" in client && typeof client.evalsha === "function") {
    return {
      run: ({ sha }, keys, parameters) => client.evalsha(sha, keys.length, ...keys, ...parameters),
      evaluate: ({ source }, keys, parameters) => client.eval(source, keys.length, ...keys, ...parameters),
      connected: onceReady(
        () => client.status === "ready",
        () => ["wait", "connecting", "connect"].includes(client.status),
      ),
    };
  }
  if ("evalSha" in client && typeof client.evalSha === "function") {
    return {
      run: ({ sha }, keys, parameters) => client.evalSha(sha, { keys: [...keys], arguments: [...parameters] }),
      evaluate: ({ source }, keys, parameters) => client.eval(source, { keys: [...keys], arguments: [...parameters] }),
      connected: onceReady(
        () => client.isReady !== false,
        () => true,
      ),
    };
  }
  throw new TypeError("`client` is a client of `ioredis` or of `redis`");
}

function onceReady(ready: () => boolean, starting: () => boolean): () => boolean {
  let wasReady = false;
  return () => {
    if (ready()) wasReady = true;
    else return !wasReady && starting();
    return true;
  };
}

/**
 * The start of every key of a prefix. Its braces are a Cluster hash tag, so that all keys of one reservation are on one server.
 *
 * @throws TypeError if the prefix is empty or holds braces, which would end the tag.
 */
export function taggedPrefix(prefix: string): string {
  if (prefix === "" || /[{}]/.test(prefix)) throw new TypeError("`prefix` is not empty and holds no braces");
  return `{${prefix}}`;
}
