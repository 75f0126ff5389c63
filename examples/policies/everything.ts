import { definePolicy } from "@holdpoint/core";
import type { EverythingTools } from "./everything.types.ts";

/** The reference server that shows every feature (@modelcontextprotocol/server-everything): its examples pass, its environment stays closed. */
export default definePolicy<EverythingTools>()({
  version: "1",
  description: "Everything: the examples, without the environment",
  default: "deny",
  // Answers with every environment variable of the server, secrets included.
  hide: ["get-env"],
  tools: {
    echo: { deny_if: [{ path: "args.message", op: "length_gte", value: 2_001, on_deny: "At most 2,000 characters." }] },
    "get-annotated-message": {},
    "get-resource-links": {},
    "get-resource-reference": {},
    "get-structured-content": {},
    "get-sum": {},
    "get-tiny-image": {},
    // Fetches what the URL names: only where a file may come from.
    "gzip-file-as-resource": {
      require: [
        {
          path: "args.data",
          op: "host_in",
          value: ["raw.githubusercontent.com"],
          on_deny: "Only files of raw.githubusercontent.com are fetched.",
        },
      ],
      limits: [{ counter: "fetches", window: "minute", max: 10, scope: "grant" }],
    },
    "toggle-simulated-logging": {},
    "toggle-subscriber-updates": {},
    "trigger-long-running-operation": {
      deny_if: [{ path: "args.duration", op: "gt", value: 60, when_missing: false, on_deny: "At most a minute." }],
    },
    "simulate-research-query": { limits: [{ counter: "research", window: "minute", max: 10, scope: "grant" }] },
  },
});
