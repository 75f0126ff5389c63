import fc from "fast-check";
import { expect, test } from "vitest";
import { type Category, isGraver, levelOf } from "./category.ts";
import { type ClassifiableTool, classify } from "./classify.ts";

function category(name: string, description?: string, properties?: Record<string, unknown>): Category {
  return classify({ name, description, ...(properties ? { inputSchema: { type: "object", properties } } : {}) }).category;
}

test("names are read whatever their spelling: snake, camel, kebab, dotted, prefixed, suffixed, run together", () => {
  for (const name of [
    "delete_issue",
    "deleteIssue",
    "delete-issue",
    "github.deleteIssue",
    "github__delete_issue",
    "API-delete-an-issue",
    "issue_delete",
    "deleteissue",
  ]) {
    expect(category(name), name).toBe("destructive");
  }
  for (const name of ["get_code_context_exa", "notion-get-page", "getPage", "mcp__docs__get_page", "pages_get", "getpage"])
    expect(category(name), name).toBe("read");
});

test("a word that is a noun beside a verb does not decide", () => {
  expect(category("list_charges")).toBe("read");
  expect(category("get_run")).toBe("read");
  expect(category("order_status")).toBe("read");
  expect(category("get_updates")).toBe("read");
  expect(category("get_last_update")).toBe("read");
  expect(category("mark_all_notifications_read")).toBe("write");
  expect(category("list_create")).toBe("write");
  expect(category("create_pull_request")).toBe("write");
});

test("verbs that both happen count, the graver one", () => {
  expect(category("get_or_create_label")).toBe("write");
  expect(category("search_and_replace")).toBe("write");
  expect(category("search_replace")).toBe("write");
  expect(category("get_message", "Reads a message and deletes it")).toBe("destructive");
  expect(category("next_job", "Retrieves the next job and marks it as claimed")).toBe("write");
  expect(category("inbox", "Lists, archives and deletes messages")).toBe("destructive");
});

test("what is denied, or said of another tool, does not count", () => {
  expect(category("get_page", "Gets a page. Does not delete anything.")).toBe("read");
  expect(category("get_page", "Gets a page without modifying it.")).toBe("read");
  expect(category("get_page", "Gets a page. To delete a page, use `delete_page`.")).toBe("read");
  expect(category("get_page", "Gets a page. Use delete_page to remove it.")).toBe("read");
  expect(category("get_page", "Gets a page. This permanently deletes the cached copy.")).toBe("destructive");
});

test("what nothing shows to be a read is a write, and the evidence says so", () => {
  const { category, evidence } = classify({ name: "frobnicate" });
  expect(category).toBe("write");
  expect(evidence).toEqual([{ says: "write", because: "nothing shows that the tool only reads, so it is taken to write", from: "name" }]);
});

test("a verb that the tables lack is never taken for a read by the noun beside it", () => {
  expect(category("sanitize_logs")).toBe("write");
  expect(category("zapper", "Zaps the logs")).toBe("write");
  expect(category("zapper", "Zaps logs and returns the status")).toBe("write");
  expect(category("anonymizer", "Anonymize usage statistics")).toBe("write");
  expect(category("blaster", "Automated report sender")).toBe("write");
  expect(category("stock", "Checks the inventory and sends email alerts")).toBe("write");
  expect(category("weather", "Current weather for a city")).toBe("read");
  expect(category("db-stats")).toBe("read");
});

test("money moves where a verb with an effect meets its noun, or something is bought", () => {
  for (const name of [
    "create_refund",
    "send_invoice",
    "buy_domain",
    "place_order",
    "transfer_funds",
    "send_transaction",
    "cancel_subscription",
    "close_position",
    "collect_payment",
  ]) {
    expect(category(name, name === "collect_payment" ? "Collect a payment" : undefined), name).toBe("financial");
  }
  expect(category("create_subscription", "Subscribe to webhook events")).not.toBe("read");
  expect(category("manage_notification_subscription")).toBe("write");
  expect(category("create_price")).toBe("write");
  expect(category("transfer_issue")).toBe("write");
});

test("a message is paid for where the server is the carrier, not where it travels by another's service or by a choice of channels", () => {
  expect(category("send_message", "Send an SMS or MMS message")).toBe("financial");
  expect(category("twilio_send_sms", "Send an SMS message via Twilio")).toBe("write");
  expect(category("send_message", "Send a message across SMS, email, or voice")).toBe("write");
  expect(category("send_message", "Send a message to a Slack channel")).toBe("write");
  const plain = { name: "send_message", description: "Send a message" };
  expect(classify(plain).category).toBe("write");
  expect(classify(plain, { server: "@twilio-labs/mcp" }).category).toBe("financial");
  expect(classify(plain, { siblings: ["send_message", "create_incoming_phone_number"] }).category).toBe("financial");
});

