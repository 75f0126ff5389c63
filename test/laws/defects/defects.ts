import type { Law } from "../laws.ts";

/** A build that is broken in one place: `find` stands once in `file`. The tests named must then fail, in a title that cites the law. */
export interface Defect {
  readonly law: Law;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly tests: readonly string[];
}

export const defects: Readonly<Record<string, Defect>> = {
  "a batch is sent as it is": {
    law: "nothing-leaves-unchecked",
    file: "packages/mcp/src/outgoing.ts",
    find: 'if (batch.some((message) => message.method === "tools/call")) return refuseBatch(connection, batch);',
    replace: "",
    tests: ["test/mcp/bypass.test.ts"],
  },
  "a policy that changes meanwhile is not seen": {
    law: "nothing-leaves-unchecked",
    file: "packages/core/src/guard/release.ts",
    find: "function isStale(call: Passage): boolean {",
    replace: "function isStale(call: Passage): boolean {\n  if (call) return false;",
    tests: ["test/laws/release.test.ts"],
  },
  "a refused call is forwarded all the same": {
    law: "nothing-leaves-unchecked",
    file: "packages/core/src/guard/guard.ts",
    find: 'if (admitted.outcome !== "allow") return admitted;',
    replace: "",
    tests: ["test/laws/storm.test.ts"],
  },
  "the arguments are judged in place": {
    law: "sent-is-checked",
    file: "packages/core/src/guard/admission.ts",
    find: "call.original = call.arguments = value as JsonObject;",
    replace: "call.original = call.arguments = call.request.arguments as JsonObject;",
    tests: ["test/laws/sent-is-checked.test.ts"],
  },
  "accessors are read": {
    law: "sent-is-checked",
    file: "packages/core/src/arguments/json-snapshot.ts",
    find: 'if (!isPlain(source)) throw notJson("an instance of a class is not JSON");',
    replace: "",
    tests: ["packages/core/src/arguments/json-snapshot.test.ts"],
  },
  "a store that is down lets calls pass": {
    law: "fail-closed",
    file: "packages/core/src/guard/release.ts",
    find: "call.guard.failOpen.store && !isFull(error) ? { failedOpen",
    replace: "!isFull(error) ? { failedOpen",
    tests: ["packages/core/src/guard/guard.test.ts", "test/mcp/fail-closed.test.ts"],
  },
  "what cannot be judged is no reason to deny": {
    law: "fail-closed",
    file: "packages/core/src/decision/decide.ts",
    find: "const denial = truth === false ? undefined",
    replace: "const denial = truth !== true ? undefined",
    tests: ["packages/core/src/decision/decide.test.ts"],
  },
  "an unknown key of a tool loads": {
    law: "strict-load",
    file: "packages/core/src/policy/policy-schema.ts",
    find: "const toolSchema = z.strictObject({",
    replace: "const toolSchema = z.object({",
    tests: ["packages/core/src/policy/strict-load.property.test.ts"],
  },
  "the last entry of a list decides": {
    law: "deny-wins",
    file: "packages/core/src/policy/compile-policy.ts",
    find: "denyIf: both(own.denyIf, shared.denyIf),",
    replace: "denyIf: (own.denyIf.length > 0 ? own : shared).denyIf,",
    tests: ["packages/core/src/decision/decide.test.ts"],
  },
  "one of several merged policies is enough to leave out the schema": {
    law: "deny-wins",
    file: "packages/core/src/decision/judge-definition.ts",
    find: "tools.every((tool) => tool.ignoresInputSchema)",
    replace: "tools.some((tool) => tool.ignoresInputSchema)",
    tests: ["packages/core/src/decision/decide.test.ts"],
  },
  "a counter admits one more": {
    law: "no-over-admission",
    file: "packages/core/src/limits/memory-store.ts",
    find: "if (lacking(debit, counter) > 0) fits = false;",
    replace: "if (lacking(debit, counter) > 1_000_000) fits = false;",
    tests: ["test/laws/storm.test.ts"],
  },
  "a call without an answer is given back": {
    law: "no-over-admission",
    file: "packages/core/src/limits/limits.ts",
    find: 'case "unknown":\n      return false;',
    replace: 'case "unknown":\n      return true;',
    tests: ["test/laws/storm.test.ts"],
  },
  "an error after the reservation keeps it": {
    law: "refused-spends-nothing",
    file: "packages/core/src/guard/release.ts",
    find: "await undo(call, taken, unsent);\n    throw error;",
    replace: "throw error;",
    tests: ["test/laws/refused-spends-nothing.test.ts"],
  },
  "calls leave while an event is owed": {
    law: "one-decision-one-record",
    file: "packages/core/src/audit/recorder.ts",
    find: "if (this.#owed.length === 0 && this.#dropped === 0) return this.#release(decide());",
    replace: "return this.#release(decide());",
    tests: ["packages/core/src/guard/guard.test.ts"],
  },
  "required sinks are not waited for": {
    law: "one-decision-one-record",
    file: "packages/core/src/audit/audit.ts",
    find: "if (outlet.sink.required) {\n      handing.waiting ??= [];",
    replace: "if (false) {\n      handing.waiting ??= [];",
    tests: ["test/laws/storm.test.ts"],
  },
  "a refusal is no error to the host": {
    law: "well-formed-refusal",
    file: "packages/mcp/src/refusal-result.ts",
    find: "isError: true,",
    replace: "isError: false,",
    tests: ["test/mcp/calls.test.ts"],
  },
  "a refused tool message reads like a result": {
    law: "well-formed-refusal",
    file: "packages/langchain/src/refusal-message.ts",
    find: 'status: "error",',
    replace: 'status: "success",',
    tests: ["test/langchain/middleware.test.ts"],
  },
  "what else a call carries is dropped": {
    law: "transparent-allow",
    file: "packages/mcp/src/outgoing.ts",
    find: "{ name, arguments: args, ...rest };",
    replace: "{ name, arguments: args };",
    tests: ["test/mcp/transparency.test.ts"],
  },
  "a token is good for every send": {
    law: "decided-once",
    file: "packages/core/src/guard/open-calls.ts",
    find: "open?.find((other) => other[spends] === 0)",
    replace: "open?.find(() => true)",
    tests: ["packages/core/src/guard/definitions.test.ts"],
  },
};
