import { type JsonObject, takeSnapshot } from "../arguments/json-snapshot.ts";
import { changedPointers, restoreSecrets } from "../arguments/redact.ts";
import type { Recorder } from "../audit/recorder.ts";
import { HoldpointError } from "../holdpoint-error.ts";
import { aboutApproval, secretsOf, withoutSecrets } from "./approval-request.ts";
import type { ApprovalAnswer, ApprovalRecord, ApprovalStatus, ApprovalStore } from "./approval-store.ts";

/** The host's side of requests for approval: a screen, a chat bot or a command lists them and answers. Every answer is recorded. In what it gives, secret fields read `(secret)`. */
export interface Approvals {
  list(filter?: {
    readonly status?: ApprovalStatus | undefined;
    readonly session?: string | undefined;
  }): Promise<readonly ApprovalRecord[]>;
  get(id: string): Promise<ApprovalRecord | undefined>;
  /**
   * Says yes. `undefined` where the request is not known, has ended, or was answered before. Rejects with `HoldpointError`, and leaves the request as it is,
   * where `edited` is no object of plain JSON (`not_json`), or leaves `(secret)` where it cannot be told which secret is meant (`edit_unclear`).
   */
  approve(id: string, answer: Omit<ApprovalAnswer, "approved">): Promise<ApprovalRecord | undefined>;
  refuse(
    id: string,
    answer: { readonly by?: string | undefined; readonly reason?: string | undefined },
  ): Promise<ApprovalRecord | undefined>;
  /** Takes back a yes, or withdraws a pending request. */
  revoke(id: string, by?: string): Promise<boolean>;
}

export function manageApprovals(store: ApprovalStore, recorder: Recorder, now: () => number): Approvals {
  async function answer(id: string, given: ApprovalAnswer, edited?: readonly string[]): Promise<ApprovalRecord | undefined> {
    const answered = await store.answer(id, given, now());
    if (!answered) return undefined;
    await note(answered, given.approved ? "approval.granted" : "approval.refused", edited);
    return withoutSecrets(answered);
  }
  async function note(
    record: ApprovalRecord,
    type: "approval.granted" | "approval.refused" | "approval.revoked",
    edited?: readonly string[],
  ): Promise<void> {
    await recorder.note({
      type,
      ...aboutApproval(record),
      call: "",
      attempt: 0,
      session: String(record.context.session ?? ""),
      server: record.server,
      tool: record.tool,
      identity: record.context,
      reason: record.refusal,
      ...(edited && { edited }),
    });
  }
  return {
    list: async (filter = {}) => (await store.list(filter, now())).map(withoutSecrets),
    async get(id) {
      const record = await store.get(id, now());
      return record && withoutSecrets(record);
    },
    async approve(id, { edited: given, ...answered }) {
      const edited = given === undefined ? undefined : snapshotOf(given);
      const record = edited && (await store.get(id, now()));
      return answer(id, { ...answered, edited, approved: true }, edited && record && changesOf(record, edited));
    },
    refuse: (id, given) => answer(id, { ...given, approved: false }),
    async revoke(id, by) {
      const record = await store.get(id, now());
      const revoked = await store.revoke(id, by, now());
      if (revoked && record) await note({ ...record, by }, "approval.revoked");
      return revoked;
    },
  };
}

/** Where an edit differs from what was asked. Throws where it leaves a mark of which it cannot be told what it stands for. */
function changesOf(record: ApprovalRecord, edited: JsonObject): readonly string[] | undefined {
  const secret = secretsOf(record);
  if (record.arguments === undefined || secret === undefined) return undefined;
  return changedPointers(record.arguments, restoreSecrets(edited, record.arguments, secret), secret);
}

/** INVARIANT (sent-is-checked): what a person made of the arguments is read once, here; the call is decided again with this snapshot, and sent as it. */
function snapshotOf(edited: JsonObject): JsonObject {
  const snapshot = takeSnapshot(edited);
  const value = snapshot.ok ? snapshot.value : undefined;
  if (value !== null && typeof value === "object" && !Array.isArray(value)) return value as JsonObject;
  const problem = snapshot.ok ? "no object" : `at \`${snapshot.pointer || "/"}\`: ${snapshot.problem}`;
  throw new HoldpointError("not_json", `approvals: \`edited\`: ${problem}: give the arguments as plain JSON`);
}
