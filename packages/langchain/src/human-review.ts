import { type ApprovalRequest, type Approver, canonicalJson, type JsonObject, printable, suspend, type Verdict } from "@holdpoint/core";
import { lateAnswer, type TaskRun } from "./graph-task.ts";
import { isGraphControl, isObject } from "./langchain-shapes.ts";

/** What LangChain's human-in-the-loop middleware interrupts a graph with (`HITLRequest`), so that screens made for it show this one too. */
export interface ReviewRequest {
  readonly actionRequests: readonly { readonly name: string; readonly args: JsonObject; readonly description: string }[];
  readonly reviewConfigs: readonly { readonly actionName: string; readonly allowedDecisions: readonly ("approve" | "edit" | "reject")[] }[];
}

/** A reviewer turned the call into a call of another tool. */
export interface Renamed {
  readonly name: string;
  readonly args: unknown;
}

export interface Review {
  readonly approve: Approver;
  readonly asked: boolean;
  readonly renamed: Renamed | undefined;
}

/**
 * Asks by LangGraph's interrupt, one call to a question. The graph is resumed with `new Command({ resume: { decisions: [decision] } })`, where the decision is
 * `{ type: "approve" }`, `{ type: "edit", editedAction: { name, args } }` or `{ type: "reject", message? }`. Anything else refuses.
 *
 * A reviewer who names another tool refuses the call itself; `renamed` is then the call to make in its place.
 */
export function reviewer(name: string, run: TaskRun): Review {
  const review: { approve: Approver; asked: boolean; renamed: Renamed | undefined } = { approve, asked: false, renamed: undefined };
  return review;

  function approve(request: ApprovalRequest): Verdict {
    review.asked = true;
    const { server, tool, fingerprint, rules } = request;
    const question = {
      id: canonicalJson([server, tool, fingerprint, rules, request.arguments]),
      value: reviewRequest(name, request),
      askedAt: request.requestedAt,
      expiresAt: request.expiresAt,
    };
    try {
      return verdictOf(run.ask(question), name, (renamed) => {
        review.renamed = renamed;
      });
    } catch (error) {
      throw isGraphControl(error) ? suspend(error) : error;
    }
  }
}

function reviewRequest(name: string, request: ApprovalRequest): ReviewRequest {
  const args = JSON.stringify(request.arguments, null, 2).split("\n");
  const lines = ["Tool execution requires approval", ...request.reasons, "", `Tool: ${name}`, ...`Args: ${args.join("\n")}`.split("\n"), "", `Request: ${request.fingerprint}`];
  return {
    actionRequests: [{ name, args: request.arguments, description: lines.map((line) => printable(line, Number.POSITIVE_INFINITY)).join("\n") }],
    reviewConfigs: [{ actionName: name, allowedDecisions: ["approve", "edit", "reject"] }],
  };
}

function verdictOf(answer: unknown, name: string, onRename: (renamed: Renamed) => void): Verdict {
  if (answer === lateAnswer) return { approved: false, reason: "the answer came after the request had expired" };
  const decisions = isObject(answer) ? answer["decisions"] : undefined;
  const decision: unknown = Array.isArray(decisions) && decisions.length === 1 ? decisions[0] : undefined;
  if (!isObject(decision)) return noDecision;
  if (decision["type"] === "approve") return { approved: true };
  if (decision["type"] === "reject") return { approved: false, reason: typeof decision["message"] === "string" ? decision["message"] : undefined };
  const { editedAction } = decision;
  if (decision["type"] !== "edit" || !isObject(editedAction) || typeof editedAction["name"] !== "string") return noDecision;
  if (editedAction["name"] === name) return { approved: true, arguments: editedAction["args"] as JsonObject };
  onRename({ name: editedAction["name"], args: editedAction["args"] });
  return { approved: false, reason: `made into a call of \`${printable(editedAction["name"])}\`` };
}

const noDecision: Verdict = { approved: false, reason: "the answer is not one decision to approve, edit or reject" };
