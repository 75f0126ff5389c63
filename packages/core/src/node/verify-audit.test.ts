import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { AuditEvent } from "../audit/audit-event.ts";
import type { AuditCheckpoint } from "./audit-checkpoint.ts";
import { readRecord, sealRecord } from "./audit-record.ts";
import { jsonlAudit } from "./jsonl-audit.ts";
import { auditStats, readAudit } from "./read-audit.ts";
import { type AuditVerification, type VerifyOptions, verifyAudit } from "./verify-audit.ts";

const directory = mkdtempSync(join(tmpdir(), "holdpoint-verify-"));
const { privateKey, publicKey } = generateKeyPairSync("ed25519");

function event(n: number): AuditEvent {
  return { v: 1, id: `e${n}`, time: "2026-01-01T00:00:00.000Z", guard: "g", type: "canary", server: "s", tool: `tool ${n} é` };
}

/** A sound audit of ten events and its opening note, with a checkpoint of its end. */
const { lines, bytes, checkpoint } = await soundAudit();
async function soundAudit() {
  const audit = jsonlAudit(join(directory, "sound.jsonl"), { required: true, signingKey: privateKey });
  for (let n = 0; n < 10; n++) await audit.write(event(n));
  const checkpoint = await audit.checkpoint();
  await audit.close();
  const bytes = readFileSync(audit.file);
  return { checkpoint, bytes, lines: bytes.toString("utf8").split("\n").slice(0, -1) };
}

const suspect = join(directory, "suspect.jsonl");
function verifyBytes(content: Uint8Array | string, options?: VerifyOptions): Promise<AuditVerification> {
  writeFileSync(suspect, content);
  return verifyAudit(suspect, options);
}
const verifyLines = (changed: readonly string[], options?: VerifyOptions) =>
  verifyBytes(changed.map((line) => `${line}\n`).join(""), options);
const anyIndex = fc.nat(lines.length - 1);

test("a sound audit verifies, with its checkpoint and key", async () => {
  expect(await verifyBytes(bytes, { checkpoints: [checkpoint], publicKey })).toEqual({
    ok: true,
    records: 11,
    problems: [],
    unlisted: 0,
    torn: [],
    lastCheckpoint: checkpoint,
  });
});

test("an edit of any byte is found, and its line named", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const edited = Buffer.from(bytes);
      edited[at] = (edited[at] as number) ^ flip;
      const { ok, problems, torn } = await verifyBytes(edited);
      const line = bytes.subarray(0, at).toString("latin1").split("\n").length;
      if (at === bytes.length - 1) expect(torn).toEqual([expect.objectContaining({ line: lines.length })]);
      else {
        expect(ok).toBe(false);
        expect(problems[0]?.line).toBe(line);
      }
    }),
    { numRuns: 500 },
  );
});

test("any inserted or removed byte is found, and its line named", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 2), fc.integer({ min: 0, max: 255 }), fc.boolean(), async (at, byte, insert) => {
      const changed = insert
        ? Buffer.concat([bytes.subarray(0, at), Buffer.of(byte), bytes.subarray(at)])
        : Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
      const { ok, problems } = await verifyBytes(changed);
      const line = bytes.subarray(0, at).toString("latin1").split("\n").length;
      expect(ok).toBe(false);
      // A byte put where one line ends may be taken for the next one's.
      expect([line, line + 1]).toContain(problems[0]?.line);
    }),
    { numRuns: 300 },
  );
});

test("a dropped record is found, and said to be missing before the line that follows it", async () => {
  for (let dropped = 0; dropped < lines.length - 1; dropped++) {
    const { problems } = await verifyLines(lines.toSpliced(dropped, 1));
    expect(problems[0]).toMatchObject({
      line: dropped + 1,
      problem: expect.stringMatching(dropped === 0 ? /missing/ : `record ${dropped} is missing before this one`),
    });
  }
});

