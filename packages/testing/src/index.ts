// This file is the whole public surface of `@holdpoint/testing` that needs no test runner: what is added here becomes API. Named exports only.

export { type AuditLog, type AuditLogOptions, auditLog, mentions, trailProblems } from "./audit-log.ts";
export {
  type Cassette,
  type RecordableClient,
  type RecordedCall,
  type Recording,
  type RecordOptions,
  recordUpstream,
  type SecretField,
} from "./cassette.ts";
export { checkMutants, type EquivalentMutant, type MutationReport } from "./check-mutants.ts";
export { type Admitted, countAdmitted } from "./count-admitted.ts";
export {
  type CoverageShares,
  type CoverageThresholds,
  coverageShares,
  coverageTable,
  missedThresholds,
  type Share,
} from "./coverage-table.ts";
export { describeVerdict } from "./describe-verdict.ts";
export { type Duration, type FakeClock, fakeClock, type Instant } from "./fake-clock.ts";
export type { MockFetch, MockHttpOptions } from "./mock-http.ts";
export type { MockCall, MockRequest } from "./mock-server.ts";
export {
  lostConnection,
  type MockHandler,
  type MockTool,
  type MockToolContext,
  type MockTools,
  noAnswer,
  protocolError,
  type ServerMajor,
  toolError,
  unexpectedCall,
} from "./mock-tool.ts";
export type { MockTransport } from "./mock-transport.ts";
export {
  type ArgumentsOf,
  type CallTo,
  type MockUpstream,
  type MockUpstreamOptions,
  mockUpstream,
  UnexpectedCallError,
} from "./mock-upstream.ts";
export { type Mutant, mutatePolicy } from "./mutate-policy.ts";
export {
  type CoverageReport,
  type CoveredCondition,
  type CoveredPolicy,
  type CoveredRule,
  mergeCoverage,
  type PolicyCoverage,
  policyCoverage,
} from "./policy-coverage.ts";
export { type PolicyTest, type PolicyTestOptions, policyTest, type TestCall, type TestVerdict } from "./policy-test.ts";
export { type ScriptedAnswer, type ScriptedApprover, scriptedApprover } from "./scripted-approver.ts";
