import { expect, test } from "vitest";
import { holdpoint, lines } from "./holdpoint.ts";

const tools = [
  { name: "get_weather", description: "Reads the weather" },
  { name: "delete_repository" },
  { name: "create_charge", inputSchema: { type: "object", properties: { amount: { type: "number" }, callback_url: { type: "string" } } } },
  { inputSchema: { type: "object" } },
  "no tool at all",
];

for (const [form, content] of Object.entries({
  "a tools/list result": { tools },
  "an array": tools,
  "a JSON-RPC answer": { jsonrpc: "2.0", id: 1, result: { tools } },
})) {
  test(`${form} in, one line for each tool out`, async () => {
    const { stdout, code } = await holdpoint(["classify"], { input: JSON.stringify(content) });
    expect(code).toBe(0);
    const found = lines(stdout);
    expect(found.map(({ tool, category, level }) => [tool, category, level])).toEqual([
      ["get_weather", "read", "low"],
      ["delete_repository", "destructive", "critical"],
      ["create_charge", "financial", "critical"],
      ["", "write", "medium"],
      ["", "write", "medium"],
    ]);
    expect(Object.keys(found[2])).toEqual(["tool", "category", "level", "score", "signals", "evidence"]);
    expect(JSON.stringify(found[2].signals)).toContain("callback_url");
  });
}

test("what is no list of tools is said to be none", async () => {
  const { stderr, code } = await holdpoint(["classify", "x.json"], { files: { "x.json": { things: [] } } });
  expect(stderr).toContain("neither a `tools/list` result nor an array of tools");
  expect(code).toBe(2);
});
