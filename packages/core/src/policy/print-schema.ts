import { commentOf, propertyName, quote } from "./print-text.ts";

/** A type as text. Its form says where it needs parentheses, and whether it can be an interface. */
export interface Printed {
  readonly text: string;
  readonly form: "object" | "simple" | "union" | "intersection";
}

interface Names {
  readonly rootName: string;
  /** A name for what a `$ref` points to, from the last part of its pointer. */
  readonly nameOf: (wish: string) => string;
}

type Schema = { readonly [keyword: string]: unknown };

/** Deeper than any path that policies are checked by. */
const deepest = 16;
/** Characters for the types of one tool. A schema that needs more is cut off with `unknown`. */
const longest = 64 * 1024;

const unknownType: Printed = { text: "unknown", form: "simple" };
const neverType: Printed = { text: "never", form: "simple" };

/**
 * Prints a JSON Schema (drafts 7 and 2020-12) as TypeScript types: the root first, then each definition that was referred to, until `next` answers
 * `undefined`. A `$ref` below a property or in a list becomes a named type, so that recursion ends and shared parts are printed once.
 */
export function schemaPrinter(root: unknown, { rootName, nameOf }: Names): { next(): { name: string; printed: Printed } | undefined } {
  const names = new Map<string, string>([["#", rootName]]);
  const waiting = ["#"];
  let room = longest;
  let references = 0;

  function next() {
    const pointer = waiting.shift();
    if (pointer === undefined) return undefined;
    const printed = print(resolve(root, pointer), { indent: "", depth: 0, open: [pointer] });
    return { name: names.get(pointer) as string, printed };
  }

  /** Where a schema stands. `open` holds the references that were followed to here without an object or a list between: through them, a type would contain itself. */
  interface Place {
    readonly indent: string;
    readonly depth: number;
    readonly open: readonly string[];
  }

  function print(schema: unknown, place: Place): Printed {
    if (schema === false) return neverType;
    if (!isSchema(schema) || place.depth > deepest || room <= 0) return unknownType;
    room -= 8;
    const parts = [
      printReference(schema, place),
      printOwn(schema, place),
      ...listOf(schema["allOf"]).map((part) => print(part, deeper(place))),
      printAlternatives(schema["anyOf"], place),
      printAlternatives(schema["oneOf"], place),
    ];
    const printed = intersect(parts);
    return schema["nullable"] === true && printed !== unknownType ? unite([printed, simple("null")]) : printed;
  }

  function printReference({ $ref: reference }: Schema, place: Place): Printed {
    if (typeof reference !== "string" || place.open.includes(reference)) return unknownType;
    const target = resolve(root, reference);
    if (target === undefined) return unknownType;
    if (place.open.length > 0) return print(target, { ...deeper(place), open: [...place.open, reference] });
    let name = names.get(reference);
    if (name === undefined) {
      name = nameOf(reference.split("/").at(-1) ?? "");
      names.set(reference, name);
      waiting.push(reference);
    }
    references += 1;
    return simple(name);
  }

  function printAlternatives(schemas: unknown, place: Place): Printed {
    return Array.isArray(schemas) && schemas.length > 0 ? unite(schemas.map((part) => print(part, deeper(place)))) : unknownType;
  }

  /** What the schema says by itself, without what it is combined with. */
  function printOwn(schema: Schema, place: Place): Printed {
    if ("const" in schema) return printLiteral(schema["const"]);
    if (Array.isArray(schema["enum"])) return unite(schema["enum"].map(printLiteral));
    const { type } = schema;
    if (Array.isArray(type)) return unite([...new Set(type)].slice(0, 7).map((each) => printTyped(each, schema, place)));
    if (type !== undefined) return printTyped(type, schema, place);
    if (isSchema(schema["properties"])) return printObject(schema, place);
    return "items" in schema || "prefixItems" in schema ? printArray(schema, place) : unknownType;
  }

  function printTyped(type: unknown, schema: Schema, place: Place): Printed {
    if (type === "object") return printObject(schema, place);
    if (type === "array") return printArray(schema, place);
    if (type === "integer") return simple("number");
    return type === "string" || type === "number" || type === "boolean" || type === "null" ? simple(type) : unknownType;
  }

  function printLiteral(value: unknown): Printed {
    if (value === null || typeof value === "boolean") return simple(String(value));
    if (typeof value === "number") return spend(Number.isFinite(value) ? JSON.stringify(value) : "number", "number");
    if (typeof value === "string") return spend(quote(value), "string");
    return simple(Array.isArray(value) ? "unknown[]" : "{ [key: string]: unknown }");
  }

  function printObject(schema: Schema, place: Place): Printed {
    const inner = { indent: `${place.indent}  `, depth: place.depth + 1, open: [] };
    const required = new Set(listOf(schema["required"]));
    room -= required.size;
    const extra = extraOf(schema);
    const lines: string[] = [];
    let cut = false;
    const properties = isSchema(schema["properties"]) ? Object.entries(schema["properties"]) : [];
    for (const [name, property] of properties) {
      room -= name.length;
      if (room <= 0) {
        cut = true;
        break;
      }
      const comment = isSchema(property) ? commentOf(property["description"], inner.indent) : "";
      room -= comment.length;
      lines.push(`${comment}${inner.indent}${propertyName(name)}${required.has(name) ? "" : "?"}: ${print(property, inner).text};\n`);
    }
    if (extra !== undefined || cut) {
      // An index signature has to admit what the declared properties hold too.
      const values = lines.length > 0 || cut ? unknownType : print(extra, inner);
      lines.push(`${inner.indent}[key: string]: ${values.text};\n`);
    }
    return { text: lines.length === 0 ? "{}" : `{\n${lines.join("")}${place.indent}}`, form: "object" };
  }

  function printArray(schema: Schema, place: Place): Printed {
    const inner = { ...place, depth: place.depth + 1, open: [] };
    const { prefixItems, items } = schema;
    const fixed = Array.isArray(prefixItems) ? prefixItems : Array.isArray(items) ? items : undefined;
    const rest = fixed === undefined ? (items ?? true) : Array.isArray(prefixItems) ? items : schema["additionalItems"];
    const isOpen = rest === true || isSchema(rest);
    if (fixed === undefined || (fixed.length === 0 && isOpen)) return simple(`${parenthesise(print(rest, inner))}[]`);
    const fewest = typeof schema["minItems"] === "number" ? schema["minItems"] : 0;
    // Labelled, since the compiler works out at once what stands in an element without a label, where it may find the very type that is being defined.
    const elements = fixed.map((part, index) => `item${index}${index < fewest ? "" : "?"}: ${print(part, inner).text}`);
    if (isOpen) elements.push(`...more: ${parenthesise(printRest(rest, inner))}[]`);
    return simple(`[${elements.join(", ")}]`);
  }

  /** What follows the fixed elements is worked out at once, label or not: there, no type is named that may be the one that is being defined. */
  function printRest(schema: unknown, place: Place): Printed {
    const before = references;
    const printed = print(schema, place);
    return references === before ? printed : unknownType;
  }

  function spend(text: string, otherwise: string): Printed {
    room -= text.length;
    return simple(room > 0 ? text : otherwise);
  }

  return { next };
}

