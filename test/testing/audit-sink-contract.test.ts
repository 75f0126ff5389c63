import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryAudit } from "@holdpoint/core";
import { jsonlAudit } from "@holdpoint/core/node";
import { auditLog } from "@holdpoint/testing";
import { auditSinkCases, auditSinkContract } from "@holdpoint/testing/contracts";
import { expect, test } from "vitest";

/** Takes an event as JSON, as whoever keeps one must. */
function textSink() {
  const lines: string[] = [];
  return { sink: { write: (event: object) => void lines.push(JSON.stringify(event)) }, read: () => lines.map((line) => JSON.parse(line)) };
}

auditSinkContract("text", textSink, { test, expect });

auditSinkContract(
  "jsonl",
  async () => {
    const file = join(await mkdtemp(join(tmpdir(), "audit-")), "audit.jsonl");
    const sink = jsonlAudit(file, { required: true });
    return {
      sink,
      close: () => sink.close(),
      async read() {
        const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
        return lines.map((line) => JSON.parse(line)).flatMap((record) => ("event" in record ? [record.event] : []));
      },
    };
  },
  { test, expect },
);

// The guard hands every event out once and never changes it: sinks in memory keep the object itself.
const kept = auditSinkCases.filter(({ name }) => !name.includes("taken as it is"));
for (const [name, open] of Object.entries({ memoryAudit, auditLog })) {
  test.each(kept)(`${name}: $name`, async ({ run }) => {
    const sink = open();
    await run(
      { sink, read: () => sink.events },
      { deepEqual: (actual, expected) => expect(actual).toEqual(expected), ok: (value) => expect(value).toBeTruthy() },
    );
  });
}

test("a sink that reorders, drops or shortens fails the contract", async () => {
  const broken = [
    () => {
      const { sink, read } = textSink();
      return { sink, read: () => read().reverse() };
    },
    () => {
      const { sink, read } = textSink();
      return { sink, read: () => read().slice(1) };
    },
    () => {
      const { sink, read } = textSink();
      return { sink, read: () => read().map(({ recorded, ...event }) => event) };
    },
  ];
  for (const open of broken) {
    const assert = {
      deepEqual: (actual: unknown, expected: unknown) => expect(actual).toEqual(expected),
      ok: (value: unknown) => expect(value).toBeTruthy(),
    };
    for (const { run } of [auditSinkCases[0], auditSinkCases[1]] as typeof auditSinkCases)
      await expect(run(open(), assert)).rejects.toThrow();
  }
});
