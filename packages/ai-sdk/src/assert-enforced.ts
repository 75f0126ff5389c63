import { canaryPrefix, HoldpointError, isRefusal, type Session } from "@holdpoint/core";
import { assertEnforced as assertTransportEnforced, type EnforcementReport } from "@holdpoint/mcp";
import type { McpClientLike } from "./guard-mcp-client.ts";
import { guardTools, seatOf } from "./guard-tools.ts";

/**
 * Shows at start-up that no call gets round the guard. For a tool set: every tool is one that `guardTools` made, and a canary, a reserved name that is denied
 * in every mode, is stopped before its `execute`. For a client of `@ai-sdk/mcp`: a canary is called on every path that the installed version has, and stopped
 * before the wire. No real tool is called.
 *
 * Throws `HoldpointError` (`not_enforced`), naming the tools and paths on which a call would pass unchecked.
 *
 * @example
 * const tools = guardTools({ weather, ...(await mcp.tools()) }, session);
 * await assertEnforced(tools, session);
 */
export async function assertEnforced(target: McpClientLike | Readonly<Record<string, object>>, session: Session): Promise<EnforcementReport> {
  return isClient(target) ? clientReport(target) : toolSetReport(target, session);
}

async function toolSetReport(tools: Readonly<Record<string, object>>, session: Session): Promise<EnforcementReport> {
  const open = Object.keys(tools).filter((key) => seatOf(tools[key]) === undefined);
  if (open.length > 0) throw notEnforced(open.map((key) => `the tool \`${key}\``));
  const leaks: string[] = [];
  for (const [kind, canary] of Object.entries(canaries(() => leaks.push(kind)))) {
    if (!(await isStopped(guardTools({ [`${canaryPrefix}${crypto.randomUUID()}`]: canary }, session)))) leaks.push(kind);
  }
  if (leaks.length > 0) throw notEnforced([...new Set(leaks)].map((kind) => `an \`execute\` that is ${kind}`));
  return { tested: [...Object.keys(tools), "execute"], untested: outOfReach };
}

async function clientReport(client: McpClientLike): Promise<EnforcementReport> {
  const { tested, untested } = await assertTransportEnforced(client as never);
  const name = `${canaryPrefix}${crypto.randomUUID()}`;
  const definitions = { tools: [{ name, inputSchema: { type: "object", properties: {} } }] };
  const tools = client.toolsFromDefinitions(...([definitions] as never)) as Record<string, object>;
  if (!seatOf(tools[name]) || !(await isStopped(tools))) throw notEnforced(["`tools()`"]);
  return { tested: [...tested, "tools().execute"], untested };
}

/** One tool for each kind of `execute` that the SDK can run. */
function canaries(trip: () => void): Record<string, object> {
  return {
    "a function": { execute: trip },
    "an async function": { execute: async () => trip() },
    "an async generator": {
      async *execute() {
        trip();
        yield undefined;
      },
    },
  };
}

async function isStopped(tools: Readonly<Record<string, object>>): Promise<boolean> {
  const [tool] = Object.values(tools) as { execute(input: object, options: object): unknown }[];
  try {
    const answer = await tool?.execute({}, { toolCallId: "holdpoint-canary", messages: [] });
    const streamed = answer !== null && typeof answer === "object" && Symbol.asyncIterator in answer;
    const [output] = streamed ? await Array.fromAsync(answer as AsyncIterable<unknown>) : [answer];
    return isRefusal(output);
  } catch (error) {
    return isRefusal(error);
  }
}

function isClient(target: object): target is McpClientLike {
  return typeof (target as Partial<McpClientLike>).callTool === "function" && typeof (target as Partial<McpClientLike>).toolsFromDefinitions === "function";
}

const outOfReach: EnforcementReport["untested"] = [
  { path: "the tools as they were", reason: "whoever holds a tool from before it was guarded can execute it" },
  { path: "tools of `prepareStep` and `prepareCall`", reason: "a tool set that is put in later is not this one: guard it too" },
];

function notEnforced(where: readonly string[]): HoldpointError {
  return new HoldpointError("not_enforced", `a call gets round the guard through ${where.join(", ")}`);
}
