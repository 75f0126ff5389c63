import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
// TypeScript 7 has no compiler API; editors on 5.9 and 6.0 ask this one.
import ts from "typescript-5.9";
import { beforeAll, expect, test } from "vitest";

const file = fileURLToPath(new URL("../../test-data/types/completed.ts", import.meta.url));
let text = "";
let version = 0;
let service: ts.LanguageService;

beforeAll(() => {
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2023,
    lib: ["lib.es2024.d.ts", "lib.dom.d.ts", "lib.esnext.disposable.d.ts"],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    allowImportingTsExtensions: true,
    customConditions: ["@holdpoint/source"],
    skipLibCheck: true,
    types: ["node"],
  };
  service = ts.createLanguageService({
    getScriptFileNames: () => [file],
    getScriptVersion: (name) => (name === file ? String(version) : "0"),
    getScriptSnapshot: (name) => {
      const source = name === file ? text : ts.sys.readFile(name);
      return source === undefined ? undefined : ts.ScriptSnapshot.fromString(source);
    },
    getCurrentDirectory: () => fileURLToPath(new URL("../..", import.meta.url)),
    getCompilationSettings: () => options,
    getDefaultLibFileName: (settings) => ts.getDefaultLibFilePath(settings),
    fileExists: (name) => name === file || ts.sys.fileExists(name),
    readFile: (name) => (name === file ? text : ts.sys.readFile(name)),
    directoryExists: ts.sys.directoryExists,
  });
});

/** What an editor offers at `|` in the document. */
function completionsAt(document: string): string[] {
  const source = `import type { PaymentTools } from "./payments.ts";
import { definePolicy } from "../../src/policy/define-policy.ts";
definePolicy<PaymentTools>()({ version: "1", default: "deny", ${document} });
`;
  const position = source.indexOf("|");
  text = source.replace("|", "");
  version++;
  return service.getCompletionsAtPosition(file, position, {})?.entries.map(({ name }) => name) ?? [];
}

test("an editor completes the names of tools", () => {
  expect(completionsAt("tools: { | }")).toEqual(expect.arrayContaining(["pay", "list_payments", "free", "raw"]));
  expect(completionsAt('hide: ["|"]')).toEqual(expect.arrayContaining(["pay", "list_payments"]));
});

test("an editor completes paths, also in groups", () => {
  const paths = ["args.amount", "args.items[*].sku", "args.customer.address.city", "time.hour"];
  expect(completionsAt('tools: { pay: { require: [{ path: "|" }] } }')).toEqual(expect.arrayContaining(paths));
  expect(completionsAt('tools: { pay: { deny_if: [{ conditions: [{ path: "|" }] }] } }')).toEqual(expect.arrayContaining(paths));
  expect(completionsAt('tools: { pay: { require: [{ any: [{ not: { path: "|" } }] }] } }')).toEqual(expect.arrayContaining(paths));
  expect(completionsAt('tools: { pay: { require: [{ each: { path: "args.items", conditions: [{ path: "|" }] } }] } }')).toEqual(
    expect.arrayContaining(["item.sku", "item.qty"]),
  );
  expect(completionsAt('tools: { pay: { audit: { secret: ["|"] } } }')).toEqual(expect.arrayContaining(["args.note"]));
});

test("an editor completes the operators that the type allows, and no others", () => {
  const forNumbers = completionsAt('tools: { pay: { require: [{ path: "args.amount", op: "|" }] } }');
  expect(forNumbers).toEqual(expect.arrayContaining(["eq", "gt", "lte", "in", "exists"]));
  expect(forNumbers).not.toContain("regex");
  const forText = completionsAt('tools: { pay: { require: [{ path: "args.note", op: "|" }] } }');
  expect(forText).toEqual(expect.arrayContaining(["regex", "starts_with", "within_path"]));
  expect(forText).not.toContain("gt");
});

test("an editor completes choices, the unit of an amount, and keys", () => {
  expect(completionsAt('tools: { pay: { require: [{ path: "args.currency", op: "eq", value: "|" }] } }')).toEqual(
    expect.arrayContaining(["gbp", "eur", "usd"]),
  );
  expect(completionsAt('tools: { pay: { limits: [{ counter: "a", window: "day", max: 5, increment_from: "|" }] } }')).toContain(
    "args.amount",
  );
  expect(completionsAt("tools: { pay: { | } }")).toEqual(
    expect.arrayContaining(["require", "deny_if", "require_approval", "limits", "audit"]),
  );
});

test("what the page on typed policies shows compiles", () => {
  const page = readFileSync(new URL("../../../../docs/typed-policies.md", import.meta.url), "utf8");
  const blocks = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code as string);
  expect(blocks).toHaveLength(3);
  for (const block of [...blocks, "export const wrong: string = 1;"]) {
    text = block;
    version++;
    const problems = [...service.getSyntacticDiagnostics(file), ...service.getSemanticDiagnostics(file)];
    const messages = problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
    expect(messages).toEqual(block.includes("wrong") ? ["Type 'number' is not assignable to type 'string'."] : []);
  }
});
