import type { Json, JsonObject } from "./json-snapshot.ts";
import { isSchemaObject, type SchemaDocument, UnusableSchema } from "./schema-document.ts";
import type { Check } from "./schema-evaluation.ts";
import { compilePattern, type PatternTest } from "./schema-pattern.ts";
import { shown } from "./schema-problem.ts";

/**
 * The keywords of one schema object. Each reader answers undefined where the keyword is absent, and throws {@link UnusableSchema} where its value has
 * the wrong form: a keyword that cannot be understood must not be passed over.
 */
export interface Keywords {
  /** Whether anything in the document reads what was evaluated. */
  readonly tracksEvaluated: boolean;
  /** Whether parts of the document have identities of their own. */
  readonly isBundle: boolean;
  has(name: string): boolean;
  value(name: string): Json | undefined;
  number(name: string): number | undefined;
  /** A whole number of at least zero. */
  count(name: string): number | undefined;
  flag(name: string): boolean | undefined;
  list(name: string): readonly Json[] | undefined;
  names(name: string): readonly string[] | undefined;
  pattern(name: string): { readonly source: string; readonly matches: PatternTest } | undefined;
  /** A schema for something inside the value: a property, an item, a property's name. */
  child(name: string): Check | undefined;
  children(name: string): readonly Check[] | undefined;
  childMap(name: string): ReadonlyMap<string, Check> | undefined;
  childPatterns(name: string): readonly { readonly matches: PatternTest; readonly check: Check }[];
  /** A schema for the very same value. */
  inPlace(name: string): Check | undefined;
  inPlaceList(name: string): readonly Check[] | undefined;
  /** For each name either other names or a schema for the same value, as in `dependencies`. */
  inPlaceMap(name: string): ReadonlyMap<string, Check | readonly string[]> | undefined;
  reference(name: string): Check | undefined;
  unusable(name: string, problem: string): UnusableSchema;
}

/** Gives the check of a schema before it is compiled. Schemas for the same value name the one they are applied from, so that loops can be found. */
export type Link = (schema: Json, pointer: string, appliedFrom?: JsonObject) => Check;

/** What the patterns of a whole document may come to, in instructions of the regular expression engine. */
export interface PatternBudget {
  instructions: number;
}

export function readKeywords(schema: JsonObject, document: SchemaDocument, link: Link, patterns: PatternBudget): Keywords {
  const pointer = document.pointerOf(schema);
  const has = (name: string) => Object.hasOwn(schema, name);
  const unusable = (name: string, problem: string) => new UnusableSchema(`${pointer}/${name}`, problem);

  function reader<Value extends Json>(expected: string, fits: (value: Json) => value is Value) {
    return (name: string): Value | undefined => {
      if (!has(name)) return undefined;
      const value = schema[name]!;
      if (!fits(value)) throw unusable(name, `expected ${expected}`);
      return value;
    };
  }
  const list = reader("a list", isList);
  const object = reader("an object", isSchemaObject);
  const child = (name: string) => (has(name) ? link(schema[name]!, `${pointer}/${name}`) : undefined);
  const inPlace = (inner: Json, name: string) => link(inner, `${pointer}/${name}`, schema);
  const compiled = (source: string, name: string) => {
    const pattern = compilePattern(source, patterns.instructions);
    if ("error" in pattern) throw unusable(name, `the pattern \`${shown(source, 200)}\` cannot be used: ${shown(pattern.error, 200)}`);
    patterns.instructions -= pattern.instructions;
    return pattern.matches;
  };
  const source = reader("a pattern", isText);
  const referred = reader("a reference", isText);
  const schemaList = (name: string) => {
    const schemas = list(name);
    if (schemas?.length === 0) throw unusable(name, "expected at least one schema");
    return schemas;
  };

  return {
    tracksEvaluated: document.usesUnevaluated,
    isBundle: document.isBundle,
    has,
    unusable,
    value: (name) => (has(name) ? schema[name] : undefined),
    number: reader("a number", isNumber),
    count: reader("a whole number of at least 0", isCount),
    flag: reader("true or false", isFlag),
    list,
    names: reader("a list of names", isNames),
    pattern: (name) => {
      const text = source(name);
      return text === undefined ? undefined : { source: text, matches: compiled(text, name) };
    },
    child,
    children: (name) => schemaList(name)?.map((inner, position) => link(inner, `${pointer}/${name}/${position}`)),
    childMap: (name) => {
      const schemas = object(name);
      return schemas && new Map(Object.entries(schemas).map(([key, inner]) => [key, link(inner, `${pointer}/${name}`)]));
    },
    childPatterns: (name) =>
      Object.entries(object(name) ?? {}).map(([key, inner]) => ({
        matches: compiled(key, name),
        check: link(inner, `${pointer}/${name}`),
      })),
    inPlace: (name) => (has(name) ? inPlace(schema[name]!, name) : undefined),
    inPlaceList: (name) => schemaList(name)?.map((inner) => inPlace(inner, name)),
    inPlaceMap: (name) => {
      const entries = object(name);
      return entries && new Map(Object.entries(entries).map(([key, inner]) => [key, isNames(inner) ? inner : inPlace(inner, name)]));
    },
    reference: (name) => {
      const reference = referred(name);
      return reference === undefined ? undefined : inPlace(document.resolve(reference, schema), name);
    },
  };
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function isNames(value: Json): value is readonly string[] {
  return Array.isArray(value) && value.every((name) => typeof name === "string");
}

function isNumber(value: Json): value is number {
  return typeof value === "number";
}

function isCount(value: Json): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isFlag(value: Json): value is boolean {
  return typeof value === "boolean";
}

function isText(value: Json): value is string {
  return typeof value === "string";
}
