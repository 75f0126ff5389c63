import type { Category } from "../risk/category.ts";
import type { Predicate } from "./policy-schema.ts";

/**
 * The conditions that a tool's arguments allow, as types: a condition names a path that the arguments declare, an operator that the value there can
 * take, and a value to compare it with. What types cannot see (a regular expression that does not run, `[-1]`, an empty list) is left to loading.
 *
 * The arguments become a union of facts, one for each place in them, and the facts a union of conditions, which the compiler narrows by `path`, then by
 * `op`. Nothing is inferred from a condition, so that it can be shared, annotated and checked with `satisfies`.
 *
 * `Undeclared` is `true` where conditions may say `undeclared: true`, and `never` where none does: the member for any path matches every misspelt one
 * too, so that with it the compiler complains of a missing `undeclared` where it could name the path that was meant.
 */
export type TypedCondition<Args, Context, In extends Section, Undeclared> = Nested<
  ArgumentComparison<FactsOf<Args, "args">, "args", Context, In, Undeclared> | SurroundingComparison<Context, In>,
  FactsOf<Args, "args">,
  Context,
  In,
  Undeclared
>;

/** The lists that conditions stand in. What a condition may read and say differs between them. */
export type Section = "require" | "deny_if" | "require_approval";

/** What is known of every caller. A host that adds keys names them: `definePolicy<Tools, { plan: "free" | "paid" }>()`. */
interface Caller {
  grant?: string;
  user?: string;
  tenant?: string;
  agent?: string;
  session?: string;
  run?: string;
}

// ---- facts: what stands where -------------------------------------------------------------------------------------------------------------

type Scalar = string | number | boolean | null;

/** One place: the kind of value it holds, its path, its type. */
export type Fact = [kind: string, path: string, type: unknown];

/** How deep facts are worked out; below that every path passes, and loading decides. Recursive types are what makes depth dear. */
type DeepestFact = 5;

type Root = "args" | "context" | "tool";

export type FactsOf<T, Path extends string, Depth extends 1[] = []> = unknown extends T
  ? UnknownFact<T, Path>
  : Depth["length"] extends DeepestFact
    ? UnknownFact<T, Path>
    : ScalarFacts<Extract<T, Scalar>, Path> | StructureFacts<Exclude<T, Scalar | undefined>, Path, Depth>;

type UnknownFact<T, Path extends string> = ["unknown", Exclude<Path, Root> | Below<Path>, T];

type ScalarFacts<T, Path extends string> =
  | ([Extract<T, string>] extends [never] ? never : string extends T ? ["string", Path, string] : ["text choice", Path, Extract<T, string>])
  | ([Extract<T, number>] extends [never]
      ? never
      : number extends T
        ? ["number", Path, number]
        : ["number choice", Path, Extract<T, number>])
  | ([Extract<T, boolean>] extends [never] ? never : ["boolean", Path, Extract<T, boolean>])
  | (null extends T ? ["null", Path, null] : never);

type StructureFacts<T, Path extends string, Depth extends 1[]> = T extends readonly (infer Element)[]
  ? ["array", Path, Element] | FactsOf<Element, `${Path}[*]` | `${Path}[${number}]`, [...Depth, 1]>
  : T extends object
    ?
        | (Path extends Root ? never : ["object", Path, T])
        | { [Key in DeclaredKey<T>]: FactsOf<Exclude<T[Key], undefined>, Step<Path, Key>, [...Depth, 1]> }[DeclaredKey<T>]
        | (string extends keyof T ? ExtraFacts<T[keyof T], Path> : never)
    : never;

type DeclaredKey<T> = string extends keyof T
  ? keyof { [Key in keyof T as string extends Key ? never : number extends Key ? never : Key]: 1 } & string
  : keyof T & string;

/** A key that is no plain step is quoted: `args["a.b"]`. Types cannot escape a quotation mark: there, loading reads the key. */
type Step<Path extends string, Key extends string> = Key extends `${string}"${string}`
  ? `${Path}["${string}"]`
  : Key extends "" | `${string}${"." | "[" | "]"}${string}`
    ? `${Path}["${Key}"]`
    : `${Path}.${Key}`;

