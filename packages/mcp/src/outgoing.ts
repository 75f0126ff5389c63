import { type Admission, canonicalJson, HoldpointError, type JsonObject, printable, type Refusal } from "@holdpoint/core";
import { answer, answerRefusal, refuse } from "./answers.ts";
import { type Connection, giveUp, type InFlight, type OpenCall, type OtherRequest, senderOf, settle } from "./connection.ts";
import { mayLeave } from "./egress.ts";
import {
  envelopeOf,
  isClear,
  isObject,
  type ReadMessage,
  type RequestId,
  readCall,
  readMessage,
  requestId,
  type ToolCall,
} from "./message.ts";
import { mirrorArguments } from "./param-headers.ts";
import { copyOptions, onAbort } from "./send-options.ts";

/**
 * Takes what the client hands to its transport. A tool call leaves only as the snapshot that was admitted; everything else leaves as the snapshot that
 * shows it is no tool call.
 *
 * INVARIANT (nothing-leaves-unchecked): a `tools/call` reaches `connection.forward` in `forwardCall` alone, with an admission.
 *
 * Rejects as the transport does, and with `HoldpointError` for what cannot be answered: `malformed` (no JSON-RPC message) and `duplicate_id` (the id of a
 * request that is still open).
 */
export async function sendThrough(connection: Connection, message: unknown, options: unknown): Promise<unknown> {
  const sender = senderOf(message);
  if (sender === connection) return sendAgain(connection, message as JsonObject | readonly JsonObject[], options);
  const read = readMessage(message);
  if (read && Array.isArray(read.value)) return sendBatch(connection, read.value, options);
  if (!read || !isObject(read.value)) throw malformedMessage();
  const { value } = read;
  if (value.method === "tools/call") return sendCall(connection, value, read.unfit, options, sender);
  if (!isClear(value)) throw malformedMessage();
  if (value.method === "notifications/cancelled" && cancelled(connection, value)) return undefined;
  if (!mayLeave(connection, value)) return undefined;
  return sendOther(connection, value, options);
}

/**
 * A transport that has to authorize first hands the message that it was given to its own `send` once more, as those of 1.x do. It is the same send, and
 * ends where its caller has given up meanwhile.
 */
async function sendAgain(connection: Connection, message: JsonObject | readonly JsonObject[], options: unknown): Promise<unknown> {
  const messages: readonly JsonObject[] = Array.isArray(message) ? message : [message];
  const isOpen = messages.every((each) => {
    const id = typeof each.method === "string" ? requestId(each) : undefined;
    return id === undefined || connection.inFlight.has(id);
  });
  if (!isOpen) return undefined;
  for (const each of messages) sentOn(openCall(connection, requestId(each)));
  return connection.forward(message, options);
}

function openCall({ inFlight }: Connection, id: RequestId | undefined): OpenCall | undefined {
  const entry = id === undefined ? undefined : inFlight.get(id);
  return entry?.kind === "call" ? entry : undefined;
}

function sentOn(call: OpenCall | undefined): void {
  if (call) call.sentOn = true;
}

function malformedMessage(): HoldpointError {
  return new HoldpointError("malformed", "what was sent is no JSON-RPC message: send an object that JSON can carry, or a list of them");
}

async function sendOther(connection: Connection, message: JsonObject, options: unknown): Promise<unknown> {
  const id = track(connection, message, options);
  try {
    return await connection.forward(message, options);
  } catch (error) {
    drop(connection, id);
    throw error;
  }
}

/** Opens a request that is no tool call, so that its answer passes. */
function track(connection: Connection, message: JsonObject, options: unknown): RequestId | undefined {
  const id = requestId(message);
  if (typeof message.method !== "string" || id === undefined) return undefined;
  claim(connection, id);
  connection.envelope = envelopeOf(message.params) ?? connection.envelope;
  const walk = message.method === "tools/list" ? connection.lists.asked(message.params) : undefined;
  const entry: OtherRequest = { kind: "other", walk, stopListening: () => undefined };
  connection.inFlight.set(id, entry);
  entry.stopListening = onAbort(options, () => giveUp(connection, id, entry, "the caller cancelled"));
  return id;
}

