import { definePolicy } from "@holdpoint/core";
import type { MemoryTools } from "./memory.types.ts";

const writes = { limits: [{ counter: "writes", window: "minute", max: 30, scope: "grant" }] } as const;

/** The reference memory server (@modelcontextprotocol/server-memory): what is remembered may grow, and only a person lets it be forgotten. */
export default definePolicy<MemoryTools>()({
  version: "1",
  description: "Memory: forgetting takes a person's yes",
  default: "deny",
  tools: {
    read_graph: {},
    search_nodes: {},
    open_nodes: {},
    create_entities: {
      ...writes,
      deny_if: [{ path: "args.entities", op: "length_gte", value: 51, on_deny: "At most 50 entities at once." }],
    },
    create_relations: writes,
    add_observations: writes,
    delete_entities: { require_approval: [{ conditions: [], reason: "Forgets entities and all that is known of them." }] },
    delete_observations: { require_approval: [{ conditions: [], reason: "Forgets what was observed." }] },
    delete_relations: { require_approval: [{ conditions: [], reason: "Forgets how things belong together." }] },
  },
});
