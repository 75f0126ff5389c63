import { expect, test, vi } from "vitest";
import type { Verdict } from "../approvals/approval-request.ts";
import { memoryStore } from "../limits/memory-store.ts";
import type { PolicyDocument } from "../policy/policy-schema.ts";
import { createGuard } from "./guard.ts";
import type { Admission, CallRequest } from "./passage.ts";

const policy: PolicyDocument = {
  version: "1",
  default: "deny",
  tools: {
    pay: { require_approval: [{ path: "args.amount", op: "gt", value: 20 }], deny_if: [{ path: "args.amount", op: "gt", value: 500 }] },
  },
};

test("nobody is asked about a call that was cancelled before it was made", async () => {
  const approve = vi.fn((): Verdict => ({ approved: true }));
  const guard = createGuard({ policy, approve });
  const session = guard.session();
  const request: CallRequest = { session, tool: "pay", arguments: { amount: 50 }, signal: AbortSignal.abort() };
  expect(await guard.admit(request)).toMatchObject({ outcome: "deny", code: "cancelled" });
  expect(await guard.preview(request)).toMatchObject({ outcome: "deny", code: "cancelled" });
  expect(approve).not.toHaveBeenCalled();
});

test("`preview` refuses as `admit` does: what a rule denies, what is no JSON, and what throws on the way", async () => {
  const guard = createGuard({ policy });
  const session = guard.session();
  const catalog = guard.catalog(guard.session(), undefined, async () => []);
  const broken = {
    ...catalog,
    definition: () => {
      throw new Error("the catalog is broken");
    },
  };
  const requests: CallRequest[] = [
    { session, tool: "pay", arguments: { amount: 900 } },
    { session, tool: "pay", arguments: { amount: new Date(0) } },
    { session, tool: "pay", arguments: [5] },
    { session, tool: "pay", arguments: { amount: 5 }, catalog: broken },
  ];
  const codes: string[] = [];
  for (const request of requests) {
    const refused = await guard.admit(request);
    expect(await guard.preview(request)).toEqual(refused);
    codes.push(refused.outcome === "deny" ? `${refused.code}: ${refused.detail}` : refused.outcome);
  }
  expect(codes).toEqual([
    "deny_if: `args.amount gt 500` is true",
    expect.stringMatching(/^not_json: /),
    "not_json: the arguments: no object",
    expect.stringMatching(/^internal_error: .*the catalog is broken/),
  ]);
});

test("`preview` of a further attempt says what a person would be asked besides what was approved", async () => {
  const guard = createGuard({ policy });
  const session = guard.session();
  const request: CallRequest = { session, tool: "pay", arguments: { amount: 50 } };
  const admitted = (await guard.admit({ ...request, approve: () => ({ approved: true }) })) as Admission;
  expect(await guard.preview({ ...request, attemptOf: admitted })).toEqual({ outcome: "allow" });
  expect(await guard.preview(request)).toMatchObject({ outcome: "hold" });
});

test("[fail-closed] a call whose policy changes at every turn is refused in the end, and spends nothing", async () => {
  const inner = memoryStore();
  let turns = 0;
  const limited = (description: string): PolicyDocument => ({
    version: "1",
    default: "deny",
    description,
    tools: { pay: { limits: [{ counter: "pays", window: "minute", max: 1 }] } },
  });
  const guard = createGuard({
    policy: limited("0"),
    store: {
      ...inner,
      async reserve(...given) {
        if (turns < 200) guard.update(limited(`${++turns}`));
        return inner.reserve(...given);
      },
    },
  });
  const request: CallRequest = { session: guard.session(), tool: "pay", arguments: {} };
  expect(await guard.admit(request)).toMatchObject({ code: "internal_error", detail: expect.stringContaining(`changed ${turns} times`) });
  turns = 200;
  expect(await guard.admit(request)).toMatchObject({ outcome: "allow" });
});
