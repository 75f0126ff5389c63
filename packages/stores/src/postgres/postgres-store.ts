import type { CounterStore, Reserved, Room } from "@holdpoint/core";
import { failingAs } from "../store-failure.ts";
import { checkLease, defaultLeaseMs, parseReservationId, reservationId, storedDebits, storedKey } from "../stored-debit.ts";
import { checkSchema, type PostgresOptions, schemaFunctions } from "./pool.ts";
import { makeSchema, requireSchema } from "./schema.ts";

export interface PostgresStoreOptions extends PostgresOptions {
  /** Milliseconds after which a concurrent slot is free again that its process did not renew, having died. Default 60,000. */
  readonly leaseMs?: number | undefined;
  /** Whose clock decides. `caller` is for tests that move time: hosts never agree on theirs. Default `server`. */
  readonly clock?: "server" | "caller" | undefined;
}

/** Whether the debit is short, what remains, and the wait. */
type RoomAnswer = readonly [short: boolean, remaining: number, retryAfterMs: number | null];

type ReserveAnswer =
  | { readonly granted: true; readonly epoch: string; readonly sequence: number; readonly at: number; readonly room: readonly RoomAnswer[] }
  | { readonly granted: false; readonly room: readonly RoomAnswer[] };

/**
 * Counters in PostgreSQL, of version 13 or later, shared by any number of machines. One function takes every debit or none, in one round trip, by the server's
 * clock, which never goes back.
 *
 * What was granted is durable when it is answered, under the server's default of `synchronous_commit`; a failover to a replica that lagged loses what had
 * not reached it. A reservation whose answer was lost stays counted; its concurrent slots are free again after `leaseMs`. Every method rejects with
 * `CounterStoreError`; a counter that somebody else holds locked is waited for at most 1.5 s.
 *
 * @throws TypeError if an option has no meaning.
 *
 * @example
 * const store = postgresStore({ pool: new Pool({ connectionString: process.env.DATABASE_URL }) });
 * const guard = createGuard({ policy, store, namespace: "billing" });
 */
export function postgresStore(options: PostgresStoreOptions): CounterStore & Required<Pick<CounterStore, "renew" | "renewEveryMs">> {
  const leaseMs = checkLease(options.leaseMs ?? defaultLeaseMs);
  const schema = checkSchema(options.schema ?? "holdpoint");
  const callFunction = schemaFunctions(options, schema, options.migrate === false ? requireSchema : makeSchema);
  const byCaller = options.clock === "caller";

  function time(now: number): number | undefined {
    return byCaller ? Math.floor(now) : undefined;
  }

  return {
    durability: "shared",
    renewEveryMs: Math.floor(leaseMs / 3),

    reserve: (debits, now) =>
      failingAs("PostgreSQL", async (): Promise<Reserved> => {
        const answer = (await callFunction("reserve", { now: time(now), debits: storedDebits(debits, leaseMs) })) as ReserveAnswer;
        const room = answer.room.map(roomOf);
        if (!answer.granted) return { granted: false, short: answer.room.flatMap(([short], index) => (short ? [index] : [])), room };
        return { granted: true, reservation: { id: reservationId(answer.epoch, answer.sequence), at: answer.at, debits }, room };
      }),

    settle: (reservation, giveBack, now) =>
      failingAs("PostgreSQL", async () => {
        const id = parseReservationId(reservation.id);
        const returned = reservation.debits.filter(({ window }, index) => window.kind === "concurrent" || giveBack.includes(index));
        if (id === undefined) return;
        await callFunction("settle", { now: time(now), ...id, at: reservation.at, debits: storedDebits(returned, leaseMs) });
      }),

    look: (debits, now) =>
      failingAs("PostgreSQL", async () => {
        const room = (await callFunction("look", { now: time(now), debits: storedDebits(debits, leaseMs) })) as readonly RoomAnswer[];
        return room.map(roomOf);
      }),

    renew: (reservation, now) =>
      failingAs("PostgreSQL", async () => {
        const id = parseReservationId(reservation.id);
        const slots = storedDebits(reservation.debits, leaseMs).filter(({ kind }) => kind === "concurrent");
        if (id !== undefined) await callFunction("renew", { now: time(now), ...id, debits: slots });
      }),

    forget: (keys) =>
      failingAs("PostgreSQL", async () => {
        await callFunction(
          "forget",
          keys.map((key) => storedKey("lifetime", key)),
        );
      }),
  };
}

function roomOf([, remaining, retryAfterMs]: RoomAnswer): Room {
  return retryAfterMs === null ? { remaining } : { remaining, retryAfterMs };
}
