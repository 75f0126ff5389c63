import {
  type Admission,
  type CallRequest,
  type Guard,
  guardOf,
  type Identity,
  type Refusal,
  type Session,
  type Suspension,
  takeSnapshot,
} from "@holdpoint/core";
import { answerTo, type HistoryAnswer, isReplayed, refusedCalls } from "./approval-history.ts";

/** What the AI SDK hands a tool beside its input: `context` in 7, `experimental_context` in 6. */
export interface ExecuteOptions {
  readonly toolCallId?: string | undefined;
  readonly messages?: unknown;
  readonly abortSignal?: AbortSignal | undefined;
  readonly context?: unknown;
  readonly experimental_context?: unknown;
}

/** What `identify` is told of a call. */
export interface IdentifiedCall {
  readonly toolCallId: string | undefined;
  readonly toolName: string;
  /** The context that the host gave the SDK for this tool (`toolsContext` in 7, `experimental_context` in 6). */
  readonly context: unknown;
}

export interface SeatOptions {
  /** The server's name in `policies`; may be left out where the guard has one policy. */
  readonly server?: string | undefined;
  /** More identity for one call, such as the user in the SDK's context. It must answer alike when approval is asked and when the call is made. */
  readonly identify?: ((call: IdentifiedCall) => Identity) | undefined;
  /**
   * Who asks where the policy says `require_approval`: `native` is the SDK's own flow, `in_place` the guard's approver or store. Default: `in_place` where the
   * guard has an approver, else `native`.
   */
  readonly approval?: "native" | "in_place" | undefined;
}

/** Where one tool's calls meet the guard. */
export interface ToolSeat {
  /** The tool's name in the policy. */
  readonly tool: string;
  readonly guard: Guard;
  readonly server: string | undefined;
  /** Whether this seat asks in the SDK's own flow. */
  readonly native: boolean;
  admit(input: unknown, options: ExecuteOptions | undefined): Promise<Admission | Refusal | Suspension>;
  /** Whether the call would pass with nobody asked. Records nothing. */
  wouldPass(input: unknown, options: ExecuteOptions | undefined): Promise<boolean>;
  /** Files the request where a person must be asked, and answers what that person is told. */
  ask(input: unknown, options: ExecuteOptions | undefined): Promise<readonly string[] | undefined>;
}

export interface SeatedTool {
  /** Its name in the tool set, which the model knows. */
  readonly key: string;
  /** Its name in the policy: for an MCP tool the server's. */
  readonly name: string;
  /** No MCP server lists it. */
  readonly local: boolean;
}

export function toolSeat({ key, name, local }: SeatedTool, session: Session, options: SeatOptions): ToolSeat {
  const guard = guardOf(session);

  function requestFor(input: unknown, given: ExecuteOptions = {}): CallRequest {
    const { toolCallId, abortSignal } = given;
    const context = given.context ?? given.experimental_context;
    const identity = options.identify?.({ toolCallId, toolName: key, context });
    return {
      session: identity ? session.with(identity) : session,
      server: options.server,
      tool: name,
      local,
      arguments: input,
      callId: toolCallId,
      signal: abortSignal,
      seam: "tool",
    };
  }

  /**
   * An approval in the history is the client's word. It counts for the request that was filed when this very call was put before a person: the same id,
   * arguments, identity and rules; `guard.answer` knows no other, and `guard.admit` looks again.
   */
  async function withApproval(request: CallRequest, answer: HistoryAnswer): Promise<CallRequest> {
    const snapshot = takeSnapshot(request.arguments);
    const taken = snapshot.ok ? { ...request, arguments: snapshot.value } : request;
    try {
      return { ...taken, approval: (await guard.answer(taken, answer))?.id };
    } catch {
      return taken;
    }
  }

  /** A refusal reaches no tool: the SDK answers the model itself. It is noted when the next call asks, and leaves the number of those that wait. */
  async function noteRefusals(given: ExecuteOptions): Promise<void> {
    for (const { toolCallId, input, reason } of refusedCalls(given.messages).filter((call) => call.toolName === key)) {
      try {
        await guard.answer(requestFor(input, { ...given, toolCallId }), { approved: false, reason });
      } catch {}
    }
  }

  const native = options.approval === "native" || (options.approval === undefined && !guard.asksInPlace);
  return {
    tool: name,
    guard,
    server: options.server,
    native,
    async admit(input, given = {}) {
      const request = requestFor(input, given);
      const answer = native && request.callId !== undefined ? answerTo(request.callId, given.messages) : undefined;
      return guard.admit(answer?.approved ? await withApproval(request, answer) : request);
    },
    async wouldPass(input, given) {
      return (await guard.preview(requestFor(input, given))).outcome === "allow";
    },
    async ask(input, given = {}) {
      const request = requestFor(input, given);
      // A call that comes with its answer is never filed: a forged history would then have been asked about by being replayed.
      const answered = request.callId !== undefined && isReplayed(request.callId, given.messages);
      if (!answered) await noteRefusals(given);
      const would = await (answered ? guard.preview(request) : guard.ask(request));
      if (would.outcome === "hold") return would.reasons;
      // AI SDK 6 takes an approved call that needs no approval for a forged one. What the policy refuses by now is refused on execution, with its reason.
      return answered && would.outcome === "deny" ? [] : undefined;
    },
  };
}
