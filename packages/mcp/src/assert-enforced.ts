import { canaryPrefix, HoldpointError } from "@holdpoint/core";
import type { Connection } from "./connection.ts";
import type { ClientLike } from "./guard-client.ts";
import { connectionOf, type TransportLike } from "./guard-transport.ts";
import { isRefusal } from "./refusal-result.ts";

export interface EnforcementReport {
  /** Paths on which a canary was stopped. */
  readonly tested: readonly string[];
  /** Paths that the installed SDK has, or that anybody could take, and on which nothing could be shown. */
  readonly untested: readonly { readonly path: string; readonly reason: string }[];
}

interface Path {
  readonly name: string;
  /** Sends a canary; absent where the SDK lacks this path. */
  readonly send: ((canary: string) => unknown) | undefined;
}

/**
 * Shows at start-up that no call gets round the guard: a reserved tool name, which the guard denies in every mode, is called on every path that the
 * installed SDK has. A canary that gets past the guard is stopped one step before the wire, and no real tool is called.
 *
 * Takes a connected client or its transport. Throws `HoldpointError`: `not_enforced`, naming the paths on which a canary was not stopped, or
 * `configuration` for a client that is not connected.
 *
 * @example
 * const { tested, untested } = await assertEnforced(client);
 */
export async function assertEnforced(target: ClientLike | TransportLike): Promise<EnforcementReport> {
  const client = "callTool" in target ? target : undefined;
  const transport = client ? client.transport : (target as TransportLike);
  if (!transport) throw new HoldpointError("configuration", "the client is not connected: connect it before `assertEnforced`");
  const connection = connectionOf(transport);
  if (!connection) throw new HoldpointError("not_enforced", "the transport is not guarded: every path reaches the server unchecked");

  const tested: string[] = [];
  const leaked: string[] = [];
  const untested = [...outOfReach];
  for (const path of [...(client ? clientPaths(client) : []), ...transportPaths(transport, connection)]) {
    if (!path.send) continue;
    const canary = `${canaryPrefix}${crypto.randomUUID()}`;
    connection.canaries.set(canary, false);
    const problem = await attempt(path.send, canary);
    const arrived = connection.canaries.get(canary);
    connection.canaries.delete(canary);
    if (connection.leaks.delete(canary)) leaked.push(path.name);
    else if (arrived || problem === "refused") tested.push(path.name);
    else if (problem === undefined) leaked.push(path.name);
    else untested.push({ path: path.name, reason: problem });
  }
  if (leaked.length > 0)
    throw new HoldpointError("not_enforced", `a call gets round the guard through ${leaked.map((name) => `\`${name}\``).join(", ")}`);
  return { tested, untested };
}

const outOfReach: readonly EnforcementReport["untested"][number][] = [
  { path: "prototype.send", reason: "code in this process that calls the transport class past the object reaches the wire" },
  { path: "another connection", reason: "a second client or transport to the same server is not under this guard" },
];

/** `refused` where the guard answered, the error's text where the SDK did not get as far, nothing where somebody else answered. */
async function attempt(send: (canary: string) => unknown, canary: string): Promise<string | undefined> {
  try {
    return isRefusal(await send(canary)) ? "refused" : undefined;
  } catch (error) {
    if (isRefusal(error)) return "refused";
    return isFromElsewhere(error) ? undefined : `it rejected: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** A JSON-RPC error is an answer, and a timeout the lack of one: either way something was sent. Without a connection nothing is (−32000 in 1.x). */
function isFromElsewhere(error: unknown): boolean {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return (typeof code === "number" && code !== -32000) || code === "REQUEST_TIMEOUT";
}

type Method = (...given: unknown[]) => unknown;

/** The paths of both SDK majors; `request` of version 1 wants a schema, that of version 2 takes one. */
function clientPaths(client: object): readonly Path[] {
  const methods = client as Record<string, Method | undefined>;
  const prototype = Object.getPrototypeOf(client) as Record<string, Method | undefined>;
  const tasks = experimentalTasks(client);
  const call = (name: string) => ({ method: "tools/call", params: { name, arguments: {} } });
  return [
    { name: "callTool", send: methods.callTool && ((name) => methods.callTool?.({ name, arguments: {} })) },
    { name: "prototype.callTool", send: prototype.callTool && ((name) => prototype.callTool?.call(client, { name, arguments: {} })) },
    { name: "request", send: methods.request && ((name) => methods.request?.(call(name), anyResult)) },
    { name: "prototype.request", send: prototype.request && ((name) => prototype.request?.call(client, call(name), anyResult)) },
    { name: "requestStream", send: methods.requestStream && ((name) => lastOf(methods.requestStream?.(call(name), anyResult))) },
    {
      name: "experimental.tasks.callToolStream",
      send: tasks?.callToolStream && ((name) => lastOf(tasks.callToolStream?.({ name, arguments: {} }))),
    },
    {
      name: "experimental.tasks.requestStream",
      send: tasks?.requestStream && ((name) => lastOf(tasks.requestStream?.(call(name), anyResult))),
    },
    { name: "notification", send: methods.notification && ((name) => methods.notification?.(call(name))) },
  ];
}

function transportPaths(transport: TransportLike, { ownPrefix }: Connection): readonly Path[] {
  const send = (message: unknown) => transport.send(message as never);
  const call = (name: string) => ({ jsonrpc: "2.0", id: `${ownPrefix}${name}`, method: "tools/call", params: { name, arguments: {} } });
  return [
    { name: "transport.send", send: (name) => send(call(name)) },
    { name: "transport.send with a batch", send: (name) => send([call(name)]) },
    {
      name: "transport.send with a notification",
      send: (name) => send({ jsonrpc: "2.0", method: "tools/call", params: { name, arguments: {} } }),
    },
    { name: "transport.send with a task", send: (name) => send({ ...call(name), params: { name, arguments: {}, task: {} } }) },
  ];
}

function experimentalTasks(client: object): Record<string, Method | undefined> | undefined {
  try {
    return (client as { experimental?: { tasks?: Record<string, Method> } }).experimental?.tasks;
  } catch {
    return undefined;
  }
}

/** Passes whatever it is given, as a schema of zod 3 and as a Standard Schema. */
const anyResult = {
  safeParse: (data: unknown) => ({ success: true, data }),
  "~standard": { version: 1, vendor: "holdpoint", validate: (value: unknown) => ({ value }) },
};

async function lastOf(stream: unknown): Promise<unknown> {
  let last: unknown;
  for await (const message of stream as AsyncIterable<{ result?: unknown; error?: unknown }>) last = message.result ?? message.error;
  // A stream of 1.x gives any error of its own this code, whether or not anything was sent; `request` tells.
  if (last instanceof Error) throw (last as { code?: unknown }).code === -32603 ? new Error(last.message) : last;
  return last;
}
