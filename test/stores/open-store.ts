import type { CounterStore } from "@holdpoint/core";

/** Which store a process is to open: plain JSON, so that it can be told to another process. */
export type StorePlace =
  | { readonly kind: "sqlite"; readonly file: string; readonly leaseMs: number }
  | { readonly kind: "redis"; readonly url: string; readonly prefix: string; readonly leaseMs: number }
  | { readonly kind: "postgres"; readonly url: string; readonly schema: string; readonly leaseMs: number };

export interface OpenStore {
  readonly store: CounterStore;
  close(): Promise<unknown>;
}

/** Loads the one store that is asked for, and has more patience with its server than is the default: a test starts many processes. */
export async function openStore(place: StorePlace): Promise<OpenStore> {
  switch (place.kind) {
    case "sqlite": {
      const { sqliteStore } = await import("@holdpoint/stores/sqlite");
      // Four processes that write without a pause keep each other waiting; none of them is a person.
      const store = sqliteStore({ ...place, busyTimeoutMs: 10_000 });
      return { store, close: async () => store.close() };
    }
    case "redis": {
      const { Redis } = await import("ioredis");
      const { redisStore } = await import("@holdpoint/stores/redis");
      const client = new Redis(place.url);
      return { store: redisStore({ ...place, client }), close: () => client.quit() };
    }
    case "postgres": {
      const { Pool } = await import("pg");
      const { postgresStore } = await import("@holdpoint/stores/postgres");
      const pool = new Pool({ connectionString: place.url, max: 2 });
      return { store: postgresStore({ ...place, pool, timeoutMs: 60_000 }), close: () => pool.end() };
    }
  }
}
