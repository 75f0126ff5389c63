import { definePolicy, type ToolRules } from "@holdpoint/core";

const writes = (tool: string): ToolRules => ({ limits: [{ counter: `${tool}_rate`, window: "minute", max: 30, scope: "grant" }] });
const runs = (tool: string): ToolRules => ({ limits: [{ counter: `${tool}_rate`, window: "minute", max: 10, scope: "grant" }] });
const paid = (reason: string): ToolRules => ({ require_approval: [{ conditions: [], reason }] });

/** Twilio's own server (@twilio-labs/mcp), 36 tools: what is paid for waits for a person, what changes things is limited, and reads pass. */
export default definePolicy({
  version: "1",
  description: "Twilio: messages, calls and numbers only with a person's yes",
  default: "deny",
  all_tools: { limits: [{ counter: "calls", window: "minute", max: 120, scope: "grant" }] },
  tools: {
    create_call: paid("Places a call, which is charged by the minute."),
    create_incoming_phone_number: paid("Buys a phone number, which is charged by the month."),
    create_verification: paid("Sends a paid message or call for verification."),
    send_message: paid("Sends a message, which is charged and cannot be taken back."),

    create_deployment: runs("create_deployment"),
    create_execution: runs("create_execution"),

    add_conversation_participant: writes("add_conversation_participant"),
    create_conversation: writes("create_conversation"),
    create_function: writes("create_function"),
    create_service: writes("create_service"),
    create_task: writes("create_task"),
    create_verification_service: writes("create_verification_service"),
    send_conversation_message: writes("send_conversation_message"),
    update_call: writes("update_call"),
    update_incoming_phone_number: writes("update_incoming_phone_number"),

    // Each check is a guess at somebody's code: a handful a minute is all that an honest caller needs.
    check_verification: { limits: [{ counter: "check_verification_rate", window: "minute", max: 5, scope: "grant" }] },
    get_account: {},
    get_call: {},
    get_flow: {},
    get_incoming_phone_number: {},
    get_message: {},
    list_accounts: {},
    list_calls: {},
    list_conversations: {},
    list_environments: {},
    list_executions: {},
    list_flows: {},
    list_functions: {},
    list_incoming_phone_numbers: {},
    list_messages: {},
    list_services: {},
    list_task_queues: {},
    list_verification_services: {},
    list_workers: {},
    list_workspaces: {},
    lookup_phone_number: {},
  },
});
