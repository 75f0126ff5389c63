import { asksNatively, ownNeedsApproval, seatOf } from "./guard-tools.ts";

/** What AI SDK 7 hands a generic `toolApproval` function, as far as it is read here. */
export interface ApprovalQuestion {
  readonly toolCall: { readonly toolCallId: string; readonly toolName: string; readonly input?: unknown };
  readonly tools?: Readonly<Record<string, unknown>> | undefined;
  readonly messages: readonly unknown[];
  readonly toolsContext?: unknown;
}

/**
 * The `toolApproval` of AI SDK 7 for guarded tools: gives the person who is asked the policy's reasons, which `needsApproval` has no place for. Optional, as
 * guarded tools ask without it, and no protection: what counts is checked on execution. Other tools keep their own `needsApproval`.
 *
 * @example
 * const result = await generateText({ model, tools: guardTools(tools, session), toolApproval, messages });
 */
export async function toolApproval({
  toolCall,
  tools = {},
  messages,
  toolsContext,
}: ApprovalQuestion): Promise<{ type: "user-approval"; reason: string } | "user-approval" | undefined> {
  const { toolCallId, toolName, input } = toolCall;
  const tool = Object.hasOwn(tools, toolName) ? tools[toolName] : undefined;
  const options = { toolCallId, messages, context: (toolsContext as Readonly<Record<string, unknown>> | undefined)?.[toolName] };
  const seat = seatOf(tool);
  const reasons = seat?.native ? await asksNatively(seat, input, options) : undefined;
  if (reasons) return { type: "user-approval", reason: reasons.join("; ") };
  const own = ownNeedsApproval(tool);
  return (typeof own === "function" ? await Reflect.apply(own, tool, [input, options]) : own) ? "user-approval" : undefined;
}
