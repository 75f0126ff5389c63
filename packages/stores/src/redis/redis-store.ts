import type { CounterStore, Reserved, Room } from "@holdpoint/core";
import { failingAs } from "../store-failure.ts";
import { checkLease, defaultLeaseMs, type StoredDebit, storedDebits, storedKey } from "../stored-debit.ts";
import { type RedisClient, scriptRunner, taggedPrefix } from "./client.ts";
import { forgetScript, lookScript, renewScript, reserveScript, settleScript } from "./counter-scripts.ts";

export interface RedisStoreOptions {
  /** A connected client of `ioredis` or `redis`, Cluster clients included. It stays the host's to close. */
  readonly client: RedisClient;
  /**
   * Begins every key, `holdpoint` where absent. All keys of one prefix are in one Cluster slot, so that one script can take them together: give applications
   * prefixes of their own to spread them.
   */
  readonly prefix?: string | undefined;
  /** Milliseconds after which a concurrent slot is free again that its process did not renew, having died. Default 60,000. */
  readonly leaseMs?: number | undefined;
  /** Whose clock decides. `caller` is for tests that move time: hosts never agree on theirs. Default `server`. */
  readonly clock?: "server" | "caller" | undefined;
}

/**
 * Counters in Redis, of version 5 or later, shared by any number of machines. One script takes every debit or none, in one round trip, by the server's
 * clock, which never goes back.
 *
 * Nothing is lost with a client, at any instant. What the server loses is counted no more: with its process the writes since the last `appendfsync`, with a
 * failover those that had not reached the replica. A server that may evict keys is refused, and one that refuses a command of the scripts, before anything is
 * charged. A reservation whose answer was lost stays counted; its
 * concurrent slots are free again after `leaseMs`. Every method rejects with `CounterStoreError`, at once where the client has lost its connection.
 *
 * @throws TypeError if the client is of neither library, or an option has no meaning.
 *
 * @example
 * const store = redisStore({ client: new Redis(process.env.REDIS_URL), prefix: "billing" });
 * const guard = createGuard({ policy, store, namespace: "billing" });
 */
export function redisStore(options: RedisStoreOptions): CounterStore & Required<Pick<CounterStore, "renew" | "renewEveryMs">> {
  const leaseMs = checkLease(options.leaseMs ?? defaultLeaseMs);
  const prefix = taggedPrefix(options.prefix ?? "holdpoint");
  const clockKey = `${prefix}:clock`;
  const run = scriptRunner(options.client, prefix);
  const byCaller = options.clock === "caller";

  function time(now: number): string {
    return byCaller ? String(Math.floor(now)) : "";
  }
  function counterKey(key: string): string {
    return `${prefix}:counter:${key}`;
  }
  function keysOf({ key, kind }: StoredDebit): string[] {
    const counter = counterKey(key);
    return kind === "sliding" || kind === "concurrent" ? [counter, `${prefix}:entries:${key}`] : [counter];
  }
  function count(stored: readonly StoredDebit[], now: number): readonly [string[], string[]] {
    const keys = [clockKey];
    const parameters = [time(now)];
    for (const debit of stored) {
      keys.push(...keysOf(debit));
      parameters.push(debit.kind, String(debit.lengthMs), String(debit.originMs), String(debit.amount), String(debit.max));
    }
    return [keys, parameters];
  }

  return {
    durability: "shared",
    renewEveryMs: Math.floor(leaseMs / 3),

    reserve: (debits, now) =>
      failingAs("Redis", async (): Promise<Reserved> => {
        const answer = integers(await run(reserveScript, ...count(storedDebits(debits, leaseMs), now)));
        if (answer[0] === 0) return { granted: false, short: shortIn(answer, 1), room: roomIn(answer, 1) };
        const [reservation = 0, ...remaining] = answer;
        return {
          granted: true,
          reservation: { id: String(reservation), at: Math.floor(reservation / 1000), debits },
          room: remaining.map((remaining) => ({ remaining })),
        };
      }),

    settle: (reservation, giveBack, now) =>
      failingAs("Redis", async () => {
        const returned = reservation.debits.filter(({ window }, index) => window.kind === "concurrent" || giveBack.includes(index));
        if (!isOurs(reservation.id)) return;
        const stored = storedDebits(returned, leaseMs);
        await run(
          settleScript,
          [clockKey, `${prefix}:settled:${reservation.id}`, ...stored.flatMap(keysOf)],
          [time(now), reservation.id, ...stored.flatMap(({ kind, amount }) => [kind, String(amount)])],
        );
      }),

    look: (debits, now) =>
      failingAs("Redis", async () => roomIn(integers(await run(lookScript, ...count(storedDebits(debits, leaseMs), now))), 0)),

    renew: (reservation, now) =>
      failingAs("Redis", async () => {
        const slots = storedDebits(reservation.debits, leaseMs).filter(({ kind }) => kind === "concurrent");
        if (!isOurs(reservation.id) || slots.length === 0) return;
        await run(
          renewScript,
          [clockKey, ...slots.flatMap(keysOf)],
          [time(now), reservation.id, String(leaseMs), ...slots.map(({ amount }) => String(amount))],
        );
      }),

    forget: (keys) =>
      failingAs("Redis", async () => {
        if (keys.length === 0) return;
        await run(
          forgetScript,
          keys.map((key) => counterKey(storedKey("lifetime", key))),
          [],
        );
      }),
  };
}

/** Whether an id may be one of this store's: a number of microseconds. */
function isOurs(id: string): boolean {
  return /^[0-9]{1,16}$/.test(id);
}

/** Scripts answer in integers; a client may be set to hand them out as strings. */
function integers(answer: unknown): number[] {
  return Array.isArray(answer) ? answer.map(Number) : [];
}

function shortIn(answer: readonly number[], start: number): number[] {
  const short: number[] = [];
  for (let index = start; index < answer.length; index += 3) if (answer[index] === 1) short.push((index - start) / 3);
  return short;
}

function roomIn(answer: readonly number[], start: number): Room[] {
  const room: Room[] = [];
  for (let index = start; index < answer.length; index += 3) {
    const remaining = answer[index + 1] ?? 0;
    const retryAfterMs = answer[index + 2] ?? -1;
    room.push(retryAfterMs < 0 ? { remaining } : { remaining, retryAfterMs });
  }
  return room;
}