/** Forgets a request that was not sent. */
function drop({ inFlight }: Connection, id: RequestId | undefined): void {
  const entry = id === undefined ? undefined : inFlight.get(id);
  if (id === undefined || entry?.kind !== "other") return;
  entry.stopListening();
  inFlight.delete(id);
}

/** An answer goes to whoever asked under its id, so an id stands for one request at a time. */
function claim(connection: Connection, id: RequestId): void {
  if (connection.inFlight.has(id)) {
    throw new HoldpointError(
      "duplicate_id",
      "the id of a request that is still open was used for another: give each request an id of its own",
    );
  }
  connection.late.delete(id);
  if (typeof id === "number") connection.firstId ??= id;
}

/** True where the request had not left: then nobody else need hear of it. */
function cancelled(connection: Connection, { params }: JsonObject): boolean {
  const id = isObject(params) ? requestId({ id: params.requestId ?? null }) : undefined;
  const entry = id === undefined ? undefined : connection.inFlight.get(id);
  if (id === undefined || entry === undefined) return false;
  if (entry.kind === "held") {
    connection.inFlight.delete(id);
    entry.cancel.abort();
    return true;
  }
  giveUp(connection, id, entry, "the caller cancelled");
  return false;
}

async function sendCall(
  connection: Connection,
  message: JsonObject,
  unfit: ReadMessage["unfit"],
  options: unknown,
  sender: Connection | undefined,
): Promise<unknown> {
  const id = requestId(message);
  const sendOptions = copyOptions(options);
  const name = nameIn(message);
  noteCanary(connection, name);
  if (id === undefined) {
    await refuse(connection, name, "malformed", "a tool call without an id has no answer");
    return undefined;
  }
  claim(connection, id);
  connection.envelope = envelopeOf(message.params) ?? connection.envelope;
  const call = unfit ? describeUnfit(unfit) : readCall(message.params);
  const outside = sender && openCall(sender, id);
  const passing = outside && typeof call !== "string" ? admittedOutside(connection, sender, outside, call) : undefined;
  if (passing) return forwardCall(connection, id, call as ToolCall, passing, { settled: true }, sendOptions);
  const held: InFlight = { kind: "held", cancel: new AbortController() };
  const { signal } = held.cancel;
  connection.inFlight.set(id, held);
  const stopListening = onAbort(sendOptions, () => {
    if (connection.inFlight.get(id) === held) connection.inFlight.delete(id);
    held.cancel.abort();
  });

  const continued = typeof call === "string" ? undefined : redeem(connection, call);
  const decided = continued ? await goOn(connection, name, continued, signal) : await decide(connection, name, call, unfit?.code, signal);
  stopListening();
  if (signal.aborted) {
    // INVARIANT (nothing-leaves-unchecked): cancelled while held means it never leaves, whatever was decided meanwhile.
    if (decided.outcome === "allow") await decided.settle({ kind: continued ? "unknown" : "unsent", reason: "the caller cancelled" });
    return undefined;
  }
  if (decided.outcome === "deny" || typeof call === "string") {
    connection.inFlight.delete(id);
    if (outside) outside.refusedInside = true;
    answerRefusal(connection, message, decided as Refusal);
    return undefined;
  }
  sentOn(outside);
  return forwardCall(connection, id, call, decided, { continued: continued !== undefined }, sendOptions);
}

/**
 * INVARIANT (decided-once): what a guarded transport around this one is sending at this moment, for the same session and server, with the very arguments
 * that were admitted there and under the same definition, is that call. It passes once: sent once more, it is an attempt of its own.
 */
