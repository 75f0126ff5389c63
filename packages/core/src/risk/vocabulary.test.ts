import { expect, test } from "vitest";
import { combinations, fillers, lightVerbs, nounPairs, phrasalVerbs, verbs } from "./vocabulary.ts";

const listed = Object.values(verbs).flatMap((kinds) => Object.values(kinds).flatMap((list) => list.split(/\s+/).filter(Boolean)));

test("a word stands in one table only, so what it means is where it is read", () => {
  const twice = listed.filter((word, at) => listed.indexOf(word) !== at);
  expect(twice).toEqual([]);
});

test("every word is a single lower-case token, as names are cut into tokens", () => {
  const objects = combinations.flatMap((row) => `${row.verbs} ${row.objects} ${row.unless ?? ""}`.split(/\s+/).filter(Boolean));
  expect([...listed, ...objects, ...lightVerbs, ...fillers].filter((word) => !/^[a-z0-9]+$/.test(word))).toEqual([]);
});

test("every verb of a combination is a verb of the tables, else its row can never apply", () => {
  const unknown = combinations.flatMap((row) => row.verbs.split(" ")).filter((verb) => !listed.includes(verb));
  expect([...new Set(unknown)]).toEqual([]);
});

test("pairs are two words with one space", () => {
  const pairs = [...nounPairs, ...Object.keys(phrasalVerbs)];
  expect(pairs.filter((pair) => !/^[a-z]+ [a-z]+$/.test(pair))).toEqual([]);
});
