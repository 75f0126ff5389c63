import { definePolicy } from "@holdpoint/core";
import type { SequentialThinkingTools } from "./sequential-thinking.types.ts";

/** The reference server for thinking in steps (@modelcontextprotocol/server-sequential-thinking): harmless, but for thoughts that never end. */
export default definePolicy<SequentialThinkingTools>()({
  version: "1",
  description: "Sequential thinking: a bounded number of thoughts",
  default: "deny",
  tools: {
    sequentialthinking: {
      deny_if: [{ path: "args.thoughtNumber", op: "gt", value: 100, on_deny: "A hundred thoughts are enough: conclude." }],
      limits: [{ counter: "thoughts", window: "hour", max: 300, scope: "grant" }],
    },
  },
});
