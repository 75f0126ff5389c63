import { AIMessage, type BaseMessage } from "@langchain/core/messages";
import { MockLanguageModelV4 } from "ai/test";
import { MockLanguageModelV3 } from "ai-v6/test";
import { fakeModel } from "langchain";

export interface Call {
  readonly tool: string;
  readonly args: Record<string, unknown>;
}

export const call = (tool: string, args: Record<string, unknown> = {}): Call => ({ tool, args });

/** Calls that the model makes together, `because` of a text: it must have read that text by then, in its task, a tool's description or a result. */
export interface Turn {
  readonly calls: readonly Call[];
  readonly because: string;
}

/** What the user's task has the model do. */
export const does = (...calls: readonly Call[]): Turn => ({ calls, because: "" });

/** What somebody else's text has the model do. */
export const obeys = (order: string, ...calls: readonly Call[]): Turn => ({ calls, because: order });

/**
 * A model without judgement of its own: it takes these turns, one after another, and says "done" after the last. A turn that obeys a text which has
 * not reached it is an error: the attack would not be one.
 */
export type Script = readonly Turn[];

/** `index` is the number of the turn, from 0; `reads` is all that the model is given for it. */
export function takeTurn(script: Script, index: number, reads: unknown): readonly Call[] {
  const turn = script[index];
  if (turn === undefined) return [];
  if (!JSON.stringify(reads).includes(JSON.stringify(turn.because).slice(1, -1)))
    throw new Error(`the model obeys a text that it never read: ${turn.because}`);
  return turn.calls;
}

const finished = "done";

type GenerateOptions = Parameters<MockLanguageModelV4["doGenerate"]>[0];

/** The script as a model of AI SDK 7. */
export function aiSdkModel(script: Script): MockLanguageModelV4 {
  return new MockLanguageModelV4(generating(script));
}

/** The script as a model of AI SDK 6, through the types of 7. */
export function aiSdkModel6(script: Script): MockLanguageModelV4 {
  return new MockLanguageModelV3(generating(script) as never) as unknown as MockLanguageModelV4;
}

function generating(script: Script) {
  let index = 0;
  return {
    doGenerate: async ({ prompt, tools }: GenerateOptions) => {
      const turn = index++;
      const content = takeTurn(script, turn, { prompt, tools }).map(({ tool, args }, place) => ({
        type: "tool-call" as const,
        toolCallId: `call-${turn}-${place}`,
        toolName: tool,
        input: JSON.stringify(args),
      }));
      const usage = {
        inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
        outputTokens: { total: 1, text: 1, reasoning: undefined },
      };
      if (content.length > 0) return { content, finishReason: { unified: "tool-calls" as const, raw: undefined }, usage, warnings: [] };
      const text = [{ type: "text" as const, text: finished }];
      return { content: text, finishReason: { unified: "stop" as const, raw: undefined }, usage, warnings: [] };
    },
  };
}

/** The script as a chat model of LangChain. `offered` is what its tools say of themselves, which the fake model is not handed with the messages. */
export function langchainModel(script: Script, offered: unknown) {
  const model = fakeModel();
  for (const index of [...script.keys(), script.length]) {
    model.respond((messages: BaseMessage[]) => {
      const calls = takeTurn(script, index, { offered, messages: messages.map(({ content }) => content) });
      const toolCalls = calls.map(({ tool, args }, place) => ({
        type: "tool_call" as const,
        id: `call-${index}-${place}`,
        name: tool,
        args,
      }));
      return toolCalls.length > 0 ? new AIMessage({ content: "", tool_calls: toolCalls }) : new AIMessage(finished);
    });
  }
  return model;
}
