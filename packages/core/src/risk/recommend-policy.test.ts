import { expect, test } from "vitest";
import { policySchema } from "../policy/policy-schema.ts";
import { recommendPolicy } from "./recommend-policy.ts";

const one = (name: string, description: string) => recommendPolicy([{ name, description }], { approvals: false });

test("each category gets the policy that the catalogue publishes for it", () => {
  expect(one("list_messages", "List messages")).toEqual({ version: "1", default: "deny", tools: { list_messages: {} } });
  expect(one("create_conversation", "Create a new conversation")).toEqual({
    version: "1",
    default: "deny",
    tools: { create_conversation: { limits: [{ counter: "create_conversation_rate", window: "minute", max: 30, scope: "grant" }] } },
  });
  expect(one("create_execution", "Start a flow execution")).toEqual({
    version: "1",
    default: "deny",
    tools: { create_execution: { limits: [{ counter: "create_execution_rate", window: "minute", max: 10, scope: "grant" }] } },
  });
  expect(one("create_incoming_phone_number", "Purchase a phone number on Twilio")).toEqual({
    version: "1",
    default: "deny",
    tools: { create_incoming_phone_number: { deny_if: [{ conditions: [], on_deny: "Requires human approval." }] } },
  });
  expect(one("delete_role", "Delete a role")).toEqual({ version: "1", default: "deny", hide: ["delete_role"] });
});

test("where somebody can approve, what moves money waits for them", () => {
  const { tools } = recommendPolicy([{ name: "create_refund", description: "Create a refund" }]);
  expect(tools).toEqual({ create_refund: { require_approval: [{ conditions: [], reason: "Moves money or incurs charges." }] } });
});

test("the document is a policy, whatever the tools are called", () => {
  const names = ["list_a", "delete_b", "create_c", "run_d", "pay_e", "__proto__", "constructor", "*", "", "a/b~c"];
  const policy = recommendPolicy(
    names.map((name) => ({ name })),
    { description: "Everything" },
  );
  expect(policySchema.safeParse(policy).success).toBe(true);
  expect(policy.description).toBe("Everything");
  expect(Object.hasOwn(policy.tools ?? {}, "__proto__")).toBe(true);
  expect(Object.keys(policy.tools ?? {})).not.toContain("*");
  expect(recommendPolicy([])).toEqual({ version: "1", default: "deny", tools: {} });
});

test("a name listed twice gets the stricter rules, in either order", () => {
  const twice = [
    { name: "item", description: "Gets an item" },
    { name: "item", description: "Deletes an item" },
  ];
  expect(recommendPolicy(twice).hide).toEqual(["item"]);
  expect(recommendPolicy(twice.toReversed()).hide).toEqual(["item"]);
});

test("the tools beside a tool settle what its own words leave open", () => {
  const message = { name: "send_message", description: "Send a message" };
  const numbers = { name: "create_incoming_phone_number", description: "Purchase a phone number" };
  expect(recommendPolicy([message]).tools?.["send_message"]?.limits).toHaveLength(1);
  expect(recommendPolicy([message, numbers]).tools?.["send_message"]?.require_approval).toHaveLength(1);
});