/** What the keys beyond the declared ones hold: typed where the object is a record of scalars. */
type ExtraFacts<T, Path extends string> = [T] extends [Scalar] ? ScalarFacts<T, Below<Path>> : ["unknown", Below<Path>, unknown];

type Below<Path extends string> = `${Path}.${string}` | `${Path}[${string}`;

export type PathOf<Facts extends Fact, Kind extends string> = Extract<Facts, [Kind, string, unknown]>[1];

// ---- comparisons: what can be asked of it -------------------------------------------------------------------------------------------------

type Order = "lt" | "lte" | "gt" | "gte";
type Length = "length_lte" | "length_gte";
type Affix = "contains" | "starts_with" | "ends_with" | "glob";

/** In `require` an absent value must not decide; there it is written out by `exists`. */
type WhenMissing<In extends Section> = In extends "require" ? never : boolean;

type Compare<In extends Section, Path, Op, Value> = [Path] extends [never]
  ? never
  : { path: Path; op: Op; value: Value; when_missing?: WhenMissing<In>; undeclared?: never };

type Exists<Path> = { path: Path; op: "exists"; value: boolean; when_missing?: never; undeclared?: never };

/** Every comparison that the facts allow, one member for each kind of value and group of operators. `From` is what `{ from }` may name. */
type Comparison<Facts extends Fact, From, In extends Section> =
  | Exists<Exclude<Facts[1], PathOf<Facts, "unknown">>>
  | Compare<In, PathOf<Facts, "string">, "eq" | "neq", string | { from: From }>
  | Compare<In, PathOf<Facts, "string">, "in" | "not_in" | "host_in" | "cidr_in", readonly string[] | { from: From }>
  | Compare<In, PathOf<Facts, "string">, "within_path", string | readonly string[] | { from: From }>
  | Compare<In, PathOf<Facts, "string" | "text choice">, Affix, string | { from: From }>
  | Compare<In, PathOf<Facts, "string" | "text choice">, "regex", string>
  | Compare<In, PathOf<Facts, "string" | "text choice" | "array">, Length, number | { from: From }>
  | Compare<In, PathOf<Facts, "number">, "eq" | "neq", number | { from: From }>
  | Compare<In, PathOf<Facts, "number">, "in" | "not_in", readonly number[] | { from: From }>
  | Compare<In, PathOf<Facts, "number" | "number choice">, Order, number | { from: From }>
  | Compare<In, PathOf<Facts, "date">, "eq" | "neq" | Order, string | { from: From }>
  | Compare<In, PathOf<Facts, "date">, "in" | "not_in", readonly string[] | { from: From }>
  | Compare<In, PathOf<Facts, "boolean">, "eq" | "neq", boolean | { from: From }>
  | Compare<In, PathOf<Facts, "null">, "eq" | "neq", null>
  | ChoiceComparison<Extract<Facts, ["text choice" | "number choice", string, unknown]>, From, In>
  | StructureComparison<Extract<Facts, ["array" | "object", string, unknown]>, From, In>
  | OpenComparison<PathOf<Facts, "unknown">, From, In, { undeclared?: true }>;

type ChoiceComparison<Facts, From, In extends Section> = Facts extends [string, infer Path, infer Choice]
  ? Compare<In, Path, "eq" | "neq", Choice | { from: From }> | Compare<In, Path, "in" | "not_in", readonly Choice[] | { from: From }>
  : never;

type StructureComparison<Facts, From, In extends Section> = Facts extends [infer Kind, infer Path, infer T]
  ? Kind extends "array"
    ?
        | Compare<In, Path, "contains", ElementOf<T> | { from: From }>
        | Compare<In, Path, "eq" | "neq", { literal: readonly T[] } | readonly ElementOf<T>[] | { from: From }>
        | Compare<In, Path, "in" | "not_in", readonly ({ literal: readonly T[] } | readonly ElementOf<T>[])[] | { from: From }>
    :
        | Compare<In, Path, "eq" | "neq", { literal: T } | { from: From }>
        | Compare<In, Path, "in" | "not_in", readonly { literal: T }[] | { from: From }>
  : never;

