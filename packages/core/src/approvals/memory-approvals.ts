import { type ApprovalRecord, type ApprovalStatus, type ApprovalStore, approvalSession } from "./approval-store.ts";

/**
 * Approvals of one process: they end with it. The default, and the model that durable stores are compared with.
 *
 * `maxRecords` (default 10,000) bounds it: records that have ended go first, a live one is never evicted, and a full store answers `"full"`.
 *
 * @example
 * const approvals = memoryApprovals();
 */
export function memoryApprovals(options: { readonly maxRecords?: number } = {}): ApprovalStore {
  const maxRecords = options.maxRecords ?? 10_000;
  const records = new Map<string, ApprovalRecord>();
  let lastSeen = Number.NEGATIVE_INFINITY;

  /** A clock that was set back brings nothing back that has ended. */
  function tick(now: number): number {
    lastSeen = Math.max(lastSeen, now);
    return lastSeen;
  }
  function read(id: string, now: number): ApprovalRecord | undefined {
    const record = records.get(id);
    if (!record || !isLive(record) || now < record.expiresAt) return record;
    return write(end(record, "expired"));
  }
  function write(record: ApprovalRecord): ApprovalRecord {
    records.set(record.id, record);
    return record;
  }
  function* all(now: number): Generator<ApprovalRecord> {
    for (const id of records.keys()) {
      const record = read(id, now);
      if (record) yield record;
    }
  }
  function makeRoom(now: number): boolean {
    if (records.size < maxRecords) return true;
    for (const record of all(now)) if (!isLive(record)) records.delete(record.id);
    return records.size < maxRecords;
  }

  return {
    durability: "process",
    request(draft, bounds, now) {
      const at = tick(now);
      let pending = 0;
      for (const record of all(at)) {
        if (record.status !== "pending") continue;
        if (record.binding === draft.binding) return { record, joined: true };
        if (sessionOf(record) === bounds.session) pending++;
      }
      if (pending >= bounds.maxPending || !makeRoom(at)) return "full";
      return {
        record: write({ ...draft, requestedAt: draft.requestedAt + at - now, expiresAt: draft.expiresAt + at - now }),
        joined: false,
      };
    },
    answer(id, answer, time) {
      const now = tick(time);
      const record = read(id, now);
      if (record?.status !== "pending") return undefined;
      const answered = { ...record, decidedAt: now, by: answer.by };
      if (!answer.approved) return write(end({ ...answered, refusal: answer.reason }, "refused"));
      const widened = answer.widen === true && record.wide !== undefined && answer.edited === undefined;
      return write({
        ...answered,
        status: "approved",
        edited: answer.edited,
        widened,
        usesLeft: widened && record.wide ? record.wide.uses : 1,
        expiresAt: widened && record.wide ? now + record.wide.forMs : record.expiresAt,
      });
    },
    find(query, now) {
      let wider: ApprovalRecord | undefined;
      for (const record of all(tick(now))) {
        if (record.status !== "approved") continue;
        if (record.binding === query.binding) return record;
        if (record.widened && record.wide && query.wide.includes(record.wide.binding)) wider ??= record;
      }
      return wider;
    },
    consume(id, now) {
      const record = read(id, tick(now));
      if (record?.status !== "approved") return undefined;
      const usesLeft = record.usesLeft - 1;
      write(usesLeft > 0 ? { ...record, usesLeft } : end({ ...record, usesLeft }, "used"));
      return record;
    },
    restore(taken, now) {
      const record = records.get(taken.id);
      if (!record || (record.status !== "used" && record.status !== "approved") || tick(now) >= record.expiresAt) return;
      const covered = record.widened && record.wide ? record.wide.uses : 1;
      const { arguments: made, edited } = taken;
      write({ ...record, arguments: made, edited, usesLeft: Math.min(record.usesLeft + 1, covered), status: "approved" });
    },
    get: (id, now) => read(id, tick(now)),
    list(filter, now) {
      return [...all(tick(now))].filter(
        (record) =>
          (filter.status === undefined || record.status === filter.status) &&
          (filter.session === undefined || sessionOf(record) === filter.session),
      );
    },
    revoke(id, by, time) {
      const now = tick(time);
      const record = read(id, now);
      // Too late for the call that has the last use; should it not leave, it gets nothing back.
      if (record?.status === "used") write({ ...record, expiresAt: Math.min(record.expiresAt, now) });
      if (!record || !isLive(record)) return false;
      write({ ...end(record, "revoked"), by, decidedAt: now });
      return true;
    },
  };
}

function isLive(record: ApprovalRecord): boolean {
  return record.status === "pending" || record.status === "approved";
}

function end(record: ApprovalRecord, status: ApprovalStatus): ApprovalRecord {
  return { ...record, status, arguments: undefined, edited: undefined };
}

function sessionOf(record: ApprovalRecord): string {
  return approvalSession(record.context);
}
