// This file is the whole public surface of `@holdpoint/core/node`: what is added here becomes API. Named exports only.

export type { AuditCheckpoint, AuditKey } from "./audit-checkpoint.ts";
export { type JsonlAudit, type JsonlAuditOptions, jsonlAudit } from "./jsonl-audit.ts";
export { type PinoAuditOptions, type PinoLogger, pinoAudit } from "./pino-audit.ts";
export { type AuditStats, auditStats, readAudit } from "./read-audit.ts";
export { type TerminalApproverOptions, type TerminalInput, type TerminalOutput, terminalApprover } from "./terminal-approver.ts";
export { type AuditProblem, type AuditVerification, type VerifyOptions, verifyAudit } from "./verify-audit.ts";
