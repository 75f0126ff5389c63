import type { PolicyDocument } from "@holdpoint/core";

/** A policy of a thousand tools, each with two conditions, an approval and a limit: about 400 bytes a tool. */
export const thousandTools: PolicyDocument = {
  version: "1",
  default: "deny",
  tools: Object.fromEntries(
    Array.from({ length: 1000 }, (_, index) => [
      `tool_${index}`,
      {
        require: [{ path: "args.currency", op: "in", value: ["usd", "eur", "gbp"] }],
        deny_if: [{ path: "args.amount", op: "gt", value: 500 + index, on_deny: "Larger payments are for a person in billing." }],
        require_approval: [{ conditions: [{ path: "args.amount", op: "gt", value: 100 }], reason: "Over 100", timeout: "10m" }],
        limits: [{ counter: `counter_${index}`, window: "hour", max: 60, scope: "grant" }],
      },
    ]),
  ),
};
