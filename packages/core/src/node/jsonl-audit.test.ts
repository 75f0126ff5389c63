import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import type { AuditEvent, DecisionEvent, ToolsEvent } from "../audit/audit-event.ts";
import { createGuard } from "../guard/guard.ts";
import { memoryStore } from "../limits/memory-store.ts";
import type { AuditCheckpoint } from "./audit-checkpoint.ts";
import { jsonlAudit } from "./jsonl-audit.ts";
import { readAudit } from "./read-audit.ts";
import { verifyAudit } from "./verify-audit.ts";

/** The real file system; a full disk takes a few bytes of a write, and then no more. */
const disk = vi.hoisted(() => ({ full: false, syncs: 0 }));
vi.mock("node:fs", async (original) => {
  const real = await original<typeof import("node:fs")>();
  const { promisify } = await import("node:util");
  const write = () => undefined;
  const fdatasync = () => undefined;
  let partly = false;
  Object.assign(write, {
    [promisify.custom]: async (descriptor: number, bytes: Buffer, offset: number) => {
      if (!disk.full) return promisify(real.write)(descriptor, bytes, offset);
      partly = !partly;
      if (partly) return promisify(real.write)(descriptor, bytes, offset, 20);
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    },
  });
  Object.assign(fdatasync, {
    [promisify.custom]: async (descriptor: number) => {
      disk.syncs++;
      await promisify(real.fdatasync)(descriptor);
    },
  });
  return { ...real, write, fdatasync };
});

const scratch = () => mkdtempSync(join(tmpdir(), "holdpoint-audit-"));

let made = 0;
function canary(tool = "t"): AuditEvent {
  return { v: 1, id: `e${++made}`, time: "2026-01-01T00:00:00.000Z", guard: "g", type: "canary", server: "s", tool };
}

test("an event that was written reads back as it was, whatever its text", async () => {
  const file = join(scratch(), "audit.jsonl");
  await using audit = jsonlAudit(file, { required: true });
  const events = [canary("plain"), canary("line\nfeed \u2028 \u202e"), canary("lone \ud800"), canary('","hash":"0"}')];
  await Promise.all(events.map((event) => audit.write(event)));
  expect(await eventsIn(file)).toEqual(events);
  expect(await verifyAudit(file)).toMatchObject({ ok: true, records: 5, problems: [], torn: [] });
  expect(statSync(file).mode & 0o077).toBe(0);
});

test("required writes that are made together share a sync, and each is in the file when it resolves", async () => {
  const file = join(scratch(), "audit.jsonl");
  await using audit = jsonlAudit(file, { required: true });
  disk.syncs = 0;
  await Promise.all(Array.from({ length: 50 }, () => audit.write(canary())));
  expect(disk.syncs).toBe(1);
  await audit.write(canary());
  expect(disk.syncs).toBe(2);
  expect(await verifyAudit(file)).toMatchObject({ ok: true, records: 52 });
});

test("an optional sink answers at once, and `flush` waits for what was handed over", async () => {
  const directory = scratch();
  await using audit = jsonlAudit(directory);
  for (let i = 0; i < 3_000; i++) expect(audit.write(canary())).toBeUndefined();
  await audit.flush();
  expect(await verifyAudit(directory)).toMatchObject({ ok: true, records: 3_001 });
});

test("a file of the greatest size is followed by the next, which goes on with the chain", async () => {
  const directory = scratch();
  const audit = jsonlAudit(join(directory, "audit.jsonl"), { required: true, maxBytes: 2_000 });
  for (let i = 0; i < 40; i++) await audit.write(canary());
  await audit.close();
  expect(readdirSync(directory).length).toBeGreaterThan(4);
  expect(await verifyAudit(directory)).toMatchObject({ ok: true });
  expect(await eventsIn(directory)).toHaveLength(40);

  const again = jsonlAudit(join(directory, "audit.jsonl"), { required: true, maxBytes: 2_000 });
  await again.write(canary());
  await again.close();
  expect(await verifyAudit(directory)).toMatchObject({ ok: true, problems: [] });
});

