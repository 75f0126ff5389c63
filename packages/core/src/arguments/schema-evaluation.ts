import { jsonPointer } from "./json-pointer.ts";
import type { Json } from "./json-snapshot.ts";
import { type SchemaProblem, shown } from "./schema-problem.ts";

/**
 * What a compiled schema is: a function that answers whether a value satisfies it. It never throws but for {@link JudgementTooLong}, and where the run
 * collects problems, a false answer has left at least one.
 */
export type Check<Value extends Json = Json> = (value: Value, run: Run) => boolean;

/** A problem, and the keyword that found it. */
export interface Finding extends SchemaProblem {
  readonly keyword: string;
}

/** One judgement of one value: where it stands, what it has found, and what it may still spend. */
export interface Run {
  /** Null while nothing is collected: in the first pass, which only finds the verdict, and inside `not`, `if` and `contains`. */
  problems: Finding[] | null;
  readonly maxProblems: number;
  /** The way from the root of the arguments to the value at hand. */
  readonly path: (string | number)[];
  /** Steps of work still allowed. A step is about the work of one small schema on one value. */
  steps: number;
  /** Schemas that are open: nested values, and in-place applications such as `$ref` and `allOf`. */
  depth: number;
  /** Keys and indices that were evaluated at the value at hand; only kept in documents that use `unevaluatedProperties` or `unevaluatedItems`. */
  evaluated: Set<string | number> | null;
}

/** The work or the nesting of a judgement went over its bound, so that it has no verdict. */
class JudgementTooLong extends Error {}

/** Six in-place applications for each of the 64 levels that arguments may have; the stack holds many more. */
const maxOpenSchemas = 400;

/** Runs a schema's body inside the bounds of the judgement. */
export function enter(body: Check, value: Json, run: Run): boolean {
  charge(run, 1);
  if (++run.depth > maxOpenSchemas) throw new JudgementTooLong();
  const accepted = body(value, run);
  run.depth--;
  return accepted;
}

export function charge(run: Run, steps: number): void {
  run.steps -= steps;
  if (run.steps < 0) throw new JudgementTooLong();
}

/** Records a problem with the value at hand, or with what stands or should stand under `key` in it. Always false. */
export function reject(run: Run, keyword: string, message: string, key?: string | number): false {
  if (run.problems !== null && run.problems.length < run.maxProblems)
    run.problems.push({ pointer: pointerHere(run, key), message, keyword });
  return false;
}

/** Whether further problems would change nothing. */
export function isSettled(run: Run): boolean {
  return run.problems === null || run.problems.length >= run.maxProblems;
}

/** All of the checks; every one of them runs while problems are collected. */
export function every<Value extends Json>(checks: readonly Check<Value>[]): Check<Value> {
  if (checks.length === 1) return checks[0]!;
  return (value, run) => {
    let accepted = true;
    for (const check of checks) {
      if (check(value, run)) continue;
      accepted = false;
      if (isSettled(run)) break;
    }
    return accepted;
  };
}

/** Checks what stands under `key` in the value at hand, and counts it as evaluated if it is accepted. */
export function checkChild(check: Check, child: Json, key: string | number, run: Run): boolean {
  const evaluated = run.evaluated;
  run.evaluated = null;
  run.path.push(key);
  const accepted = check(child, run);
  run.path.pop();
  run.evaluated = evaluated;
  if (accepted) evaluated?.add(key);
  return accepted;
}

/** The verdict of a check whose problems are of no interest. */
export function accepts(check: Check, value: Json, run: Run): boolean {
  const problems = run.problems;
  run.problems = null;
  const accepted = check(value, run);
  run.problems = problems;
  return accepted;
}

/** The problems of a check that fails, kept apart from those of the run; null when the value is accepted. */
export function problemsOf(check: Check, value: Json, run: Run): readonly Finding[] | null {
  const problems = run.problems;
  const own: Finding[] = [];
  run.problems = own;
  const accepted = check(value, run);
  run.problems = problems;
  return accepted ? null : own;
}

/** The place of the value at hand, or of `key` in it, as it may be shown: keys are the model's text. */
export function pointerHere(run: Run, key?: string | number): string {
  const path = key === undefined ? run.path : [...run.path, key];
  return jsonPointer(path.map((step) => (typeof step === "number" ? step : shown(step))));
}
