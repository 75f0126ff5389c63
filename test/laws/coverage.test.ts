import { expect, test } from "vitest";
import { type Area, citedIn, type Law, laws, lawsIn } from "./laws.ts";

/** Cells that no test shows yet. One that is covered since turns its `test.fails` red: then it comes off this list. */
const gaps: readonly (readonly [Law, Area])[] = [];

for (const [law, areas] of Object.entries(laws) as [Law, readonly Area[]][]) {
  for (const area of areas) {
    const isGap = gaps.some(([open, where]) => open === law && where === area);
    (isGap ? test.fails : test)(`a test of ${area} cites ${law}`, () => {
      expect(citedIn(area)).toContain(law);
    });
  }
}

test("no title cites a law that there is not", () => {
  const areas: readonly Area[] = ["core", "mcp", "ai-sdk", "langchain", "stores"];
  const unknown = areas.flatMap((area) => [...citedIn(area)].filter((id) => !Object.hasOwn(laws, id)));
  expect(unknown).toEqual([]);
});

test("a law is cited by a title of a test that is run, and by nothing else", () => {
  const run = [
    'test("[deny-wins] a", () => {});',
    'test.each(majors)(\n  "[fail-closed] [strict-load] b %s",\n',
    "  name: `[decided-once] c`,",
  ];
  expect(run.flatMap(lawsIn)).toEqual(["deny-wins", "fail-closed", "strict-load", "decided-once"]);
  const idle = [
    '// test("[deny-wins] a", () => {});',
    '/*\n test.each(majors)(\n * "[deny-wins] a"\n */',
    'test.skip("[deny-wins] a", () => {});',
    'test.skip.each(majors)(\n  "[deny-wins] a",\n',
    "test.todo(`[deny-wins] a`);",
    'test.fails("[deny-wins] a", () => {});',
    'test("a call that [deny-wins] is about", () => {});',
  ];
  expect(idle.flatMap(lawsIn)).toEqual([]);
});
