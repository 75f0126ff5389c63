import { definePolicy } from "@holdpoint/core";

/** What the agent may do with the tools of server-everything, and with its own dice. The same document, as JSON, is a `policy.json`. */
export const policy = definePolicy({
  version: "1",
  default: "deny",
  hide: ["get-env"],
  all_tools: { limits: [{ counter: "calls", window: "minute", max: 60 }] },
  tools: {
    roll: {},
    "get-sum": {
      deny_if: [{ path: "args.a", op: "gt", value: 1000, on_deny: "Sums over 1000 are for the accountant." }],
    },
    echo: {
      require_approval: [
        { conditions: [{ path: "args.message", op: "contains", value: "everybody" }], reason: "This is read by everybody" },
      ],
    },
  },
});
