import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { reasonOf } from "../audit/audit.ts";
import { HoldpointError } from "../holdpoint-error.ts";
import type { ApprovalRequest } from "./approval-request.ts";

export interface WebhookOptions {
  /** `https:`; `http:` for the machine itself, or where `insecure` says so. */
  readonly url: string | URL;
  /** Shared with the receiver, at least 16 bytes. */
  readonly secret: string | Uint8Array;
  /** Milliseconds that one attempt may take. Default 5,000. */
  readonly timeoutMs?: number | undefined;
  /** Attempts after the first. Default 3, after about 0.5, 1 and 2 seconds; none after the request has expired or was withdrawn. */
  readonly retries?: number | undefined;
  /** Milliseconds before the first retry; each next wait is twice as long, and up to a half shorter by chance. Default 500. */
  readonly retryDelayMs?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Lets arguments of calls cross a network in the clear. Default `false`. */
  readonly insecure?: boolean | undefined;
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/** What a webhook posts: the request, without its signal; secret argument fields read `(secret)`. */
export type WebhookBody = { readonly v: 1; readonly type: "approval.requested" } & Omit<ApprovalRequest, "signal">;

const signatureHeader = "holdpoint-signature";

/**
 * Tells a URL of each request for approval; for `createGuard({ notify })`. The body is signed: `holdpoint-signature: t=<seconds>,v1=<hex>`, HMAC-SHA-256 of
 * `<t>.<body>` (RFC 2104), anew for each attempt. Failed attempts, timeouts, 408, 425, 429 and 5xx are tried again, redirects are not followed. A retry may
 * repeat what did arrive: the receiver knows a request by its `id`.
 *
 * The notifier rejects with `HoldpointError` (`webhook_failed`) where no attempt was taken. Throws `HoldpointError` (`configuration`) for a URL that would
 * carry arguments in the clear, or a short secret.
 *
 * @example
 * const guard = createGuard({ policy, approvals, notify: webhook({ url: "https://desk.example.com/holdpoint", secret }) });
 */
export function webhook(options: WebhookOptions): (request: ApprovalRequest) => Promise<void> {
  const url = checkedUrl(options);
  const key = keyOf(options.secret);
  const { timeoutMs = 5_000, retries = 3, retryDelayMs = 500 } = options;
  const send = options.fetch ?? globalThis.fetch;

  /** Why the attempt failed, and whether another one may succeed; `undefined` where it was taken. */
  async function attempt(body: string, withdrawn: AbortSignal): Promise<{ readonly reason: string; readonly again: boolean } | undefined> {
    try {
      const response = await send(url, {
        method: "POST",
        headers: { "content-type": "application/json", ...options.headers, [signatureHeader]: signWebhook(body, key, Date.now()) },
        body,
        redirect: "manual",
        signal: AbortSignal.any([withdrawn, AbortSignal.timeout(timeoutMs)]),
      });
      await response.body?.cancel();
      if (response.ok) return undefined;
      return {
        reason: `the answer was ${response.status || "a redirect"}`,
        again: response.status >= 500 || [408, 425, 429].includes(response.status),
      };
    } catch (error) {
      return { reason: reasonOf(error), again: true };
    }
  }

  return async (request) => {
    const { signal, ...shown } = request;
    const body = JSON.stringify({ v: 1, type: "approval.requested", ...shown } satisfies WebhookBody);
    for (let tried = 0; ; tried++) {
      const failure = await attempt(body, signal);
      if (!failure) return;
      const waitMs = retryDelayMs * 2 ** tried * (1 - Math.random() / 2);
      if (!failure.again || tried >= retries || signal.aborted || Date.now() + waitMs >= request.expiresAt) {
        throw new HoldpointError(
          "webhook_failed",
          `the webhook at \`${url.origin}\` was not told of request \`${request.id}\`: ${failure.reason}`,
        );
      }
      await pause(waitMs, signal);
    }
  };
}

/**
 * For the receiver: whether the exact text of a body was signed with the secret, or with one of several while they change, not longer ago (nor further ahead)
 * than `toleranceMs` milliseconds (default 300,000). Compares in constant time; a header that cannot be read is no signature.
 *
 * @example
 * if (!verifyWebhookSignature(await request.text(), request.headers.get("holdpoint-signature"), secret)) return new Response(null, { status: 401 });
 */
export function verifyWebhookSignature(
  body: string | Uint8Array,
  header: string | null | undefined,
  secret: string | Uint8Array | readonly (string | Uint8Array)[],
  options: { readonly toleranceMs?: number | undefined; readonly now?: number | undefined } = {},
): boolean {
  const parts = /^t=([0-9]{1,12}),v1=([0-9a-f]{64})$/.exec(header ?? "");
  if (!parts) return false;
  const [, seconds, signature] = parts as unknown as [string, string, string];
  const { toleranceMs = 300_000, now = Date.now() } = options;
  if (!(Math.abs(now - Number(seconds) * 1000) <= toleranceMs)) return false;
  const secrets = Array.isArray(secret) ? (secret as readonly (string | Uint8Array)[]) : [secret as string | Uint8Array];
  let matches = false;
  for (const each of secrets) matches = equalInConstantTime(signatureOf(body, keyOf(each), seconds), signature) || matches;
  return matches;
}

function signWebhook(body: string, key: Uint8Array, now: number): string {
  const seconds = String(Math.floor(now / 1000));
  return `t=${seconds},v1=${signatureOf(body, key, seconds)}`;
}

function signatureOf(body: string | Uint8Array, key: Uint8Array, seconds: string): string {
  const hash = hmac.create(sha256, key).update(utf8ToBytes(`${seconds}.`));
  return bytesToHex(hash.update(typeof body === "string" ? utf8ToBytes(body) : body).digest());
}

/** Both are 64 hexadecimal digits. */
function equalInConstantTime(one: string, other: string): boolean {
  let difference = 0;
  for (let at = 0; at < 64; at++) difference |= one.charCodeAt(at) ^ other.charCodeAt(at);
  return difference === 0;
}

const shortestSecret = 16;

function keyOf(secret: string | Uint8Array): Uint8Array {
  const key = typeof secret === "string" ? utf8ToBytes(secret) : secret;
  if (key.length >= shortestSecret) return key;
  throw new HoldpointError("configuration", `the webhook's \`secret\` has ${key.length} bytes: give at least ${shortestSecret}, at random`);
}

function checkedUrl({ url: given, insecure }: WebhookOptions): URL {
  const url = URL.canParse(String(given)) ? new URL(given) : undefined;
  if (url?.protocol === "https:") return url;
  if (url?.protocol === "http:" && (insecure || isThisMachine(url.hostname))) return url;
  throw new HoldpointError(
    "configuration",
    "the webhook's `url` is no `https:` URL, so the arguments of calls would be readable on the way: give one, or `insecure: true`",
  );
}

function isThisMachine(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(\.[0-9]{1,3}){3}$/.test(host);
}

/** Ends early when the request is withdrawn; leaves no timer and no listener behind. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}
