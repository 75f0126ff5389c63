import type { JsonObject } from "../arguments/json-snapshot.ts";
import { printable, type Refusal, type RefusalCode } from "./refusal.ts";

// A person's yes could still let these pass.
const waitingCodes = new Set<RefusalCode>(["approval_pending", "approval_expired", "no_approver", "too_many_approvals"]);

/** What the model reads of a refusal, in whatever form its host has for it. */
export function refusalText(refusal: Refusal): string {
  return `[HOLDPOINT ${waitingCodes.has(refusal.code) ? "APPROVAL REQUIRED" : "DENIED"}] ${refusal.message}`;
}

/** What a program may read of a refusal in the result that stands for it (`holdpoint/decision`). For display: whoever wrote the result could have written this too. */
export function refusalDecision({ code, rule, retryAfterMs, waitIsOwn, approval }: Refusal): JsonObject {
  return {
    outcome: waitingCodes.has(code) ? "approval_required" : "deny",
    code,
    rule: nameOf(rule),
    ...(retryAfterMs !== undefined && waitIsOwn !== false ? { retryAfterMs } : undefined),
    ...(approval ? { approval: approval.id } : undefined),
  };
}

/** The last token of a rule's pointer: the whole path would tell what else the policy looks at. */
function nameOf(rule: string): string {
  return rule
    .slice(rule.lastIndexOf("/") + 1)
    .replaceAll("~1", "/")
    .replaceAll("~0", "~");
}

/** What the model is told of a call whose arguments a person changed. `edited` holds JSON Pointers. */
export function editedText(edited: readonly string[]): string {
  const fields = edited.map((pointer) => `\`${printable(pointer || "/")}\``).join(", ");
  return `[HOLDPOINT] A person changed ${fields} before this call was made.`;
}
