import { isRefusal, type JsonObject, type Outcome } from "@holdpoint/core";
import { type Connection, type InFlight, report, settle } from "./connection.ts";
import { isObject, isResponse, type RequestId, requestId } from "./message.ts";
import { cleanResult } from "./refusal-result.ts";
import { withoutHidden } from "./tool-lists.ts";

/**
 * Takes a message of the server. An answer reaches the client only where its request has left and is open: a call that is held cannot be answered by a
 * server that guesses its id.
 */
export function receive(connection: Connection, message: unknown, deliver: (message: unknown) => void): void {
  if (Array.isArray(message)) {
    // A batch holds messages (JSON-RPC 2.0 §6); one of batches, however deep, holds none.
    for (const each of message) {
      if (Array.isArray(each)) report(connection, "the server sent a batch within a batch");
      else receive(connection, each, deliver);
    }
    return;
  }
  const checked = isObject(message) ? check(connection, message) : message;
  if (checked !== undefined) deliver(checked);
}

/** The message as the client may see it; `undefined` where it is not for the client. */
function check(connection: Connection, message: JsonObject): JsonObject | undefined {
  const { inFlight, late } = connection;
  if (!isResponse(message)) {
    if (message.method === "notifications/tools/list_changed") connection.lists.changed();
    if (message.method === "ping" && connection.egress === "tools-only") rememberPing(connection, requestId(message));
    return message;
  }
  const id = requestId(message);
  if (id === undefined) {
    // An error about no request in particular (JSON-RPC 2.0 §5) is for the client's error handler.
    if ((message.id === undefined || message.id === null) && isObject(message.error)) return message;
    report(connection, "the server sent an answer without a usable id");
    return undefined;
  }
  const entry = inFlight.get(id) ?? late.get(id);
  if (entry === undefined && predates(connection, id)) return fromBefore(connection, message);
  if (entry === undefined || entry.kind === "held") {
    report(connection, entry ? "the server answered a call that had not left" : "the server answered a request that is not open");
    return undefined;
  }
  inFlight.delete(id);
  late.delete(id);
  if (entry.kind !== "own") return answered(connection, entry, message);
  entry.answer(message);
  return undefined;
}

function answered(connection: Connection, entry: Answerable, message: JsonObject): JsonObject {
  const { result } = message;
  if (entry.kind !== "call") {
    entry.stopListening();
    if (!isObject(result)) return message;
    return withResult(message, cleanResult(entry.walk ? connection.lists.page(entry.walk, result) : result, []));
  }
  if (!entry.settled && isObject(result) && result.resultType === "input_required") {
    entry.stopListening();
    connection.continuations.wait(entry.continues, result.requestState, entry.admission);
    return withResult(message, cleanResult(result, []));
  }
  // By the object alone it could be the answer of a server in this process, which has had the call and was refused another one.
  if (entry.refusedInside && isRefusal(result)) {
    const reason = "refused by a transport inside";
    settle(connection, entry, { kind: entry.sentOn || entry.continued ? "unknown" : "unsent", reason });
    return message;
  }
  settle(connection, entry, outcomeOf(message));
  return isObject(result) ? withResult(message, cleanResult(result, entry.admission.edited)) : message;
}

type Answerable = Exclude<InFlight, { readonly kind: "held" | "own" }>;

function withResult(message: JsonObject, result: JsonObject): JsonObject {
  return result === message.result ? message : { ...message, result };
}

function outcomeOf({ result, error }: JsonObject): Outcome {
  if (error !== undefined)
    return { kind: "protocol_error", code: isObject(error) && typeof error.code === "number" ? error.code : undefined };
  return isObject(result) && result.isError === true ? { kind: "tool_error" } : { kind: "success" };
}

/** Both SDKs count their ids upward, so a lower one than the first that was seen is from before the connection was guarded. */
function predates({ joinedLate, firstId }: Connection, id: RequestId): boolean {
  return joinedLate && typeof id === "number" && (firstId === undefined || id < firstId);
}

function fromBefore(connection: Connection, message: JsonObject): JsonObject {
  return isObject(message.result) ? withResult(message, withoutHidden(connection, cleanResult(message.result, []))) : message;
}

function rememberPing({ pings }: Connection, id: RequestId | undefined): void {
  if (id !== undefined && pings.size < 1_000) pings.add(id);
}