test("a missing file in the middle of a chain is named, and a checkpoint vouches for files that were put away", async () => {
  const directory = scratch();
  const checkpoints: AuditCheckpoint[] = [];
  const audit = jsonlAudit(join(directory, "audit.jsonl"), {
    required: true,
    maxBytes: 1_000,
    checkpointEvery: { records: 1 },
    onCheckpoint: (checkpoint) => void checkpoints.push(checkpoint),
  });
  for (let i = 0; i < 12; i++) {
    await audit.write(canary());
    await audit.checkpoint();
  }
  await audit.close();
  const files = readdirSync(directory)
    .sort()
    .map((name) => join(directory, name));
  const [first, second, ...rest] = [
    files.find((file) => file.endsWith("audit.jsonl")) as string,
    ...files.filter((file) => !file.endsWith("audit.jsonl")),
  ];
  expect((await verifyAudit([first, ...rest])).problems).toEqual([
    expect.objectContaining({ file: rest[0], line: 1, problem: expect.stringContaining("missing before this file") }),
  ]);
  expect((await verifyAudit([second as string, ...rest])).ok).toBe(false);
  const last = readFileSync(first, "utf8").trimEnd().split("\n").at(-1) as string;
  const { chain, seq, hash } = JSON.parse(last);
  const kept: AuditCheckpoint = { v: 1, chain, seq, hash, file: "audit.jsonl", time: "2026-01-01T00:00:00.000Z" };
  expect(await verifyAudit([second as string, ...rest], { checkpoints: [kept] })).toMatchObject({ ok: true, problems: [] });
});

test("a torn last line is cut off into a note that keeps it, and the chain goes on", async () => {
  const file = join(scratch(), "audit.jsonl");
  const audit = jsonlAudit(file, { required: true });
  await audit.write(canary());
  await audit.close();
  appendFileSync(file, '{"chain":"torn é');
  expect(await verifyAudit(file)).toMatchObject({ ok: true, records: 2, torn: [{ file, line: 3, bytes: 17 }] });
  const again = jsonlAudit(file, { required: true });
  await again.write(canary());
  await again.close();
  expect(await verifyAudit(file)).toMatchObject({ ok: true, torn: [] });
  expect(readFileSync(file, "utf8")).toContain(JSON.stringify({ bytes: 17, text: '{"chain":"torn é' }).slice(1, -1));
  expect(await eventsIn(file)).toHaveLength(2);
});

test("a crash right after a file was made leaves one that is begun anew", async () => {
  const file = join(scratch(), "audit.jsonl");
  writeFileSync(file, '{"chain":"ab');
  const audit = jsonlAudit(file, { required: true });
  await audit.write(canary());
  await audit.close();
  expect(await verifyAudit(file)).toMatchObject({ ok: true, torn: [] });
});

test("[fail-closed] a file whose last record is not sound is not written to", async () => {
  const file = join(scratch(), "audit.jsonl");
  const audit = jsonlAudit(file, { required: true });
  await audit.write(canary("refund"));
  await audit.close();
  writeFileSync(file, readFileSync(file, "utf8").replace("refund", "reFund"));
  expect(() => jsonlAudit(file)).toThrow(/not sound/);
  expect(() => jsonlAudit(file)).toThrow(/not sound/);
});

test("[fail-closed] a full disk denies the call and gives its reservation back, and what was written in part is taken back", async () => {
  const file = join(scratch(), "audit.jsonl");
  await using audit = jsonlAudit(file, { required: true });
  const guard = createGuard({
    audit,
    policy: { version: "1", default: "deny", tools: { send: { limits: [{ counter: "sends", window: "minute", max: 2 }] } } },
  });
  const call = () =>
    guard.run({ session, tool: "send", arguments: {}, seam: "transport" }, () => ({ value: "sent", outcome: { kind: "success" } }));
  const session = guard.session();
  disk.full = true;
  expect(await call()).toMatchObject({ outcome: "deny", code: "audit_unavailable", detail: expect.stringContaining("ENOSPC") });
  expect(await call()).toMatchObject({ outcome: "deny", code: "audit_unavailable" });
  expect(await call()).toMatchObject({ outcome: "deny", code: "audit_unavailable" });
  disk.full = false;
  expect(await call()).toMatchObject({ value: "sent" });
  expect(await call()).toMatchObject({ value: "sent" });
  await audit.flush();
  expect(await verifyAudit(file)).toMatchObject({ ok: true, torn: [], problems: [] });
});

test("[fail-closed] what failed open is denied where an optional sink has it in its queue alone", async () => {
  const file = join(scratch(), "audit.jsonl");
  await using audit = jsonlAudit(file, { maxQueued: 3 });
  const down = memoryStore({ maxKeys: 1 });
  down.reserve = down.look = () => {
    throw new Error("down");
  };
  const guard = createGuard({
    audit,
    store: down,
    failMode: { store: "open" },
    policy: { version: "1", default: "deny", tools: { send: { limits: [{ counter: "sends", window: "minute", max: 2 }] } } },
  });
  const session = guard.session();
  const call = () =>
    guard.run({ session, tool: "send", arguments: {}, seam: "transport" }, () => ({ value: "sent", outcome: { kind: "success" } }));
  expect(await call()).toMatchObject({ value: "sent" });
  await audit.flush();
  disk.full = true;
  for (let n = 0; n < 5; n++) expect(await call()).toMatchObject({ outcome: "deny", code: "audit_unavailable" });
  disk.full = false;
  await audit.flush();
  expect(await call()).toMatchObject({ value: "sent" });
  await audit.flush();
  const decisions = (await eventsIn(file)).filter(({ type }) => type === "decision") as DecisionEvent[];
  expect(decisions.map(({ failedOpen }) => failedOpen)).toEqual(decisions.map(() => ["store"]));
  expect(await verifyAudit(file)).toMatchObject({ ok: true });
});

