import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";

/** The major version of the `redis-server` that tests may start; 0 where there is none. Those on settings of a whole server need one of their own. */
export const ownRedisVersion = versionOfBinary();

export interface OwnRedis {
  readonly port: number;
  /** A client of the user that may do everything. */
  readonly admin: Redis;
  close(): Promise<void>;
}

/** Starts a server with these settings, and waits until it answers. Where another process took the port before it could, it is given another one. */
export async function ownRedis(...settings: readonly string[]): Promise<OwnRedis> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startedAt(await freePort(), settings);
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}

async function startedAt(port: number, settings: readonly string[]): Promise<OwnRedis> {
  const folder = mkdtempSync(join(tmpdir(), "holdpoint-redis-"));
  const server = spawn("redis-server", ["--bind", "127.0.0.1", "--port", String(port), "--save", "", "--dir", folder, ...settings], {
    stdio: "ignore",
  });
  const ended = once(server, "exit");
  const admin = new Redis(port, "127.0.0.1", { retryStrategy: () => 50, maxRetriesPerRequest: null });
  admin.on("error", () => undefined);
  const close = async () => {
    admin.disconnect();
    server.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true });
  };
  const isOurs = async () => {
    if (!(await admin.info("server")).includes(`process_id:${server.pid}`)) throw new Error("another server answers at the port");
  };
  try {
    await Promise.race([isOurs(), ended.then(([code]) => Promise.reject(new Error(`redis-server ended with ${code}`)))]);
  } catch (error) {
    await close();
    throw error;
  }
  return { port, admin, close };
}

function versionOfBinary(): number {
  try {
    return Number(/v=(\d+)/.exec(execFileSync("redis-server", ["--version"], { encoding: "utf8" }))?.[1]);
  } catch {
    return 0;
  }
}

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  listener.close();
  await once(listener, "close");
  if (address === null || typeof address === "string") throw new Error("there is no free port");
  return address.port;
}
