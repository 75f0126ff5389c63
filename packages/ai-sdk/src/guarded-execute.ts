import { type Admission, isRefusalOf, type Outcome, type Refusal, RefusedError, refusalOf } from "@holdpoint/core";
import { editedOutput, isObject, isToolError, refusalOutput, withoutOwnMarks } from "./model-output.ts";
import type { ExecuteOptions, ToolSeat } from "./tool-seat.ts";

export type Execute = (input: unknown, options?: ExecuteOptions) => unknown;

/**
 * A tool's `execute` that is admitted first, and then runs with the snapshot. It keeps the kind of the original, since the SDK tells a streaming tool by
 * what the call returns at once: an async function stays one, an async generator goes on streaming. Any other function may return either, so its
 * answer is a promise that can also be iterated; iterated, it adds one preliminary part.
 */
export function guardedExecute(tool: object, execute: Execute, seat: ToolSeat): Execute {
  const forward = (admission: Admission, options: ExecuteOptions | undefined) =>
    Reflect.apply(execute, tool, [admission.arguments, options]);

  /** `streams`: whoever calls will iterate what comes, as the SDK does with anything but a promise. What an async function answers is the result itself. */
  async function pass(input: unknown, options: ExecuteOptions | undefined, streams: boolean): Promise<unknown> {
    const admission = await admitted(seat, input, options);
    if ("refused" in admission) return admission.refused;
    try {
      const result = await forward(admission, options);
      return streams && isIterable(result)
        ? settleWhenDone(seat.tool, admission, result, options)
        : await settled(seat.tool, admission, result);
    } catch (error) {
      await admission.settle(failure(options));
      throw error;
    }
  }
  async function* stream(input: unknown, options: ExecuteOptions | undefined): AsyncGenerator<unknown, unknown> {
    const admission = await admitted(seat, input, options);
    if ("refused" in admission) {
      yield admission.refused;
      return undefined;
    }
    return yield* settleWhenDone(seat.tool, admission, forward(admission, options) as AsyncIterable<unknown>, options);
  }

  switch (Object.prototype.toString.call(execute)) {
    case "[object AsyncFunction]":
      return (input, options) => pass(input, options, false);
    case "[object AsyncGeneratorFunction]":
      return (input, options) => stream(input, options);
    default:
      return (input, options) => iterablePromise(pass(input, options, true));
  }
}

interface Refused {
  readonly refused: unknown;
}

async function admitted(seat: ToolSeat, input: unknown, options: ExecuteOptions | undefined): Promise<Admission | Refused> {
  const admission = await seat.admit(input, options);
  if (admission.outcome === "allow") return admission;
  if (admission.outcome === "suspended") throw admission.cause;
  // Nobody waits for the answer to a call that was aborted: the SDK is told what it would have been told.
  if (admission.code === "cancelled" && options?.abortSignal?.aborted) throw options.abortSignal.reason;
  return { refused: refuse(seat, admission) };
}

function refuse(seat: ToolSeat, refusal: Refusal): unknown {
  if (seat.guard.onDeny === "throw") throw new RefusedError(refusal);
  return refusalOutput(refusal);
}

async function settled(tool: string, admission: Admission, result: unknown): Promise<unknown> {
  await admission.settle(outcomeOf(result, tool, admission));
  return told(admission, result);
}

/** Hands on every part as it comes. The last one is the result; a reader that stops early leaves the outcome unknown. */
async function* settleWhenDone(
  tool: string,
  admission: Admission,
  parts: AsyncIterable<unknown>,
  options?: ExecuteOptions,
): AsyncGenerator<unknown, unknown> {
  let outcome: Outcome = failure(options, "the result was not read to its end");
  const iterator = parts[Symbol.asyncIterator]();
  let done = false;
  let last: unknown;
  try {
    for (;;) {
      const step = await iterator.next();
      if (step.done) {
        done = true;
        outcome = outcomeOf(last, tool, admission);
        return step.value;
      }
      last = step.value;
      yield told(admission, step.value);
    }
  } catch (error) {
    done = true;
    outcome = failure(options);
    throw error;
  } finally {
    if (!done) await iterator.return?.();
    await admission.settle(outcome);
  }
}

function outcomeOf(result: unknown, tool: string, admission: Admission): Outcome {
  const below = refusedBelow(result);
  if (below && isRefusalOf(below, { tool, arguments: admission.arguments })) return { kind: "unsent", reason: "refused at the transport" };
  if (below) return { kind: "unknown", reason: "a call that the tool made was refused" };
  return { kind: isToolError(result) ? "tool_error" : "success" };
}

/** The result as the SDK gets it: a refusal of the transport below in the form that it has here, and what a person changed. */
function told(admission: Admission, result: unknown): unknown {
  const below = refusedBelow(result);
  if (below) return refusalOutput(below);
  const own = withoutOwnMarks(result);
  return admission.edited.length > 0 ? editedOutput(admission.edited, own) : own;
}

/** MCP clients copy a result when they check it, and keep the decision in its `_meta` as it is: that object is known in this process, no server can send it. */
function refusedBelow(result: unknown): Refusal | undefined {
  const meta = isObject(result) ? result["_meta"] : undefined;
  return refusalOf(result) ?? refusalOf(isObject(meta) ? meta["holdpoint/decision"] : undefined);
}

function failure(options: ExecuteOptions | undefined, reason = "the tool threw"): Outcome {
  return { kind: "unknown", reason: options?.abortSignal?.aborted ? "aborted" : reason };
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return isObject(value) && typeof (value as { [Symbol.asyncIterator]?: unknown })[Symbol.asyncIterator] === "function";
}

/** Awaited, the value; iterated, the parts of a value that streams, else the value alone. */
function iterablePromise(promise: Promise<unknown>): Promise<unknown> & AsyncIterable<unknown> {
  return Object.assign(promise, {
    async *[Symbol.asyncIterator](): AsyncGenerator<unknown, unknown> {
      const value = await promise;
      if (isIterable(value)) return yield* value;
      yield value;
      return undefined;
    },
  });
}
