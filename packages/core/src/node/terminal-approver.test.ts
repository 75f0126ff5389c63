import { PassThrough } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { expect, test, vi } from "vitest";
import type { ApprovalRequest, Verdict } from "../approvals/approval-request.ts";
import { createGuard } from "../guard/guard.ts";
import { terminalApprover } from "./terminal-approver.ts";

const keys = { down: "\u001b[B", enter: "\r", controlC: "\u0003" };

function terminal({ isTTY = true, columns = 100 } = {}) {
  const input = Object.assign(new PassThrough(), { isTTY, setRawMode: () => undefined });
  const output = Object.assign(new PassThrough(), { isTTY, columns, rows: 50 });
  let raw = "";
  output.on("data", (chunk) => {
    raw += chunk;
  });
  return {
    input,
    output,
    text: () => stripVTControlCharacters(raw),
    raw: () => raw,
    /** Waits until the text is on the screen. */
    async shows(text: string | RegExp) {
      await expect.poll(() => stripVTControlCharacters(raw), { interval: 5 }).toMatch(text);
    },
    async press(...pressed: string[]) {
      for (const key of pressed) {
        input.write(key);
        await pause(5);
      }
    },
  };
}

function request(over: Partial<ApprovalRequest> = {}): ApprovalRequest {
  return {
    id: "request-1",
    server: "stripe",
    tool: "refund",
    arguments: { amount: 5000, to: "ann" },
    reasons: ["Refund over $20"],
    rules: ["/tools/refund/require_approval/0"],
    identity: { user: "ann" },
    fingerprint: "abcd-ef01-2345",
    requestedAt: Date.now(),
    expiresAt: Date.now() + 600_000,
    signal: new AbortController().signal,
    ...over,
  };
}

test("a person sees what they decide about, and a yes approves", async () => {
  const at = terminal();
  const verdict = terminalApprover({ ...at, by: "ann" })(request());
  await at.shows(/Allow this call\? abcd-ef01-2345, (10:00|9:[345]\d) left/);
  for (const text of ["stripe", "refund", '"amount": 5000', "Refund over $20", "/tools/refund/require_approval/0", '{"user":"ann"}'])
    expect(at.text()).toContain(text);
  await at.press(keys.down, keys.enter);
  expect(await verdict).toEqual({ approved: true, by: "ann" });
});

test("[fail-closed] no is what Enter alone says, and so is a question that is closed", async () => {
  const at = terminal();
  const approve = terminalApprover({ ...at, by: "ann" });
  const first = approve(request());
  await at.shows(/Allow this call/);
  await at.press(keys.enter);
  expect(await first).toEqual({ approved: false, by: "ann", reason: undefined });
  const second = approve(request({ fingerprint: "second" }));
  await at.shows(/Allow this call\? second/);
  await at.press(keys.controlC);
  expect(await second).toMatchObject({ approved: false, reason: "the question was closed at the terminal" });
});

test("a wider yes is offered only where the request offers it, with its bounds", async () => {
  const at = terminal();
  const verdict = terminalApprover(at)(request({ offers: { to: "session", forMs: 3_600_000, uses: 5 } }));
  await at.shows(/in this session with any arguments: 5 uses within 1:00:00/);
  await at.press(keys.down, keys.down, keys.enter);
  expect(await verdict).toMatchObject({ approved: true, widen: true });
});

test("control, bidi and zero-width characters are shown escaped, wherever the model put them", async () => {
  const at = terminal();
  const evil = "\u202e\u200b\u001b[2J\u0007\u2028\u034f\u3164";
  const verdict = terminalApprover(at)(
    request({ tool: `refund${evil}`, server: `s${evil}`, reasons: [`why${evil}`], arguments: { [`key${evil}`]: [`value${evil}`] } }),
  );
  await at.shows(/Allow this call/);
  expect(at.text()).toContain("refund\\u{202e}\\u{200b}\\u{1b}[2J\\u{7}\\u{2028}\\u{34f}\\u{3164}");
  expect(at.text()).toContain('"key\\u{202e}\\u{200b}\\u001b[2J\\u0007\\u{2028}\\u{34f}\\u{3164}"');
  for (const raw of ["\u202e", "\u200b", "\u2028", "\u034f", "\u3164", "\u0007", "\u001b[2J"]) expect(at.raw()).not.toContain(raw);
  await at.press(keys.enter);
  await verdict;
});