function deeper<P extends { readonly depth: number }>(place: P): P {
  return { ...place, depth: place.depth + 1 };
}

function extraOf(schema: Schema): unknown {
  const { additionalProperties: extra } = schema;
  if (extra === true || isSchema(extra)) return extra;
  return isSchema(schema["patternProperties"]) ? true : undefined;
}

/** Follows a pointer within the document (RFC 6901, as a URI fragment); anything else is not fetched. */
function resolve(root: unknown, reference: string): unknown {
  if (reference === "#") return root;
  if (!reference.startsWith("#/")) return undefined;
  let found: unknown = root;
  for (const token of reference.slice(2).split("/")) {
    const key = decode(token).replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Schema)[key];
  }
  return found;
}

function decode(token: string): string {
  try {
    return decodeURIComponent(token);
  } catch {
    return token;
  }
}

function unite(parts: readonly Printed[]): Printed {
  const told = distinct(parts.filter((part) => part.text !== "never"));
  if (told.some((part) => part.text === "unknown")) return unknownType;
  const [first] = told;
  if (first === undefined) return neverType;
  return told.length === 1 ? first : { text: told.map((part) => part.text).join(" | "), form: "union" };
}

function intersect(parts: readonly Printed[]): Printed {
  const told = distinct(parts.filter((part) => part.text !== "unknown"));
  if (told.some((part) => part.text === "never")) return neverType;
  const [first] = told;
  if (first === undefined) return unknownType;
  return told.length === 1
    ? first
    : { text: told.map((part) => (part.form === "union" ? `(${part.text})` : part.text)).join(" & "), form: "intersection" };
}

function distinct(parts: readonly Printed[]): Printed[] {
  return [...new Map(parts.map((part) => [part.text, part])).values()];
}

function parenthesise({ text, form }: Printed): string {
  return form === "union" || form === "intersection" ? `(${text})` : text;
}

function simple(text: string): Printed {
  return { text, form: "simple" };
}

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
