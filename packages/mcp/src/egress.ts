import { type JsonObject, printable } from "@holdpoint/core";
import { type Connection, report } from "./connection.ts";
import { requestId } from "./message.ts";
import { refusedErrorCode } from "./refusal-result.ts";

/** Besides tool calls, what a connection cannot do without: the handshake, lists of tools, subscriptions to their changes, and the tasks of admitted calls. */
const requests = new Set([
  "initialize",
  "ping",
  "server/discover",
  "tools/list",
  "subscriptions/listen",
  "tasks/get",
  "tasks/result",
  "tasks/list",
  "tasks/cancel",
]);
const notifications = new Set(["notifications/initialized", "notifications/cancelled"]);

/**
 * Whether a message that is no tool call may leave. Under `egress: "tools-only"` a request that may not is answered with an error, a notification is
 * dropped, and an answer to a request of the server (sampling, elicitation, roots) becomes an error. Each is recorded.
 */
export function mayLeave(connection: Connection, message: JsonObject): boolean {
  if (connection.egress === "all") return true;
  const id = requestId(message);
  if (typeof message.method !== "string") {
    if (id === undefined || !("result" in message) || connection.pings.delete(id)) return true;
    stopped(connection, "an answer to a request of the server");
    const error = { code: refusedErrorCode, message: "the client answers no requests" };
    // The server is told that nothing will come, as by any client without the capability.
    connection.forward({ jsonrpc: "2.0", id, error }, undefined).catch(() => undefined);
    return false;
  }
  if ((id === undefined ? notifications : requests).has(message.method)) return true;
  stopped(connection, `\`${printable(message.method)}\``);
  if (id !== undefined) {
    const error = { code: refusedErrorCode, message: "[HOLDPOINT DENIED] Only tool calls may leave on this connection." };
    connection.deliver({ jsonrpc: "2.0", id, error });
  }
  return false;
}

function stopped(connection: Connection, what: string): void {
  report(connection, `${what} was stopped: only tool calls may leave`);
}
