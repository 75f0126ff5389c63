import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import type { AuditEvent } from "../audit/audit-event.ts";
import { type JsonlAuditOptions, jsonlAudit } from "./jsonl-audit.ts";
import { auditStats, readAudit } from "./read-audit.ts";
import { verifyAudit } from "./verify-audit.ts";

const scratch = () => mkdtempSync(join(tmpdir(), "holdpoint-audit-"));

let made = 0;
function canary(tool = "t"): AuditEvent {
  return { v: 1, id: `e${++made}`, time: "2026-01-01T00:00:00.000Z", guard: "g", type: "canary", server: "s", tool };
}

async function write(path: string, tools: readonly string[], options?: JsonlAuditOptions): Promise<void> {
  await using audit = jsonlAudit(path, { required: true, ...options });
  for (const tool of tools) await audit.write(canary(tool));
}

async function toolsIn(paths: string | readonly string[]): Promise<string[]> {
  const tools: string[] = [];
  for await (const event of readAudit(paths)) tools.push("tool" in event ? event.tool : event.type);
  return tools;
}

test("two audits of which one is named like a later file of the other stay two, also where one grows into the other's name", async () => {
  const directory = scratch();
  const [agent, year, second] = ["agent.jsonl", "agent-2026.jsonl", "agent-0002.jsonl"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  await write(year, ["of the year"]);
  await write(second, ["of the second"]);
  {
    await using open = jsonlAudit(year, { required: true });
    await write(agent, ["a", "b", "c"], { maxBytes: 1 });
    await open.write(canary("of the year"));
  }
  await write(agent, ["d"], { maxBytes: 1 });
  expect(await toolsIn(year)).toEqual(["of the year", "of the year"]);
  expect(await toolsIn(second)).toEqual(["of the second"]);
  const others = readdirSync(directory).filter((name) => ![basename(year), basename(second)].includes(name));
  expect(await toolsIn(others.map((name) => join(directory, name)))).toEqual(["a", "b", "c", "d"]);
  expect(await verifyAudit(directory)).toMatchObject({ ok: true, problems: [] });
});

test("a later file of an audit is not begun anew under its own name", async () => {
  const file = join(scratch(), "audit.jsonl");
  await using audit = jsonlAudit(file, { required: true, maxBytes: 1 });
  await audit.write(canary());
  expect(basename(audit.file)).toBe("audit-0002.jsonl");
  expect(() => jsonlAudit(audit.file)).toThrow(/is file 2 of an audit that begins under another name/);
});

test("audits behind links to files with other endings stay apart, whatever number of files they have", async () => {
  const directory = scratch();
  const links = ["a", "b"].map((name) => {
    const link = join(directory, `${name}.jsonl`);
    writeFileSync(join(directory, `of-${name}.log`), "");
    symlinkSync(join(directory, `of-${name}.log`), link);
    return link;
  });
  for (let round = 0; round < 2; round++) for (const link of links) await write(link, ["x", "y"], { maxBytes: 1 });
  for (const name of ["a", "b"]) {
    const files = readdirSync(directory).filter((file) => file.startsWith(`of-${name}.log`));
    const paths = files.map((file) => join(directory, file));
    expect(await toolsIn(paths)).toEqual(["x", "y", "x", "y"]);
    expect(await verifyAudit(paths)).toMatchObject({ ok: true, problems: [] });
  }
});

test("[fail-closed] a link to an audit is that audit, which is written already", async () => {
  const directory = scratch();
  const file = join(directory, "audit.jsonl");
  const link = join(directory, "current.jsonl");
  {
    await using audit = jsonlAudit(file, { required: true });
    symlinkSync(file, link);
    expect(() => jsonlAudit(link)).toThrow(/is written by this process/);
    await audit.write(canary("a"));
  }
  await write(link, ["b"]);
  expect(await toolsIn(file)).toEqual(["a", "b"]);
  expect(await verifyAudit([file, link, directory])).toMatchObject({ ok: true, records: 4 });
});

test.runIf(process.platform === "linux")(
  "[fail-closed] another thread of this process does not get the audit that one has open",
  async () => {
    const file = join(scratch(), "audit.jsonl");
    const source = JSON.stringify(new URL("./jsonl-audit.ts", import.meta.url).href);
    const code = `import(${source}).then(({ jsonlAudit }) => {
    const { parentPort, workerData } = require("node:worker_threads");
    try {
      globalThis.audit = jsonlAudit(workerData, { required: true });
      parentPort.postMessage("open");
    } catch (error) {
      parentPort.postMessage(error.message);
    }
    parentPort.on("message", () => undefined);
  })`;
    const thread = async () => {
      const worker = new Worker(code, { eval: true, workerData: file, execArgv: ["--conditions=@holdpoint/source"] });
      const [said] = await once(worker, "message");
      return { worker, said };
    };
    const first = await thread();
    expect(first.said).toBe("open");
    const second = await thread();
    expect(second.said).toMatch(/is written by another thread of this process/);
    expect(() => jsonlAudit(file)).toThrow(/is written by another thread of this process/);
    await first.worker.terminate();
    // What is left is the lock of a thread that has ended, which names this living process.
    await write(file, ["a"]);
    await second.worker.terminate();
    expect(await verifyAudit(file)).toMatchObject({ ok: true });
  },
);

test("[one-decision-one-record] an audit whose file is deleted goes on in the next one, and what was deleted is said to be missing", async () => {
  const [named, folder] = [scratch(), scratch()];
  for (const path of [join(named, "audit.jsonl"), folder]) {
    const audit = jsonlAudit(path, { required: true });
    await audit.write(canary("deleted"));
    rmSync(audit.file);
    await audit.write(canary("kept"));
    rmSync(path === folder ? folder : named, { recursive: true });
    await audit.write(canary("kept too"));
    await audit.close();
    expect(await toolsIn(audit.file)).toEqual(["kept too"]);
    const { problems } = await verifyAudit(audit.file);
    expect(problems).toEqual([expect.objectContaining({ problem: expect.stringMatching(/^records 0 to 3 are missing before this file/) })]);
  }
});

test("a torn end of zero bytes, as a power cut leaves it, does not become a record that nobody can read", async () => {
  const file = join(scratch(), "audit.jsonl");
  await write(file, ["a"]);
  appendFileSync(file, Buffer.alloc(4 * 1024 * 1024));
  await write(file, ["b"]);
  expect(await verifyAudit(file)).toMatchObject({ ok: true, problems: [], records: 5 });
  expect(await toolsIn(file)).toEqual(["a", "b"]);
  expect(readFileSync(file, "utf8")).toContain('"type":"recovered"');
});

test("the files of a chain are read in the order in which they were written, whatever their names, and each once", async () => {
  const directory = scratch();
  const file = join(directory, "audit.jsonl");
  const about = {
    v: 1,
    guard: "g",
    time: "2026-01-01T00:00:00.000Z",
    attempt: 1,
    session: "s",
    server: "s",
    identity: {},
    tool: "t",
  } as const;
  {
    await using audit = jsonlAudit(file, { required: true, maxBytes: 1 });
    for (let n = 0; n < 12; n++) {
      const call = `c${n}`;
      const decision = {
        type: "decision",
        outcome: "allow",
        rule: "",
        code: "allowed",
        mode: "enforce",
        argumentKeys: [],
        otherKeys: 0,
      } as const;
      await audit.write({ ...about, ...decision, id: `${n}`, call, latencyMs: 1 });
      await audit.write({ ...about, type: "outcome", outcome: "success", id: `${n}o`, call, latencyMs: 1 });
    }
  }
  const paths = [directory, join(directory, ".", "audit.jsonl"), `${directory}/./audit.jsonl`];
  expect(await auditStats(paths)).toMatchObject({ events: 24, byOutcome: new Map([["success", 12]]) });
  expect(await verifyAudit(paths)).toMatchObject({ ok: true });
});

test("statistics of several processes tell the earliest and the latest event, in whatever order their files are read", async () => {
  const directory = scratch();
  for (const [name, time] of [
    ["a", "2026-03-01T00:00:00.000Z"],
    ["b", "2026-01-01T00:00:00.000Z"],
  ] as const) {
    await using audit = jsonlAudit(join(directory, `${name}.jsonl`), { required: true });
    await audit.write({ ...canary(), time });
  }
  expect(await auditStats(directory)).toMatchObject({ from: "2026-01-01T00:00:00.000Z", to: "2026-03-01T00:00:00.000Z" });
});

test("[fail-closed] a lock that names nobody is a living process's", () => {
  const file = join(scratch(), "audit.jsonl");
  writeFileSync(`${file}.lock`, "");
  expect(() => jsonlAudit(file)).toThrow(/is written by another process/);
});

test("[fail-closed] while one process takes a dead one's lock over no other does, and where it died of that, the error names what it left", async () => {
  const file = join(scratch(), "audit.jsonl");
  const { pid } = spawnSync(process.execPath, ["--eval", ""]);
  writeFileSync(`${file}.lock`, JSON.stringify({ pid, host: hostname() }));
  writeFileSync(`${file}.lock.stale`, "");
  expect(() => jsonlAudit(file)).toThrow(`where that process is gone, delete \`${file}.lock.stale\``);
  expect(readFileSync(`${file}.lock`, "utf8")).toContain(String(pid));
  rmSync(`${file}.lock.stale`);
  await using audit = jsonlAudit(file);
  expect(audit).toBeDefined();
  expect(readdirSync(dirname(file)).sort()).toEqual(["audit.jsonl", "audit.jsonl.lock"]);
});
