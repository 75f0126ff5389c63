import type { ApprovalRecord } from "@holdpoint/core";

/** A request for approval, as a guard files it. */
export function refundRequest(now: number): ApprovalRecord {
  return {
    id: "refund",
    status: "pending",
    binding: "refund of 20",
    server: "stripe",
    tool: "create_refund",
    context: { session: "one" },
    rules: [],
    reasons: [],
    requestedAt: now,
    expiresAt: now + 60_000,
    usesLeft: 1,
  };
}