test("a record that was inserted, copied or made up, is found and named", async () => {
  const made = sealRecord(
    { chain: checkpoint.chain, seq: 5, hash: readRecord(Buffer.from(lines[4] as string))?.hash as string },
    "event",
    JSON.stringify(event(99)),
  );
  const foreign = sealRecord({ chain: "0".repeat(16), seq: 5, hash: "0".repeat(64) }, "event", JSON.stringify(event(99)));
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: lines.length }),
      fc.oneof(
        anyIndex.map((n) => lines[n] as string),
        fc.constantFrom(made.line.trimEnd(), foreign.line.trimEnd(), "", "{}"),
      ),
      async (at, inserted) => {
        const { ok, problems } = await verifyLines(lines.toSpliced(at, 0, inserted));
        expect(ok).toBe(false);
        expect([at + 1, at + 2]).toContain(problems[0]?.line);
      },
    ),
  );
});

test("records in another order are found, from the first that is out of place", async () => {
  await fc.assert(
    fc.asyncProperty(anyIndex, anyIndex, async (one, other) => {
      fc.pre(one !== other);
      const swapped = lines.with(one, lines[other] as string).with(other, lines[one] as string);
      const { problems } = await verifyLines(swapped);
      expect(problems[0]?.line).toBe(Math.min(one, other) + 1);
    }),
  );
});

test("a record that was edited and sealed again is found at the next one", async () => {
  const before = readRecord(Buffer.from(lines[3] as string));
  const forged = sealRecord({ chain: checkpoint.chain, seq: 4, hash: before?.hash as string }, "event", JSON.stringify(event(99)));
  const { problems } = await verifyLines(lines.with(4, forged.line.trimEnd()));
  expect(problems).toEqual([{ file: suspect, line: 6, problem: "record 5 does not follow from line 5, which was replaced or edited" }]);
});

test("what was cut off at the end shows by a checkpoint, and only by one", async () => {
  for (let left = 1; left < lines.length; left++) {
    expect((await verifyLines(lines.slice(0, left))).ok).toBe(true);
    const { ok, problems, lastCheckpoint } = await verifyLines(lines.slice(0, left), { checkpoints: [checkpoint] });
    expect(ok).toBe(false);
    expect(problems).toEqual([expect.objectContaining({ line: left, problem: expect.stringMatching(/missing after this one/) })]);
    expect(lastCheckpoint).toBeUndefined();
  }
});

test("a chain that was rewritten throughout shows by a checkpoint", async () => {
  let head = { chain: checkpoint.chain, seq: 0, hash: "0".repeat(64) };
  const forged = [JSON.stringify({ type: "opened" }), ...Array.from({ length: 12 }, (_, n) => JSON.stringify(event(n + 50)))].map(
    (text, n) => {
      const sealed = sealRecord(head, n === 0 ? "note" : "event", text);
      head = sealed.head;
      return sealed.line.trimEnd();
    },
  );
  expect((await verifyLines(forged)).ok).toBe(true);
  expect((await verifyLines(forged, { checkpoints: [checkpoint] })).problems).toEqual([
    { file: suspect, line: 11, problem: `record 10 is not the one of the checkpoint from ${checkpoint.time}: the chain was rewritten` },
  ]);
});

test("a chain that a checkpoint knows and no file holds is missing", async () => {
  const other = jsonlAudit(join(directory, "other.jsonl"));
  await other.close();
  expect((await verifyAudit(other.file, { checkpoints: [checkpoint] })).problems).toEqual([
    expect.objectContaining({ line: 0, problem: expect.stringMatching(/chain .* is missing/) }),
  ]);
});

test("with a key, a checkpoint that was changed, not signed, or signed by another is a problem", async () => {
  const { signature: _signature, ...unsigned } = checkpoint;
  const stranger = generateKeyPairSync("ed25519").publicKey;
  const problems = async (kept: AuditCheckpoint, key = publicKey) =>
    (await verifyBytes(bytes, { checkpoints: [kept], publicKey: key })).problems;
  expect(await problems(unsigned)).toEqual([expect.objectContaining({ problem: "the checkpoint of record 10 is not signed" })]);
  expect(await problems({ ...checkpoint, seq: 9 })).toHaveLength(1);
  expect(await problems({ ...checkpoint, signature: "" })).toHaveLength(1);
  expect(await problems(checkpoint, stranger)).toEqual([
    expect.objectContaining({ problem: expect.stringMatching(/not signed by this key/) }),
  ]);
  const pem = publicKey.export({ type: "spki", format: "pem" }) as string;
  expect((await verifyBytes(bytes, { checkpoints: [checkpoint], publicKey: pem })).ok).toBe(true);
});

