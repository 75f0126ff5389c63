import { expect, test } from "vitest";
import { classify } from "./classify.ts";

function signals(name: string, description: string, properties: Record<string, unknown> = {}): string[] {
  return classify({ name, description, inputSchema: { type: "object", properties } }).signals.map(({ signal }) => signal);
}

const text = { type: "string" };

test("a parameter's name triggers its signal, in the catalogue's phrase", () => {
  expect(signals("write_note", "Writes a note", { content: text, path: text, callback_url: text, script: text, apiKey: text })).toEqual([
    "Accepts raw HTML/template content (content)",
    "Accepts file system path (path)",
    "Accepts freeform code/query input (script)",
    "Accepts URL/endpoint input (callback_url)",
    "Accepts credentials in arguments (apiKey)",
  ]);
});

test("credentials that a server asks for in arguments are named, underscores or not", () => {
  const properties = { _accountSid: text, _authToken: text, to: text, from: text, body: text };
  const found = classify({ name: "twilio_send_sms", description: "Send an SMS message via Twilio.", inputSchema: { properties } }).signals;
  expect(found.map(({ id, trigger }) => [id, trigger])).toEqual([
    ["raw-content", "body"],
    ["credentials", "_accountSid"],
    ["credentials", "_authToken"],
  ]);
});

test("a code that is no program, an enumerated value and a number trigger nothing", () => {
  expect(signals("verify", "Verifies", { country_code: text, code: { enum: ["a"] }, content: { type: "integer" } })).toEqual([]);
});

test("parameters are counted from ten upwards", () => {
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`field${at}`, text]));
  expect(signals("send_message", "Sends", many(12))).toContain("High parameter count (12 properties)");
  expect(signals("send_message", "Sends", many(9))).toEqual([]);
});

test("a bulk operation is one that is not denied", () => {
  const bulk = "Bulk/mass operation \u2014 affects multiple targets";
  expect(signals("bulk_delete_by_criteria", "Deletes")).toContain(bulk);
  expect(signals("send", "Sends a message in bulk")).toContain(bulk);
  expect(signals("send", "Sends a message. Do NOT attempt bulk / list-based outreach.")).not.toContain(bulk);
  expect(signals("send", "Sends a message; never in bulk")).not.toContain(bulk);
});

test("what is charged for, what is sent as the user, and what is overwritten are named as the catalogue names them", () => {
  expect(signals("create_incoming_phone_number", "Purchase a phone number")).toEqual(["Incurs monthly phone number charges"]);
  expect(signals("send_message", "Send an SMS or MMS message")).toEqual(["Incurs per-message SMS/MMS charges"]);
  expect(signals("create_call", "Make an outbound call")).toEqual(["Incurs per-minute call charges"]);
  expect(signals("create_verification", "Send a verification code")).toEqual(["Sends paid SMS/call for verification"]);
  expect(signals("send_conversation_message", "Send a message in a conversation")).toEqual(["Sends message as authenticated user"]);
  expect(signals("create_conversation", "Create a new conversation")).toEqual(["Creates new messaging channel"]);
  expect(signals("file_write", "Write a file, overwriting what it holds")).toEqual(["Overwrites file contents"]);
  expect(signals("create_user", "Create an admin user")).toEqual(["Admin/system-level operation"]);
});

test("a root that is no account, a code that identifies, and a cost in calls trigger nothing", () => {
  expect(signals("deploy_site", "Deploys from the root directory of the repository")).toEqual([]);
  expect(signals("set_root_password", "Sets it")).toEqual(["Admin/system-level operation"]);
  expect(signals("create_case", "Creates a case", { code: { ...text, description: "Project code, such as DEMO" } })).toEqual([]);
  expect(signals("create_case", "Creates a case", { affiliate_code: text })).toEqual([]);
  expect(signals("run", "Runs code", { code: { ...text, description: "Code to run" } })).toEqual([
    "Accepts freeform code/query input (code)",
  ]);
  expect(signals("record_result", "Records a result. Cost: one call.")).toEqual([]);
  expect(signals("record_result", "Records a result. Cost: $0.20.")).toEqual(["States a cost per call"]);
});

test("a verb is not itself the message that is sent", () => {
  expect(signals("post_transaction", "Post a transaction")).toEqual([]);
  expect(signals("reply_to_thread", "Reply to a thread")).toEqual(["Sends message as authenticated user"]);
});
