import { aboutApproval } from "../approvals/approval-request.ts";
import type { ApprovalRecord } from "../approvals/approval-store.ts";
import { canonicalJson } from "../arguments/canonical-json.ts";
import type { JsonObject } from "../arguments/json-snapshot.ts";
import { restoreSecrets } from "../arguments/redact.ts";
import { HoldpointError } from "../holdpoint-error.ts";
import { auditedFields } from "../policy/compile-policy.ts";
import { preview } from "./admission.ts";
import type { GuardParts } from "./passage.ts";
import type { Session } from "./session.ts";

/** Makes a call over a connection that stands. */
export type Route = (call: { readonly tool: string; readonly arguments: JsonObject }) => Promise<unknown>;

export interface RoutedConnection {
  readonly session: Session;
  readonly server: string;
  readonly send: Route;
}

/**
 * Makes approved calls over the connections of whoever asked. The call is decided like any other and uses up the yes on its way; where the policy asks
 * nobody any more, the yes is used up here, so that a request is made once all the same.
 */
export function createResume(guard: GuardParts, connections: ReadonlySet<RoutedConnection>): (id: string) => Promise<unknown> {
  const underWay = new Set<string>();

  async function make(id: string): Promise<unknown> {
    const record = await guard.approvals.get(id, guard.now());
    const { tool, arguments: made } = record ?? {};
    if (record?.status !== "approved" || !made || !tool) throw notResumable(id, record ? `is ${record.status}` : "is not known");
    const { server, context } = record;
    const connection = [...connections].find((each) => each.server === server && sameIdentity(each.session.context, context));
    if (!connection) {
      throw new HoldpointError(
        "not_resumable",
        `no connection to server \`${server}\` stands under the identity that asked: guard a client with it first`,
      );
    }
    const would = await preview({ session: connection.session, server, tool, arguments: made }, server, guard);
    if (would.outcome !== "allow") return connection.send({ tool, arguments: made });
    if (!(await guard.approvals.consume(id, guard.now()))) throw notResumable(id, "was used");
    await noteUse(record);
    return connection.send({ tool, arguments: record.edited ? asEdited(record.edited, made, record) : made });
  }

  function asEdited(edited: JsonObject, made: JsonObject, { server, tool }: ApprovalRecord): JsonObject {
    const policy = guard.policy(server);
    return restoreSecrets(edited, made, policy ? auditedFields(policy, tool).secret : []);
  }

  async function noteUse(record: ApprovalRecord): Promise<void> {
    const { server, tool, context: identity } = record;
    const session = String(identity.session ?? "");
    await guard.recorder.note({ type: "approval.used", ...aboutApproval(record), call: "", attempt: 0, session, server, tool, identity });
  }

  return async (id) => {
    if (underWay.has(id)) throw notResumable(id, "is being resumed");
    underWay.add(id);
    try {
      return await make(id);
    } finally {
      underWay.delete(id);
    }
  };
}

function notResumable(id: string, state: string): HoldpointError {
  return new HoldpointError("not_resumable", `approval \`${id}\` ${state}: only an approved request can be resumed`);
}

/** A run is not part of who calls: the call that uses a yes is often made by a later run. */
function sameIdentity(one: JsonObject, other: JsonObject): boolean {
  const { run: _one, ...rest } = one;
  const { run: _other, ...otherRest } = other;
  return canonicalJson(rest) === canonicalJson(otherRest);
}
