import { writeSync } from "node:fs";
import type { AuditEvent } from "../src/audit/audit-event.ts";
import { jsonlAudit } from "../src/node/jsonl-audit.ts";

/** Writes events as fast as they are taken, and says the id of each one that was: `audit-writer.ts <path> required`. */
const [path = "", mode] = process.argv.slice(2);

try {
  const audit = jsonlAudit(path, { required: mode === "required" });
  writeSync(1, "open\n");
  for (let n = 0; ; n += 8) {
    const events = Array.from({ length: 8 }, (_, i): AuditEvent => event(`${process.pid}-${n + i}`));
    await Promise.all(events.map((each) => audit.write(each)));
    writeSync(1, events.map(({ id }) => `${id}\n`).join(""));
  }
} catch (error) {
  writeSync(1, `${(error as Error).message}\n`);
}

function event(id: string): AuditEvent {
  return { v: 1, id, time: new Date().toISOString(), guard: "g", type: "anomaly", server: "s", problem: "x".repeat(500) };
}
