export type { ContractRunner, OpenedCounterStore } from "./counter-store.ts";
export { counterStoreContract, runCounterStoreCase } from "./counter-store.ts";
export type { CaseAssert, CounterStoreCase, CounterStoreSubject } from "./counter-store-cases.ts";
export { counterStoreCases } from "./counter-store-cases.ts";
export type { CounterStoreHistory, HistoryAnswer, HistoryStep } from "./counter-store-history.ts";
export { counterStoreHistory, runHistory } from "./counter-store-history.ts";
