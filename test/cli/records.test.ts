import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createGuard, memoryStore, type PolicyDocument } from "@holdpoint/core";
import { jsonlAudit } from "@holdpoint/core/node";
import { sqliteApprovals } from "@holdpoint/stores/sqlite";
import { afterEach, expect, test } from "vitest";
import { holdpoint, lines } from "./holdpoint.ts";

const policy: PolicyDocument = {
  version: "1",
  default: "deny",
  tools: {
    pay: { deny_if: [{ path: "args.amount", op: "gt", value: 100 }], audit: { record: ["args.amount"] } },
    send: { limits: [{ counter: "sent", window: { sliding: "1h" }, max: 1, count: "success" }] },
    refund: { require_approval: [{ conditions: [], reason: "Refunds wait" }] },
  },
};

const folders: string[] = [];
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "holdpoint-records-"));
  folders.push(made);
  return made;
}
afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true });
});

async function writeAudit(cwd: string): Promise<void> {
  const audit = jsonlAudit(join(cwd, "audit.jsonl"));
  const guard = createGuard({ policy, audit });
  const session = guard.session({ user: "ann" });
  for (const [tool, args] of [
    ["pay", { amount: 5 }],
    ["pay", { amount: 500 }],
    ["pay", { amount: 5, note: "x" }],
    ["send", {}],
  ] as const) {
    await guard.run({ session, tool, arguments: args }, () => ({ value: 0, outcome: { kind: "tool_error" } }));
  }
  await audit.close();
}

test("audit verify finds what was changed, show prints and stats count", async () => {
  const cwd = folder();
  await writeAudit(cwd);
  const verified = await holdpoint(["audit", "verify", "audit.jsonl"], { cwd });
  expect(verified.stdout).toContain("✓ the chain holds");
  expect(verified.code).toBe(0);
  const shown = await holdpoint(["audit", "show", "audit.jsonl", "--outcome", "deny"], { cwd });
  expect(shown.stdout).toMatch(/decision default\/pay .*deny by \/tools\/pay\/deny_if\/args\.amount-gt/);
  const stats = await holdpoint(["audit", "stats", "audit.jsonl", "--json"], { cwd });
  expect(JSON.parse(stats.stdout)).toMatchObject({ allowed: 3, denied: 1, byTool: { "default/pay": { allowed: 2, denied: 1 } } });
  const text = readFileSync(join(cwd, "audit.jsonl"), "utf8");
  writeFileSync(join(cwd, "audit.jsonl"), text.replace('"outcome":"deny"', '"outcome":"allow"'));
  const broken = await holdpoint(["audit", "verify", "audit.jsonl"], { cwd });
  expect(broken.stdout).toContain("✗ the chain is broken");
  expect(broken.code).toBe(1);
});

test("[fail-closed] audit verify refuses checkpoints that are none, an empty list of them, and a key without any", async () => {
  const cwd = folder();
  await writeAudit(cwd);
  for (const [content, problem] of [
    ["[]", "holds no checkpoint"],
    ["null", "`checkpoints[0]` is no checkpoint"],
    ['{"checkpoints":[]}', "`checkpoints[0]` is no checkpoint"],
  ] as const) {
    writeFileSync(join(cwd, "kept.json"), content);
    const refused = await holdpoint(["audit", "verify", "audit.jsonl", "--checkpoint", "kept.json"], { cwd });
    expect(refused).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(problem) });
    expect(refused.stderr).not.toMatch(/\n {4}at /);
  }
  const alone = await holdpoint(["audit", "verify", "audit.jsonl", "--public-key", "kept.json"], { cwd });
  expect(alone).toMatchObject({ code: 2, stderr: expect.stringContaining("give them with `--checkpoint`") });
  const shown = await holdpoint(["audit", "show", "audit.jsonl", "--outcome", "denied"], { cwd });
  expect(shown).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("Allowed choices are allow, deny") });
});

test("simulate replays the calls of an audit whose values were recorded, and says which it left out", async () => {
  const cwd = folder();
  await writeAudit(cwd);
  writeFileSync(
    join(cwd, "stricter.json"),
    JSON.stringify({ ...policy, tools: { ...policy.tools, pay: { deny_if: [{ path: "args.amount", op: "gt", value: 1 }] } } }),
  );
  writeFileSync(join(cwd, "policy.json"), JSON.stringify(policy));
  const replayed = await holdpoint(["simulate", "stricter.json", "audit.jsonl"], { cwd });
  expect(lines(replayed.stdout).map(({ outcome }) => outcome)).toEqual(["deny", "deny", "allow"]);
  expect(replayed.stderr).toContain("the call is left out: not every argument was recorded");
  expect(replayed.code).toBe(2);
  const diff = await holdpoint(["simulate", "policy.json", "audit.jsonl", "--diff", "stricter.json"], { cwd });
  expect(lines(diff.stdout)).toMatchObject([
    { call: { tool: "pay", args: { amount: 5 }, context: { user: "ann" } }, policy: { outcome: "allow" }, other: { outcome: "deny" } },
  ]);
});

