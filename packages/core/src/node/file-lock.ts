import { linkSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { HoldpointError } from "../holdpoint-error.ts";

/** Locks that this process holds: after a restart in a container an old lock may well carry the new process's own number. */
const held = new Set<string>();

/**
 * Takes a lock file for this process, and answers the function that gives it back. The lock of a process that has died on this machine is taken over.
 *
 * Throws `HoldpointError` (`audit_locked`) where a living process, or one on another machine, has it.
 */
export function lockFile(lock: string, what: string): () => void {
  const path = join(realpathSync(dirname(lock)), basename(lock));
  const mine = JSON.stringify({ pid: process.pid, host: hostname() });
  for (let attempt = 0; attempt < 10; attempt++) {
    if (held.has(path)) throw taken(what, path, "this process");
    try {
      writeFileSync(path, mine, { flag: "wx", mode: 0o600 });
      held.add(path);
      return () => {
        held.delete(path);
        rmSync(path, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const text = readLock(path);
      if (text === undefined) continue;
      const holder = livingHolder(text);
      if (holder) throw taken(what, path, holder);
      removeStale(path, text);
    }
  }
  throw taken(what, path, "another process");
}

function taken(what: string, lock: string, holder: string): HoldpointError {
  return new HoldpointError(
    "audit_locked",
    `\`${what}\` is written by ${holder}: give each process a file of its own, or a directory; where that process is gone, delete \`${lock}\``,
  );
}

function readLock(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function livingHolder(text: string): string | undefined {
  let lock: { pid?: unknown; host?: unknown };
  try {
    lock = JSON.parse(text) ?? {};
  } catch {
    // Made, and not written yet: its process may be alive.
    return "another process";
  }
  const { pid, host } = lock;
  if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid <= 0) return "another process";
  if (host !== hostname()) return `process ${pid} on \`${host}\``;
  if (pid === process.pid) return undefined;
  try {
    process.kill(pid, 0);
    return `process ${pid}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH" ? undefined : `process ${pid}`;
  }
}

/** Of two processes that find the same dead lock only one may take it away: the other could be removing the first one's new lock. */
function removeStale(path: string, expected: string): void {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  if (readFileSync(aside, "utf8") !== expected) linkSync(aside, path);
  rmSync(aside, { force: true });
}
