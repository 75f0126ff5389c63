import { jsonPointer, type PointerToken } from "../arguments/json-pointer.ts";
import type { PolicyIssue } from "./policy-error.ts";
import { isStandardSchema } from "./policy-schema.ts";

/** Deeper than any condition may nest, and shallow enough for every recursion over the document. */
const deepest = 128;

/**
 * Copies a policy into frozen plain data, which nothing that happens to the input later can change. Objects of the copy have no prototype, so that a
 * look-up never finds what the author did not write, and `__proto__`, `constructor` or `toString` are names like any other.
 *
 * What is no JSON (accessors, class instances, symbols, `undefined`, holes, `NaN`, cycles) is an issue. With `functions`, two things stay as they are: a
 * predicate's `check`, and a Standard Schema as the `arguments` of a tool.
 */
export function snapshotPolicy(input: unknown, { functions }: { functions: boolean }): { document: unknown; issues: PolicyIssue[] } {
  const issues: PolicyIssue[] = [];
  const open = new Set<object>();
  /** The place of the copy, one list for all of them: a list of its own for each value would cost as much as the value is deep. */
  const at: PointerToken[] = [];

  const refuse = (message: string, fix: string): null => {
    issues.push({ pointer: jsonPointer(at), message, fix });
    return null;
  };

  function copy(value: unknown): unknown {
    if (value === null || typeof value === "boolean") return value;
    if (typeof value === "string")
      return value.isWellFormed() ? value : refuse("the text holds half of a surrogate pair", "write well-formed Unicode");
    if (typeof value === "number") return Number.isFinite(value) ? value : refuse(`${value} is no JSON number`, "write a finite number");
    if (isKeptWhole(value, at))
      return functions ? value : refuse("a function cannot stand in JSON", "load a policy with functions by `definePolicy`");
    if (value === undefined) return refuse("the value is undefined", "leave the key out, or give it a value");
    if (typeof value !== "object") return refuse(`a ${typeof value} is no JSON value`, "write plain data; functions go into `predicate`");
    if (at.length > deepest) return refuse(`the document is nested more than ${deepest} levels deep`, "nest less");
    if (open.has(value)) return refuse("the value contains itself", "write it out without the cycle");
    open.add(value);
    const copied = Array.isArray(value) ? copyArray(value) : copyObject(value);
    open.delete(value);
    return copied;
  }

  function copyArray(value: readonly unknown[]): unknown {
    const copied = Array.from({ length: value.length }, (_, index) => copyProperty(value, String(index), index));
    for (const key of Reflect.ownKeys(value)) {
      if (key !== "length" && !(typeof key === "string" && /^[0-9]+$/.test(key)))
        refuse(`the list has the extra property \`${String(key)}\``, "write a plain list");
    }
    return Object.freeze(copied);
  }

  function copyObject(value: object): unknown {
    const prototype = Object.getPrototypeOf(value);
    // A plain object of another realm has another `Object.prototype`, which is the one kind of prototype that has none itself.
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      return refuse("a class instance is no plain data", "write a plain object");
    }
    const copied: Record<string, unknown> = Object.create(null);
    for (const key of Reflect.ownKeys(value)) {
      if (typeof key === "symbol") refuse(`the key ${String(key)} is a symbol`, "use string keys");
      else if (!key.isWellFormed()) refuse("a key holds half of a surrogate pair", "write well-formed Unicode");
      else copied[key] = copyProperty(value, key, key);
    }
    return Object.freeze(copied);
  }

  function copyProperty(holder: object, key: string, token: PointerToken): unknown {
    at.push(token);
    const copied = copyValue(Object.getOwnPropertyDescriptor(holder, key));
    at.pop();
    return copied;
  }

  function copyValue(property: PropertyDescriptor | undefined): unknown {
    if (property === undefined) return refuse("the list has a hole here", "give every element a value");
    if (!("value" in property)) return refuse("the property is an accessor", "write the value itself");
    if (!property.enumerable) return refuse("the property is not enumerable", "write a plain property");
    return copy(property.value);
  }

  return { document: copy(input), issues };
}

function isKeptWhole(value: unknown, at: readonly PointerToken[]): boolean {
  if (at.length === 3 && at[0] === "tools" && at[2] === "arguments") return isStandardSchema(value);
  return typeof value === "function" && at.at(-1) === "check";
}
