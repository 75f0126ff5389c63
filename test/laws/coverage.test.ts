import { expect, test } from "vitest";
import { type Area, citedIn, type Law, laws } from "./laws.ts";

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
