import { createGuard, type GuardOptions, memoryAudit, type PolicyDocument } from "@holdpoint/core";
import { AIMessage, type BaseMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { type AgentMiddleware, fakeModel } from "langchain";
import { z } from "zod";

export const refunds: PolicyDocument = {
  version: "1",
  default: "deny",
  hide: ["secret"],
  tools: {
    look: { limits: [{ counter: "looks", window: { sliding: "1h" }, max: 5 }] },
    pay: {
      deny_if: [{ path: "args.amount", op: "gt", value: 100, on_deny: "At most 100." }],
      require_approval: [{ conditions: [{ path: "args.amount", op: "gt", value: 20 }], reason: "Over 20" }],
      limits: [{ counter: "payments", window: { sliding: "1h" }, max: 5 }],
    },
    refund: { require_approval: [{ conditions: [], reason: "Every refund" }] },
  },
};

export function setGuard(options: Partial<GuardOptions> = {}) {
  const audit = memoryAudit();
  const guard = createGuard({ policy: refunds, audit, ...options });
  const count = (type: string) => audit.events.filter((event) => event.type === type).length;
  const decisions = () =>
    audit.events
      .filter((event) => event.type === "decision")
      .map(({ outcome, code, tool: name, attempt }) => ({ outcome, code, tool: name, attempt }));
  const charged = (limit: string) => {
    const rooms = audit.events
      .flatMap((event) => (event.type === "decision" && event.room ? event.room : []))
      .filter((room) => room.limit.includes(limit));
    return rooms.length === 0 ? 0 : 5 - Number(rooms.at(-1)?.remaining);
  };
  return { guard, audit, count, decisions, charged, session: guard.session({ user: "ann" }) };
}

/** Tools that note when they run. */
export function canaries() {
  const ran: string[] = [];
  const canary = (name: string) =>
    tool(
      (args: { amount?: number | undefined }) => {
        ran.push(`${name}(${args.amount ?? ""})`);
        return `did ${name} ${args.amount ?? ""}`;
      },
      { name, description: name, schema: z.object({ amount: z.number().optional() }) },
    );
  const tools = ["look", "pay", "refund", "secret", "unlisted"].map(canary);
  const [look, pay, refund, secret, unlisted] = tools as [
    (typeof tools)[0],
    (typeof tools)[0],
    (typeof tools)[0],
    (typeof tools)[0],
    (typeof tools)[0],
  ];
  return { ran, tools, look, pay, refund, secret, unlisted };
}

export type Calls = readonly { readonly name: string; readonly args: Record<string, unknown>; readonly id?: string }[];

/** A model that makes these calls, one list to a turn, and then says `done`. */
export function modelCalling(...turns: readonly Calls[]) {
  const model = fakeModel();
  for (const [turn, calls] of turns.entries()) {
    const toolCalls = calls.map((call, index) => ({
      type: "tool_call" as const,
      id: call.id ?? `call-${turn}-${index}`,
      name: call.name,
      args: call.args,
    }));
    model.respond(new AIMessage({ content: "", tool_calls: toolCalls }));
  }
  return model.respond(new AIMessage("done"));
}

/** LangChain's types do not take LangChain's own middlewares under `exactOptionalPropertyTypes`. */
export const loose = (middleware: { readonly name: string }) => middleware as AgentMiddleware;

/** What a stream yields. */
export async function allOf<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const chunks: T[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

export const toolMessages = (messages: readonly BaseMessage[]): ToolMessage[] =>
  messages.filter((message): message is ToolMessage => ToolMessage.isInstance(message));
export const told = (messages: readonly BaseMessage[]) =>
  toolMessages(messages).map(({ status, content }) => [status ?? "success", content]);
export const ask = { messages: [{ role: "user", content: "go" }] };