function admittedOutside(connection: Connection, sender: Connection, outside: OpenCall, call: ToolCall): Admission | undefined {
  if (sender.session !== connection.session || sender.server !== connection.server) return undefined;
  if (outside.sentOn || outside.continues[0] !== call.name) return undefined;
  if (connection.egress === "tools-only" && call.rest.inputResponses !== undefined) return undefined;
  if (canonicalJson(outside.admission.arguments) !== canonicalJson(call.arguments ?? {})) return undefined;
  if (definitionOf(sender, call.name) !== definitionOf(connection, call.name)) return undefined;
  outside.sentOn = true;
  // What a person edited is told by the transport around this one.
  return { ...outside.admission, edited: [] };
}

function definitionOf({ catalog }: Connection, name: string): string | undefined {
  const definition = catalog.definition(name);
  return definition.state === "known" ? canonicalJson(definition.source as unknown as JsonObject) : undefined;
}

/** The admission of the call that this one continues, an earlier round of which has left. */
function redeem({ continuations, egress }: Connection, call: ToolCall): Admission | undefined {
  const { requestState, inputResponses } = call.rest;
  if (requestState === undefined && inputResponses === undefined) return undefined;
  return inputResponses !== undefined && egress === "tools-only" ? undefined : continuations.redeem(continuesOf(call), requestState);
}

/**
 * A continuation is not asked about or charged again, but what the policy refuses by now, or would ask a person who was not asked, or a session that has
 * ended, stops it: the server has the first round, and what it would do with the next is for the policy of this moment to say.
 */
async function goOn(
  { guard, session, server, catalog }: Connection,
  tool: string,
  admission: Admission,
  signal: AbortSignal,
): Promise<Admission | Refusal> {
  const request = {
    session,
    server,
    tool,
    arguments: admission.arguments,
    catalog,
    signal,
    seam: "transport",
    attemptOf: admission,
  } as const;
  const now = await guard.preview(request);
  if (now.outcome === "allow") return admission;
  // Cancelled by its caller alone, it has no answer and no decision of its own; the caller settles it.
  if (signal.aborted) return admission;
  await admission.settle({ kind: "unknown", reason: "refused when it was continued" });
  const { outcome: _outcome, ...refusal } = now.outcome === "deny" ? now : askedTooLate(now.rules);
  return guard.refuse(request, refusal);
}

/** Nobody is asked while the server waits for the rest of a call that it has begun. */
function askedTooLate([rule = ""]: readonly string[]): Refusal {
  const problem = "a person has to approve it by now, and cannot be asked in the middle of it";
  return { outcome: "deny", rule, code: "approval_failed", message: `This call cannot go on: ${problem}. Make it again.`, detail: problem };
}

async function decide(
  connection: Connection,
  tool: string,
  call: ToolCall | string,
  unfit: "not_json" | "too_large" | undefined,
  signal: AbortSignal,
): Promise<Admission | Refusal> {
  const { guard, session, server, catalog, waitMs, settling } = connection;
  if (typeof call === "string") return refuse(connection, tool, unfit ?? "malformed", call);
  if (call.rest.inputResponses !== undefined && connection.egress === "tools-only") {
    return refuse(connection, tool, "egress", "only tool calls may leave, and `inputResponses` answers the server");
  }
  if (settling.size > 0) await Promise.all(settling);
  const decided = await guard.admit({ session, server, tool, arguments: call.arguments, catalog, signal, waitMs, seam: "transport" });
  if (decided.outcome !== "suspended") return decided;
  return refuse(connection, tool, "approval_failed", "the approver handed over to its host, which cannot be reached from a transport");
}

function continuesOf({ name, arguments: args, rest }: ToolCall): readonly unknown[] {
  return [name, args ?? {}, rest.task ?? null];
}