test("no text of a model or a server, however long, makes an event that a required sink can never take", async () => {
  const file = join(scratch(), "audit.jsonl");
  await using audit = jsonlAudit(file, { required: true });
  const guard = createGuard({ audit, policy: { version: "1", default: "deny", tools: { send: {} } } });
  const session = guard.session();
  const call = (tool: string) =>
    guard.run({ session, tool, arguments: {}, seam: "transport", callId: tool }, () => ({
      value: "sent",
      outcome: { kind: "unsent", reason: long },
    }));
  const long = "x".repeat(6_000_000);
  guard.report(undefined, long);
  expect(await call(long)).toMatchObject({ outcome: "deny", code: "default_deny" });
  expect(await call(`holdpoint.canary.${long}`)).toMatchObject({ outcome: "deny", code: "canary" });
  const catalog = guard.catalog(session, undefined, () => Promise.reject(new Error("not asked")));
  const tools = (count: number) => Array.from({ length: count }, (_, n) => ({ name: `${n}${long.slice(0, 9_000)}` }));
  catalog.learn([]);
  catalog.learn([...tools(3_000), { name: "send" }]);
  expect(await call("send")).toMatchObject({ value: "sent" });
  expect(await call("send")).toMatchObject({ value: "sent" });
  const events = await eventsIn(file);
  expect(events.find(({ type }) => type === "decision")).toMatchObject({ tool: `${"x".repeat(1_000)}… (5999000 more)` });
  expect((events.find(({ type }) => type === "tools.changed") as ToolsEvent).added.slice(-2)).toEqual([
    `999${"x".repeat(997)}… (8003 more)`,
    "… (2001 more)",
  ]);
});

test("values that are too large to be recorded deny the call, and the next one is recorded again", async () => {
  const file = join(scratch(), "audit.jsonl");
  await using audit = jsonlAudit(file, { required: true });
  const guard = createGuard({
    audit,
    bounds: { maxBytes: 100_000_000 },
    policy: { version: "1", default: "deny", tools: { send: { audit: { record: ["args.text"] } } } },
  });
  const session = guard.session();
  const call = (text: string) =>
    guard.run({ session, tool: "send", arguments: { text }, seam: "transport" }, () => ({ value: "sent", outcome: { kind: "success" } }));
  expect(await call("\u0001".repeat(3_000_000))).toMatchObject({
    outcome: "deny",
    code: "audit_unavailable",
    detail: expect.stringContaining("too large to be recorded"),
  });
  expect(await call("short")).toMatchObject({ value: "sent" });
  const decisions = (await eventsIn(file)).filter(({ type }) => type === "decision") as DecisionEvent[];
  expect(decisions.map(({ outcome, recorded }) => [outcome, recorded])).toEqual([
    ["deny", undefined],
    ["allow", { "args.text": "short" }],
  ]);
});

test("an optional sink keeps its events while the disk is full, and counts in the trail what it had to drop", async () => {
  const file = join(scratch(), "audit.jsonl");
  await using audit = jsonlAudit(file, { maxQueued: 10 });
  disk.full = true;
  for (let i = 0; i < 25; i++) expect(audit.write(canary())).toBeUndefined();
  await expect(audit.flush()).rejects.toThrow("ENOSPC");
  expect(audit.dropped).toBe(15);
  disk.full = false;
  await audit.flush();
  audit.write(canary());
  await audit.flush();
  const events = await eventsIn(file);
  expect(events.filter(({ type }) => type === "canary")).toHaveLength(11);
  expect(events.filter(({ type }) => type === "anomaly")).toEqual([
    expect.objectContaining({ guard: "g", problem: expect.stringMatching(/^15 events were dropped/) }),
  ]);
});

test("one process at a time writes a named file, and the lock of a dead one is taken over", async () => {
  const file = join(scratch(), "audit.jsonl");
  const audit = jsonlAudit(file);
  expect(() => jsonlAudit(file)).toThrow(/is written by this process/);
  const child = await writer(file, "required");
  child.process.kill("SIGKILL");
  expect(child.refused).toMatch(/is written by process \d+/);
  await audit.close();

  const other = await writer(file, "required");
  expect(other.refused).toBeUndefined();
  expect(() => jsonlAudit(file)).toThrow(/is written by process \d+/);
  other.process.kill("SIGKILL");
  await once(other.process, "exit");
  await jsonlAudit(file).close();
  expect(await verifyAudit(file)).toMatchObject({ ok: true });
});

