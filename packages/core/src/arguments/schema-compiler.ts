import type { Json, JsonObject } from "./json-snapshot.ts";
import { combinatorChecks } from "./schema-combinators.ts";
import { arrayChecks, objectChecks, unevaluatedChecks } from "./schema-containers.ts";
import { isSchemaObject, readSchemaDocument, type SchemaDocument, UnusableSchema } from "./schema-document.ts";
import { type Check, charge, enter, every, reject } from "./schema-evaluation.ts";
import { type Keywords, type Link, readKeywords } from "./schema-keywords.ts";
import { literalChecks, numberChecks, stringChecks, typeCheck } from "./schema-values.ts";

/** All patterns of a schema together; ordinary ones are below a hundred instructions each. */
const maxPatternInstructions = 100_000;

/**
 * Compiles a schema to closures. Schemas are taken from a queue and linked late, so that recursion is a loop in the links and long chains of references
 * need no stack.
 *
 * @throws {UnusableSchema} naming the place in the schema.
 */
export function compileSchema(root: Json): Check {
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
    if (appliedFrom) append(applications, appliedFrom, schema);
    const target = linked;
    return (value, run) => enter(target.body, value, run);
  };

  const patterns = { instructions: maxPatternInstructions };
  const check = link(root, "");
  for (let schema = queue.pop(); schema; schema = queue.pop())
    bodies.get(schema)!.body = compileBody(readKeywords(schema, document, link, patterns));
  refuseLoops(applications, document);
  return check;
}

function booleanCheck(accepted: boolean): Check {
  return (_value, run) => {
    charge(run, 1);
    return accepted || reject(run, "false", "no value is allowed here");
  };
}

function compileBody(keywords: Keywords): Check {
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
  const rest = every([...literalChecks(keywords), ofMembers, ...combinatorChecks(keywords)]);
  const remaining = every(unevaluatedChecks(keywords));
  // What a value of the wrong type lacks besides is of no use to anyone; and what was refused was not evaluated, but is not unknown either.
  const body: Check = (value, run) => (!type || type(value, run)) && rest(value, run) && remaining(value, run);
  return keywords.tracksEvaluated ? withOwnEvaluated(body) : body;
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
      charge(run, own.size * 2);
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
    for (const target of targets) append(appliers, target, from);
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
  let [looping] = open.keys();
  if (!looping) return;
  // What is left may only lead to a loop; as many steps as there are schemas end inside one.
  for (let step = open.size; step > 0; step--) looping = applications.get(looping)!.find((target) => open.has(target))!;
  throw new UnusableSchema(document.pointerOf(looping), "a schema that applies itself to the same value without end");
}

function append<Key, Item>(lists: Map<Key, Item[]>, key: Key, item: Item): void {
  const list = lists.get(key);
  if (list) list.push(item);
  else lists.set(key, [item]);
}
