import type { PointerToken } from "../arguments/json-pointer.ts";
import { checkValue, operandOf } from "../conditions/operators.ts";
import { isPathError, isQuantified, type Path, parsePath } from "../conditions/path.ts";
import { type IsSound, isFields, listOf, type Report } from "./findings.ts";
import type { Comparison } from "./policy-schema.ts";

export type Section = "require" | "deny_if" | "require_approval";

interface Surroundings {
  readonly section: Section;
  /** Whether the condition is all there is to its rule. */
  readonly alone: boolean;
  readonly depth: number;
  readonly within?: "each" | undefined;
}

/** Conditions may nest this deep; the deepest one found in practice has four levels. */
const deepest = 32;

/** What the shape of a condition cannot say, for the condition and all that nests in it. */
export function checkCondition(
  condition: unknown,
  at: readonly PointerToken[],
  around: Surroundings,
  isSound: IsSound,
  report: Report,
): void {
  if (!isFields(condition)) return;
  if (around.depth > deepest) {
    report(at, `conditions are nested more than ${deepest} deep`, "write the rule as several entries");
    return;
  }
  const inner = { ...around, alone: false, depth: around.depth + 1 };
  for (const group of ["any", "all"]) {
    for (const [index, part] of listOf(condition[group]).entries()) checkCondition(part, [...at, group, index], inner, isSound, report);
  }
  if (condition["not"] !== undefined) checkCondition(condition["not"], [...at, "not"], inner, isSound, report);
  const { each } = condition;
  if (isFields(each)) {
    if (isSound([...at, "each", "path"])) checkList(each["path"] as string, [...at, "each", "path"], around, report);
    for (const [index, part] of listOf(each["conditions"]).entries()) {
      checkCondition(part, [...at, "each", "conditions", index], { ...inner, within: "each" }, isSound, report);
    }
  }
  if (condition["op"] !== undefined && isSound(at)) checkComparison(condition as Comparison, at, around, report);
}

function checkList(text: string, at: readonly PointerToken[], around: Surroundings, report: Report): void {
  const path = parsed(text, at, around, report);
  if (path === undefined) return;
  if (isQuantified(path)) report(at, "`each` goes through one list, and `[*]` names several", "drop `[*]`, or nest one `each` in another");
  if (isClaim(path)) reportClaim(text, at, report);
}

function checkComparison(condition: Comparison, at: readonly PointerToken[], around: Surroundings, report: Report): void {
  const { op, value } = condition;
  const path = parsed(condition.path, [...at, "path"], around, report);
  const operand = operandOf(condition);
  if ("from" in operand) checkReference(operand.from, [...at, "value", "from"], around, report);
  else if (path !== undefined) {
    const problem = checkValue(op, value, path);
    if (problem !== undefined) report([...at, "value"], problem, `give a value that \`${op}\` can compare`);
  }
  if (path !== undefined && isClaim(path) && !around.alone) reportClaim(condition.path, [...at, "path"], report);
  if (condition.when_missing !== undefined) checkWhenMissing(op, [...at, "when_missing"], around, report);
  if (condition.undeclared !== undefined && path !== undefined && path.root !== "args" && path.root !== "item") {
    report([...at, "undeclared"], "only the fields of `args` are declared by a schema", "leave `undeclared` out");
  }
}

function checkReference(text: string, at: readonly PointerToken[], around: Surroundings, report: Report): void {
  const path = parsed(text, at, around, report);
  if (path === undefined) return;
  if (isQuantified(path))
    report(at, "`[*]` names many values, and a condition compares with one", "name one value, or tie the two by `each`");
  if ((path.root === "args" || path.root === "item") && around.section !== "deny_if") {
    report(
      at,
      `in \`${around.section}\` the model would write both sides of the comparison`,
      "compare with `context`, or write the rule under `deny_if`",
    );
  }
  if (isClaim(path) && !around.alone) reportClaim(text, at, report);
}

function checkWhenMissing(op: Comparison["op"], at: readonly PointerToken[], around: Surroundings, report: Report): void {
  if (around.section === "require") {
    report(
      at,
      "in `require` a missing value must not decide",
      'write `any: [{ path, op: "exists", value: false }, …]` where the argument is optional',
    );
  } else if (op === "exists") report(at, "`exists` says itself what a missing value means", "leave `when_missing` out");
}

function parsed(text: string, at: readonly PointerToken[], { within }: Surroundings, report: Report): Path | undefined {
  const path = parsePath(text, { within });
  if (!isPathError(path)) return path;
  report(at, path.error, path.fix);
  return undefined;
}

const claims: readonly unknown[] = ["annotations", "category", "description"];

/** Whether the server says what stands at the path: a condition on it can be trusted to refuse, and not to pass. */
export function isClaim({ root, steps: [first] }: Path): boolean {
  return root === "tool" && first?.kind === "name" && claims.includes(first.name);
}

function reportClaim(text: string, at: readonly PointerToken[], report: Report): void {
  report(
    at,
    `\`${text}\` is a claim of the server, and may only add a refusal`,
    "give it a rule of its own, without siblings, `any`, `all`, `not` or `each`",
  );
}
