import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { HoldpointError } from "../holdpoint-error.ts";

/** Locks that this thread holds. */
const held = new Set<string>();

/**
 * Takes a lock file for this process, and answers the function that gives it back. The lock of a process that has died on this machine is taken over.
 *
 * Throws `HoldpointError` (`audit_locked`) where a living process, or one on another machine, has it.
 */
export function lockFile(lock: string, what: string): () => void {
  const path = join(realpathSync(dirname(lock)), basename(lock));
  for (let attempt = 0; attempt < 10; attempt++) {
    if (held.has(path)) throw taken(what, path, "this process");
    const descriptor = make(path);
    if (descriptor !== undefined) {
      held.add(path);
      return () => giveBack(path, descriptor);
    }
    const text = readLock(path);
    if (text === undefined) continue;
    const holder = livingHolder(path, text);
    if (holder) throw taken(what, path, holder);
    if (!removeStale(path)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
  }
  throw taken(what, existsSync(turnAt(path)) ? turnAt(path) : path, "another process");
}

/** Makes the lock, and leaves it open for as long as it is held; `undefined` where there is one. */
function make(path: string): number | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, "wx", 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return undefined;
    throw error;
  }
  try {
    writeSync(descriptor, JSON.stringify({ pid: process.pid, host: hostname() }));
    return descriptor;
  } catch (error) {
    // On a full disk: a lock that names nobody would be taken for a living process's, by every process after this one.
    closeSync(descriptor);
    rmSync(path, { force: true });
    throw error;
  }
}

/** Whoever deleted our lock may have made one of its own under the name. */
function giveBack(path: string, descriptor: number): void {
  held.delete(path);
  const isOurs = fstatSync(descriptor).ino === statSync(path, { throwIfNoEntry: false })?.ino;
  closeSync(descriptor);
  if (isOurs) rmSync(path, { force: true });
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

function livingHolder(path: string, text: string): string | undefined {
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
  if (pid === process.pid) return isOpenHere(path) ? "another thread of this process" : undefined;
  try {
    process.kill(pid, 0);
    return `process ${pid}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH" ? undefined : `process ${pid}`;
  }
}

/**
 * Whether a thread of this process has the lock: each has it open, and descriptors are the process's. After a restart in a container an old lock may well
 * carry the new process's own number, and is open nowhere. Where the system does not tell (only Linux does), a lock with our number counts as old.
 */
function isOpenHere(path: string): boolean {
  const folder = "/proc/self/fd";
  if (!existsSync(folder)) return false;
  return readdirSync(folder).some((descriptor) => {
    try {
      return readlinkSync(join(folder, descriptor), "utf8") === path;
    } catch {
      // Closed meanwhile, as is the one that the list was read with.
      return false;
    }
  });
}

/**
 * Takes a dead lock away; false where another process is about to. One at a time looks again and removes what it has seen: two that went by what they had
 * read before could remove each other's new locks. A process that dies in between leaves its turn behind, and the lock is then taken over by nobody.
 */
function removeStale(path: string): boolean {
  let turn: number;
  try {
    turn = openSync(turnAt(path), "wx", 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  try {
    const text = readLock(path);
    if (text !== undefined && livingHolder(path, text) === undefined) rmSync(path, { force: true });
    return true;
  } finally {
    closeSync(turn);
    rmSync(turnAt(path), { force: true });
  }
}

function turnAt(path: string): string {
  return `${path}.stale`;
}