/** A value as it stands in a list: an object goes into `literal`, a list may. */
type ElementOf<T> = Extract<T, Scalar> | { literal: T } | (T extends readonly (infer Inner)[] ? readonly ElementOf<Inner>[] : never);

type Literal = { literal: Scalar | readonly unknown[] | { readonly [key: string]: unknown } };

type ListElement = Scalar | Literal | readonly ListElement[];

/** What can be asked of a value whose type nobody declared: anything. */
type OpenComparison<Path, From, In extends Section, Keys> = [Path] extends [never]
  ? never
  : { path: Path } & Keys &
      (
        | { op: "exists"; value: boolean; when_missing?: never }
        | ({ when_missing?: WhenMissing<In> } & (
            | { op: "eq" | "neq" | "contains"; value: ListElement | { from: From } }
            | { op: "in" | "not_in"; value: readonly ListElement[] | { from: From } }
            | { op: Order | Length; value: number | { from: From } }
            | { op: "host_in" | "cidr_in"; value: readonly string[] | { from: From } }
            | { op: "within_path"; value: string | readonly string[] | { from: From } }
            | { op: "starts_with" | "ends_with" | "glob"; value: string | { from: From } }
            | { op: "regex"; value: string }
          ))
      );

// ---- conditions: comparisons, and groups of them ------------------------------------------------------------------------------------------

/** Everything but the arguments that a condition can read, without what the server claims of itself. */
type SurroundingFacts<Context> =
  | FactsOf<Caller & Context, "context">
  | ["string", "tool.name" | "tool.server", string]
  | ["number", "time.hour" | "time.weekday", number]
  | ["date", "time.date", string];

type SurroundingComparison<Context, In extends Section> = Comparison<SurroundingFacts<Context>, From<Context, In>, In>;

/** Comparing arguments with arguments lets the model write both sides, which does no harm where it can only add a refusal. */
type From<Context, In extends Section> =
  | SurroundingFacts<Context>[1]
  | (In extends "deny_if" ? Below<"args"> | "item" | Below<"item"> : never);

type ArgumentComparison<Facts extends Fact, Root extends "args" | "item", Context, In extends Section, U> =
  | Comparison<Facts, From<Context, In>, In>
  | ([U] extends [never] ? never : OpenComparison<Below<Root>, From<Context, In>, In, { undeclared: U }>);

type Nested<Leaf, Facts extends Fact, Context, In extends Section, U> =
  | Leaf
  | { any: readonly Nested<Leaf, Facts, Context, In, U>[] }
  | { all: readonly Nested<Leaf, Facts, Context, In, U>[] }
  | { not: Nested<Leaf, Facts, Context, In, U> }
  | { each: Each<Leaf, Extract<Facts, ["array" | "unknown", string, unknown]>, Context, In, U> }
  | Predicate;

/** One list, without `[*]`, and conditions that may read its element as `item` besides all that could be read around it. */
type Each<Around, Lists, Context, In extends Section, U> = Lists extends [string, infer Path, infer Element]
  ? {
      path: OnePlace<Path>;
      conditions: readonly Nested<
        Around | ArgumentComparison<FactsOf<Element, "item">, "item", Context, In, U>,
        FactsOf<Element, "item">,
        Context,
        In,
        U
      >[];
    }
  : never;

/** A path that names a single value. */
export type OnePlace<Path> = Path extends `${string}[*]${string}` ? never : Path;

/** What a server says of its own tools may only add a refusal, so a condition on it stands alone in its rule. */
export type Claim<Context, In extends Section> = Comparison<FactsOf<Claims, "tool">, From<Context, In>, In>;

interface Claims {
  category: Category;
  description: string;
  annotations: { title?: string; readOnlyHint?: boolean; destructiveHint?: boolean; idempotentHint?: boolean; openWorldHint?: boolean };
}
