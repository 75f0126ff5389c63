import "@holdpoint/testing/vitest";
import { expect, test } from "vitest";
import policy from "./twilio.ts";

test("the policy names all 36 tools", () => {
  expect(Object.keys(policy.tools ?? {})).toHaveLength(36);
});

test.each(["create_call", "create_incoming_phone_number", "create_verification", "send_message"])("%s waits for a person", (tool) =>
  expect(policy).toHold({ tool }),
);

test.each([
  ["create_execution", 10],
  ["create_deployment", 10],
  ["send_conversation_message", 30],
  ["update_call", 30],
  ["check_verification", 5],
] as const)("%s is allowed %i times a minute", (tool, max) => expect(policy).toAdmitExactly(max, { tool }));

test.each(["get_account", "list_messages", "lookup_phone_number"])("%s is allowed", (tool) => expect(policy).toAllow({ tool }));

test("a tool of a later version is denied", () => expect(policy).toDeny({ tool: "delete_message" }, { rule: "(default deny)" }));

test("all tools together are limited", () => expect(policy).toAdmitExactly(120, { tool: "list_calls" }));
