import {
  editedText,
  type JsonObject,
  markRefusal,
  type Refusal,
  refusalOf as refusalBehind,
  refusalDecision,
  refusalText,
} from "@holdpoint/core";
import { isObject, withoutOwnMeta } from "./message.ts";

const decisionKey = "holdpoint/decision";

/** The JSON-RPC code of a refusal where a result has no place: `onDeny: "throw"`, task-augmented calls, other egress. Outside the range that JSON-RPC reserves. */
export const refusedErrorCode = 403;

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

/** Both MCP SDKs copy results when they check them, and keep this object as it is: it carries the mark through. */
function decisionOf(refusal: Refusal): JsonObject {
  return markRefusal(Object.freeze(refusalDecision(refusal)), refusal);
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
