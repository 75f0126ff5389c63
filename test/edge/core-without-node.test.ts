import { createContext, Script } from "node:vm";
import { rolldown } from "rolldown";
import { expect, test } from "vitest";

/** What every edge runtime has. There is no `process`, no `Buffer`, no `require`. */
const webApis = {
  AbortController,
  AbortSignal,
  clearInterval,
  clearTimeout,
  crypto,
  performance,
  queueMicrotask,
  setInterval,
  setTimeout,
  structuredClone,
  TextDecoder,
  TextEncoder,
  URL,
};

async function bundle(entry: string): Promise<{ readonly code: string; readonly imports: readonly string[] }> {
  const build = await rolldown({
    input: entry,
    cwd: import.meta.dirname,
    platform: "browser",
    resolve: { conditionNames: ["@holdpoint/source", "import", "default"] },
    logLevel: "silent",
  });
  const { output } = await build.generate({ format: "iife", name: "holdpoint" });
  await build.close();
  return { code: output[0].code, imports: output.flatMap((part) => ("imports" in part ? part.imports : [])) };
}

test("the main entry of core needs nothing of Node's, and no `eval`", async () => {
  const { code, imports } = await bundle("@holdpoint/core");
  expect(imports).toEqual([]);
  expect(code).not.toMatch(/(?:from|import|require)\s*\(?\s*["'`]node:/);
  const context = createContext({ ...webApis }, { codeGeneration: { strings: false, wasm: false } });
  new Script(code).runInContext(context);
  const outcome = await new Script(`(async () => {
    const { createGuard, memoryAudit, parsePolicy } = holdpoint;
    const audit = memoryAudit();
    const guard = createGuard({
      audit: { ...audit, mac: true },
      approve: () => ({ approved: true }),
      policy: parsePolicy(JSON.stringify({
        version: "1",
        default: "deny",
        tools: {
          pay: {
            arguments: { type: "object", properties: { amount: { type: "number" } }, required: ["amount"] },
            require: [{ path: "args.note", op: "regex", value: "^[a-z ]+$" }],
            require_approval: [{ path: "args.amount", op: "gt", value: 20 }],
            limits: [{ counter: "spent", window: "hour", max: 100, increment_from: "args.amount", unit: "none" }],
          },
        },
      })),
    });
    const session = guard.session({ user: "ann" });
    const catalog = guard.catalog(session, undefined, async () => [{ name: "pay", inputSchema: { type: "object", properties: { amount: { type: "number" } } } }]);
    const outcomes = [];
    for (const args of [{ amount: 30, note: "lunch" }, { amount: "30", note: "lunch" }, { amount: 3, note: "!" }, { amount: 90, note: "dinner" }]) {
      const admitted = await guard.admit({ session, tool: "pay", arguments: args, catalog });
      outcomes.push(admitted.outcome === "allow" ? "allow" : admitted.code);
    }
    return JSON.stringify({ outcomes, events: audit.events.length > 5, typeofProcess: typeof process });
  })()`).runInContext(context);
  expect(JSON.parse(outcome)).toEqual({
    outcomes: ["allow", "arguments_invalid", "require", "limit"],
    events: true,
    typeofProcess: "undefined",
  });
});
