// This file is the whole public surface of `@holdpoint/core/node`: what is added here becomes API. Named exports only.

export type { AuditCheckpoint, AuditKey } from "./audit-checkpoint.ts";
export { type JsonlAudit, type JsonlAuditOptions, jsonlAudit } from "./jsonl-audit.ts";
