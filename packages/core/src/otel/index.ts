// This file is the whole public surface of `@holdpoint/core/otel`: what is added here becomes API. Named exports only.

export { type OtelAuditOptions, otelAudit } from "./otel-audit.ts";