test("what is too long to show is counted", async () => {
  const at = terminal({ columns: 200 });
  const verdict = terminalApprover({ ...at, maxLines: 10 })(
    request({ arguments: { long: "x".repeat(3_000), list: Array.from({ length: 50 }, (_, n) => n) } }),
  );
  await at.shows(/Allow this call/);
  expect(at.text()).toContain("… (1013 more)");
  // 55 lines of JSON: two braces, one string, and a list of 50 between its brackets.
  expect(at.text()).toContain("… (45 more lines)");
  await at.press(keys.enter);
  await verdict;
});

test("a long value cannot leave its frame to look like a field", async () => {
  const at = terminal({ columns: 60 });
  const verdict = terminalApprover(at)(request({ arguments: { note: `${" ".repeat(200)}fingerprint  0000-0000-0000` } }));
  await at.shows(/Allow this call/);
  const spoof = at
    .text()
    .split("\n")
    .filter((line) => line.includes("0000-0000"));
  expect(spoof.length).toBeGreaterThan(0);
  for (const line of spoof) expect(line).toMatch(/^[│|] {2}/);
  expect(at.text().indexOf("0000-0000")).toBeGreaterThan(at.text().indexOf("Arguments, as they would be sent"));
  await at.press(keys.enter);
  await verdict;
});

test("requests that come together are asked one after another, and keys pressed too early answer none of them", async () => {
  const at = terminal();
  const approve = terminalApprover(at);
  const first = approve(request({ fingerprint: "first" }));
  const second = approve(request({ fingerprint: "second" }));
  at.input.write(keys.down + keys.enter);
  await at.shows(/call\? first/);
  expect(at.text()).not.toContain("second");
  await at.press(keys.down, keys.enter);
  expect(await first).toMatchObject({ approved: true });
  at.input.write(keys.down + keys.enter);
  await at.shows(/call\? second/);
  await at.press(keys.enter);
  expect(await second).toMatchObject({ approved: false });
});

test("silence is no: the clock counts down, and the question closes when the request expires", async () => {
  const at = terminal();
  const asked = request();
  let passedMs = 0;
  const now = vi.spyOn(Date, "now").mockImplementation(() => asked.requestedAt + passedMs);
  try {
    const verdict = terminalApprover(at)({ ...asked, expiresAt: asked.requestedAt + 2_600 });
    await at.shows(/0:03 left/);
    passedMs = 1_600;
    await at.shows(/0:01 left/);
    passedMs = 2_600;
    expect(await verdict).toMatchObject({ approved: false, reason: "nobody answered in time" });
  } finally {
    now.mockRestore();
  }
});

test("a call that is withdrawn closes its question, and one that was withdrawn while it waited is never asked", async () => {
  const at = terminal();
  const approve = terminalApprover(at);
  const caller = new AbortController();
  const first = approve(request({ signal: caller.signal, fingerprint: "first" }));
  const second = approve(request({ signal: caller.signal, fingerprint: "second" }));
  await at.shows(/call\? first/);
  caller.abort();
  expect(await first).toMatchObject({ approved: false, reason: "the call was withdrawn" });
  expect(await second).toMatchObject({ approved: false, reason: "the call was withdrawn" });
  expect(at.text()).not.toContain("second");
});

test("[fail-closed] without a terminal a held call is refused, and the reason says so", async () => {
  const at = terminal({ isTTY: false });
  const guard = createGuard({
    approve: terminalApprover(at),
    policy: { version: "1", default: "deny", tools: { pay: { require_approval: [{ conditions: [] }] } } },
  });
  const refusal = await guard.admit({ session: guard.session(), tool: "pay", arguments: {}, seam: "tool" });
  expect(refusal).toMatchObject({
    outcome: "deny",
    code: "approval_refused",
    detail: expect.stringContaining("there is no terminal to ask at"),
  });
  expect(at.raw()).toBe("");
});

test("a question leaves nothing behind at the terminal", async () => {
  const at = terminal();
  const approve = terminalApprover(at);
  const answers: (Verdict | Promise<Verdict>)[] = [];
  for (let n = 0; n < 3; n++) {
    answers.push(approve(request({ fingerprint: `nth-${n}` })));
    await at.shows(`call? nth-${n}`);
    await at.press(keys.enter);
    await answers[n];
  }
  expect(at.output.listenerCount("resize")).toBe(0);
  expect(at.input.listenerCount("data")).toBeLessThanOrEqual(1);
});
