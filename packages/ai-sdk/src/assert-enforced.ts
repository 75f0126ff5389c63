import { canaryPrefix, guardOf, HoldpointError, isRefusal, type Session } from "@holdpoint/core";
import { assertEnforced as assertTransportEnforced, type EnforcementReport } from "@holdpoint/mcp";
import type { McpClientLike } from "./guard-mcp-client.ts";
import { guardTool, seatOf } from "./guard-tools.ts";
import { toolSeat } from "./tool-seat.ts";

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
export async function assertEnforced(
  target: McpClientLike | Readonly<Record<string, object>>,
  session: Session,
): Promise<EnforcementReport> {
  return isClient(target) ? clientReport(target) : toolSetReport(target, session);
}

async function toolSetReport(tools: Readonly<Record<string, object>>, session: Session): Promise<EnforcementReport> {
  const guard = guardOf(session);
  const open = Object.keys(tools).filter((key) => seatOf(tools[key])?.guard !== guard);
  if (open.length > 0) throw notEnforced(open.map((key) => `the tool \`${key}\``));
  const [server] = Object.keys(tools).map((key) => seatOf(tools[key])?.server);
  const leaks: string[] = [];
  for (const [kind, execute] of Object.entries(tripWires)) {
    let tripped = false;
    const name = `${canaryPrefix}${crypto.randomUUID()}`;
    const canary = guardTool(
      name,
      { execute: execute(() => (tripped = true)) },
      toolSeat({ key: name, name, local: true }, session, { server }),
    );
    if (!(await isStopped(canary)) || tripped) leaks.push(`an \`execute\` that is ${kind}`);
  }
  if (leaks.length > 0) throw notEnforced(leaks);
  return { tested: [...Object.keys(tools), "execute"], untested: outOfReach };
}

async function clientReport(client: McpClientLike): Promise<EnforcementReport> {
  const { tested, untested } = await assertTransportEnforced(client as never);
  const name = `${canaryPrefix}${crypto.randomUUID()}`;
  const definitions = { tools: [{ name, inputSchema: { type: "object", properties: {} } }] };
  const canary = (client.toolsFromDefinitions(...([definitions] as never)) as Record<string, object>)[name];
  if (!canary) return { tested, untested: [...untested, { path: "tools().execute", reason: "the policy hides every tool" }] };
  if (!seatOf(canary) || !(await isStopped(canary))) throw notEnforced(["`tools()`"]);
  return { tested: [...tested, "tools().execute"], untested };
}

/** An `execute` of each kind that the SDK can run, which trips a wire. */
const tripWires: Readonly<Record<string, (trip: () => void) => () => unknown>> = {
  "a function": (trip) => () => trip(),
  "an async function": (trip) => async () => trip(),
  "an async generator": (trip) =>
    async function* () {
      trip();
      yield undefined;
    },
};

async function isStopped(tool: object | undefined): Promise<boolean> {
  const { execute } = tool as { execute?: (input: object, options: object) => unknown };
  try {
    const answer = await execute?.({}, { toolCallId: "holdpoint-canary", messages: [] });
    if (answer === null || typeof answer !== "object" || !(Symbol.asyncIterator in answer)) return isRefusal(answer);
    for await (const output of answer as AsyncIterable<unknown>) return isRefusal(output);
    return false;
  } catch (error) {
    return isRefusal(error);
  }
}

function isClient(target: object): target is McpClientLike {
  const { tools, toolsFromDefinitions } = target as Partial<McpClientLike>;
  return typeof tools === "function" && typeof toolsFromDefinitions === "function";
}

const outOfReach: EnforcementReport["untested"] = [
  { path: "the tools as they were", reason: "whoever holds a tool from before it was guarded can execute it" },
  { path: "tools of `prepareCall`", reason: "a tool set that is put in later is not this one: guard it too" },
];

function notEnforced(where: readonly string[]): HoldpointError {
  return new HoldpointError("not_enforced", `a call gets round the guard through ${where.join(", ")}`);
}
