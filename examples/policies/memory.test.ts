import "@holdpoint/testing/vitest";
import { expect, test } from "vitest";
import policy from "./memory.ts";

const entities = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ name: `n${index}`, entityType: "thing", observations: [] }));

test.each(["read_graph", "search_nodes", "open_nodes"])("%s is allowed", (tool) => expect(policy).toAllow({ tool }));

test.each(["delete_entities", "delete_observations", "delete_relations"])("%s waits for a person", (tool) =>
  expect(policy).toHold({ tool }),
);

test("entities come fifty at a time", async () => {
  await expect(policy).toAllow({ tool: "create_entities", arguments: { entities: entities(50) } });
  await expect(policy).toDeny(
    { tool: "create_entities", arguments: { entities: entities(51) } },
    { message: "At most 50 entities at once." },
  );
});

test("all writes together are thirty a minute", () => expect(policy).toAdmitExactly(30, { tool: "create_relations" }));
