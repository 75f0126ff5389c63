export type { CounterStore, Debit, MaybePromise, Reservation, Reserved, Room, Window } from "./counter-store.ts";
export { CounterStoreError } from "./holdpoint-error.ts";
export { type MemoryStore, type MemoryStoreOptions, memoryStore } from "./memory-store.ts";
