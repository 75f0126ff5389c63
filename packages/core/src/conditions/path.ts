import type { Json } from "../arguments/json-snapshot.ts";
import type { Facts } from "./facts.ts";

export type Step =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "index"; readonly index: number }
  /** `[*]`: each element of the list found so far. */
  | { readonly kind: "elements" };

export type Root = "args" | "context" | "tool" | "time" | "item";

/** A parsed path: where reading starts, and the steps from there. */
export interface Path {
  readonly root: Root;
  readonly steps: readonly Step[];
}

/** Why a text is no path. */
export interface PathError {
  /** What is wrong, in one sentence without a period. */
  readonly error: string;
  readonly fix: string;
  /** Where, as an offset into the text, in UTF-16 code units. */
  readonly at: number;
}

/**
 * Reads the text of a path. It starts at `args`, `context.`, `tool.` or `time.`, or at `item` where `within: "each"` says so; then come `.name`,
 * `[0]`, `[*]` and `["a quoted key"]`. Answers a `PathError` rather than throwing, since a loader reports all errors at once.
 *
 * @example
 * const path = parsePath('args.recipients[*]["e.mail"]');
 */
export function parsePath(text: string, options: { readonly within?: "each" | undefined } = {}): Path | PathError {
  const root = /^(?:args|context|tool|time|item)(?=[.[]|$)/.exec(text)?.[0] as Root | undefined;
  const roots = options.within === "each" ? "`item`, `args`, `context.`, `tool.` or `time.`" : "`args`, `context.`, `tool.` or `time.`";
  if (root === undefined) return { error: `a path cannot start like \`${text}\``, fix: `start it at ${roots}`, at: 0 };
  if (root === "item" && options.within !== "each")
    return { error: "`item` stands only inside `each`", fix: `start the path at ${roots}`, at: 0 };
  const steps = parseSteps(text, root.length);
  if ("error" in steps) return steps;
  return rootError(root, steps) ?? { root, steps };
}

export function isPathError(parsed: Path | PathError): parsed is PathError {
  return "error" in parsed;
}

/** The one text of a path: two texts that mean the same path have the same canonical text. */
export function formatPath(path: Path): string {
  return path.root + path.steps.map(formatStep).join("");
}

/** Whether the path holds `[*]`, and so names many values. */
export function isQuantified(path: Path): boolean {
  return path.steps.some((step) => step.kind === "elements");
}

/**
 * What the path finds, `undefined` where it is absent. Only own properties of objects and elements of arrays are found: strings and arrays have
 * no properties. A path with `[*]` names no single value and is absent here.
 */
export function readPath(path: Path, facts: Facts, item?: Json): Json | undefined {
  return compileSteps(path.steps)(rootValue(path.root, facts, item));
}

export function rootValue(root: Root, facts: Facts, item: Json | undefined): Json | undefined {
  return root === "item" ? item : facts[root];
}

/** Reads the steps from a value, without allocating; from what is absent they find nothing. */
export function compileSteps(steps: readonly Step[]): (start: Json | undefined) => Json | undefined {
  const [first, second] = steps;
  if (first === undefined) return (start) => start;
  if (second === undefined && first.kind === "name") return (start) => ownValue(start, first.name);
  if (steps.length === 2 && first.kind === "name" && second?.kind === "name") {
    return function readTwo(start) {
      return ownValue(ownValue(start, first.name), second.name);
    };
  }
  return function readSteps(start) {
    let value: Json | undefined = start;
    for (const step of steps) {
      if (step.kind === "elements") return undefined;
      value = step.kind === "name" ? ownValue(value, step.name) : element(value, step.index);
      if (value === undefined) return undefined;
    }
    return value;
  };
}

/** An own property of an object that is no array. JSON holds no `undefined`, so that `undefined` means absent. */
export function ownValue(value: Json | undefined, name: string): Json | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, name) ? (value as { readonly [key: string]: Json })[name] : undefined;
}

function element(value: Json | undefined, index: number): Json | undefined {
  return Array.isArray(value) && index < value.length ? (value[index] as Json) : undefined;
}

