export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** How large a call's arguments may be (law `sent-is-checked`). */
export interface SnapshotBounds {
  /** Bytes of the JSON text in UTF-8. */
  readonly maxBytes: number;
  /** Levels of objects and arrays. */
  readonly maxDepth: number;
  /** Values of every kind, keys not counted. */
  readonly maxNodes: number;
}

export const defaultBounds: SnapshotBounds = { maxBytes: 1024 * 1024, maxDepth: 64, maxNodes: 100_000 };

export type Snapshot =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly code: "not_json" | "too_large"; readonly pointer: string; readonly problem: string };

/**
 * Copies a value into plain JSON, reading each place exactly once, so that getters, proxies, `toJSON` and later mutation change nothing about what is
 * checked and sent. It refuses what JSON cannot carry rather than convert it; only an object's `undefined` properties are left out, as in JSON text.
 *
 * Never throws: what throws while it is read is `not_json`.
 *
 * @example
 * const snapshot = takeSnapshot({ amount: 5, note: undefined });
 * // { ok: true, value: { amount: 5 } }
 */
export function takeSnapshot(value: unknown, bounds: SnapshotBounds = defaultBounds): Snapshot {
  const budget: Budget = { nodes: bounds.maxNodes, units: bounds.maxBytes, maxDepth: bounds.maxDepth };
  try {
    const copied = copy(value, 0, budget);
    // JSON text never needs more than six bytes for a code unit, so most values pass without being written out.
    const used = bounds.maxBytes - budget.units;
    if (used * 6 > bounds.maxBytes && byteLength(copied) > bounds.maxBytes) throw tooLarge(`larger than ${bounds.maxBytes} bytes`);
    return { ok: true, value: copied };
  } catch (error) {
    if (error instanceof Unfit) return { ok: false, code: error.code, pointer: error.pointer(), problem: error.message };
    return { ok: false, code: "not_json", pointer: "", problem: "could not be read" };
  }
}

interface Budget {
  nodes: number;
  /** Code units and punctuation still allowed; a lower bound of the bytes. */
  units: number;
  readonly maxDepth: number;
}

function copy(value: unknown, depth: number, budget: Budget): Json {
  if (--budget.nodes < 0) throw tooLarge("more values than allowed");
  if (value === null) return null;
  switch (typeof value) {
    case "string":
      return text(value, budget);
    case "number":
      if (!Number.isFinite(value)) throw notJson(`${value} is not a JSON number`);
      spend(budget, 1);
      return value === 0 ? 0 : value;
    case "boolean":
      spend(budget, 4);
      return value;
    case "object":
      if (depth >= budget.maxDepth) throw tooLarge(`deeper than ${budget.maxDepth} levels, or a cycle`);
      return Array.isArray(value) ? copyArray(value, depth, budget) : copyObject(value, depth, budget);
    default:
      throw notJson(`a ${typeof value} is not JSON`);
  }
}

function copyObject(source: object, depth: number, budget: Budget): JsonObject {
  if (!isPlain(source)) throw notJson("an instance of a class is not JSON");
  const target: Record<string, Json> = {};
  refuseSymbols(source);
  for (const key of Object.keys(source)) {
    const property = Object.getOwnPropertyDescriptor(source, key);
    if (!property?.enumerable) continue;
    try {
      if (!("value" in property)) throw notJson("an accessor is not JSON");
      if (property.value === undefined) continue;
      text(key, budget);
      const value = copy(property.value, depth + 1, budget);
      if (key === "__proto__") Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
      else target[key] = value;
    } catch (error) {
      throw at(key, error);
    }
  }
  return target;
}

function copyArray(source: readonly unknown[], depth: number, budget: Budget): readonly Json[] {
  if (!Array.isArray(Object.getPrototypeOf(source))) throw notJson("an instance of a class is not JSON");
  refuseSymbols(source);
  const length = source.length;
  if (length > budget.nodes) throw tooLarge("more values than allowed");
  if (Object.keys(source).length !== length) throw notJson("a list with holes or extra properties is not JSON");
  const target: Json[] = new Array(length);
  for (let index = 0; index < length; index++) {
    const property = Object.getOwnPropertyDescriptor(source, index);
    try {
      if (!property || !("value" in property)) throw notJson("an accessor or a hole is not JSON");
      target[index] = copy(property.value, depth + 1, budget);
    } catch (error) {
      throw at(index, error);
    }
  }
  return target;
}

/** `Reflect.ownKeys` would find symbols and keys at once, at several times the cost of the whole copy. */
function refuseSymbols(source: object): void {
  if (Object.getOwnPropertySymbols(source).length > 0) throw notJson("a symbol is not a JSON key");
}

/** Objects of another realm are plain too: what counts is that the prototype is the end of its chain. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return true;
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf");
}

function text(value: string, budget: Budget): string {
  spend(budget, value.length + 2);
  if (!value.isWellFormed()) throw notJson("text with a lone surrogate is not JSON");
  return value;
}

function spend(budget: Budget, units: number): void {
  budget.units -= units + 1;
  if (budget.units < 0) throw tooLarge("larger than allowed");
}

function byteLength(value: Json): number {
  return new TextEncoder().encode(JSON.stringify(value)).length;
}

class Unfit extends Error {
  readonly steps: (string | number)[] = [];
  readonly code: "not_json" | "too_large";
  constructor(code: "not_json" | "too_large", problem: string) {
    super(problem);
    this.code = code;
  }
  pointer(): string {
    return this.steps
      .reverse()
      .map((step) => `/${String(step).toWellFormed().replaceAll("~", "~0").replaceAll("/", "~1")}`)
      .join("");
  }
}

function notJson(problem: string): Unfit {
  return new Unfit("not_json", problem);
}

function tooLarge(problem: string): Unfit {
  return new Unfit("too_large", problem);
}

function at(step: string | number, error: unknown): unknown {
  if (error instanceof Unfit) error.steps.push(step);
  return error;
}
