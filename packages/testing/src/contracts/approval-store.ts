import type { ApprovalStore } from "@holdpoint/core";
import { answerCases } from "./approval-store-answers.ts";
import type { ApprovalStoreCase, ApprovalStoreSubject } from "./approval-store-case.ts";
import { useCases } from "./approval-store-uses.ts";
import type { ContractRunner } from "./counter-store.ts";
import { type CaseAssert, caseStart } from "./counter-store-case.ts";

/** What every approval store must do, as plain data: `approvalStoreContract` runs them, or `runApprovalStoreCase` under any other test runner. */
export const approvalStoreCases: readonly ApprovalStoreCase[] = [...answerCases, ...useCases];

export interface OpenedApprovalStore {
  readonly store: ApprovalStore;
  /** Another handle on the same approvals, where the store can be opened twice. */
  readonly second?: ApprovalStore | undefined;
  readonly close?: (() => void | Promise<void>) | undefined;
}

/**
 * Registers a test for each case of the approval store contract. `open` is called once for each, and may open the same database again. With
 * `clock: "server"` the cases wait in real time.
 *
 * @example
 * approvalStoreContract("memory", () => ({ store: memoryApprovals() }), { test, expect });
 */
export function approvalStoreContract(
  name: string,
  open: () => OpenedApprovalStore | Promise<OpenedApprovalStore>,
  runner: ContractRunner,
): void {
  const { clock = "caller", expect } = runner;
  const assert: CaseAssert = {
    deepEqual: (actual, expected, message) => expect(actual, message).toEqual(expected),
    ok: (value, message) => expect(Boolean(value), message).toEqual(true),
  };
  for (const one of approvalStoreCases) runner.test(`${name}: ${one.name}`, () => runApprovalStoreCase(one, open, assert, clock), 60_000);
}

/** Runs one case on a store of its own, and closes it whatever happens. */
export async function runApprovalStoreCase(
  one: ApprovalStoreCase,
  open: () => OpenedApprovalStore | Promise<OpenedApprovalStore>,
  assert: CaseAssert,
  clock: "caller" | "server" = "caller",
): Promise<void> {
  const opened = await open();
  const prefix = crypto.randomUUID();
  let moved = caseStart;
  const subject: ApprovalStoreSubject = {
    store: opened.store,
    second: opened.second ?? opened.store,
    now: () => (clock === "server" ? Date.now() : moved),
    async wait(ms) {
      moved += ms;
      // Timers may be early, and the server's clock a little behind.
      if (clock === "server") await new Promise((resolve) => setTimeout(resolve, ms + 20));
    },
    name: (name) => `${prefix}/${name}`,
  };
  try {
    await one.run(subject, assert);
  } finally {
    await opened.close?.();
  }
}
