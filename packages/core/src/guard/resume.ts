import type { ApprovalRecord } from "../approvals/approval-store.ts";
import { canonicalJson } from "../arguments/canonical-json.ts";
import type { JsonObject } from "../arguments/json-snapshot.ts";
import { HoldpointError } from "../holdpoint-error.ts";
import { mayBeSendOfClient } from "./open-calls.ts";
import type { GuardParts, Passage } from "./passage.ts";
import { type Resumption, type Session, stateOf } from "./session.ts";

/** Makes a call over a connection that stands. */
export type Route = (call: { readonly tool: string; readonly arguments: JsonObject }) => Promise<unknown>;

export interface RoutedConnection {
  readonly session: Session;
  readonly server: string;
  readonly send: Route;
}

/**
 * Makes approved calls over the connections of whoever asked. The call is decided like any other, by the policy that is current at its release, and uses up
 * the yes there; where the policy asks nobody any more it uses it up all the same, so that a request is made once.
 */
export function createResume(guard: GuardParts, connections: ReadonlySet<RoutedConnection>): (id: string) => Promise<unknown> {
  const underWay = new Set<string>();

  async function make(id: string): Promise<unknown> {
    const record = await guard.approvals.get(id, guard.now());
    const made = record?.arguments;
    if (record?.status !== "approved" || !made) throw notResumable(id, record);
    const { server, tool, context } = record;
    const connection = [...connections].find((each) => each.server === server && sameIdentity(each.session.context, context));
    if (!connection) {
      throw new HoldpointError(
        "not_resumable",
        `no connection to server \`${server}\` stands under the identity that asked: guard a client with it first`,
      );
    }
    const { resuming } = stateOf(connection.session);
    const resumption: Resumption = { record, session: connection.session, taken: false, edited: false, gone: false };
    resuming.add(resumption);
    try {
      const answer = await connection.send({ tool, arguments: made });
      if (!resumption.gone) return answer;
    } catch (error) {
      if (!resumption.gone) throw error;
    } finally {
      resuming.delete(resumption);
    }
    throw notResumable(id, await guard.approvals.get(id, guard.now()));
  }

  return async (id) => {
    if (underWay.has(id)) throw notResumableAs(id, "is being resumed");
    underWay.add(id);
    try {
      return await make(id);
    } finally {
      underWay.delete(id);
    }
  };
}

/** The resumption of which this is the call: the same identity, server, tool and arguments. One call picks it up; the next where that one did not leave. */
export function takeResumption(call: Passage): Resumption | undefined {
  const { request, state, server } = call;
  if (state.resuming.size === 0 || mayBeSendOfClient(call)) return undefined;
  const given = canonicalJson(call.arguments);
  for (const resumption of state.resuming) {
    const { record, session, taken } = resumption;
    if (taken || !sameIdentity(session.context, request.session.context) || record.server !== server || record.tool !== request.tool)
      continue;
    if (canonicalJson(record.arguments ?? {}) !== given) continue;
    resumption.taken = true;
    resumption.edited = false;
    return resumption;
  }
  return undefined;
}

function notResumable(id: string, record: ApprovalRecord | undefined): HoldpointError {
  return notResumableAs(id, record ? `is ${record.status}` : "is not known");
}

function notResumableAs(id: string, state: string): HoldpointError {
  return new HoldpointError("not_resumable", `approval \`${id}\` ${state}: only an approved request can be resumed`);
}

/** A run is not part of who calls: the call that uses a yes is often made by a later run. */
function sameIdentity(one: JsonObject, other: JsonObject): boolean {
  const { run: _one, ...rest } = one;
  const { run: _other, ...otherRest } = other;
  return canonicalJson(rest) === canonicalJson(otherRest);
}