test("the gravest operation that a schema offers decides", () => {
  expect(category("manage_item", "Gets an item", { action: { enum: ["list", "get"] } })).not.toBe("destructive");
  expect(category("item", "Item access", { action: { enum: ["list", "create", "delete"] } })).toBe("destructive");
  expect(category("get_item", "Gets items", { operation: { enum: ["get", "update"] } })).toBe("write");
  expect(category("fetch", "Fetches a URL", { url: {}, method: { enum: ["GET", "POST"] } })).toBe("execute");
  expect(category("fetch", "Fetches a URL", { url: {}, method: { enum: ["GET"] } })).toBe("read");
  expect(category("search", "Searches", { sort_by: { enum: ["created", "updated", "delete"] } })).toBe("read");
});

test("code in an argument runs, unless the verb only looks at it or only reading is possible", () => {
  expect(category("query", "Query the warehouse", { sql: { type: "string" } })).toBe("execute");
  expect(category("query", "Run a read-only SQL query", { sql: { type: "string" } })).toBe("read");
  expect(category("thing", "Run a command to select what is deleted")).toBe("execute");
  expect(category("explain_query", "Explains a plan", { sql: { type: "string" } })).toBe("read");
  expect(category("query_logs", "Query logs", { query: { type: "string", description: "text to look for" } })).toBe("read");
});

test("parameters show effects that the name hides", () => {
  expect(category("check", "Checks a deployment", { dry_run: { type: "boolean" } })).toBe("write");
  expect(category("download_attachment", "Downloads an attachment", { outputPath: { type: "string" } })).toBe("write");
  expect(category("pot", undefined, { amount: { type: "number" }, currency: { type: "string" } })).toBe("financial");
});

test("what a name opens with to say where its verb acts is no verb, and alone it is", () => {
  for (const name of ["ssh_tunnel_list", "google_drive_search", "npm_audit", "kubectl_get", "git_log"])
    expect(category(name), name).toBe("read");
  for (const name of ["ssh", "ssh_execute", "npm_install", "kubectl", "power_on_server", "step_into", "docker_compose_up"])
    expect(category(name), name).toBe("execute");
});

test("a verb inside a brand's name is no verb", () => {
  expect(category("checkIfWordPressInstallationsAreValid")).toBe("read");
  expect(category("getPayPalBalance")).toBe("read");
  expect(category("setClickUpStatus")).toBe("write");
  expect(category("ClickUpload")).toBe("execute");
});

test("who does something is named for it", () => {
  expect(category("code_runner")).toBe("execute");
  expect(category("file_deleter")).toBe("destructive");
  expect(category("pdf_reader")).toBe("read");
  expect(category("pdf_reader", "Deletes a document")).toBe("destructive");
  expect(category("browser")).toBe("write");
});

test("a word that is a thing as often as an effect gives way to the verb beside it", () => {
  expect(category("list-employee-leave")).toBe("read");
  expect(category("place_details_tool")).toBe("read");
  expect(category("map_search")).toBe("read");
  expect(category("leave_channel")).toBe("write");
  expect(category("place_order")).toBe("financial");
  expect(category("domain-byComposeId", "Retrieves the domains of a stack")).toBe("read");
});

test("a description that permits, or says when the tool is used, is read for what it permits", () => {
  expect(category("get_followers", "Get a list of followers. This allows you to obtain their identifiers.")).toBe("read");
  expect(category("get_followers", "Get a list of followers. It also allows you to delete them.")).toBe("destructive");
  expect(category("plan", "When you need a plan, you can use this tool to receive guidance")).toBe("read");
  expect(category("plan", "When you need room, use this tool to delete a plan")).toBe("destructive");
});

test("a search that is triggered, and what is loaded into something, are no reads", () => {
  expect(category("search_movies", "Trigger a search for several movies")).toBe("execute");
  expect(category("start_search", "Start a search that returns results as they come")).toBe("read");
  expect(category("load_sprite", "Load a sprite into a node")).toBe("write");
  expect(category("load_skill", "Load a skill into context")).toBe("read");
});

