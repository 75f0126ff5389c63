import * as ai7 from "ai";
import { MockLanguageModelV4 } from "ai/test";
import * as ai6 from "ai-v6";
import { MockLanguageModelV3 } from "ai-v6/test";

/** What the scripted model says in one step: text, or tool calls. */
export type Turn = string | readonly ScriptedCall[];
interface ScriptedCall {
  readonly id: string;
  readonly tool: string;
  readonly input: unknown;
}

/** Each supported major of `ai`, with its own mock model. Version 6 is used through the types of 7, where the two agree. */
export const majors = [
  { name: "ai 7", sdk: ai7, model: (turns: readonly Turn[]) => new MockLanguageModelV4(script(turns)), steps: ai7.isStepCount },
  {
    name: "ai 6",
    sdk: ai6 as unknown as typeof ai7,
    model: (turns: readonly Turn[]) => new MockLanguageModelV3(script(turns) as never) as unknown as MockLanguageModelV4,
    steps: ai6.stepCountIs as unknown as typeof ai7.isStepCount,
  },
] as const;

export type Major = (typeof majors)[number];

function script(turns: readonly Turn[]): ConstructorParameters<typeof MockLanguageModelV4>[0] {
  let generated = 0;
  let streamed = 0;
  const turn = (index: number) => turns[index] ?? "done";
  return {
    doGenerate: async () => {
      const now = turn(generated++);
      return { content: contentOf(now), finishReason: reasonOf(now), usage, warnings: [] };
    },
    doStream: async () => {
      const now = turn(streamed++);
      const chunks: LanguageModelV4StreamPart[] = [{ type: "stream-start", warnings: [] }];
      for (const part of contentOf(now)) {
        if (part.type === "text")
          chunks.push({ type: "text-start", id: "t" }, { type: "text-delta", id: "t", delta: part.text }, { type: "text-end", id: "t" });
        else chunks.push(part);
      }
      chunks.push({ type: "finish", finishReason: reasonOf(now), usage });
      return { stream: ai7.simulateReadableStream({ chunks, initialDelayInMs: null, chunkDelayInMs: null }) };
    },
  };
}

type ModelScript = NonNullable<ConstructorParameters<typeof MockLanguageModelV4>[0]>;
type LanguageModelV4StreamPart =
  Awaited<ReturnType<Extract<ModelScript["doStream"], (...given: never[]) => unknown>>>["stream"] extends ReadableStream<infer Part>
    ? Part
    : never;

function contentOf(turn: Turn) {
  if (typeof turn === "string") return [{ type: "text" as const, text: turn }];
  return turn.map(({ id, tool, input }) => ({ type: "tool-call" as const, toolCallId: id, toolName: tool, input: JSON.stringify(input) }));
}

function reasonOf(turn: Turn) {
  return { unified: typeof turn === "string" ? ("stop" as const) : ("tool-calls" as const), raw: undefined };
}

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};

/** What the model was shown of each tool call's result in its `nth` prompt, by `toolCallId`. */
export function shownOutputs(model: MockLanguageModelV4, nth: number): Record<string, unknown> {
  const call = model.doGenerateCalls[nth] ?? model.doStreamCalls[nth];
  const outputs: Record<string, unknown> = {};
  for (const message of call?.prompt ?? []) {
    if (message.role !== "tool") continue;
    for (const part of message.content) if (part.type === "tool-result") outputs[part.toolCallId] = part.output;
  }
  return outputs;
}
