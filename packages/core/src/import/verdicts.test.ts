import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import type { JsonObject } from "../arguments/json-snapshot.ts";
import { decide } from "../decision/decide.ts";
import { type CallOutcome, lackOfRoom, settleIndices } from "../limits/limits.ts";
import { memoryStore } from "../limits/memory-store.ts";
import { compilePolicy } from "../policy/compile-policy.ts";
import type { PolicyDocument } from "../policy/policy-schema.ts";
import type { Imported } from "./finish-import.ts";
import { ImportError } from "./import-log.ts";
import { fromIntercept } from "./intercept.ts";
import { fromPolicyLayer } from "./policylayer.ts";

interface ReferenceCall {
  tool: string;
  args?: JsonObject;
  at?: string;
  grant?: string;
  server?: string;
  result?: "ok" | "tool error" | "protocol error";
  expect: "allow" | "hold" | "deny";
  message?: string;
  rule?: string;
}

interface Row {
  statement: string;
  reads: string;
  policy: string;
  calls?: ReferenceCall[];
  notes?: string[];
  refused?: { at: string; says: string };
}

const tables: [name: string, importer: (text: string) => Imported][] = [
  ["intercept", fromIntercept],
  ["policylayer", (text) => fromPolicyLayer(parse(text))],
];

for (const [name, importer] of tables) {
  const rows: Row[] = parse(read(`../../test-data/import/${name}.yaml`));

  for (const row of rows) {
    test(`${name}: ${row.statement}: ${row.reads}`, () => {
      if (row.refused) return expectRefusal(() => importer(row.policy), row.refused);
      const { policy, notes } = importer(row.policy);
      expect(notes.map(({ message }) => message)).toEqual((row.notes ?? []).map((part) => expect.stringContaining(part)));
      const made = play(policy, row.calls ?? []);
      expect(made).toEqual((row.calls ?? []).map(expectation));
    });
  }

  test(`${name}: the table of the documentation has exactly the rows that are tested here`, () => {
    const page = read("../../../../docs/importing.md");
    const table = page.slice(page.indexOf(`<!-- rows: ${name} -->`), page.indexOf(`<!-- end: ${name} -->`));
    const documented = table
      .split("\n")
      .filter((line) => line.startsWith("| "))
      .slice(2);
    expect(documented).toEqual(rows.map(({ statement, reads }) => `| ${statement} | ${reads} |`));
  });
}

function read(path: string): string {
  return readFileSync(new URL(path, import.meta.url), "utf8");
}

function expectRefusal(load: () => unknown, { at, says }: { at: string; says: string }): void {
  try {
    load();
  } catch (error) {
    const issues = ImportError.is(error) ? error.issues : [];
    const found = issues.map(({ line, column, pointer, message, fix }) => ({
      at: line === undefined ? pointer : `${line}:${column}`,
      says: `${message}: ${fix}`,
    }));
    expect(found).toContainEqual({ at, says: expect.stringContaining(says) });
    return;
  }
  expect.fail("the policy was imported");
}

function expectation({ expect: verdict, message, rule }: ReferenceCall): unknown {
  return { verdict, message: message ?? expect.anything(), rule: rule ?? expect.anything() };
}

const outcomes: Record<NonNullable<ReferenceCall["result"]>, CallOutcome> = {
  ok: { kind: "success" },
  "tool error": { kind: "tool_error" },
  "protocol error": { kind: "protocol_error", code: -32000 },
};

/** Makes the calls one after the other, as a guard would: decide, reserve, send, settle. Nobody answers a hold. */
function play(document: PolicyDocument, calls: readonly ReferenceCall[]): unknown[] {
  const policy = compilePolicy(document);
  const store = memoryStore({ durability: "process" });

  return calls.map(({ tool, args = {}, at = "2026-03-01T10:00:00Z", grant = "default", server = "one", result = "ok" }) => {
    const now = Date.parse(at);
    const call = { server, tool, arguments: args, context: { grant } };
    const plan = decide(policy, call, { now, namespace: "", definition: { state: "not_needed" }, mode: "enforce" });
    if (plan.outcome === "deny") return { verdict: "deny", message: plan.message, rule: plan.rule };
    if (plan.outcome === "hold") return { verdict: "hold", message: "", rule: "" };
    const reserved = store.reserve(
      plan.debits.map(({ debit }) => debit),
      now,
    );
    if (!reserved.granted) {
      const { message, rule } = lackOfRoom(plan.debits, reserved.short, reserved.room);
      return { verdict: "deny", message, rule };
    }
    store.settle(reserved.reservation, settleIndices(plan.debits, outcomes[result]), now);
    return { verdict: "allow", message: "", rule: "" };
  });
}
