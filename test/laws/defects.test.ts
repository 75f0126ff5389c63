import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { defects } from "./defects/defects.ts";
import { laws, repository } from "./laws.ts";

test("every seeded defect still finds its one place in the source", () => {
  for (const [title, { file, find, replace }] of Object.entries(defects)) {
    const places = readFileSync(`${repository}/${file}`, "utf8").split(find).length - 1;
    expect([title, places, replace === find]).toEqual([title, 1, false]);
  }
});

test("every law has a seeded defect", () => {
  expect(new Set(Object.values(defects).map(({ law }) => law))).toEqual(new Set(Object.keys(laws)));
});
