import type { JsonObject, Refusal, RefusalCode } from "@holdpoint/core";
import type { Connection } from "./connection.ts";
import { envelopeOf, isObject, requestId } from "./message.ts";
import { refusalError, refusalResult } from "./refusal-result.ts";

/** Task-augmented callers wait for a task, which a refusal is not: they get the error that MCP has for a task that is not created. */
export function answerRefusal(connection: Connection, message: JsonObject, refusal: Refusal): void {
  const augmented = isObject(message.params) && message.params.task !== undefined;
  const asError = augmented || connection.guard.onDeny === "throw";
  const modern = envelopeOf(message.params) !== undefined;
  if (asError) answer(connection, message, { error: refusalError(refusal) });
  else answer(connection, message, { result: modern ? { ...refusalResult(refusal), resultType: "complete" } : refusalResult(refusal) });
}

/** What the client gets instead of an answer of the server. */
export function answer(connection: Connection, message: JsonObject, body: JsonObject): void {
  const id = requestId(message);
  if (id === undefined || (typeof id === "string" && id.startsWith(connection.ownPrefix))) return;
  connection.deliver({ jsonrpc: "2.0", id, ...body });
}

/** Refuses what is no call that could be decided, in the record too. */
export function refuse({ guard, session, server }: Connection, tool: string, code: RefusalCode, problem: string): Promise<Refusal> {
  const message = `This call cannot be made: ${problem}.`;
  return guard.refuse(
    { session, server, tool, arguments: undefined },
    { rule: `(${code.replace("_", " ")})`, code, message, detail: problem },
  );
}