test("a Chinese or Japanese description is read where the name says nothing", () => {
  expect(category("x", "\u83b7\u53d6\u5929\u6c14")).toBe("read");
  expect(category("x", "\u5220\u9664\u7528\u6237")).toBe("destructive");
  expect(category("x", "\u30e6\u30fc\u30b6\u30fc\u4f5c\u6210\u65e5\u3092\u53d6\u5f97")).toBe("read");
  expect(category("x", "\u30e6\u30fc\u30b6\u30fc\u3092\u4f5c\u6210")).toBe("write");
  expect(category("delete_user", "\u83b7\u53d6\u5929\u6c14")).toBe("destructive");
});

test("parameters that are wrapped in one object are read", () => {
  const wrapped = { params: { type: "object", properties: { action: { enum: ["list", "delete"] } } } };
  expect(category("item", "Item access", wrapped)).toBe("destructive");
});

test("an action among what a list can be searched by is a filter, unless reading is one of the actions", () => {
  expect(category("list_audit_logs", "Lists entries", { action: { enum: ["create", "delete"] } })).toBe("read");
  expect(category("list_models", "Lists models", { action: { enum: ["list", "delete"] } })).toBe("destructive");
  expect(category("check_item", "Checks an item", { action: { enum: ["approve", "reject"] } })).toBe("write");
});

test("of two verbs in a name the one that the description opens with governs, unless an effect ends the name, is joined or leads", () => {
  expect(category("sales_claim_list", "List claims")).toBe("read");
  expect(category("list_store_orders", "**Purpose:** List the orders of a store")).toBe("read");
  expect(category("search_replace", "Search for text")).toBe("write");
  expect(category("list_or_delete_items", "List items")).toBe("destructive");
  expect(category("purge_list", "List what is stale")).toBe("destructive");
  expect(category("sales_claim_list", "List claims and delete those that are stale")).toBe("destructive");
});

test("an effect that is done again or undone is an effect, and a word that only looks like one is none", () => {
  expect(category("unset_default_profile")).toBe("write");
  expect(category("resend_stats")).toBe("write");
  expect(category("get_unread")).toBe("read");
  expect(category("list_unread_messages")).toBe("read");
});

test("a machine's snapshot and a record's conversion are writes, a page's snapshot is none", () => {
  expect(category("snapshot_server", "Take a snapshot of a server")).toBe("write");
  expect(category("take_snapshot", "Take a snapshot of the page")).toBe("read");
  expect(category("convert_lead", "Convert a lead to a contact")).toBe("write");
  expect(category("convert_currency", "Convert an amount")).toBe("read");
});

test("what a description does to nothing is not done, and what another's model does is", () => {
  expect(category("animation_read", "Inspect an animation. This changes and previews nothing.")).toBe("read");
  expect(category("computer_use_agent", "This tool utilizes a model to autonomously execute tasks in a browser")).toBe("execute");
  expect(category("computer_use_agent", "Utilizes a model to find pages")).toBe("read");
});

test("the object that the description adds to the name's verb counts", () => {
  expect(category("pty_write", "Write input to a terminal session")).toBe("execute");
  expect(category("note_write", "Write a note")).toBe("write");
  expect(category("map_site", "Map a website's structure")).toBe("read");
});

test("a method that is kept is not called", () => {
  const properties = { method: { enum: ["GET", "DELETE"] } };
  expect(category("add_mock_rule", "Add a rule", properties)).toBe("write");
  expect(category("mock", "Mocks a service", properties)).toBe("execute");
  expect(category("describe_tables", "Describes tables", { force_update: { type: "boolean" } })).toBe("write");
});

test("of a schema with more operations than are read nothing is called a read, and judging it takes no longer", () => {
  const many = Array.from({ length: 201 }, (_, at) => `get_${at}`);
  expect(category("item", "Gets an item", { action: { enum: many.slice(0, 200) } })).toBe("read");
  expect(category("item", "Gets an item", { action: { enum: many } })).toBe("write");
  const wide = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`x${at}_action`, { enum: many }]));
  expect(category("item", "Gets an item", wide)).toBe("write");
  expect(category("item", "Gets an item", { action: { enum: ["delete", ...many] } })).toBe("destructive");
});

test("a scan that is triggered is no resource that is read, and what is shown to a person is no answer", () => {
  expect(category("trigger_scan", "Scan a host")).toBe("execute");
  expect(category("run_get")).toBe("read");
  expect(category("show_notification", "Shows a notification to the user")).toBe("write");
  expect(category("show_notifications", "Shows the notifications")).toBe("read");
  expect(category("export_to_sheet", "Exports the rows to a new Google Sheet")).toBe("write");
});

test("what is read automatically may be written down", () => {
  expect(category("auto_describe", "Automatically generate descriptions for all tables")).toBe("write");
  expect(category("auto_detect", "Detects the language")).toBe("read");
});