test("[one-decision-one-record] a process that is killed at full speed leaves every event that it was told of, and the file goes on", async () => {
  const file = join(scratch(), "audit.jsonl");
  for (let round = 0; round < 3; round++) {
    const { process: child, acknowledged } = await writer(file, "required");
    await acknowledged(200);
    child.kill("SIGKILL");
    await once(child, "exit");
    const told = await acknowledged(0);
    const left = await verifyAudit(file);
    expect(left.problems).toEqual([]);
    const ids = new Set((await eventsIn(file)).map(({ id }) => id));
    expect(told.filter((id) => !ids.has(id))).toEqual([]);
  }
  const audit = jsonlAudit(file, { required: true });
  await audit.write(canary());
  await audit.close();
  expect(await verifyAudit(file)).toMatchObject({ ok: true, torn: [] });
});

test("two processes share a directory, each with a file of its own", async () => {
  const directory = scratch();
  const writers = await Promise.all([writer(directory, "required"), writer(directory, "required")]);
  await Promise.all(writers.map(({ acknowledged }) => acknowledged(100)));
  for (const { process: child } of writers) child.kill("SIGKILL");
  await Promise.all(writers.map(({ process: child }) => once(child, "exit")));
  expect(readdirSync(directory)).toHaveLength(2);
  const { problems, records } = await verifyAudit(directory);
  expect(problems).toEqual([]);
  expect(records).toBeGreaterThan(200);
});

test("options that promise less than a required sink must hold are refused", () => {
  const directory = scratch();
  expect(() => jsonlAudit(directory, { required: true, fsync: "never" })).toThrow(
    /a required sink has an event only once it is on the device/,
  );
  expect(() => jsonlAudit(directory, { maxQueued: 0 })).toThrow("`maxQueued` is `0`: give a whole number from 1");
  expect(() => jsonlAudit(directory, { signingKey: "no key" })).toThrow(/no private Ed25519 key/);
  const file = join(directory, "file");
  writeFileSync(file, "");
  expect(() => jsonlAudit(file)).toThrow(/cannot be opened/);
});

test("checkpoints are handed out as records come, and the last one on close", async () => {
  const checkpoints: AuditCheckpoint[] = [];
  const audit = jsonlAudit(scratch(), {
    checkpointEvery: { records: 100 },
    onCheckpoint: (checkpoint) => void checkpoints.push(checkpoint),
  });
  for (let i = 0; i < 250; i++) {
    audit.write(canary());
    if (i % 50 === 0) await audit.flush();
  }
  await audit.close();
  expect(checkpoints.length).toBeGreaterThanOrEqual(3);
  expect(checkpoints.at(-1)).toMatchObject({ seq: 250 });
  expect(() => audit.write(canary())).toThrow(/closed/);
});

test("a checkpoint every thirty days, which no timer can hold, is not one every millisecond", async () => {
  let kept = 0;
  await using audit = jsonlAudit(scratch(), { checkpointEvery: { ms: 30 * 24 * 3_600_000 }, onCheckpoint: () => void kept++ });
  for (let n = 0; n < 5; n++) {
    audit.write(canary());
    await audit.flush();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(kept).toBe(0);
});

test("a checkpoint that could not be kept is written into the trail", async () => {
  const directory = scratch();
  const audit = jsonlAudit(directory, { onCheckpoint: () => Promise.reject(new Error("no route")) });
  audit.write(canary());
  await audit.close();
  expect(await eventsIn(directory)).toContainEqual(
    expect.objectContaining({ type: "anomaly", problem: "a checkpoint could not be kept: no route" }),
  );
});

/** Starts a process that writes as fast as it can, and prints the id of each event that was taken. */
async function writer(
  path: string,
  mode: "required",
): Promise<{ process: ChildProcess; refused: string | undefined; acknowledged(count: number): Promise<string[]> }> {
  const script = fileURLToPath(new URL("../../test-data/audit-writer.ts", import.meta.url));
  const child = spawn(process.execPath, [script, path, mode], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  const first = (await lines.next()).value as string;
  const seen: string[] = [];
  return {
    process: child,
    refused: first === "open" ? undefined : first,
    async acknowledged(count) {
      for (;;) {
        // With no count: what it had said before it died.
        if (count > 0 && seen.length >= count) return seen;
        const next = await lines.next();
        if (next.done) return seen;
        seen.push(next.value);
      }
    },
  };
}

async function eventsIn(path: string): Promise<AuditEvent[]> {
  const events: AuditEvent[] = [];
  for await (const each of readAudit(path)) events.push(each);
  return events;
}
