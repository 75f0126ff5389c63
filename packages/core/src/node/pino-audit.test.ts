import { PassThrough } from "node:stream";
import pino from "pino";
import { expect, test } from "vitest";
import { createGuard } from "../guard/guard.ts";
import { pinoAudit } from "./pino-audit.ts";

function logger() {
  const stream = new PassThrough();
  const log = pino({ level: "trace" }, stream);
  return {
    log,
    lines: () =>
      (stream.read()?.toString() ?? "")
        .split("\n")
        .filter(Boolean)
        .map((line: string) => JSON.parse(line)),
  };
}

test("one structured line for each event: refusals are warnings, outcomes are for debugging", async () => {
  const { log, lines } = logger();
  const guard = createGuard({ audit: pinoAudit(log), policy: { version: "1", default: "deny", tools: { search: {} } } });
  const session = guard.session();
  const call = (tool: string) =>
    guard.run({ session, tool, arguments: { q: "the-argument" }, seam: "transport" }, () => ({ value: 1, outcome: { kind: "success" } }));
  await call("search");
  await call("drop\n\u202etable");
  const written = lines();
  expect(written.map(({ level, msg }: { level: number; msg: string }) => [pino.levels.labels[level], msg])).toEqual([
    ["info", "policy.loaded default"],
    ["info", "allowed default/search"],
    ["debug", "default/search ended: success"],
    ["warn", "denied default/drop\\u{a}\\u{202e}table: (default deny)"],
  ]);
  expect(written[1]).toMatchObject({ holdpoint: { type: "decision", outcome: "allow", tool: "search" } });
  expect(JSON.stringify(written)).not.toContain("the-argument");
});

test("the member and the level are the host's to choose", async () => {
  const { log, lines } = logger();
  createGuard({ audit: pinoAudit(log, { key: "audit", level: () => "error" }), policy: { version: "1", default: "deny" } });
  expect(lines()).toEqual([expect.objectContaining({ level: 50, audit: expect.objectContaining({ type: "policy.loaded" }) })]);
});
