import { type Json, type JsonObject, type SnapshotBounds, takeSnapshot } from "./json-snapshot.ts";
import { combinatorChecks } from "./schema-combinators.ts";
import { arrayChecks, objectChecks, unevaluatedChecks } from "./schema-containers.ts";
import { isSchemaObject, readSchemaDocument, type SchemaDocument, UnusableSchema } from "./schema-document.ts";
import { type Check, charge, enter, every, isSettled, reject, type Run } from "./schema-evaluation.ts";
import { type Link, readKeywords } from "./schema-keywords.ts";
import type { SchemaProblem } from "./schema-problem.ts";
import { literalCheck, numberChecks, stringChecks, typeCheck } from "./schema-values.ts";

/** What is wrong with the arguments; nothing when they satisfy the schema. Never throws, and changes nothing: a schema only judges. */
export type Judge = (args: JsonObject) => readonly SchemaProblem[];

/** How much of a schema is accepted, and how much work one judgement by it may be. */
export interface SchemaBounds extends SnapshotBounds {
  /** Steps of work; a step is about one small schema applied to one value, some tens of nanoseconds. Above it the arguments are refused. */
  readonly maxSteps: number;
  readonly maxProblems: number;
}

export const defaultSchemaBounds: SchemaBounds = { maxBytes: 256 * 1024, maxDepth: 64, maxNodes: 100_000, maxSteps: 5_000_000, maxProblems: 8 };

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
    return { ok: true, judge: judgeBy(compile(copied.value), bounds) };
  } catch (error) {
    return { ok: false, problem: error instanceof UnusableSchema ? error.message : "the schema could not be compiled" };
  }
}

function judgeBy(check: Check, { maxSteps, maxProblems }: SchemaBounds): Judge {
  return (args) => {
    const problems: Run["problems"] = [];
    try {
      // Most calls are valid: the first pass finds only the verdict, and stops at the first problem.
      if (check(args, startRun(null, maxSteps, maxProblems))) return [];
      check(args, startRun(problems, maxSteps, maxProblems));
    } catch {
      // INVARIANT (fail-closed): a judgement that goes over its bounds is no verdict, and refuses.
      if (problems.length === 0) return [{ pointer: "", message: "the arguments are too much work to judge by this schema: send fewer or smaller values" }];
    }
    if (problems.length === 0) return [{ pointer: "", message: "the arguments do not match the schema" }];
    return problems.map(({ pointer, message }) => ({ pointer, message }));
  };
}

function startRun(problems: Run["problems"], steps: number, maxProblems: number): Run {
  return { problems, maxProblems, path: [], steps, depth: 0, evaluated: null };
}

/** Schemas are compiled from a queue and linked late, so that recursion is a loop in the links and long chains of references need no stack. */
function compile(root: Json): Check {
  if (!isSchemaObject(root)) {
    if (typeof root !== "boolean") throw new UnusableSchema("", "expected a schema: an object");
    return booleanCheck(root);
  }
  const document = readSchemaDocument(root);
  const bodies = new Map<JsonObject, { body: Check }>();
  const queue: JsonObject[] = [];
  const applications = new Map<JsonObject, JsonObject[]>();

  const link: Link = (schema, pointer, appliedFrom) => {
    if (typeof schema === "boolean") return booleanCheck(schema);
    if (!isSchemaObject(schema)) throw new UnusableSchema(pointer, "expected a schema: an object, true or false");
    let linked = bodies.get(schema);
    if (!linked) {
      linked = { body: booleanCheck(false) };
      bodies.set(schema, linked);
      queue.push(schema);
    }
    if (appliedFrom) applications.set(appliedFrom, [...(applications.get(appliedFrom) ?? []), schema]);
    const target = linked;
    return (value, run) => enter(target.body, value, run);
  };

  const check = link(root, "");
  for (let schema = queue.shift(); schema; schema = queue.shift()) bodies.get(schema)!.body = compileBody(schema, document, link);
  refuseLoops(applications, document);
  return check;
}

function booleanCheck(accepted: boolean): Check {
  return (_value, run) => accepted || reject(run, "false", "no value is allowed here");
}

function compileBody(schema: JsonObject, document: SchemaDocument, link: Link): Check {
  const keywords = readKeywords(schema, document, link);
  const type = typeCheck(keywords);
  const forNumbers = every(numberChecks(keywords));
  const forStrings = every(stringChecks(keywords));
  const forArrays = every(arrayChecks(keywords));
  const forObjects = every(objectChecks(keywords));
  const ofMembers: Check = (value, run) => {
    if (typeof value === "string") return forStrings(value, run);
    if (typeof value === "number") return forNumbers(value, run);
    if (typeof value !== "object" || value === null) return true;
    return Array.isArray(value) ? forArrays(value, run) : forObjects(value as JsonObject, run);
  };
  const rest = every([...literalCheck(keywords), ofMembers, ...combinatorChecks(keywords), ...unevaluatedChecks(keywords)]);
  // What a value of the wrong type lacks besides is of no use to anyone.
  const body: Check = type ? (value, run) => type(value, run) && rest(value, run) : rest;
  return document.usesUnevaluated ? withOwnEvaluated(body) : body;
}

/** A schema sees what it and the schemas applied within it evaluated, and hands it on only if it accepts the value (Core §7.7.1). */
function withOwnEvaluated(body: Check): Check {
  return (value, run) => {
    const outer = run.evaluated;
    const own = new Set<string | number>();
    run.evaluated = own;
    const accepted = body(value, run);
    run.evaluated = outer;
    if (accepted && outer) {
      charge(run, own.size);
      for (const key of own) outer.add(key);
    }
    return accepted;
  };
}

/** Takes away schemas that apply nothing further until none is left; what cannot be taken away applies itself to the same value without end. */
function refuseLoops(applications: ReadonlyMap<JsonObject, readonly JsonObject[]>, document: SchemaDocument): void {
  const appliers = new Map<JsonObject, JsonObject[]>();
  const open = new Map<JsonObject, number>();
  for (const [from, targets] of applications) {
    open.set(from, targets.length);
    for (const target of targets) {
      const known = appliers.get(target);
      if (known) known.push(from);
      else appliers.set(target, [from]);
    }
  }
  const ended = [...appliers.keys()].filter((schema) => !open.has(schema));
  for (let schema = ended.pop(); schema; schema = ended.pop()) {
    for (const from of appliers.get(schema) ?? []) {
      const left = open.get(from)! - 1;
      open.set(from, left);
      if (left === 0) {
        open.delete(from);
        ended.push(from);
      }
    }
  }
  const [looping] = open.keys();
  if (looping) throw new UnusableSchema(document.pointerOf(looping), "a schema that applies itself to the same value without end");
}
