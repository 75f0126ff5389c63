import "@holdpoint/testing/vitest";
import { expect, test } from "vitest";
import policy from "./agent-broker.ts";

test("the policy names all 14 tools", () => {
  expect(Object.keys(policy.tools ?? {})).toHaveLength(14);
});

test.each(["call_business", "escalate_to_human"])("%s waits for a person", (tool) => expect(policy).toHold({ tool }));

test.each([
  ["send_message", 30],
  ["schedule_appointment", 30],
  ["capture_lead", 30],
  ["verify_business", 10],
] as const)("%s is allowed %i times a minute", (tool, max) => expect(policy).toAdmitExactly(max, { tool }));

test.each(["find_business", "get_status", "preview_cost"])("%s is allowed", (tool) => expect(policy).toAllow({ tool }));

test("a tool of tomorrow is denied", () => expect(policy).toDeny({ tool: "charge_card" }, { rule: "(default deny)" }));