/** A lone `*` is read as every element elsewhere: as a name it would be absent from nearly every call, and a rule on it would stop none. */
const nameStep = /\.((?!\*(?:[.[]|$))[^.[\]"\p{Cc}]+)/uy;
const bracketStep = /\[(?:(0|[1-9][0-9]*)|(\*)|("(?:[^"\\]|\\.)*"))\]/uy;

function parseSteps(text: string, start: number): Step[] | PathError {
  const steps: Step[] = [];
  let at = start;
  while (at < text.length) {
    const pattern = text[at] === "." ? nameStep : bracketStep;
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    const step = found === null ? undefined : stepOf(found, pattern);
    if (found === null || step === undefined) return stepError(text, at);
    steps.push(step);
    at += found[0].length;
  }
  return steps;
}

function stepOf([, first, star, quoted]: RegExpExecArray, pattern: RegExp): Step | undefined {
  if (pattern === nameStep) return { kind: "name", name: first as string };
  if (star !== undefined) return { kind: "elements" };
  if (quoted === undefined) return Number.isSafeInteger(Number(first)) ? { kind: "index", index: Number(first) } : undefined;
  try {
    return { kind: "name", name: JSON.parse(quoted) as string };
  } catch {
    return undefined;
  }
}

function stepError(text: string, at: number): PathError {
  const rest = text.slice(at);
  if (rest.startsWith('["'))
    return { error: `the quoted key at \`${rest}\` is no JSON string in brackets`, fix: 'write it as `["a key"]`', at };
  if (rest.startsWith("["))
    return {
      error: `\`${rest}\` does not start with an element`,
      fix: 'write `[0]`, `[*]` or `["a key"]`, without a sign or leading zeros',
      at,
    };
  if (rest.startsWith(".*"))
    return {
      error: "`.*` would be a key that is called `*`, not every element of a list",
      fix: 'write `[*]` for every element, or `["*"]` for that key',
      at,
    };
  if (rest.startsWith(".[")) return { error: "there is a dot before a bracket", fix: "write `args.list[0]`", at };
  if (rest.startsWith("."))
    return { error: "a name is missing after the dot", fix: 'write `.name`, or `["a.b"]` for a key with dots, brackets or quotes', at };
  return { error: `\`${rest}\` follows without a dot or bracket`, fix: 'write `.name`, `[0]`, `[*]` or `["a key"]`', at };
}

const timeFields = ["hour", "weekday", "date"];
const toolFields = ["name", "server", "category", "description", "annotations"];

function rootError(root: Root, steps: readonly Step[]): PathError | undefined {
  const [first, second] = steps;
  if (root === "item" || (root === "args" && first === undefined)) return undefined;
  const at = root.length;
  if (first === undefined)
    return { error: `\`${root}\` alone names no value`, fix: `name a field, such as \`${root}.${example(root)}\``, at };
  if (first.kind !== "name")
    return { error: `\`${root}\` is an object and has no elements`, fix: `name a field, such as \`${root}.${example(root)}\``, at };
  const fields = root === "time" ? timeFields : root === "tool" ? toolFields : undefined;
  if (fields === undefined) return undefined;
  if (!fields.includes(first.name)) {
    return {
      error: `\`${root}\` has no field \`${first.name}\``,
      fix: `use one of ${fields.map((field) => `\`${field}\``).join(", ")}`,
      at,
    };
  }
  if (second === undefined || first.name === "annotations") return undefined;
  return {
    error: `\`${root}.${first.name}\` holds no fields or elements`,
    fix: `write \`${root}.${first.name}\``,
    at: at + formatStep(first).length,
  };
}

function example(root: Root): string {
  return { args: "amount", context: "tenant", tool: "name", time: "hour", item: "price" }[root];
}

const bareName = /^(?!\*$)[^.[\]"\p{Cc}]+$/u;

function formatStep(step: Step): string {
  if (step.kind === "elements") return "[*]";
  if (step.kind === "index") return `[${step.index}]`;
  return bareName.test(step.name) ? `.${step.name}` : `[${JSON.stringify(step.name)}]`;
}
