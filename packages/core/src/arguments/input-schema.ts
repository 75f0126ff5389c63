import { PolicyError } from "../policy/policy-error.ts";
import { type JsonObject, type SnapshotBounds, takeSnapshot } from "./json-snapshot.ts";
import { compileSchema } from "./schema-compiler.ts";
import { UnusableSchema } from "./schema-document.ts";
import type { Check, Finding, Run } from "./schema-evaluation.ts";
import type { SchemaProblem } from "./schema-problem.ts";
import { isStandardSchema, judgeStandardSchema } from "./standard-schema-judge.ts";

/** What is wrong with the arguments; nothing when they satisfy the schema. Never throws, and changes nothing: a schema only judges. */
export type Judge = (args: JsonObject) => readonly SchemaProblem[];

/** How much of a schema is accepted, and how much work one judgement by it may be. */
export interface SchemaBounds extends SnapshotBounds {
  /** Steps of work; a step is about one small schema applied to one value, some tens of nanoseconds. Above it the arguments are refused. */
  readonly maxSteps: number;
  readonly maxProblems: number;
}

export const defaultSchemaBounds: SchemaBounds = {
  maxBytes: 256 * 1024,
  maxDepth: 64,
  maxNodes: 100_000,
  maxSteps: 5_000_000,
  maxProblems: 8,
};

/**
 * Compiles a JSON Schema, once for every definition of a tool: draft 2020-12, and the forms of draft 07 that MCP servers send (array-form `items`,
 * `additionalItems`, `dependencies`, `definitions`), told apart by their form and not by `$schema`. Keywords beside `$ref` count.
 *
 * The schema is hostile input. It is copied first; references stay within it; a `pattern` runs on the linear engine; `format` is an annotation; no defaults are
 * applied; a schema that applies itself to the same value without end, or a known keyword in a form that has no meaning, makes it unusable; and each judgement
 * stops, refusing, at `maxSteps`. It compiles to closures and generates no code, so that it gives the same verdicts where `eval` is forbidden, and no
 * text of a server ever becomes code.
 *
 * `problem` is for the operator: it names the place in the schema.
 *
 * @example
 * const compiled = compileInputSchema({ type: "object", properties: { amount: { type: "number" } }, required: ["amount"] });
 * if (compiled.ok) compiled.judge({ amount: "5" }); // [{ pointer: "/amount", message: "expected a number" }]
 */
export function compileInputSchema(
  schema: unknown,
  bounds: SchemaBounds = defaultSchemaBounds,
): { readonly ok: true; readonly judge: Judge } | { readonly ok: false; readonly problem: string } {
  try {
    const copied = takeSnapshot(schema, bounds);
    if (!copied.ok) throw new UnusableSchema(copied.pointer, copied.problem);
    return { ok: true, judge: judgeBy(compileSchema(copied.value), bounds) };
  } catch (error) {
    return { ok: false, problem: error instanceof UnusableSchema ? error.message : "the schema could not be compiled" };
  }
}

/**
 * Compiles the `arguments` of a tool's rules: a JSON Schema, or any Standard Schema, which is asked anew for every call.
 *
 * @throws {PolicyError} at `pointer` where a JSON Schema cannot be used.
 */
export function compileArguments(schema: unknown, pointer: string): Judge {
  if (isStandardSchema(schema)) return (args) => judgeStandardSchema(schema, args);
  const compiled = compileInputSchema(schema);
  if (!compiled.ok)
    throw new PolicyError([
      { pointer, message: `the JSON Schema cannot be used: ${compiled.problem}`, fix: "write a schema that the guard can judge by" },
    ]);
  return compiled.judge;
}

function judgeBy(check: Check, { maxSteps, maxProblems }: SchemaBounds): Judge {
  return (args) => {
    try {
      // Most calls are valid: the first pass finds only the verdict, and stops at the first problem.
      if (check(args, startRun(null, maxSteps, maxProblems))) return [];
    } catch {
      // INVARIANT (fail-closed): a judgement that goes over its bounds is no verdict, and refuses.
      return [{ pointer: "", message: "the arguments are too much work to judge by this schema: send fewer or smaller values" }];
    }
    return problemsBy(check, args, maxSteps, maxProblems);
  };
}

function problemsBy(check: Check, args: JsonObject, maxSteps: number, maxProblems: number): readonly SchemaProblem[] {
  const problems: Finding[] = [];
  try {
    check(args, startRun(problems, maxSteps, maxProblems));
  } catch {
    // To explain takes more work than to judge; what was found until then is still true.
  }
  if (problems.length === 0) return [{ pointer: "", message: "the arguments do not match the schema" }];
  return problems.map(({ pointer, message }) => ({ pointer, message }));
}

function startRun(problems: Finding[] | null, steps: number, maxProblems: number): Run {
  return { problems, maxProblems, path: [], steps, depth: 0, evaluated: null };
}
