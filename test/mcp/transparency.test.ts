import { createRequire } from "node:module";
import { createGuard, type PolicyDocument } from "@holdpoint/core";
import { guardClient } from "@holdpoint/mcp";
import { Client as ClientV2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as StdioV2 } from "@modelcontextprotocol/client/stdio";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { expect, test } from "vitest";
import { majors } from "./majors.ts";

const entry = createRequire(import.meta.url).resolve("@modelcontextprotocol/server-everything/dist/index.js");
const policy: PolicyDocument = { version: "1", default: "allow" };

// biome-ignore lint/suspicious/noExplicitAny: the two majors share no types
const loose = (value: unknown) => value as any;

/** Arguments for the tools that want some; the others are called with none. */
const given: Record<string, object> = {
  echo: { message: "hello" },
  "get-sum": { a: 2, b: 3 },
  "get-annotated-message": { messageType: "error", includeImage: true },
  "get-resource-links": { count: 3 },
  "get-resource-reference": { resourceType: "Text", resourceId: 1 },
  "get-structured-content": { location: "Chicago" },
  // A step and the result that reach the client in one read are one too many for the SDK, which then forgets the step: three seconds are between them.
  "trigger-long-running-operation": { duration: 6, steps: 2 },
};

/** Waits for ten seconds where it is not told how long. */
const slowTool = "trigger-long-running-operation";

interface Step {
  readonly progress: number;
  readonly total?: number;
}

/** The last step arrives with the result, and whether the SDK still hears it is a matter of timing. */
function beforeLast({ progress, total }: Step): boolean {
  return progress !== total;
}

/** Answers that differ from one call to the next by themselves. */
const unsteady = new Set([
  "get-env",
  "gzip-file-as-resource",
  "toggle-simulated-logging",
  "toggle-subscriber-updates",
  "simulate-research-query",
  "get-resource-reference",
]);

async function everything(major: "1.x" | "2.x", wrap: <T>(client: T) => T) {
  const info = { name: "agent", version: "1.0.0" };
  const transport =
    major === "1.x"
      ? new StdioV1({ command: process.execPath, args: [entry, "stdio"], stderr: "ignore" })
      : new StdioV2({ command: process.execPath, args: [entry, "stdio"], stderr: "ignore" });
  const client = wrap(major === "1.x" ? new ClientV1(info) : new ClientV2(info));
  await loose(client).connect(transport);
  const seen: unknown[] = [loose(client).getServerCapabilities(), loose(client).getServerVersion(), loose(client).getInstructions()];
  const { tools } = await loose(client).listTools();
  seen.push(tools);
  for (const { name } of tools as readonly { name: string }[]) {
    if (unsteady.has(name)) continue;
    for (const args of [given[name] ?? {}, ...(name === slowTool ? [] : [{ unexpected: [null, 1.5, "ä"] }])]) {
      const progress: Step[] = [];
      const options = { timeout: 60_000, onprogress: (step: Step) => progress.push(step) };
      const params = { name, arguments: args };
      const call = major === "1.x" ? loose(client).callTool(params, undefined, options) : loose(client).callTool(params, options);
      seen.push([name, args, await call.catch((error: Error) => [error.name, error.message]), progress.filter(beforeLast)]);
    }
  }
  seen.push(
    (await loose(client).listPrompts()).prompts,
    (await loose(client).listResourceTemplates()).resourceTemplates,
    await loose(client).ping(),
  );
  const { pid } = transport;
  await loose(client).close();
  expect(pid).toBeTypeOf("number");
  return seen;
}

test.each(majors)(
  "[transparent-allow] every tool of a real server answers a guarded client of %s as it answers a bare one",
  async (major) => {
    const [bare, guarded] = await Promise.all([
      everything(major, (client) => client),
      everything(major, (client) => guardClient(loose(client), createGuard({ policy }).session())),
    ]);
    expect(guarded.length).toBeGreaterThan(15);
    expect(guarded.map(withoutSchemaErrors)).toEqual(bare.map(withoutSchemaErrors));
  },
);

/** Arguments that the server's own schema rejects are refused here, in other words: neither way does the tool run. */
function withoutSchemaErrors(seen: unknown): unknown {
  if (!Array.isArray(seen) || !("unexpected" in (seen[1] ?? {}))) return seen;
  const [name, args, result] = seen;
  return result?.isError || Array.isArray(result) ? [name, args, "rejected"] : seen;
}

test("a client that probes for the newest protocol on a process of its own is guarded on the one it keeps", async () => {
  const client = new ClientV2({ name: "agent", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } });
  guardClient(client, createGuard({ policy: { version: "1", default: "deny", tools: { echo: {} } } }).session());
  await client.connect(new StdioV2({ command: process.execPath, args: [entry, "stdio"], stderr: "ignore" }));
  expect(await client.callTool({ name: "echo", arguments: { message: "hello" } })).toMatchObject({ content: [{ text: "Echo: hello" }] });
  expect(await client.callTool({ name: "get-sum", arguments: { a: 1, b: 2 } })).toMatchObject({ isError: true });
  await client.close();
});

test("a task of a real server runs to its result where it is allowed, and is an error of the stream where it is refused", async () => {
  const run = async (document: PolicyDocument) => {
    const client = new ClientV1({ name: "agent", version: "1.0.0" }, { capabilities: { tasks: { list: {}, cancel: {} } } } as never);
    guardClient(client, createGuard({ policy: document }).session(), { egress: "tools-only" });
    await client.connect(new StdioV1({ command: process.execPath, args: [entry, "stdio"], stderr: "ignore" }));
    await client.listTools();
    const messages = [];
    const params = { name: "simulate-research-query", arguments: { topic: "hold points", ambiguous: false } };
    for await (const message of client.experimental.tasks.callToolStream(params, undefined, { task: { ttl: 60_000 } })) {
      messages.push(message);
    }
    await client.close();
    return messages;
  };
  const [allowed, refused] = await Promise.all([run(policy), run({ version: "1", default: "deny" })]);
  expect(allowed[0]).toMatchObject({ type: "taskCreated" });
  expect(allowed.slice(1, -1).every(({ type }) => type === "taskStatus")).toBe(true);
  expect(allowed.at(-1)).toMatchObject({ type: "result", result: { content: [{ text: expect.stringContaining("hold points") }] } });
  expect(refused).toMatchObject([{ type: "error", error: { code: 403, message: expect.stringContaining("[HOLDPOINT DENIED]") } }]);
});
