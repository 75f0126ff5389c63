import { isObject } from "./model-output.ts";

/** A person's answer as a message history tells it. The history comes from the client: it says what was answered, never what was asked. */
export interface HistoryAnswer {
  readonly approved: boolean;
  readonly reason: string | undefined;
}

/** A tool call that a person refused, as the history has it. */
export interface RefusedCall {
  readonly toolCallId: string;
  readonly toolName: string;
  readonly input: unknown;
  readonly reason: string | undefined;
}

/** The answer to this call where the AI SDK would act on it: in the last message, by the first response to one of the call's requests. */
export function answerTo(toolCallId: string, messages: unknown): HistoryAnswer | undefined {
  const history = asList(messages);
  const last = history.at(-1);
  if (!isObject(last) || last["role"] !== "tool") return undefined;
  const requests = approvalRequests(history);
  const response = partsOf(last, "tool-approval-response").find((part) => requests.get(part["approvalId"]) === toolCallId);
  return response && { approved: response["approved"] === true, reason: textOf(response["reason"]) };
}

/**
 * Whether the call comes out of the history, to be made now because an answer came for it. Wider than `answerTo` on purpose: a call of the history must never
 * be taken for one that the model has just made.
 */
export function isReplayed(toolCallId: string, messages: unknown): boolean {
  const history = asList(messages);
  if (partsOf(history.at(-1), "tool-approval-response").length === 0) return false;
  return history.some((message) => partsOf(message, "tool-call").some((part) => part["toolCallId"] === toolCallId));
}

/** The calls that were refused in the newest message that holds answers. */
export function refusedCalls(messages: unknown): readonly RefusedCall[] {
  const history = asList(messages);
  const newest = history.findLast((message) => partsOf(message, "tool-approval-response").length > 0);
  const refusals = partsOf(newest, "tool-approval-response").filter((part) => part["approved"] === false);
  if (refusals.length === 0) return [];
  const requests = approvalRequests(history);
  const calls = new Map(history.flatMap((message) => partsOf(message, "tool-call")).map((part) => [part["toolCallId"], part]));
  return refusals.flatMap((refusal) => {
    const call = calls.get(requests.get(refusal["approvalId"]));
    if (!call) return [];
    const { toolCallId, toolName, input } = call;
    return [{ toolCallId: String(toolCallId), toolName: String(toolName), input, reason: textOf(refusal["reason"]) }];
  });
}

/** The tool call that each approval id was given for: as in the SDK, an assistant's message alone says so. */
function approvalRequests(history: readonly unknown[]): ReadonlyMap<unknown, unknown> {
  const told = history.filter((message) => isObject(message) && message["role"] === "assistant");
  return new Map(
    told.flatMap((message) => partsOf(message, "tool-approval-request")).map((part) => [part["approvalId"], part["toolCallId"]]),
  );
}

function partsOf(message: unknown, type: string): readonly Record<string, unknown>[] {
  if (!isObject(message)) return [];
  return asList(message["content"]).filter((part): part is Record<string, unknown> => isObject(part) && part["type"] === type);
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
