import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { holdpoint } from "./holdpoint.ts";

const cwd = mkdtempSync(join(tmpdir(), "holdpoint-text-"));
afterAll(() => rmSync(cwd, { recursive: true }));

/** Colours, a title, a turned line, a line of its own, and what a terminal takes for the start of a command in one character. */
const name = "e\u001b[31m\u001b]0;x\u0007\u202evil\n✓ nothing wrong found\u009b2J\u200b\u034f\ufe0f\u3164";
const files = {
  "policy.json": { version: "1", default: "deny", tools: { pay: { deny_if: [{ path: "args.amount", op: "gt", value: 100 }] } } },
  "hostile.json": {
    version: "1",
    default: "deny",
    hide: [name],
    tools: { [`${name}s`]: { deny_if: [{ path: "args.kind", op: "eq", value: name }] }, pay: {} },
  },
  "broken.json": { version: "1", default: "deny", [name]: 1 },
  "tools.json": {
    tools: [
      {
        name,
        description: name,
        inputSchema: { type: "object", properties: { [name]: { type: "string", description: name, enum: [name] } }, required: [name] },
      },
      { name: "pay", inputSchema: { type: "object", properties: { amount: { type: "number" } } } },
    ],
  },
};
for (const [file, content] of Object.entries(files)) writeFileSync(join(cwd, file), JSON.stringify(content));
const lines = [
  { tool: name, args: { [name]: name }, [name]: 1 },
  { tool: 5 },
  { tool: "pay", args: { amount: 500 }, context: { user: name } },
];
writeFileSync(join(cwd, "calls.ndjson"), `${lines.map((line) => JSON.stringify(line)).join("\n")}\n{ ${name}\n`);
writeFileSync(join(cwd, "audit.jsonl"), `${JSON.stringify(name)}\n`);

const commands: readonly (readonly string[])[] = [
  ["check", "hostile.json", "--against", "tools.json"],
  ["check", "broken.json"],
  ["check", `${name}.json`],
  ["scan", "--tools", "tools.json"],
  ["classify", "tools.json"],
  ["types", "--tools", "tools.json"],
  ["explain", "hostile.json", "--tool", name, "--args", JSON.stringify({ [name]: name }), "--against", "tools.json"],
  ["explain", "hostile.json", "--tool", `${name}s`, "--args", JSON.stringify({ kind: name })],
  ["diff", "policy.json", "hostile.json"],
  ["diff", "hostile.json", "policy.json", "--against", "tools.json"],
  ["simulate", "policy.json", "calls.ndjson"],
  ["simulate", "policy.json", "calls.ndjson", "--diff", "hostile.json"],
  ["convert", "hostile.json", "--to", "yaml"],
  ["lock", "--server", name, "--tools", "tools.json"],
  ["lock", "--server", name, "--tools", "tools.json", "--check"],
  ["audit", "verify", "audit.jsonl"],
  ["audit", "show", "audit.jsonl"],
];

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const actsOnTheTerminal = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]|\p{Cf}|\p{Zl}|\p{Zp}|\p{Default_Ignorable_Code_Point}/u;

for (const json of [false, true]) {
  test.each(commands.map((command) => [command.slice(0, 2).join(" "), json ? [...command, "--json"] : command] as const))(
    `\`%s\` shows no text of a server or a model that acts on the terminal${json ? ", as JSON too" : ""}`,
    async (_, command) => {
      const { stdout, stderr } = await holdpoint(command, { cwd });
      expect(stdout + stderr).not.toBe("");
      expect(stdout + stderr).not.toMatch(actsOnTheTerminal);
      expect(stdout + stderr).not.toMatch(/^\s*✓ nothing wrong found/m);
    },
  );
}
