import { isPromise, within } from "../audit/audit.ts";
import type { MaybePromise } from "../limits/counter-store.ts";
import type { ApprovalRecord, ApprovalStore } from "./approval-store.ts";

/** A store whose answers are waited for at most `timeoutMs` milliseconds; then it rejects, and the guard denies. A store without promises is as it was. */
export function patientApprovals(store: ApprovalStore, timeoutMs: number): ApprovalStore {
  function inTime<T>(answer: MaybePromise<T>): MaybePromise<T> {
    return isPromise(answer) ? within(timeoutMs, answer as Promise<T>) : answer;
  }
  return {
    durability: store.durability,
    request: (draft, bounds, now) => inTime(store.request(draft, bounds, now)),
    answer: (id, answer, now) => inTime(store.answer(id, answer, now)),
    find: (query, now) => inTime(store.find(query, now)),
    consume(id, now) {
      const consuming = store.consume(id, now);
      if (!isPromise(consuming)) return consuming;
      return within(timeoutMs, consuming as Promise<ApprovalRecord | undefined>).catch((error) => {
        // A use that is taken after the guard has given up on it belongs to no call.
        (consuming as Promise<ApprovalRecord | undefined>)
          .then((taken) => (taken ? store.restore(taken, now) : undefined))
          .catch(() => undefined);
        throw error;
      });
    },
    restore: (taken, now) => inTime(store.restore(taken, now)),
    get: (id, now) => inTime(store.get(id, now)),
    list: (filter, now) => inTime(store.list(filter, now)),
    revoke: (id, by, now) => inTime(store.revoke(id, by, now)),
  };
}
