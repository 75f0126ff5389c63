import { nameTokens } from "./words.ts";

/** One top-level property of a tool's input schema, as far as risk is read from it. */
export interface Parameter {
  readonly name: string;
  /** The words of its name: `callbackUrl` is `callback`, `url`. */
  readonly tokens: readonly string[];
  readonly types: readonly string[];
  readonly description: string;
  /** Its `enum` or `const`, strings only. */
  readonly choices: readonly string[];
}

export interface Parameters {
  readonly list: readonly Parameter[];
  /** How many the schema declares; `list` holds the first 200. */
  readonly count: number;
  /** The schema is there and is no JSON Schema of an object. */
  readonly unreadable: boolean;
}

const mostRead = 200;
const mostChoices = 500;
const longestText = 500;

/** The parameters that a schema declares, also those of its top-level `allOf`, `anyOf` and `oneOf`. A server's schema is hostile input: nothing here throws or recurses further. */
export function readParameters(inputSchema: unknown): Parameters {
  if (inputSchema === undefined || inputSchema === null) return { list: [], count: 0, unreadable: false };
  try {
    if (!isObject(inputSchema)) return { list: [], count: 0, unreadable: true };
    const branches = [inputSchema, ...["allOf", "anyOf", "oneOf"].flatMap((key) => listIn(inputSchema, key).slice(0, 20).filter(isObject))];
    const declared = new Map<string, unknown>();
    for (const branch of branches) {
      const properties = branch["properties"];
      if (!isObject(properties)) continue;
      for (const name of Object.keys(properties)) if (!declared.has(name)) declared.set(name, properties[name]);
    }
    unwrap(declared);
    const list = [...declared].slice(0, mostRead).map(([name, schema]) => readParameter(name, schema));
    return { list, count: declared.size, unreadable: false };
  } catch {
    return { list: [], count: 0, unreadable: true };
  }
}

/** Names of an object that merely holds a call's parameters: `{ request: { … } }`. */
const wrappers = new Set(["params", "request", "input", "args", "arguments", "body", "payload", "data"]);

/** Puts the parameters that stand one level down, in an object that only wraps them, in place of the wrapper. */
function unwrap(declared: Map<string, unknown>): void {
  if (declared.size > 3) return;
  for (const [name, schema] of [...declared]) {
    if (!wrappers.has(name) || !isObject(schema) || !isObject(schema["properties"])) continue;
    declared.delete(name);
    for (const [inner, its] of Object.entries(schema["properties"])) if (!declared.has(inner)) declared.set(inner, its);
  }
}

function readParameter(name: string, schema: unknown): Parameter {
  const own = isObject(schema) ? schema : {};
  const branches = [own, ...["anyOf", "oneOf"].flatMap((key) => listIn(own, key).slice(0, 20).filter(isObject))];
  const description = own["description"];
  const items = own["items"];
  return {
    name,
    tokens: nameTokens(name),
    types: branches.flatMap(({ type }) => (Array.isArray(type) ? type : [type])).filter(isString),
    description: isString(description) ? description.slice(0, longestText).toLowerCase() : "",
    choices: [...branches, ...(isObject(items) ? [items] : [])]
      .flatMap((branch) => [...listIn(branch, "enum").slice(0, mostChoices), branch["const"]])
      .filter(isString)
      .slice(0, mostChoices),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function listIn(schema: Record<string, unknown>, key: string): unknown[] {
  const list = schema[key];
  return Array.isArray(list) ? list : [];
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}
