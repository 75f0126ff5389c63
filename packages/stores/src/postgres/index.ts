export type { PostgresOptions, PostgresPool } from "./pool.ts";
export { type PostgresApprovalsOptions, postgresApprovals } from "./postgres-approvals.ts";
export { type PostgresStoreOptions, postgresStore } from "./postgres-store.ts";
export { type MigrateOptions, migratePostgres } from "./schema.ts";
