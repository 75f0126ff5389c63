import { join } from "node:path";
import { createContext, Script } from "node:vm";
import { rolldown } from "rolldown";
import { expect, test } from "vitest";

/** What every edge runtime has. There is no `process`, no `Buffer`, no `require`. */
const webApis = {
  AbortController,
  AbortSignal,
  clearTimeout,
  crypto,
  EventTarget,
  performance,
  queueMicrotask,
  ReadableStream,
  setTimeout,
  structuredClone,
  TextDecoder,
  TextEncoder,
  TransformStream,
  URL,
};

/** Bundles what the lines export, framework included, and runs the body of a function over it (`holdpoint`) in a context with nothing but Web APIs. */
async function onTheEdge(lines: readonly string[], body: string): Promise<unknown> {
  const entry = join(import.meta.dirname, "entry.ts");
  const build = await rolldown({
    input: entry,
    plugins: [
      { name: "entry", resolveId: (id) => (id === entry ? id : undefined), load: (id) => (id === entry ? lines.join("\n") : undefined) },
    ],
    platform: "browser",
    resolve: { conditionNames: ["@holdpoint/source", "browser", "import", "default"] },
    logLevel: "silent",
  });
  const { output } = await build.generate({ format: "iife", name: "holdpoint", codeSplitting: false });
  await build.close();
  expect(output.flatMap((part) => ("imports" in part ? part.imports : []))).toEqual([]);
  const context = createContext({ ...webApis }, { codeGeneration: { strings: false, wasm: false } });
  new Script(output[0].code).runInContext(context);
  const program = `(async () => {
    const guard = holdpoint.createGuard({ policy: { version: "1", default: "deny", tools: { pay: { deny_if: [{ path: "args.n", op: "gt", value: 5 }] } } } });
    const answers = await (async (session) => {${body}})(guard.session());
    return JSON.stringify([typeof process, ...answers]);
  })()`;
  return JSON.parse(await new Script(program).runInContext(context));
}

const core = 'export { createGuard } from "@holdpoint/core";';

test("tools of the AI SDK are guarded without anything of Node's", async () => {
  const body = `
    const { pay } = holdpoint.guardTools({ pay: { inputSchema: {}, execute: async ({ n }) => n } }, session);
    return [await pay.execute({ n: 1 }, { toolCallId: "a", messages: [] }), (await pay.execute({ n: 9 }, { toolCallId: "b", messages: [] })).message];
  `;
  expect(await onTheEdge([core, 'export { guardTools } from "@holdpoint/ai-sdk";'], body)).toEqual([
    "undefined",
    1,
    "[HOLDPOINT DENIED] This call is not permitted by policy.",
  ]);
});

test("tools of LangChain are guarded without anything of Node's", async () => {
  const body = `
    const schema = { type: "object", properties: { n: { type: "number" } } };
    const [pay] = holdpoint.guardTools([holdpoint.tool(({ n }) => String(n), { name: "pay", description: "", schema })], session);
    return [await pay.invoke({ n: 1 }), await pay.invoke({ n: 9 })];
  `;
  const lines = [core, 'export { guardTools } from "@holdpoint/langchain";', 'export { tool } from "@langchain/core/tools";'];
  expect(await onTheEdge(lines, body)).toEqual(["undefined", "1", "[HOLDPOINT DENIED] This call is not permitted by policy."]);
});
