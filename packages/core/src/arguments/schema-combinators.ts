import type { Json } from "./json-snapshot.ts";
import { accepts, type Check, charge, every, type Finding, pointerHere, problemsOf, type Run, reject } from "./schema-evaluation.ts";
import type { Keywords } from "./schema-keywords.ts";
import { shown } from "./schema-problem.ts";

/** Schemas that are applied to the very same value (JSON Schema Core §8.2.3 and §10.2). */
export function combinatorChecks(keywords: Keywords): Check[] {
  const allOf = keywords.inPlaceList("allOf");
  return [
    keywords.reference("$ref"),
    dynamicReferenceCheck(keywords),
    allOf && every(allOf),
    anyOfCheck(keywords),
    oneOfCheck(keywords),
    notCheck(keywords),
    conditionalCheck(keywords),
    dependenciesCheck(keywords, "dependencies"),
    dependenciesCheck(keywords, "dependentRequired"),
    dependenciesCheck(keywords, "dependentSchemas"),
  ].filter((check) => check !== undefined);
}

/** With one resource in the document there is one dynamic scope, and a dynamic reference is a plain one (Core §8.2.3.2). */
function dynamicReferenceCheck(keywords: Keywords): Check | undefined {
  if (keywords.has("$recursiveRef")) throw keywords.unusable("$recursiveRef", "not supported: use `$ref`");
  if (keywords.has("$dynamicRef") && keywords.isBundle)
    throw keywords.unusable("$dynamicRef", "not supported in a schema whose parts have their own `$id`: use `$ref`");
  return keywords.reference("$dynamicRef");
}

function anyOfCheck(keywords: Keywords): Check | undefined {
  const forms = keywords.inPlaceList("anyOf");
  if (!forms) return undefined;
  const { tracksEvaluated } = keywords;
  return (value, run) => {
    let accepted = false;
    for (const form of forms) {
      if (!accepts(form, value, run)) continue;
      accepted = true;
      // Every form that holds evaluates properties of its own.
      if (!tracksEvaluated) break;
    }
    return accepted || rejectForms("anyOf", forms, value, run);
  };
}

function oneOfCheck(keywords: Keywords): Check | undefined {
  const forms = keywords.inPlaceList("oneOf");
  if (!forms) return undefined;
  return (value, run) => {
    const matching = forms.filter((form) => accepts(form, value, run)).length;
    if (matching === 0) return rejectForms("oneOf", forms, value, run);
    return matching === 1 || reject(run, "oneOf", `expected exactly one of ${forms.length} forms to match, but ${matching} do`);
  };
}

/** Names what the forms expect of this very value, or what is wrong by the form that comes nearest: one whose literals, such as a `kind`, are right. */
function rejectForms(keyword: string, forms: readonly Check[], value: Json, run: Run): false {
  if (run.problems === null) return false;
  const here = pointerHere(run);
  const attempts = forms.map((form) => problemsOf(form, value, run) ?? []);
  const isPlain = (problems: readonly Finding[]) =>
    problems.length === 1 && problems[0]!.pointer === here && problems[0]!.message.startsWith("expected ");
  if (attempts.every(isPlain)) {
    const expectations = new Set(attempts.map(([problem]) => problem!.message.slice("expected ".length)));
    return reject(run, keyword, `expected ${[...expectations].join(", or ")}`);
  }
  const structural = attempts.filter((problems) => !problems.some((problem) => problem.pointer === here && problem.keyword === "type"));
  const distance = (problems: readonly Finding[]) =>
    problems.length + (problems.some((problem) => problem.keyword === "const" || problem.keyword === "enum") ? run.maxProblems : 0);
  const nearest = structural.toSorted((left, right) => distance(left) - distance(right))[0];
  reject(
    run,
    keyword,
    `expected one of ${forms.length} forms, and none matches${nearest?.length ? "; the nearest one says what follows" : ""}`,
  );
  for (const problem of nearest ?? []) if (run.problems.length < run.maxProblems) run.problems.push(problem);
  return false;
}

function notCheck(keywords: Keywords): Check | undefined {
  const excluded = keywords.inPlace("not");
  if (!excluded) return undefined;
  return (value, run) => !accepts(excluded, value, run) || reject(run, "not", "expected a value other than those that `not` excludes");
}

function conditionalCheck(keywords: Keywords): Check | undefined {
  const condition = keywords.inPlace("if");
  const consequence = keywords.inPlace("then");
  const alternative = keywords.inPlace("else");
  if (!condition) return undefined;
  return (value, run) => {
    const next = accepts(condition, value, run) ? consequence : alternative;
    return next === undefined || next(value, run);
  };
}

function dependenciesCheck(keywords: Keywords, keyword: "dependencies" | "dependentRequired" | "dependentSchemas"): Check | undefined {
  const dependencies = keywords.inPlaceMap(keyword);
  if (!dependencies) return undefined;
  return (value, run) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return true;
    let accepted = true;
    const keys = Object.keys(value);
    charge(run, keys.length);
    for (const key of keys) {
      const dependency = dependencies.get(key);
      if (typeof dependency === "function") {
        if (!dependency(value, run)) accepted = false;
        continue;
      }
      for (const name of dependency ?? []) {
        charge(run, 1);
        if (Object.hasOwn(value, name)) continue;
        accepted = reject(run, keyword, `missing property \`${shown(name)}\`, which \`${shown(key)}\` requires`);
      }
    }
    return accepted;
  };
}