test("[fail-closed] what is no checkpoint is refused, and not taken for one that nothing contradicts", async () => {
  const { hash: _hash, ...short } = checkpoint;
  for (const wrong of [
    null,
    5,
    "x",
    {},
    [checkpoint],
    short,
    { ...checkpoint, seq: "10" },
    { ...checkpoint, signature: 5 },
    { ...checkpoint, v: 2 },
  ])
    await expect(verifyBytes(bytes, { checkpoints: [checkpoint, wrong as never], publicKey })).rejects.toThrow(
      /^`checkpoints\[1\]` is no checkpoint/,
    );
});

test("a file of nothing but noise is read to the end, with as many problems as can be listed", async () => {
  const { ok, problems, unlisted } = await verifyBytes("x\n".repeat(1_500));
  expect(ok).toBe(false);
  expect(problems).toHaveLength(1_000);
  expect(unlisted).toBe(501);
});

test("a line longer than any record ends the reading, without being held", async () => {
  const { problems } = await verifyBytes(Buffer.concat([bytes, Buffer.alloc(17 * 1024 * 1024, "x")]));
  expect(problems).toEqual([{ file: suspect, line: 12, problem: "is longer than any record, and nothing after it was read" }]);
});

test("an audit that is not there, or empty, is no audit that verifies", async () => {
  await expect(verifyAudit(join(directory, "nowhere"))).rejects.toThrow(/cannot be read/);
  await expect(verifyAudit(mkdtempSync(join(tmpdir(), "holdpoint-empty-")))).rejects.toThrow(/no `.jsonl` file/);
  for (const make of [(path: string) => mkdirSync(path), (path: string) => symlinkSync("nowhere", path)]) {
    const folder = mkdtempSync(join(tmpdir(), "holdpoint-unreadable-"));
    make(join(folder, "a.jsonl"));
    await expect(verifyAudit(folder)).rejects.toMatchObject({
      code: "audit_unreadable",
      message: expect.stringContaining(`\`${join(folder, "a.jsonl")}\` cannot be read: `),
    });
  }
  expect((await verifyBytes("")).ok).toBe(false);
});

test("statistics count decisions by rule and tool, and calls whose outcome nobody wrote", async () => {
  const about = { v: 1, time: "2026-01-01T00:00:00.000Z", guard: "g", attempt: 1, session: "s", server: "stripe", identity: {} } as const;
  const decision = { ...about, type: "decision", mode: "enforce", argumentKeys: [], otherKeys: 0, latencyMs: 1 } as const;
  const audit = jsonlAudit(join(directory, "stats.jsonl"), { required: true });
  const events: AuditEvent[] = [
    { ...decision, id: "1", call: "c1", tool: "refund", outcome: "allow", rule: "", code: "allowed" },
    { ...about, id: "2", call: "c1", tool: "refund", type: "outcome", outcome: "success", latencyMs: 3 },
    { ...decision, id: "3", call: "c2", tool: "refund", outcome: "deny", rule: "/tools/refund/deny_if/0", code: "deny_if" },
    { ...decision, id: "4", call: "c3", tool: "refund", outcome: "allow", rule: "", code: "allowed", time: "2026-01-02T00:00:00.000Z" },
  ];
  for (const each of events) await audit.write(each);
  await audit.close();
  expect(await auditStats(audit.file)).toEqual({
    events: 4,
    from: "2026-01-01T00:00:00.000Z",
    to: "2026-01-02T00:00:00.000Z",
    allowed: 2,
    denied: 1,
    anomalies: 0,
    byRule: new Map([["/tools/refund/deny_if/0", 1]]),
    byTool: new Map([["stripe/refund", { allowed: 2, denied: 1 }]]),
    byOutcome: new Map([
      ["success", 1],
      ["none", 1],
    ]),
  });
  writeFileSync(suspect, `${lines[0]}\nnoise\n`);
  await expect(eventsIn(suspect)).rejects.toThrow(`\`${suspect}\` line 2 cannot be read: it is no record`);
});

async function eventsIn(path: string): Promise<AuditEvent[]> {
  const events: AuditEvent[] = [];
  for await (const each of readAudit(path)) events.push(each);
  return events;
}