test("a paid plan and an escrow move money", () => {
  expect(category("upgrade_plan", "Upgrade to a paid plan")).toBe("financial");
  expect(category("release_escrow", "Releases the escrow to the seller")).toBe("financial");
  expect(category("get_plan", "Gets the plan")).toBe("read");
});

test("a flag that shapes the answer has no effect on the world", () => {
  expect(category("search", "Searches", { remove_duplicates: { type: "boolean" } })).toBe("read");
  expect(category("search", "Searches", { remove_files: { type: "boolean" } })).toBe("write");
});

test("a claim raises and never lowers", () => {
  expect(classify({ name: "delete_page", annotations: { readOnlyHint: true } }).category).toBe("destructive");
  expect(classify({ name: "frobnicate", annotations: { readOnlyHint: true } }).category).toBe("write");
  expect(classify({ name: "get_page", annotations: { readOnlyHint: false } }).category).toBe("write");
  expect(classify({ name: "get_page", annotations: { destructiveHint: true } }).category).toBe("destructive");
  expect(classify({ name: "create_page", annotations: { destructiveHint: true } }).category).toBe("destructive");
  expect(classify({ name: "update_page", annotations: { destructiveHint: true } }).category).toBe("write");
  expect(classify({ name: "get_page", annotations: {} }).category).toBe("read");
});

test("level and score follow the category", () => {
  expect(classify({ name: "create_conversation", description: "Create a new conversation" })).toMatchObject({ level: "medium", score: 3 });
  expect(classify({ name: "create_verification" })).toMatchObject({ level: "critical", score: 4 });
  expect(classify({ name: "restart_service" })).toMatchObject({ level: "high", score: 3 });
  expect(classify({ name: "bulk_delete_documents" })).toMatchObject({ level: "critical", score: 5 });
  expect(classify({ name: "list_pages" })).toMatchObject({ level: "low", score: 1 });
});

const word = fc.constantFrom(
  "get",
  "list",
  "delete",
  "create",
  "run",
  "order",
  "post",
  "payment",
  "page",
  "sql",
  "or",
  "and",
  "__proto__",
  "constructor",
  "send",
  "the",
  "SMS",
);
const tool: fc.Arbitrary<ClassifiableTool> = fc.record({
  name: fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(word, { maxLength: 5 }).map((each) => each.join("_")),
  ),
  title: fc.option(fc.string(), { nil: undefined }),
  description: fc.option(
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(word, { maxLength: 30 }).map((each) => each.join(" ")),
    ),
    { nil: undefined },
  ),
  inputSchema: fc.oneof(fc.anything(), fc.record({ properties: fc.dictionary(fc.oneof(word, fc.string()), fc.anything()) })),
});
const hints = fc.record(
  { readOnlyHint: fc.boolean(), destructiveHint: fc.boolean(), idempotentHint: fc.boolean(), openWorldHint: fc.boolean() },
  { requiredKeys: [] },
);

test("any tool is judged, the same way each time, with evidence for its category", () => {
  fc.assert(
    fc.property(tool, (each) => {
      const verdict = classify(each);
      expect(classify(each)).toEqual(verdict);
      expect(verdict.level).toBe(levelOf[verdict.category]);
      expect([1, 2, 3, 4, 5]).toContain(verdict.score);
      expect(verdict.evidence.map(({ says }) => says)).toContain(verdict.category);
    }),
  );
});

test("annotations never lower a category", () => {
  fc.assert(
    fc.property(tool, hints, (each, annotations) => {
      const without = classify(each).category;
      expect(isGraver(without, classify({ ...each, annotations }).category)).toBe(false);
    }),
  );
});

test("hostile tools are judged without throwing: huge texts, getters that throw, wrong types", () => {
  const trap = new Proxy(
    {},
    {
      ownKeys: () => {
        throw new Error("trap");
      },
      get: () => {
        throw new Error("trap");
      },
    },
  );
  expect(classify({ name: "get_page", inputSchema: trap }).category).toBe("write");
  expect(classify({ name: "get_page", inputSchema: { properties: trap } }).category).toBe("write");
  expect(classify({ name: "a_".repeat(1_000_000), description: "delete and ".repeat(500_000) }).category).toBeDefined();
  expect(
    classify({
      name: "get_page",
      description: `${" ".repeat(1_000_000)}x`,
      inputSchema: { properties: Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`p${at}`, {}])) },
    }).category,
  ).toBe("read");
  expect(classify({ name: 7, description: {}, annotations: 3 } as unknown as ClassifiableTool).category).toBe("write");
});
