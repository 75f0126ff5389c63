import type { ApprovalRecord, ApprovalStore } from "@holdpoint/core";
import type { CaseAssert } from "./counter-store-case.ts";

/** A store under test, empty but for other names, with a clock that the case can move. */
export interface ApprovalStoreSubject {
  readonly store: ApprovalStore;
  /** Another handle on the same approvals, such as a second connection; the store itself where there is none. */
  readonly second: ApprovalStore;
  /** Milliseconds since the epoch, as the caller knows them. */
  now(): number;
  /** Lets time pass: at once where the caller's clock decides, truly where the server's does. */
  wait(ms: number): Promise<void>;
  /** An id, binding or session of this case alone, so that a shared database needs no cleaning. */
  name(name: string): string;
}

export interface ApprovalStoreCase {
  readonly name: string;
  run(subject: ApprovalStoreSubject, assert: CaseAssert): Promise<void>;
}

/** A request as the guard drafts it, for the arguments `{ amount: 20 }`, to be answered within ten minutes. */
export function draft(subject: ApprovalStoreSubject, name: string, changes: Partial<ApprovalRecord> = {}): ApprovalRecord {
  return {
    id: subject.name(name),
    status: "pending",
    binding: subject.name(`binding of ${name}`),
    server: "stripe",
    tool: "create_refund",
    arguments: { amount: 20, note: 'é🙂 "\\\u0000\ud800' },
    context: { grant: "agent", session: subject.name("session") },
    rules: [{ id: "/tools/create_refund/require_approval/args.amount-gt", hash: "5d41" }],
    reasons: ["Refund over $20"],
    requestedAt: subject.now(),
    expiresAt: subject.now() + 600_000,
    usesLeft: 1,
    ...changes,
  };
}

/** Files a request that must not join another, and answers it as it stands in the store. */
export async function filed(subject: ApprovalStoreSubject, name: string, changes: Partial<ApprovalRecord> = {}): Promise<ApprovalRecord> {
  const record = draft(subject, name, changes);
  const answer = await subject.store.request(record, { session: String(record.context["session"]), maxPending: 10 }, subject.now());
  if (answer === "full" || answer.joined) throw new Error(`a request that is new was not filed: ${JSON.stringify(answer)}`);
  return answer.record;
}

/** Files a request and says yes to it. */
export async function approved(
  subject: ApprovalStoreSubject,
  name: string,
  changes: Partial<ApprovalRecord> = {},
): Promise<ApprovalRecord> {
  const { id } = await filed(subject, name, changes);
  const answer = await subject.store.answer(id, { approved: true, by: "mia", widen: changes.wide !== undefined }, subject.now());
  if (answer?.status !== "approved") throw new Error(`a yes to a pending request was refused: ${JSON.stringify(answer)}`);
  return answer;
}

/** A record as JSON holds it: without what is undefined. */
export function plain(record: ApprovalRecord | undefined): unknown {
  return record === undefined ? undefined : JSON.parse(JSON.stringify(record));
}

export async function statusOf(subject: ApprovalStoreSubject, id: string): Promise<string | undefined> {
  return (await subject.store.get(id, subject.now()))?.status;
}
