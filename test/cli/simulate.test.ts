import { expect, test } from "vitest";
import { holdpoint, holdpointProcess, lines, ndjson } from "./holdpoint.ts";

const desk = {
  version: "1",
  default: "deny",
  hide: ["delete_customer"],
  tools: {
    create_refund: {
      deny_if: [{ path: "args.amount", op: "gt", value: 500, on_deny: "Too much." }],
      require_approval: [{ path: "args.amount", op: "gt", value: 50, reason: "Refund over $50" }],
      limits: [{ counter: "refunds", window: "day", max: 2, scope: "grant" }],
    },
    send: { limits: [{ counter: "sent", window: "minute", max: 1, count: "success" }] },
  },
};

test("a call in, a verdict out, with the rule that decided", async () => {
  const calls = ndjson([
    { at: "2026-01-01T09:00:00Z", tool: "create_refund", args: { amount: 5 } },
    { tool: "create_refund", args: { amount: 501 } },
    { tool: "create_refund", args: {} },
    { tool: "delete_customer", args: {} },
    { tool: "other", args: {} },
    { tool: "create_refund", args: "all of it" },
    { tool: "create_refund", args: null },
  ]);
  const { stdout, code } = await holdpointProcess(["simulate", "desk.json"], { files: { "desk.json": desk }, input: calls });
  expect(code).toBe(0);
  expect(lines(stdout)).toEqual([
    { outcome: "allow", rule: "", code: "allowed", message: "" },
    {
      outcome: "deny",
      rule: "/tools/create_refund/deny_if/args.amount-gt",
      code: "deny_if",
      message: "Too much.",
      detail: expect.stringContaining("args.amount"),
      wouldPass: { arguments: [{ path: "args.amount", op: "lte", value: 50 }] },
    },
    expect.objectContaining({ outcome: "deny", rule: "/tools/create_refund/deny_if/args.amount-gt" }),
    expect.objectContaining({ outcome: "deny", rule: "(hidden)", code: "hidden" }),
    expect.objectContaining({ outcome: "deny", rule: "(default deny)", code: "default_deny" }),
    expect.objectContaining({ outcome: "deny", code: "not_json" }),
    expect.objectContaining({ outcome: "deny", code: "not_json" }),
  ]);
});

test("[refused-spends-nothing] a call that needs a person is held, and is not charged", async () => {
  const refund = (amount: number) => ({ tool: "create_refund", args: { amount } });
  const calls = ndjson([...Array.from({ length: 15 }, () => refund(60)), refund(1), refund(2), refund(3), refund(60)]);
  const { stdout } = await holdpoint(["simulate", "desk.json"], { files: { "desk.json": desk }, input: calls });
  const verdicts = lines(stdout);
  expect(verdicts[0]).toEqual({
    outcome: "hold",
    rule: "/tools/create_refund/require_approval/args.amount-gt",
    code: "approval_required",
    message: "This call needs a person's approval.",
    detail: "a person would be asked: Refund over $50",
  });
  expect(verdicts.map(({ outcome }) => outcome)).toEqual([...Array(15).fill("hold"), "allow", "allow", "deny", "deny"]);
});

test("limits keep count on the clock of the calls, which stands still where a call has no time", async () => {
  const calls = ndjson([
    { tool: "create_refund", args: { amount: 1 } },
    { tool: "create_refund", args: { amount: 1 } },
    { tool: "create_refund", args: { amount: 1 } },
    { at: "1970-01-01T23:59:59.999Z", tool: "create_refund", args: { amount: 1 } },
    { at: "1970-01-02T01:00:00+01:00", tool: "create_refund", args: { amount: 1 } },
    { at: "1970-01-01T12:00:00", tool: "create_refund", args: { amount: 1 } },
    { tool: "create_refund", args: { amount: 1 } },
    { tool: "create_refund", args: { amount: 1 }, context: { grant: "ann" } },
  ]);
  const { stdout } = await holdpoint(["simulate", "desk.json"], { files: { "desk.json": desk }, input: calls });
  const verdicts = lines(stdout);
  expect(verdicts.map(({ outcome, retryAfterMs }) => [outcome, retryAfterMs])).toEqual([
    ["allow", undefined],
    ["allow", undefined],
    ["deny", 86_400_000],
    ["deny", 1],
    ["allow", undefined],
    // The clock of the calls went back; the store's did not.
    ["allow", undefined],
    ["deny", 1.5 * 86_400_000],
    ["allow", undefined],
  ]);
});

test("how the server answered decides what is given back", async () => {
  const send = (result?: string) => ({ tool: "send", args: {}, ...(result && { result }) });
  const calls = ndjson([send("tool_error"), send("protocol_error"), send("unknown"), send()]);
  const { stdout } = await holdpoint(["simulate", "desk.json"], { files: { "desk.json": desk }, input: calls });
  expect(lines(stdout).map(({ outcome }) => outcome)).toEqual(["allow", "allow", "allow", "deny"]);
});

