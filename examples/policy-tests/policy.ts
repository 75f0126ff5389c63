import { definePolicy } from "@holdpoint/core";

export const refunds = definePolicy({
  version: "1",
  description: "Refunds desk",
  default: "deny",
  hide: ["delete_customer"],
  tools: {
    list_customers: {},
    create_refund: {
      require: [{ path: "args.reason", op: "length_gte", value: 5, on_deny: "Give a reason." }],
      deny_if: [{ path: "args.amount", op: "gt", value: 100_00, on_deny: "Refunds over $100 go to a person in billing." }],
      require_approval: [{ path: "args.amount", op: "gt", value: 20_00, reason: "Refund over $20" }],
      limits: [{ counter: "refunds", window: "day", max: 3 }],
    },
  },
});
