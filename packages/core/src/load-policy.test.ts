import { readFileSync } from "node:fs";
import * as z from "zod";
import { expect, test } from "vitest";
import { loadPolicy, parsePolicy, policyDigest } from "./load-policy.ts";
import { PolicyError, type PolicyIssue } from "./policy-error.ts";

interface WrongPolicy {
  readonly title: string;
  readonly policy: unknown;
  readonly issues: readonly { readonly pointer: string; readonly message: string }[];
}

function read<Case>(name: string): readonly Case[] {
  return JSON.parse(readFileSync(new URL(`../test-data/${name}`, import.meta.url), "utf8"));
}

function issuesOf(load: () => unknown): readonly PolicyIssue[] {
  try {
    load();
  } catch (error) {
    if (PolicyError.is(error)) return error.issues;
    throw error;
  }
  return [];
}

const byPlace = (a: { pointer: string; message: string }, b: { pointer: string; message: string }) =>
  a.pointer < b.pointer ? -1 : a.pointer > b.pointer ? 1 : a.message < b.message ? -1 : 1;

test.each(read<WrongPolicy>("wrong-policies.json"))("[strict-load] does not load: $title", ({ policy, issues }) => {
  const found = issuesOf(() => parsePolicy(policy));
  expect(found.map(({ pointer }) => pointer).sort()).toEqual(issues.map(({ pointer }) => pointer).sort());
  for (const { pointer, message } of issues) {
    expect(found.filter((issue) => issue.pointer === pointer).map((issue) => issue.message).join("\n")).toContain(message);
  }
  for (const { message, fix } of found) expect([message, fix]).not.toContain("");
});

test.each(read<{ title: string; policy: unknown }>("valid-policies.json"))("loads: $title", ({ policy }) => {
  // As text: the matcher for objects cannot tell an own `__proto__`.
  expect(JSON.stringify(parsePolicy(policy))).toBe(JSON.stringify(policy));
});
