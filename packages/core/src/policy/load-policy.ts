import { contentHash } from "../arguments/canonical-json.ts";
import { jsonPointer } from "../arguments/json-pointer.ts";
import type { Json } from "../arguments/json-snapshot.ts";
import { parseJsonText } from "./json-text.ts";
import { checkPolicy } from "./policy-checks.ts";
import { PolicyError, type PolicyIssue } from "./policy-error.ts";
import { isStandardSchema, type PolicyDocument } from "./policy-schema.ts";
import { snapshotPolicy } from "./policy-snapshot.ts";
import { shapeIssues } from "./shape-issues.ts";

/**
 * Reads a policy that came as JSON: its text, or the value that was parsed from it. The result is frozen and keeps nothing of the input.
 *
 * Text is the safer of the two: a key that stands twice is an error, where `JSON.parse` would silently keep the last.
 *
 * @throws {PolicyError} when the policy cannot be fully understood, with every reason at once.
 *
 * @example
 * const policy = parsePolicy('{ "version": "1", "default": "deny", "tools": { "get_weather": {} } }');
 */
export function parsePolicy(json: unknown): PolicyDocument {
  return loadPolicy(typeof json === "string" ? parseJsonText(json) : json, { functions: false });
}

/** Every object here was made, checked and frozen by `loadPolicy`; the value says whether functions were allowed in it. */
const loaded = new WeakMap<object, { readonly functions: boolean }>();

/**
 * Checks a policy and copies it into frozen plain data (law `strict-load`). With `functions`, the default, predicates and Standard Schemas may stand in
 * it. Objects of the result have no prototype. A document that was loaded before is answered as it is.
 *
 * @throws {PolicyError} when the policy cannot be fully understood, with every reason at once.
 */
export function loadPolicy(input: unknown, { functions = true }: { readonly functions?: boolean } = {}): PolicyDocument {
  const before = typeof input === "object" && input !== null ? loaded.get(input) : undefined;
  if (before !== undefined && (functions || !before.functions)) return input as PolicyDocument;

  const { document, issues } = snapshotPolicy(input, { functions });
  const report = (issue: PolicyIssue) => issues.push(issue);
  const unreadable = new Set(issues.map(({ pointer }) => pointer));
  // What could not be copied was reported as such; that its stand-in has the wrong shape says nothing new.
  for (const issue of shapeIssues(document)) if (!unreadable.has(issue.pointer)) report(issue);
  const unsound = placesAround(issues);
  checkPolicy(
    document,
    (at) => unsound.size === 0 || !unsound.has(jsonPointer(at)),
    (at, message, fix) => report({ pointer: jsonPointer(at), message, fix }),
  );
  if (issues.length > 0) throw new PolicyError(issues);

  loaded.set(document as object, { functions });
  return document as PolicyDocument;
}

/** The places of the issues and all that they lie within. */
function placesAround(issues: readonly PolicyIssue[]): ReadonlySet<string> {
  const pointers = issues.flatMap(({ pointer }) => pointer.split("/").map((_, index, tokens) => tokens.slice(0, index + 1).join("/")));
  return new Set(pointers);
}

/**
 * Names what a policy says: SHA-256, in lower-case hexadecimal, over its canonical JSON (RFC 8785). A function has no content to hash and counts by its
 * name, and a Standard Schema by its vendor: two policies that differ only inside a predicate have one digest.
 */
export function policyDigest(document: PolicyDocument): string {
  return contentHash(withoutFunctions(document));
}

function withoutFunctions(value: unknown): Json {
  if (isStandardSchema(value)) return { "(schema)": value["~standard"].vendor };
  if (typeof value === "function") return { "(function)": value.name };
  if (Array.isArray(value)) return value.map(withoutFunctions);
  if (value === null || typeof value !== "object") return value as Json;
  const copied: Record<string, Json> = Object.create(null);
  for (const [key, part] of Object.entries(value)) copied[key] = withoutFunctions(part);
  return copied;
}
