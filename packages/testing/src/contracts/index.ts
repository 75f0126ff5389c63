export type { OpenedApprovalStore } from "./approval-store.ts";
export { approvalStoreCases, approvalStoreContract, runApprovalStoreCase } from "./approval-store.ts";
export type { ApprovalStoreCase, ApprovalStoreSubject } from "./approval-store-case.ts";
export type { ContractRunner, OpenedCounterStore } from "./counter-store.ts";
export { counterStoreCases, counterStoreContract, runCounterStoreCase } from "./counter-store.ts";
export type { CaseAssert, CounterStoreCase, CounterStoreSubject } from "./counter-store-case.ts";
export type { CounterStoreHistory, HistoryAnswer, HistoryStep } from "./counter-store-history.ts";
export { counterStoreHistory, runHistory } from "./counter-store-history.ts";
