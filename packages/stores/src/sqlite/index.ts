export type { SqliteOptions } from "./database.ts";
export { type SqliteApprovalsOptions, sqliteApprovals } from "./sqlite-approvals.ts";
export { type SqliteStore, type SqliteStoreOptions, sqliteStore } from "./sqlite-store.ts";
