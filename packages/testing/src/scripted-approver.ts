import type { ApprovalRequest, Verdict } from "@holdpoint/core";

/** One answer of a script: a verdict, a function of the request, an error to throw, or `"silence"`, which never answers. */
export type ScriptedAnswer = Verdict | Error | "silence" | ((request: ApprovalRequest) => Verdict | Promise<Verdict>);

/** An approver that follows a script. It is a function, so that it goes wherever a guard takes `approve`. */
export interface ScriptedApprover {
  (request: ApprovalRequest): Promise<Verdict>;
  /** Every request that it was asked, the oldest first. */
  readonly requests: readonly ApprovalRequest[];
  /** Throws where answers of the script are left over: someone should have been asked, and was not. */
  assertUsedUp(): void;
}

/**
 * Makes an approver that gives these answers, in this order, one for each request. A request beyond the script is refused, and `assertUsedUp` tells of
 * it: an approver that throws is a refusal to the guard, so the error alone would be lost.
 *
 * @example
 * const approve = scriptedApprover([{ approved: true, by: "ann" }, { approved: false, reason: "too much" }]);
 * const guard = createGuard({ policy, approve });
 */
export function scriptedApprover(script: readonly ScriptedAnswer[]): ScriptedApprover {
  const requests: ApprovalRequest[] = [];

  async function approve(request: ApprovalRequest): Promise<Verdict> {
    const answer = script[requests.length];
    requests.push(request);
    if (answer === undefined) throw beyondScript(script.length, request);
    if (answer === "silence") return new Promise(() => undefined);
    if (answer instanceof Error) throw answer;
    return typeof answer === "function" ? answer(request) : answer;
  }

  return Object.assign(approve, {
    requests,
    assertUsedUp() {
      const [beyond] = requests.slice(script.length);
      if (beyond !== undefined) throw beyondScript(script.length, beyond);
      if (requests.length < script.length) {
        throw new Error(`the approver was asked ${times(requests.length)}, and the script has ${answers(script.length)}`);
      }
    },
  });
}

function beyondScript(length: number, request: ApprovalRequest): Error {
  return new Error(`the approver was asked about \`${request.tool}\`, and all of the script's ${answers(length)} had been given`);
}

function answers(count: number): string {
  return count === 1 ? "1 answer" : `${count} answers`;
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}
