// The official client conformance suite, with a client guarded by an allow-all policy and with a bare one: the suite's verdicts and every message that
// reached its server are the same. Scenarios run in the suite's own process, which starts a server and then the client.

import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const suite = createRequire(import.meta.url).resolve("@modelcontextprotocol/conformance/dist/index.js");
const client = `"${process.execPath}" --conditions=@holdpoint/source "${join(import.meta.dirname, "client.ts")}"`;
const scenarios = ["initialize", "tools_call", "elicitation-sep1034-client-defaults", "sse-retry"];

/** These start an OAuth server and judge how a client gets its token. That ends before the first message which a guard sees. */
const needOAuth = /^auth\//;

/** Judged by the clock: its verdict is about the machine as much as the client. */
const timed = "client-sse-retry-timing";

interface Check {
  readonly id: string;
  readonly status: "SUCCESS" | "FAILURE" | "WARNING" | "INFO";
  readonly details?: { readonly body?: unknown };
}

interface Conformance {
  /** What the suite judged, by the id of the check. */
  readonly verdicts: Readonly<Record<string, string>>;
  /** The messages that the suite's server was sent, in order. */
  readonly sent: readonly unknown[];
}

async function conformance(scenario: string, major: 1 | 2, protection: "bare" | "allow" | "deny"): Promise<Conformance> {
  const folder = await mkdtemp(join(tmpdir(), "holdpoint-conformance-"));
  const command = `${client} ${major} ${protection}`;
  // Its exit code says whether a check failed, which the checks say too.
  await promisify(execFile)(process.execPath, [suite, "client", "--command", command, "--scenario", scenario, "-o", folder]).catch(
    () => undefined,
  );
  const [results = ""] = await readdir(folder);
  const checks: readonly Check[] = JSON.parse(await readFile(join(folder, results, "checks.json"), "utf8"));
  await rm(folder, { recursive: true });
  const judged = checks.filter(({ id, status }) => status !== "INFO" && id !== timed);
  return {
    verdicts: Object.fromEntries(judged.map(({ id, status }) => [id, status])),
    sent: checks.flatMap(({ id, details }) => (id === "incoming-request" && details?.body !== undefined ? [details.body] : [])),
  };
}

for (const major of [1, 2] as const) {
  for (const scenario of scenarios) {
    test(`[transparent-allow] conformance scenario \`${scenario}\`, SDK ${major}.x: guarded as bare`, async () => {
      const [bare, guarded] = await Promise.all([conformance(scenario, major, "bare"), conformance(scenario, major, "allow")]);
      expect(new Set(Object.values(bare.verdicts))).toEqual(new Set(["SUCCESS"]));
      expect(guarded).toEqual(bare);
    });
  }

  test(`[nothing-leaves-unchecked] a client that may not call fails the scenario of the call, SDK ${major}.x`, async () => {
    const [bare, denied] = await Promise.all([conformance("tools_call", major, "bare"), conformance("tools_call", major, "deny")]);
    expect(denied.verdicts).toEqual({ "tool-add-numbers": "FAILURE" });
    expect(denied.sent).toEqual(bare.sent.slice(0, -1));
  });
}

test("no client scenario is left out but those that need an OAuth server", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [suite, "list", "--client"]);
  const listed = Array.from(stdout.matchAll(/^ {2}- (\S+)/gm), ([, name = ""]) => name);
  expect(listed.filter((name) => !needOAuth.test(name))).toEqual(scenarios);
});
