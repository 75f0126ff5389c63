import {
  type ApprovalRequest,
  type Approver,
  canonicalJson,
  type JsonObject,
  printable,
  suspend,
  takeSnapshot,
  type Verdict,
} from "@holdpoint/core";
import { lateAnswer, type Question, sharedAnswer, type TaskRun } from "./graph-task.ts";
import { isGraphControl, isObject } from "./langchain-shapes.ts";

/** What LangChain's human-in-the-loop middleware interrupts a graph with (`HITLRequest`), so that screens made for it show this one too. */
export interface ReviewRequest {
  readonly actionRequests: readonly { readonly name: string; readonly args: JsonObject; readonly description: string }[];
  readonly reviewConfigs: readonly { readonly actionName: string; readonly allowedDecisions: readonly ("approve" | "edit" | "reject")[] }[];
  /** Milliseconds since the epoch: an answer that comes later refuses. */
  readonly "holdpoint/expiresAt": number;
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
 * `decided` holds decisions that were given before, by the request's id. A reviewer who names another tool refuses the call itself; `renamed` is then the
 * call to make in its place.
 */
export function reviewer(name: string, run: TaskRun, decided: ReadonlyMap<string, unknown>): Review {
  const review: { approve: Approver; asked: boolean; renamed: Renamed | undefined } = { approve, asked: false, renamed: undefined };
  return review;

  async function approve(request: ApprovalRequest): Promise<Verdict> {
    review.asked = true;
    return verdictOf(decided.has(request.id) ? decided.get(request.id) : await answerTo(request), name, (renamed) => {
      review.renamed = renamed;
    });
  }
  async function answerTo(request: ApprovalRequest): Promise<unknown> {
    try {
      return decisionsOf(await run.ask(reviewQuestion([{ name, asked: request }])), 1)[0];
    } catch (error) {
      throw isGraphControl(error) ? suspend(error) : error;
    }
  }
}

/** What a person is shown is what the answer is for: the description ends in the fingerprint, which tells apart what is not shown, secrets and the rules. */
export function reviewQuestion(calls: readonly { readonly name: string; readonly asked: ApprovalRequest }[]): Question {
  const actionRequests = calls.map(({ name, asked }) => ({ name, args: asked.arguments, description: descriptionOf(name, asked) }));
  const expiresAt = Math.min(...calls.map(({ asked }) => asked.expiresAt));
  const value: ReviewRequest = {
    actionRequests,
    reviewConfigs: calls.map(({ name }) => ({ actionName: name, allowedDecisions: ["approve", "edit", "reject"] })),
    "holdpoint/expiresAt": expiresAt,
  };
  return { id: canonicalJson(actionRequests), value, askedAt: Math.max(...calls.map(({ asked }) => asked.requestedAt)), expiresAt };
}

/** The question that a graph was interrupted with, as its checkpoint keeps it; `undefined` for an interrupt of somebody else. */
export function readReviewQuestion(value: unknown): Question | undefined {
  const { actionRequests, "holdpoint/expiresAt": expiresAt } = isObject(value) ? value : {};
  const shown = takeSnapshot(actionRequests);
  if (!shown.ok || typeof expiresAt !== "number") return undefined;
  return { id: canonicalJson(shown.value), value, askedAt: 0, expiresAt };
}

/** The decisions of an answer, where they are as many as the questions. */
export function decisionsOf(answer: unknown, questions: number): readonly unknown[] {
  if (answer === lateAnswer || answer === sharedAnswer) return Array(questions).fill(answer);
  const decisions = isObject(answer) ? answer["decisions"] : undefined;
  return Array.isArray(decisions) && decisions.length === questions ? decisions : Array.from({ length: questions });
}

/** The model's text is escaped line by line, so that no character of it can hide what the call is. */
function descriptionOf(name: string, asked: ApprovalRequest): string {
  const args = JSON.stringify(asked.arguments, null, 2).split("\n");
  const lines = [
    "Tool execution requires approval",
    ...asked.reasons,
    "",
    `Tool: ${name}`,
    `Args: ${args[0]}`,
    ...args.slice(1),
    "",
    `Request: ${asked.fingerprint}`,
  ];
  return lines.map((line) => printable(line, Number.POSITIVE_INFINITY)).join("\n");
}

function verdictOf(decision: unknown, name: string, onRename: (renamed: Renamed) => void): Verdict {
  if (decision === lateAnswer) return { approved: false, reason: "the answer came after the request had expired" };
  if (decision === sharedAnswer)
    return { approved: false, reason: "several interrupts waited, and the answer was for none of them by its id" };
  if (!isObject(decision)) return noDecision;
  if (decision["type"] === "approve") return { approved: true };
  if (decision["type"] === "reject")
    return { approved: false, reason: typeof decision["message"] === "string" ? decision["message"] : undefined };
  const { editedAction } = decision;
  if (decision["type"] !== "edit" || !isObject(editedAction) || typeof editedAction["name"] !== "string") return noDecision;
  if (!isObject(editedAction["args"])) return noDecision;
  if (editedAction["name"] === name) return { approved: true, arguments: editedAction["args"] as JsonObject };
  onRename({ name: editedAction["name"], args: editedAction["args"] });
  return { approved: false, reason: `made into a call of \`${printable(editedAction["name"])}\`` };
}

const noDecision: Verdict = { approved: false, reason: "the answer is no decision to approve, edit or reject for each of the calls" };