async function forwardCall(
  connection: Connection,
  id: RequestId,
  call: ToolCall,
  admission: Admission,
  { continued = false, settled = false },
  options: Record<string, unknown> | undefined,
): Promise<unknown> {
  const continues = continuesOf(call);
  const entry: OpenCall = {
    kind: "call",
    admission,
    continues,
    stopListening: () => undefined,
    settled,
    continued,
    sentOn: false,
    refusedInside: false,
  };
  connection.inFlight.set(id, entry);
  entry.stopListening = onAbort(options, () => giveUp(connection, id, entry, "the caller cancelled"));
  const { name, rest } = call;
  const args = admission.arguments;
  const bare = call.arguments === undefined && Object.keys(args).length === 0;
  const params: JsonObject = bare ? { name, ...rest } : { name, arguments: args, ...rest };
  try {
    connection.sent++;
    return await connection.forward({ jsonrpc: "2.0", id, method: "tools/call", params }, withHeaders(connection, name, args, options));
  } catch (error) {
    if (connection.inFlight.get(id) === entry) connection.inFlight.delete(id);
    const unsent = !continued && !entry.sentOn && neverLeft(error);
    settle(connection, entry, unsent ? { kind: "unsent", reason: "not connected" } : { kind: "unknown", reason: "sending failed" });
    throw error;
  }
}

function withHeaders(connection: Connection, name: string, args: JsonObject, options: Record<string, unknown> | undefined): unknown {
  if (options?.headers === undefined) return options;
  const definition = connection.catalog.definition(name);
  return {
    ...options,
    headers: mirrorArguments(options.headers, definition.state === "known" ? definition.source.inputSchema : undefined, args),
  };
}

/** Every transport of both SDKs throws this before it writes anything. After any other error the call may have arrived. */
function neverLeft(error: unknown): boolean {
  return error instanceof Error && (error.message === "Not connected" || (error as { code?: unknown }).code === "NOT_CONNECTED");
}

/** A batch has one answer on the wire and many calls: none of them leaves. */
async function sendBatch(connection: Connection, batch: readonly unknown[], options: unknown): Promise<unknown> {
  if (!batch.every(isObject)) throw malformedMessage();
  if (batch.some((message) => message.method === "tools/call")) return refuseBatch(connection, batch);
  if (!batch.every(isClear)) throw malformedMessage();
  const passing = batch.filter((message) => mayLeave(connection, message));
  if (passing.length === 0 && batch.length > 0) return undefined;
  const ids: (RequestId | undefined)[] = [];
  try {
    for (const message of passing) {
      if (message.method === "notifications/cancelled") cancelled(connection, message);
      ids.push(track(connection, message, options));
    }
    return await connection.forward(passing, options);
  } catch (error) {
    for (const id of ids) drop(connection, id);
    throw error;
  }
}

async function refuseBatch(connection: Connection, batch: readonly JsonObject[]): Promise<void> {
  for (const message of batch) {
    const name = nameIn(message);
    if (message.method === "tools/call") {
      noteCanary(connection, name);
      const refusal = await refuse(connection, name, "batch", "tool calls cannot be made in a batch: make each by itself");
      answerRefusal(connection, message, refusal);
    } else if (typeof message.method === "string" && requestId(message) !== undefined) {
      answer(connection, message, { error: { code: -32600, message: "the batch was not sent, since it held a tool call" } });
    }
  }
}

function describeUnfit({ pointer, problem }: NonNullable<ReadMessage["unfit"]>): string {
  const inside = pointer.startsWith("/params/arguments") ? pointer.slice("/params/arguments".length) : pointer;
  return `${inside === "" ? "the arguments" : `the argument at \`${printable(inside)}\``}: ${problem}`;
}

/** A model can call canaries too; those are nobody's. */
function noteCanary({ canaries }: Connection, name: string): void {
  if (canaries.has(name)) canaries.set(name, true);
}

function nameIn({ params }: JsonObject): string {
  return isObject(params) && typeof params.name === "string" ? params.name : "";
}
