import { expect, test } from "vitest";
import { parsePolicy } from "../policy/load-policy.ts";
import { ImportError } from "./import-log.ts";
import { fromPolicyLayer } from "./policylayer.ts";

test("a policy of the catalogue is imported as it is", () => {
  const policy = {
    version: "1",
    default: "deny",
    tools: { send_message: { limits: [{ counter: "send_message_rate", window: "minute", max: 30, scope: "grant" }] } },
  };
  expect(fromPolicyLayer(policy)).toEqual({ policy: parsePolicy(policy), notes: [] });
});

test("in `require` the conditions are Holdpoint's own, in `deny_if` Intercept's", () => {
  const condition = { path: "args.amount", op: "gt", value: 100 };
  const { policy } = fromPolicyLayer({
    version: "1",
    default: "deny",
    tools: { pay: { require: [condition, { conditions: [condition] }], deny_if: [{ ...condition, on_deny: "No." }] } },
  });
  expect(policy.tools?.["pay"]).toEqual({
    require: [condition, { conditions: [condition] }],
    deny_if: [{ ...condition, compare: "intercept", on_deny: "No." }],
  });
});

test("[strict-load] everything that has no known meaning is reported at once", () => {
  const load = () =>
    fromPolicyLayer({
      version: "2",
      description: "no key of PolicyLayer's",
      hide: "delete_account",
      all_tools: { deny_if: [] },
      tools: {
        "*": {},
        t: {
          require: [{ conditions: [] }, { on_deny: "why" }],
          deny_if: [
            { conditions: [{ path: "state.n", op: "gt", value: 1 }] },
            { conditions: [{ path: "args.a", op: "like", value: 1 }] },
            { conditions: [{ path: "args.a", op: "eq", value: null }] },
            { conditions: [{ path: "args.a", op: "in", value: [] }] },
            { conditions: [{ path: "args.a", op: "regex", value: "(?=x)" }] },
            { conditions: [{ path: "args.a", op: "lt", value: "5" }] },
          ],
          limits: [{ counter: "", window: "minute", max: 1.5, scope: "session" }],
        },
      },
    });
  expect(load).toThrow(ImportError);
  try {
    load();
  } catch (error) {
    expect((error as ImportError).issues.map(({ pointer }) => pointer)).toEqual([
      "/description",
      "",
      "/version",
      "/all_tools/deny_if",
      "/hide",
      "/tools/*",
      "/tools/t/require/0/conditions",
      "/tools/t/require/1",
      "/tools/t/deny_if/0/conditions/0/path",
      "/tools/t/deny_if/1/conditions/0/op",
      "/tools/t/deny_if/2/conditions/0/value",
      "/tools/t/deny_if/3/conditions/0/value",
      "/tools/t/deny_if/4/conditions/0/value",
      "/tools/t/deny_if/5/conditions/0/value",
      "/tools/t/limits/0/max",
      "/tools/t/limits/0/scope",
      "/tools/t/limits/0/counter",
    ]);
  }
});

test("limits of one counter that disagree do not import, since the result would not load", () => {
  const limit = { counter: "calls", window: "minute", max: 5, scope: "grant" };
  const load = () =>
    fromPolicyLayer({ version: "1", default: "deny", tools: { a: { limits: [limit] }, b: { limits: [{ ...limit, window: "hour" }] } } });
  expect(load).toThrow(/`calls` has another `window`/);
});

test("what is no object is refused", () => {
  for (const input of [undefined, null, "text", 5, [], new Map()]) expect(() => fromPolicyLayer(input)).toThrow(ImportError);
});

test("a tool called `__proto__` is a tool like any other", () => {
  const { policy } = fromPolicyLayer(JSON.parse('{"version":"1","default":"deny","tools":{"__proto__":{"deny_if":[{"conditions":[]}]}}}'));
  expect(JSON.stringify(policy.tools)).toBe('{"__proto__":{"deny_if":[{"conditions":[]}]}}');
});

test("[strict-load] a key that stands twice in the text does not load, whichever of the two denies", () => {
  const policy = { version: "1", default: "deny", tools: { pay: { deny_if: [{ conditions: [] }] } } };
  const text = JSON.stringify(policy);
  expect(fromPolicyLayer(text)).toEqual(fromPolicyLayer(policy));
  const twice = text.replace('"pay":', '"pay":{},"pay":');
  expect(() => fromPolicyLayer(twice)).toThrow(ImportError);
  expect(() => fromPolicyLayer(twice)).toThrow("/tools/pay: the key `pay` stands here twice");
});
