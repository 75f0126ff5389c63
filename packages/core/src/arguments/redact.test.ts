import { expect, test } from "vitest";
import { z } from "zod";
import type { ApprovalRequest, Verdict } from "../approvals/approval-request.ts";
import { memoryAudit } from "../audit/audit.ts";
import { parsePath } from "../conditions/path.ts";
import { createGuard } from "../guard/guard.ts";
import type { PolicyDocument } from "../policy/policy-schema.ts";
import type { JsonObject } from "./json-snapshot.ts";
import { publicPointer, redact, restoreSecrets } from "./redact.ts";

const paths = (...texts: string[]) => texts.map((text) => parsePath(text) as Exclude<ReturnType<typeof parsePath>, { error: string }>);
const secret = "sk-4242";
const pan = "4242424242424242";

/** What everybody but the tool gets to see of one call: sinks, the approver, the model and the operator. */
async function seenOf(policy: Omit<PolicyDocument, "version" | "default">, args: unknown, verdict: Verdict = { approved: true }) {
  const audit = memoryAudit();
  const asked: Omit<ApprovalRequest, "signal">[] = [];
  const guard = createGuard({
    audit,
    policy: { version: "1", default: "allow", ...policy },
    approve: ({ signal, ...request }) => {
      asked.push(request);
      return verdict;
    },
  });
  const session = guard.session();
  const answer = await guard.run({ session, tool: "pay", arguments: args }, (sent) => ({ value: sent, outcome: { kind: "success" } }));
  const refusal = "code" in answer ? answer : undefined;
  const { code, message, detail } = refusal ?? {};
  return {
    text: JSON.stringify({ events: audit.events, asked, code, message, detail }),
    refusal,
    sent: "value" in answer ? answer.value : undefined,
  };
}

test("a secret is hidden also where the arguments have another shape than its path says", async () => {
  for (const [path, args] of [
    ["args.cards[*].number", { cards: { number: secret } }],
    ["args.cards[*].number", { cards: [[{ number: secret }]] }],
    ["args.cards[0]", { cards: { 0: secret } }],
    ["args.cards.number", { cards: [{ number: secret }] }],
    ["args.cards.number", { cards: `{"number":"${secret}"}` }],
    ["args.cards.number", { cards: { number: { [secret]: secret } } }],
  ] as const) {
    const audit = { record: ["args.cards"], secret: [path] };
    const { text, sent } = await seenOf({ audit, all_tools: { require_approval: [{ conditions: [] }] } }, args);
    expect(text).toContain("(secret)");
    expect(text).not.toContain(secret);
    expect(sent).toEqual(args);
  }
  expect(redact({ card: null, other: [] }, paths("args.card.number", "args.other[*]"))).toEqual({ card: null, other: [] });
});

test("no key inside of a secret is told by a problem with the arguments", async () => {
  const headers = { type: "object", properties: { accept: { type: "string" } }, additionalProperties: false } as const;
  for (const args of [
    { headers: { [secret]: "x" } },
    { headers: { accept: { [secret]: 1 } } },
    { headers: [{ [secret]: 1 }] },
    { headers: { accept: `${secret}\ud800`, [secret]: "\ud800" } },
    { headers: [{ [secret]: "\ud800" }] },
  ]) {
    const { refusal, text } = await seenOf(
      { tools: { pay: { arguments: { properties: { headers } }, audit: { secret: ["args.headers"] } } } },
      args,
    );
    expect(refusal?.detail).toContain("`/headers`");
    expect(text).not.toContain(secret);
  }
});

test("no key inside of a secret is told where arguments that could not be read have another shape than its path says", async () => {
  for (const [path, args, place] of [
    ["args.card.number", { card: [{ [secret]: Number.NaN }] }, "/card"],
    ["args.cards[*].number", { cards: { [secret]: { x: Number.NaN } } }, "/cards"],
    ["args.cards[*].number", { cards: { [pan]: { x: Number.NaN } } }, "/cards"],
    ["args.cards[1]", { cards: { [secret]: Number.NaN } }, "/cards"],
    ["args.cards[1]", { cards: [{ brand: Number.NaN }] }, "/cards/0/brand"],
    ["args.card.number", { card: { brand: [{ x: Number.NaN }] } }, "/card/brand/0/x"],
  ] as const) {
    const { refusal, text } = await seenOf({ audit: { secret: [path] } }, args);
    expect(refusal?.detail).toContain(`\`${place}\``);
    for (const hidden of [secret, pan]) expect(text).not.toContain(hidden);
  }
});

test("no words of another library tell a key inside of a secret", async () => {
  const schema = z.strictObject({ headers: z.strictObject({ accept: z.string().optional() }) });
  const { refusal, text } = await seenOf(
    { tools: { pay: { arguments: schema as never, audit: { secret: ["args.headers"] } } } },
    { headers: { [secret]: "x" } },
  );
  expect(refusal).toMatchObject({ code: "arguments_invalid", message: "at `/headers`: the value does not match the schema" });
  expect(text).not.toContain(secret);
});

test("what a person changed inside of a secret is told by the secret's own place", async () => {
  const { text, sent } = await seenOf(
    { audit: { secret: ["args.headers"] }, all_tools: { require_approval: [{ conditions: [] }] } },
    { headers: { [secret]: "x" }, amount: 1 },
    { approved: true, arguments: { headers: {}, amount: 2 } },
  );
  expect(sent).toEqual({ headers: {}, amount: 2 });
  expect(text).toContain('"edited":["/headers","/amount"]');
  expect(text).not.toContain(secret);
});

test("a mark that a person left goes back to what it stood for, at whatever depth it was shown", () => {
  const hidden = paths("args.cards[*].number", "args.token");
  for (const args of [
    { cards: { number: secret } },
    { cards: [{ number: secret }, secret] },
    { cards: [], token: secret },
  ] as JsonObject[]) {
    expect(restoreSecrets(redact(args, hidden), args, hidden)).toEqual(args);
  }
  expect(() => restoreSecrets({ cards: ["(secret)"] }, { cards: [secret, secret] }, hidden)).toThrow(/cannot be told which secret/);
});

test("a pointer is cut where a secret begins, and nowhere else", () => {
  const hidden = paths("args.cards[*].number", 'args["a/b"]', "args.list[1]");
  const args = { cards: [{ number: {}, brand: {} }], "a/b": {}, list: [{}, {}] };
  const shown = (pointer: string) => publicPointer(pointer, args, hidden);
  expect(["/cards/0/number/x", "/cards/0/brand/x", "/a~1b/x/y", "/list/0/x", "/list/1/x", "/cards", ""].map(shown)).toEqual([
    "/cards/0/number",
    "/cards/0/brand/x",
    "/a~1b",
    "/list/0/x",
    "/list/1",
    "/cards",
    "",
  ]);
});
