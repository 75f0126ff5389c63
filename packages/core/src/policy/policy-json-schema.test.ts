import { readFileSync } from "node:fs";
import { Compile } from "typebox/schema";
import { expect, test } from "vitest";
import { policyJsonSchema } from "./policy-json-schema.ts";
import { snapshotPolicy } from "./policy-snapshot.ts";
import { shapeIssues } from "./shape-issues.ts";

interface Case {
  readonly title: string;
  readonly policy: unknown;
}

function read<Content>(file: string): Content {
  return JSON.parse(readFileSync(new URL(file, import.meta.url), "utf8"));
}

const published = read<{ readonly $schema: string }>("../../policy.schema.json");
const validator = Compile(published);

test("the published JSON Schema is the one of this version; `pnpm --filter @holdpoint/core schema` writes it", () => {
  expect(published).toEqual(JSON.parse(JSON.stringify(policyJsonSchema())));
  expect(published.$schema).toBe("https://json-schema.org/draft/2020-12/schema");
});

test("the published JSON Schema asks for nothing that JSON cannot hold", () => {
  expect(JSON.stringify(published)).not.toMatch(/predicate|Standard Schema|only in TypeScript/);
});

test.each(read<Case[]>("../../test-data/valid-policies.json"))("the published JSON Schema accepts: $title", ({ policy }) => {
  expect(validator.Check(policy)).toBe(true);
});

test.each(read<Case[]>("../../test-data/wrong-policies.json"))("the published JSON Schema agrees on the shape of: $title", ({ policy }) => {
  expect(validator.Check(policy)).toBe(shapeIssues(snapshotPolicy(policy, { functions: false }).document).length === 0);
});
