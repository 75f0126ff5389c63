import { definePolicy } from "@holdpoint/core";

/** What the agent may do with the tools of server-everything. The same document, as JSON, is a `policy.json`. */
export const policy = definePolicy({
  version: "1",
  default: "deny",
  hide: ["get-env"],
  all_tools: { limits: [{ counter: "calls", window: "minute", max: 60 }] },
  tools: {
    echo: { limits: [{ counter: "echoes", window: { sliding: "1m" }, max: 2 }] },
    "get-sum": {
      deny_if: [{ path: "args.a", op: "gt", value: 1000, on_deny: "Sums over 1000 are for the accountant." }],
    },
    "get-structured-content": {
      require_approval: [{ conditions: [], reason: "The weather is charged by the call", timeout: "1m" }],
    },
  },
});