test("a call says the code of its error, and gives back by it as the guard does", async () => {
  const counted = (count: string) => ({ limits: [{ counter: count, window: "minute", max: 1, count }] });
  const policy = {
    version: "1",
    default: "deny",
    tools: { answered: counted("answered"), protocol: counted("protocol"), sent: counted("sent") },
  };
  const results = [
    { result: "protocol_error", code: -32602 },
    { result: "protocol_error", code: -32000 },
    { result: "protocol_error" },
    { result: "unsent" },
  ];
  const left: unknown[] = [];
  for (const tool of ["answered", "protocol", "sent"]) {
    for (const result of results) {
      const input = ndjson([{ tool, ...result }, { tool }]);
      const { stdout, stderr } = await holdpoint(["simulate", "policy.json"], { files: { "policy.json": policy }, input });
      expect(stderr).toBe("");
      left.push([tool, result.code ?? result.result, lines(stdout)[1].outcome]);
    }
  }
  expect(left).toEqual([
    ["answered", -32602, "allow"],
    ["answered", -32000, "deny"],
    ["answered", "protocol_error", "deny"],
    ["answered", "unsent", "allow"],
    ["protocol", -32602, "allow"],
    ["protocol", -32000, "allow"],
    ["protocol", "protocol_error", "allow"],
    ["protocol", "unsent", "allow"],
    ["sent", -32602, "deny"],
    ["sent", -32000, "deny"],
    ["sent", "protocol_error", "deny"],
    ["sent", "unsent", "allow"],
  ]);
});

test("with one policy every server has it, and counters of its own; with a policy for each, a server without one denies", async () => {
  const files = { "desk.json": desk };
  const send = (server?: string) => ({ ...(server && { server }), tool: "send", args: {} });
  const input = ndjson([send(), send("a"), send("b"), send("a")]);
  const one = await holdpoint(["simulate", "desk.json", "-"], { files, input });
  expect(lines(one.stdout).map(({ outcome }) => outcome)).toEqual(["allow", "allow", "allow", "deny"]);
  const each = await holdpoint(["simulate", "--policy", "a=desk.json", "--policy", "c=desk.json"], { files, input });
  expect(lines(each.stdout).map(({ code }) => code)).toEqual(["no_policy", "allowed", "no_policy", "limit"]);
});

test("[fail-closed] a line that is no call is denied in its place, and the command ends with 2", async () => {
  const input = `${JSON.stringify({ tool: "send", args: {} })}\r\n\n{"tool":\n{"tool":7}\n[]\n${ndjson([
    { tool: "send", at: "yesterday" },
    { tool: "send", at: "2026-02-30" },
    { tool: "send", result: "fine" },
    { tool: "send", result: "protocol_error", code: "-32602" },
    { tool: "send", result: "tool_error", code: -32602 },
    { tool: "send", context: { user: 7 } },
    { tool: "send", args: {} },
  ])}`;
  const { stdout, stderr, code } = await holdpoint(["simulate", "desk.json"], { files: { "desk.json": desk }, input });
  expect(lines(stdout).map((verdict) => verdict.code)).toEqual(["allowed", ...Array(9).fill("malformed"), "limit"]);
  expect(stderr).toContain("line 3: the line is not JSON");
  expect(stderr).toContain("`code` is no whole number");
  expect(stderr).toContain("`code` belongs to the result `protocol_error`");
  expect(code).toBe(2);
});

test("[strict-load] a line with a key that stands twice is denied in its place, wherever the key stands", async () => {
  const input = [
    '{"tool":"send","args":{"to":"bob"}}',
    '{"tool":"send","tool":"create_refund","args":{}}',
    '{"tool":"send","args":{"list":[{"to":"bob","\\u0074o":"eve"}]}}',
    '{"tool":"send","args":{"a":{"to":1},"b":{"to":1},"text":"{\\"to\\":1,\\"to\\":2}"},"result":"tool_error"}',
  ].join("\n");
  const policy = { version: "1", default: "deny", tools: { send: {} } };
  const { stdout, stderr, code } = await holdpoint(["simulate", "policy.json"], { files: { "policy.json": policy }, input });
  expect(lines(stdout).map((verdict) => verdict.code)).toEqual(["allowed", "malformed", "malformed", "allowed"]);
  expect(stderr).toBe("line 2: the key `tool` stands twice at `/tool`\nline 3: the key `to` stands twice at `/args/list/0/to`\n");
  expect(code).toBe(2);
});

test("only a line feed ends a line, and a key that means nothing is named", async () => {
  const separators = ndjson([{ tool: "send", args: { text: "a\u2028b" }, comment: "not read" }]);
  const { stdout, stderr } = await holdpoint(["simulate", "desk.json"], { files: { "desk.json": desk }, input: separators });
  expect(lines(stdout)).toHaveLength(1);
  expect(stderr).toContain("the key `comment` is not read");
});

