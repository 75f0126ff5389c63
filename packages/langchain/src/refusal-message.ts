import { markRefusal, type Refusal, refusalDecision, refusalText } from "@holdpoint/core";
import { ToolMessage } from "@langchain/core/messages";
import { isObject, type ToolCallLike } from "./langchain-shapes.ts";

/** A refused call, as LangChain says that a call failed. `additional_kwargs["holdpoint/decision"]` holds it for programs. */
export function refusalMessage(refusal: Refusal, call: Pick<ToolCallLike, "name" | "id">): ToolMessage {
  const message = new ToolMessage({
    status: "error",
    content: refusalText(refusal),
    name: call.name,
    tool_call_id: call.id ?? "",
    additional_kwargs: { "holdpoint/decision": refusalDecision(refusal) },
  });
  return markRefusal(message, refusal);
}

/** A tool's output with a note for the model before it. */
export function withNote(note: string, output: unknown): unknown {
  if (ToolMessage.isInstance(output)) {
    output.content = withNote(note, output.content) as ToolMessage["content"];
    return output;
  }
  if (typeof output === "string") return `${note}\n${output}`;
  // A command steers the graph and says nothing to the model.
  if (isObject(output) && output["lg_name"] === "Command") return output;
  const blocks =
    Array.isArray(output) && output.every((block) => isObject(block) && "type" in block)
      ? output
      : [{ type: "text", text: JSON.stringify(output) ?? "" }];
  return [{ type: "text", text: note }, ...blocks];
}