test("simulate gives back what the calls of an audit were given back, by the code of their errors", async () => {
  const cwd = folder();
  const limited = { limits: [{ counter: "c", window: "day", max: 1, count: "answered" }], audit: { record: ["args.n"] } } as const;
  const document: PolicyDocument = { version: "1", default: "deny", tools: { pay: limited } };
  writeFileSync(join(cwd, "policy.json"), JSON.stringify(document));
  const audit = jsonlAudit(join(cwd, "audit.jsonl"));
  const guard = createGuard({ policy: document, store: memoryStore({ durability: "process" }), audit });
  const session = guard.session();
  const outcomes: string[] = [];
  for (const ended of [{ kind: "unsent" }, { kind: "protocol_error", code: -32602 }, { kind: "protocol_error", code: -32000 }] as const) {
    const admitted = await guard.admit({ session, tool: "pay", arguments: { n: 1 } });
    outcomes.push(admitted.outcome);
    if (admitted.outcome === "allow") await admitted.settle(ended);
  }
  outcomes.push((await guard.admit({ session, tool: "pay", arguments: { n: 1 } })).outcome);
  await audit.close();
  const replayed = await holdpoint(["simulate", "policy.json", "audit.jsonl"], { cwd });
  expect([outcomes, replayed.code]).toEqual([["allow", "allow", "allow", "deny"], 0]);
  expect(lines(replayed.stdout).map(({ outcome }) => outcome)).toEqual(outcomes);
});

test("a line that was put into an audit and is no record is denied in its place", async () => {
  const cwd = folder();
  await writeAudit(cwd);
  writeFileSync(join(cwd, "policy.json"), JSON.stringify(policy));
  const [record = ""] = readFileSync(join(cwd, "audit.jsonl"), "utf8")
    .split("\n")
    .filter((line) => line.includes('"decision"'));
  for (const line of ["{}", record.replace('"tool":', '"tool":"look","tool":')]) {
    appendFileSync(join(cwd, "audit.jsonl"), `${line}\n`);
    const replayed = await holdpoint(["simulate", "policy.json", "audit.jsonl"], { cwd });
    expect(lines(replayed.stdout).at(-1)).toMatchObject({ outcome: "deny", code: "malformed" });
  }
});

test("requests for approval are listed, shown and answered, once", async () => {
  const cwd = folder();
  const approvals = sqliteApprovals({ file: join(cwd, "approvals.db") });
  const guard = createGuard({ policy, approvals });
  const session = guard.session({ user: "ann" });
  const held = await guard.admit({ session, tool: "refund", arguments: { amount: 5, note: "\u202eevil" } });
  const id = held.outcome === "deny" ? (held.approval?.id ?? "") : "";
  const on = ["--store", "sqlite:approvals.db"];

  const listed = await holdpoint(["approvals", "list", ...on], { cwd });
  expect(listed.stdout).toMatch(new RegExp(`${id}\\s+pending\\s+default\\s+refund.*Refunds wait`));
  const shown = await holdpoint(["approvals", "show", id, ...on], { cwd });
  expect(shown.stdout).toContain('"amount": 5');
  expect(shown.stdout).not.toContain("\u202e");
  const approved = await holdpoint(["approvals", "approve", id, "--by", "bo", ...on], { cwd });
  expect(approved).toMatchObject({ code: 0, stdout: `approved ${id}: refund on default\n` });
  const again = await holdpoint(["approvals", "refuse", id, ...on], { cwd });
  expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining("is approved: only a pending one can be answered") });
  expect((await guard.admit({ session, tool: "refund", arguments: { amount: 5, note: "\u202eevil" } })).outcome).toBe("allow");
  approvals.close();
});

test("a store that is not there is said to be missing, and is not made", async () => {
  const missing = await holdpoint(["approvals", "list", "--store", "sqlite:none.db"]);
  expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining("none.db: there is no such file") });
  const other = await holdpoint(["approvals", "list", "--store", fileURLToPath(import.meta.url)]);
  expect(other).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^error: .*records\.test\.ts: SQLite failed: file is not a database\n$/),
  });
  const unknown = await holdpoint(["approvals", "list", "--store", "mysql://x"]);
  expect(unknown.code).toBe(2);
  const down = await holdpoint(["approvals", "list", "--store", "redis://user:secret@127.0.0.1:1"]);
  expect(down.code).toBe(3);
  expect(down.stderr).not.toContain("secret");
});

test("no part of a store's password is printed, however it is written", async () => {
  for (const [url, code] of [
    ["mysql://ann:hunter2@127.0.0.1:1", 2],
    ["redis://ann:hun/ter2@127.0.0.1:1", 2],
    ["redis://ann:hun@ter2@127.0.0.1:1", 3],
    ["postgres://ann:hun@ter2@127.0.0.1:1/x", 3],
    ["postgres://ann:hun/ter2@127.0.0.1:1/x", 3],
  ] as const) {
    const ended = await holdpoint(["approvals", "list", "--store", url]);
    expect(ended).toMatchObject({ stdout: "", stderr: expect.stringMatching(/^error: .*\/\/…@127\.0\.0\.1:1.*\n$/), code });
    expect(ended.stderr).not.toMatch(/ann|hun|ter2/);
  }
});
