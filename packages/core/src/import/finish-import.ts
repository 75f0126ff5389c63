import { jsonPointer } from "../arguments/json-pointer.ts";
import { parsePolicy } from "../policy/load-policy.ts";
import { PolicyError } from "../policy/policy-error.ts";
import type { PolicyDocument } from "../policy/policy-schema.ts";
import { ImportError, type ImportLog, type ImportNote } from "./import-log.ts";

/** A policy that was imported, loaded and frozen, and what its reader should know about how it was read. */
export interface Imported {
  readonly policy: PolicyDocument;
  readonly notes: readonly ImportNote[];
}

/** Loads what an importer has put together, so that what it answers is a policy. Throws `ImportError` with every issue if there is one. */
export function finishImport(format: string, document: PolicyDocument, log: ImportLog): Imported {
  const effective = withoutDeadParts(document, log);
  const notes = log.close();
  return { policy: asImport(format, () => parsePolicy(effective)), notes };
}

/** Runs what loads a policy, so that whatever keeps it from loading is said of the document that is imported. */
export function asImport<Read>(format: string, read: () => Read): Read {
  try {
    return read();
  } catch (error) {
    if (PolicyError.is(error)) throw new ImportError(format, error.issues);
    throw error;
  }
}

/** In the reference systems rules of a tool that nobody can call are idle; in Holdpoint an entry without effect does not load. */
function withoutDeadParts(document: PolicyDocument, log: ImportLog): PolicyDocument {
  const { tools = {}, all_tools, ...rest } = document;
  const { hide } = document;
  const hidden = new Set(Array.isArray(hide) ? hide : []);
  const live = Object.entries(tools).filter(([name]) => hide !== "*" && !hidden.has(name));
  for (const name of Object.keys(tools)) {
    if (hide === "*" || hidden.has(name)) log.note(`/tools${jsonPointer([name])}`, `\`${name}\` is hidden: its rules are left out`);
  }
  const idle = hide === "*" || (document.default === "deny" && live.length === 0);
  if (all_tools && idle) log.note("", "no tool can be called: the rules for every tool are left out");
  return { ...rest, ...(all_tools && !idle && { all_tools }), ...(live.length > 0 && { tools: Object.fromEntries(live) }) };
}
