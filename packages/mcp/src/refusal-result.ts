import { type JsonObject, markRefusal, printable, type Refusal, type RefusalCode, refusalOf as refusalBehind } from "@holdpoint/core";
import { isObject, withoutOwnMeta } from "./message.ts";

const decisionKey = "holdpoint/decision";

/** The JSON-RPC code of a refusal where a result has no place: `onDeny: "throw"`, task-augmented calls, other egress. Outside the range that JSON-RPC reserves. */
export const refusedErrorCode = 403;

// A yes could still let these pass.
const waitingCodes = new Set<RefusalCode>(["approval_pending", "approval_expired", "no_approver", "too_many_approvals"]);

/** A refusal as an MCP `CallToolResult`: what the model reads, and for programs `_meta["holdpoint/decision"]`. */
export function refusalResult(refusal: Refusal): JsonObject {
  const result = {
    content: [{ type: "text", text: refusalText(refusal) }],
    isError: true,
    _meta: { [decisionKey]: decisionOf(refusal) },
  };
  return markRefusal(result, refusal);
}

export function refusalError(refusal: Refusal): JsonObject {
  return { code: refusedErrorCode, message: refusalText(refusal), data: { [decisionKey]: decisionOf(refusal) } };
}

function refusalText(refusal: Refusal): string {
  return `[HOLDPOINT ${waitingCodes.has(refusal.code) ? "APPROVAL REQUIRED" : "DENIED"}] ${refusal.message}`;
}

/** Both MCP SDKs copy results when they check them, and keep this object as it is: it carries the mark through. */
function decisionOf(refusal: Refusal): JsonObject {
  const { code, rule, retryAfterMs, waitIsOwn, approval } = refusal;
  const decision = Object.freeze({
    outcome: waitingCodes.has(code) ? "approval_required" : "deny",
    code,
    rule: nameOf(rule),
    ...(retryAfterMs !== undefined && waitIsOwn !== false ? { retryAfterMs } : undefined),
    ...(approval ? { approval: approval.id } : undefined),
  });
  return markRefusal(decision, refusal);
}

/** The last token of a rule's pointer: the whole path would tell what else the policy looks at. */
function nameOf(rule: string): string {
  return rule
    .slice(rule.lastIndexOf("/") + 1)
    .replaceAll("~1", "/")
    .replaceAll("~0", "~");
}

/**
 * The refusal that a tool result stands for. It answers from this process's memory of the object, through the copies that an MCP client makes when it
 * checks a result; what a server sends is never one, nor is a result that went through JSON text.
 */
export function refusalOf(value: unknown): Refusal | undefined {
  const meta = isObject(value) ? value._meta : undefined;
  return refusalBehind(value) ?? refusalBehind(isObject(meta) ? meta[decisionKey] : undefined) ?? refusalBehind(errorData(value));
}

function errorData(value: unknown): unknown {
  const data = value instanceof Error ? (value as { data?: unknown }).data : undefined;
  return isObject(data) ? data[decisionKey] : undefined;
}

/** Whether a tool result, or what a call rejected with, is a refusal of this process. */
export function isRefusal(value: unknown): boolean {
  return refusalOf(value) !== undefined;
}

/** A server's result as it is handed on: `_meta["holdpoint/*"]` is dropped, and what a person changed is told. */
export function cleanResult(result: JsonObject, edited: readonly string[]): JsonObject {
  const meta = isObject(result._meta) ? withoutOwnMeta(result._meta) : undefined;
  const clean = meta === undefined || meta === result._meta ? result : { ...result, _meta: meta };
  if (edited.length === 0 || !Array.isArray(clean.content)) return clean;
  return { ...clean, content: [...clean.content, { type: "text", text: editedText(edited) }] };
}

function editedText(edited: readonly string[]): string {
  const fields = edited.map((pointer) => `\`${printable(pointer || "/")}\``).join(", ");
  return `[HOLDPOINT] A person changed ${fields} before this call was made.`;
}
