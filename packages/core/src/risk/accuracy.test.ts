import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Category } from "./category.ts";
import { classify } from "./classify.ts";

interface Labelled {
  readonly tool: string;
  readonly server?: string;
  readonly description?: string;
  readonly inputSchema?: unknown;
  readonly category: string;
}

function fixture<T>(name: string): T[] {
  return JSON.parse(readFileSync(new URL(`../../test-data/risk/${name}`, import.meta.url), "utf8")) as T[];
}

function judge({ tool, description, inputSchema }: Labelled): Category {
  return classify({ name: tool, description, inputSchema }).category;
}

/** Counts by label and verdict, and the tools where the two differ. */
function confusion(tools: readonly Labelled[]) {
  const matrix: Record<string, Record<string, number>> = {};
  const wrong: string[] = [];
  const dangerous: string[] = [];
  for (const each of tools) {
    const verdict = judge(each);
    const row = matrix[each.category] ?? {};
    matrix[each.category] = row;
    row[verdict] = (row[verdict] ?? 0) + 1;
    if (verdict === each.category) continue;
    wrong.push(`${each.tool}: ${each.category}, judged ${verdict}`);
    if (verdict === "read") dangerous.push(each.tool);
  }
  return { matrix, wrong, dangerous, accuracy: 1 - wrong.length / tools.length };
}

test("the labelled tools are judged as labelled, but for the labels that are corrected with a reason", () => {
  const corrections = new Map(fixture<Labelled>("label-corrections.json").map((each) => [`${each.server}/${each.tool}`, each.category]));
  const labelled = fixture<Labelled>("tool-categories.json");
  const tools = labelled.map((each) => ({ ...each, category: corrections.get(`${each.server}/${each.tool}`) ?? each.category }));
  const { matrix, wrong, dangerous } = confusion(tools);
  expect(dangerous).toEqual([]);
  expect(wrong).toEqual([]);
  expect(matrix).toMatchInlineSnapshot(`
    {
      "destructive": {
        "destructive": 17,
      },
      "execute": {
        "execute": 10,
      },
      "financial": {
        "financial": 7,
      },
      "read": {
        "read": 137,
      },
      "write": {
        "write": 58,
      },
    }
  `);
});

test("every correction names a labelled tool, changes its label and says why", () => {
  const labels = new Map(fixture<Labelled>("tool-categories.json").map((each) => [`${each.server}/${each.tool}`, each.category]));
  for (const each of fixture<Labelled & { reason: string }>("label-corrections.json")) {
    expect(labels.get(`${each.server}/${each.tool}`), each.tool).toBeDefined();
    expect(labels.get(`${each.server}/${each.tool}`), each.tool).not.toBe(each.category);
    expect(each.reason.length, each.tool).toBeGreaterThan(10);
  }
});

test("tools of well-known servers are judged right nineteen times in twenty, and nothing with an effect is called a read", () => {
  const { matrix, accuracy, dangerous } = confusion(fixture<Labelled>("known-servers.json"));
  expect(dangerous).toEqual([]);
  expect(accuracy).toBeGreaterThan(0.95);
  expect(matrix).toMatchInlineSnapshot(`
    {
      "destructive": {
        "destructive": 33,
      },
      "execute": {
        "destructive": 1,
        "execute": 64,
        "write": 2,
      },
      "financial": {
        "financial": 29,
      },
      "read": {
        "execute": 1,
        "read": 171,
        "write": 1,
      },
      "write": {
        "destructive": 1,
        "write": 133,
      },
    }
  `);
});

test("without their descriptions the same names are never called a read where they have an effect, but for queries whose language only the description names", () => {
  const tools = fixture<Labelled>("known-servers.json").map(({ tool, category }) => ({ tool, category }));
  const { accuracy, dangerous } = confusion(tools);
  expect(dangerous).toMatchInlineSnapshot(`
    [
      "query",
    ]
  `);
  expect(accuracy).toBeGreaterThan(0.85);
});

test("the catalogue's pages are reproduced, with the three reads there that have effects judged otherwise", () => {
  for (const each of fixture<Labelled>("catalogue-pages.json")) {
    if (each.category === "not-read") expect(judge(each), each.tool).not.toBe("read");
    else expect(judge(each), each.tool).toBe(each.category);
  }
});

test("tools with vague, rare or misleading names are judged right nine times in ten, and nothing with an effect is called a read", () => {
  const { accuracy, dangerous } = confusion(fixture<Labelled>("further-servers.json"));
  expect(dangerous).toEqual([]);
  expect(accuracy).toBeGreaterThan(0.9);
});

test("tools of many servers, labelled before they were first judged and learnt from since, are judged right nineteen times in twenty, and nothing with an effect is called a read", () => {
  const { accuracy, dangerous } = confusion(fixture<Labelled>("real-servers.json"));
  expect(dangerous).toEqual([]);
  expect(accuracy).toBeGreaterThan(0.95);
});
