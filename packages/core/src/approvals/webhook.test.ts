import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createGuard } from "../guard/guard.ts";
import type { ApprovalRequest } from "./approval-request.ts";
import { memoryApprovals } from "./memory-approvals.ts";
import { verifyWebhookSignature, webhook } from "./webhook.ts";

const secret = "a shared secret of some length";

async function receiver(answer: (request: IncomingMessage, body: string, nth: number) => number | "hang" | Record<string, string>) {
  const bodies: { readonly body: string; readonly signature: string; readonly headers: IncomingMessage["headers"] }[] = [];
  const listener: RequestListener = async (request, response) => {
    const body = await text(request);
    bodies.push({ body, signature: String(request.headers["holdpoint-signature"]), headers: request.headers });
    const answered = answer(request, body, bodies.length);
    if (answered === "hang") return;
    if (typeof answered === "number") response.writeHead(answered).end("x".repeat(100));
    else response.writeHead(302, answered).end();
  };
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    bodies,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    [Symbol.dispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function request(over: Partial<ApprovalRequest> = {}): ApprovalRequest {
  return {
    id: "a1",
    server: "stripe",
    tool: "refund",
    arguments: { amount: 5, note: "é \u2028" },
    reasons: ["over the limit"],
    rules: ["/tools/refund/require_approval/0"],
    identity: { user: "ann" },
    fingerprint: "abcd-ef01-2345",
    requestedAt: Date.now(),
    expiresAt: Date.now() + 60_000,
    signal: new AbortController().signal,
    ...over,
  };
}

test("a request is posted once, as JSON without its signal, under a signature that the receiver can check", async () => {
  using desk = await receiver(() => 204);
  const asked = request();
  await webhook({ url: desk.url, secret })(asked);
  const [{ body, signature, headers }] = desk.bodies as [(typeof desk.bodies)[number]];
  const { signal: _signal, ...shown } = asked;
  expect(desk.bodies).toHaveLength(1);
  expect(JSON.parse(body)).toEqual({ v: 1, type: "approval.requested", ...shown });
  expect(headers["content-type"]).toBe("application/json");
  const [, seconds, hex] = /^t=(\d+),v1=(.*)$/.exec(signature) as unknown as [string, string, string];
  expect(createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex")).toBe(hex);
  expect(verifyWebhookSignature(body, signature, secret)).toBe(true);
  expect(verifyWebhookSignature(Buffer.from(body), signature, ["an older secret, still known", secret])).toBe(true);
});

test("a guard tells the webhook of a held call, and no secret field leaves", async () => {
  using desk = await receiver(() => 200);
  const told = Promise.withResolvers<void>();
  const notify = webhook({ url: desk.url, secret });
  const guard = createGuard({
    approvals: memoryApprovals(),
    notify: (asked) => notify(asked).then(told.resolve, told.reject),
    policy: {
      version: "1",
      default: "deny",
      tools: { pay: { require_approval: [{ conditions: [], reason: "payments" }] } },
      audit: { secret: ["args.card"] },
    },
  });
  const refusal = await guard.admit({ session: guard.session(), tool: "pay", arguments: { card: "visa 4242", amount: 1 }, seam: "tool" });
  await told.promise;
  expect(refusal).toMatchObject({ code: "approval_pending" });
  expect(JSON.parse(desk.bodies[0]?.body ?? "")).toMatchObject({
    tool: "pay",
    arguments: { card: "(secret)", amount: 1 },
    reasons: ["payments"],
  });
  // Ids and times may hold any four digits.
  expect(desk.bodies[0]?.body).not.toContain("visa");
});

test("what may pass is tried again, each time under a fresh signature", async () => {
  using desk = await receiver((_request, _body, nth) => [500, 429, 200][nth - 1] ?? 500);
  await webhook({ url: desk.url, secret, retryDelayMs: 1 })(request());
  expect(desk.bodies).toHaveLength(3);
  for (const { body, signature } of desk.bodies) expect(verifyWebhookSignature(body, signature, secret)).toBe(true);
});

test("an attempt that hangs is given up, and the next one is made", async () => {
  using desk = await receiver((_request, _body, nth) => (nth === 1 ? "hang" : 200));
  // On a busy machine more attempts than the first may come too late.
  await webhook({ url: desk.url, secret, timeoutMs: 200, retries: 10, retryDelayMs: 1 })(request());
  expect(desk.bodies.length).toBeGreaterThan(1);
});

test("what will not pass is not tried again, and retries end", async () => {
  using refusing = await receiver(() => 401);
  await expect(webhook({ url: refusing.url, secret, retryDelayMs: 1 })(request())).rejects.toThrow(
    /was not told of request `a1`: the answer was 401/,
  );
  expect(refusing.bodies).toHaveLength(1);
  using broken = await receiver(() => 503);
  await expect(webhook({ url: broken.url, secret, retries: 2, retryDelayMs: 1 })(request())).rejects.toThrow(/the answer was 503/);
  expect(broken.bodies).toHaveLength(3);
});

test("a redirect is not followed: the body was signed for one receiver", async () => {
  using elsewhere = await receiver(() => 200);
  using desk = await receiver(() => ({ location: elsewhere.url }));
  await expect(webhook({ url: desk.url, secret, retryDelayMs: 1 })(request())).rejects.toThrow(/the answer was 302/);
  expect(elsewhere.bodies).toHaveLength(0);
});

test("nobody is told of a request that has expired or was withdrawn", async () => {
  using desk = await receiver(() => 503);
  await expect(webhook({ url: desk.url, secret })(request({ expiresAt: Date.now() + 1 }))).rejects.toThrow(/503/);
  expect(desk.bodies).toHaveLength(1);
  const withdrawn = AbortSignal.abort();
  await expect(webhook({ url: desk.url, secret })(request({ signal: withdrawn }))).rejects.toThrow(/not told/);
  expect(desk.bodies).toHaveLength(1);
});

test("a URL that would show arguments on the way, and a short secret, are refused", () => {
  expect(() => webhook({ url: "http://desk.example.com/", secret })).toThrow(/no `https:` URL/);
  expect(() => webhook({ url: "http://localhost.example.com/", secret })).toThrow(/no `https:` URL/);
  expect(() => webhook({ url: "file:///etc", secret, insecure: true })).toThrow(/no `https:` URL/);
  expect(() => webhook({ url: "no url", secret })).toThrow(/no `https:` URL/);
  expect(() => webhook({ url: "https://desk.example.com/", secret: "short" })).toThrow(/has 5 bytes/);
  webhook({ url: "http://desk.internal/", secret, insecure: true });
});

test("no other body, time or header passes for a signed one", () => {
  const body = '{"approved":true}';
  const now = 1_700_000_000_000;
  const sign = (seconds: number) => `t=${seconds},v1=${createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex")}`;
  const header = sign(now / 1000);
  expect(verifyWebhookSignature(body, header, secret, { now })).toBe(true);
  expect(verifyWebhookSignature(body, header, secret, { now: now + 300_001 })).toBe(false);
  expect(verifyWebhookSignature(body, header, secret, { now: now - 300_001 })).toBe(false);
  expect(verifyWebhookSignature(body, header, secret, { now: now + 600_000, toleranceMs: 600_000 })).toBe(true);
  expect(verifyWebhookSignature(body, header, secret, { now, toleranceMs: Number.NaN })).toBe(false);
  expect(verifyWebhookSignature(`${body} `, header, secret, { now })).toBe(false);
  expect(verifyWebhookSignature(body, header, `${secret}!`, { now })).toBe(false);
  for (const other of [null, undefined, "", header.toUpperCase(), `${header},v1=00`, header.slice(0, -1)]) {
    expect(verifyWebhookSignature(body, other, secret, { now })).toBe(false);
  }
  fc.assert(
    fc.property(fc.nat(header.length - 1), fc.constantFrom(..."0123456789abcdef"), (at, digit) => {
      fc.pre(header[at] !== digit);
      expect(verifyWebhookSignature(body, header.slice(0, at) + digit + header.slice(at + 1), secret, { now })).toBe(false);
    }),
  );
});
