import { definePolicy, type ToolRules } from "@holdpoint/core";

const limited = (tool: string, max: number): ToolRules => ({
  limits: [{ counter: `${tool}_rate`, window: "minute", max, scope: "grant" }],
});

/**
 * Agent Broker, 14 tools. By their names several of them read; by what they do they place calls, cost money or write into somebody's customer records,
 * and that is what the rules go by.
 */
export default definePolicy({
  version: "1",
  description: "Agent Broker: nobody is called or charged without a person's yes",
  default: "deny",
  tools: {
    call_business: { require_approval: [{ conditions: [], reason: "Places a phone call in your name." }] },
    escalate_to_human: { require_approval: [{ conditions: [], reason: "Hands the matter to a person, which is charged." }] },

    send_message: limited("send_message", 30),
    send_transactional_confirmation: limited("send_transactional_confirmation", 30),
    schedule_appointment: limited("schedule_appointment", 30),
    import_booking_url: limited("import_booking_url", 30),
    // Writes into the customer records of the business.
    capture_lead: limited("capture_lead", 30),
    handle_inbound: limited("handle_inbound", 30),
    // Probes the channel of the business as it is verified.
    verify_business: limited("verify_business", 10),

    find_business: {},
    get_status: {},
    get_outcome: {},
    preview_cost: {},
    self_test: {},
  },
});
