import { definePolicy } from "@holdpoint/core";

/** One budget for all agents of a tenant, wherever they run. */
export const policy = definePolicy({
  version: "1",
  default: "deny",
  tools: {
    pay: {
      limits: [
        {
          counter: "paid",
          window: "lifetime",
          expires: "1d",
          max: 1000,
          scope: "tenant",
          increment_from: "args.amount",
          unit: { path: "args.currency", is: "usd" },
        },
      ],
    },
  },
});
