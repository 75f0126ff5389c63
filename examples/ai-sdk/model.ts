import { MockLanguageModelV4 } from "ai/test";

export type Turn = string | readonly { readonly tool: string; readonly input: unknown }[];

/** A model that says what it is told to, one turn for each time it is asked. */
export function scriptedModel(turns: readonly Turn[]): MockLanguageModelV4 {
  let calls = 0;
  return new MockLanguageModelV4({
    doGenerate: turns.map((turn) => ({
      content:
        typeof turn === "string"
          ? [{ type: "text", text: turn }]
          : turn.map(({ tool, input }) => ({
              type: "tool-call",
              toolCallId: `call-${++calls}`,
              toolName: tool,
              input: JSON.stringify(input),
            })),
      finishReason: { unified: typeof turn === "string" ? "stop" : "tool-calls", raw: undefined },
      usage,
      warnings: [],
    })),
  });
}

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};