test("with the tools of the server, schemas are judged and what it does not list is denied", async () => {
  const tools = [{ name: "send", inputSchema: { type: "object", properties: { to: { type: "string" } }, required: ["to"] } }];
  const input = ndjson([
    { tool: "send", args: { to: 5 } },
    { tool: "send", args: { to: "ann" } },
    { tool: "create_refund", args: { amount: 1 } },
  ]);
  const files = { "desk.json": desk, "tools.json": { tools } };
  const { stdout } = await holdpoint(["simulate", "desk.json", "--tools", "tools.json"], { files, input });
  expect(lines(stdout).map(({ outcome, rule }) => [outcome, rule])).toEqual([
    ["deny", "(inputSchema)"],
    ["allow", ""],
    ["deny", "(definition unknown)"],
  ]);
});

test("Intercept's YAML is read with Intercept's verdicts, and Holdpoint's YAML with Holdpoint's", async () => {
  const intercept = `
version: "1"
default: allow
tools:
  charge:
    rules:
      - { name: cap, conditions: [{ path: args.amount, op: lte, value: 5 }] }
  "*":
    rules:
      - { name: all, rate_limit: 2/minute }
`;
  const own = `
version: "1"
default: deny
tools:
  charge: { deny_if: [{ path: args.amount, op: gt, value: 5 }] }
`;
  const calls = [
    { tool: "charge", args: { amount: 6 } },
    { tool: "charge", args: { amount: "1" } },
    { tool: "x", args: {} },
  ];
  const files = { "a.yaml": intercept, "b.yml": own };
  const imported = await holdpoint(["simulate", "a.yaml"], { files, input: ndjson([...calls, ...calls, { tool: "x" }]) });
  expect(lines(imported.stdout).map(({ outcome, message }) => `${outcome} ${message}`)).toEqual([
    'deny Denied by rule "cap"',
    'deny Denied by rule "cap"',
    "allow ",
    'deny Denied by rule "cap"',
    'deny Denied by rule "cap"',
    "allow ",
    "deny Rate limit of 2 per minute reached. Try again later.",
  ]);
  const read = await holdpoint(["simulate", "b.yml"], { files, input: ndjson(calls) });
  expect(lines(read.stdout).map(({ outcome }) => outcome)).toEqual(["deny", "deny", "deny"]);
});

test("PolicyLayer's meaning is asked for", async () => {
  const input = ndjson([{ tool: "create_refund", args: {} }]);
  const policy = {
    version: "1",
    default: "deny",
    tools: { create_refund: { deny_if: [{ conditions: [{ path: "args.amount", op: "gt", value: 5 }] }] } },
  };
  const files = { "policy.json": policy };
  const own = await holdpoint(["simulate", "policy.json"], { files, input });
  const theirs = await holdpoint(["simulate", "policy.json", "--from", "policylayer"], { files, input });
  expect(lines(own.stdout)[0].outcome).toBe("deny");
  expect(lines(theirs.stdout)[0].outcome).toBe("allow");
});

test("--diff prints the calls whose verdict differs, with both", async () => {
  const wider = { ...desk, tools: { ...desk.tools, send: {} } };
  const input = ndjson([{ tool: "send" }, { tool: "send" }, { tool: "other" }]);
  const files = { "desk.json": desk, "wider.json": wider };
  const { stdout, code } = await holdpoint(["simulate", "desk.json", "--diff", "wider.json"], { files, input });
  expect(lines(stdout)).toEqual([
    {
      line: 2,
      call: { tool: "send", args: {}, context: {}, result: "ok" },
      policy: expect.objectContaining({ outcome: "deny", code: "limit" }),
      other: { outcome: "allow", rule: "", code: "allowed", message: "" },
    },
  ]);
  expect(code).toBe(1);
  const same = await holdpoint(["simulate", "desk.json", "--diff", "desk.json"], { files, input });
  expect(same).toMatchObject({ stdout: "", code: 0 });
});

test("[strict-load] a policy that does not load answers no call: every issue is printed, and the command ends with 2", async () => {
  const files = { "bad.json": { version: "1", defualt: "deny", tools: { a: { limit: [] } } } };
  const { stdout, stderr, code } = await holdpoint(["simulate", "bad.json"], { files, input: ndjson([{ tool: "a" }]) });
  expect(code).toBe(2);
  expect(stdout).toBe("");
  expect(stderr).toContain("/defualt");
  expect(stderr).toContain("/tools/a/limit");
});

test("a policy in TypeScript is its default export", async () => {
  const source =
    'const policy: object = { version: "1", default: "deny", tools: { a: { require: [{ predicate: "odd", check: ({ args }) => args.n % 2 === 1 }] } } };\nexport default policy;\n';
  const files = { "policy.ts": source, "none.mjs": "export const policy = {};" };
  const input = ndjson([
    { tool: "a", args: { n: 1 } },
    { tool: "a", args: { n: 2 } },
  ]);
  const { stdout } = await holdpointProcess(["simulate", "policy.ts"], { files, input });
  expect(lines(stdout).map(({ outcome }) => outcome)).toEqual(["allow", "deny"]);
  const none = await holdpointProcess(["simulate", "none.mjs"], { files, input });
  expect(none.stderr).toContain("no default export");
  expect(none.code).toBe(2);
});
