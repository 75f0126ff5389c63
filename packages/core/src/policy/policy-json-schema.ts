import * as z from "zod";
import { namedParts, onlyInTypeScript, policySchema } from "./policy-schema.ts";

/** The shape of a `policy.json` as JSON Schema 2020-12, for editors and other languages. What a shape cannot say, only loading does. */
export function policyJsonSchema(): unknown {
  const names = new Map<z.core.$ZodType, string>(Object.entries(namedParts).map(([name, schema]) => [schema, name]));
  // Names stay out of the global registry, which belongs to the application.
  const metadata = Object.assign(z.registry<z.core.GlobalMeta>(), {
    get: (schema: z.core.$ZodType) => ({ ...z.globalRegistry.get(schema), ...(names.has(schema) && { id: names.get(schema) }) }),
  });
  return withoutFunctions(z.toJSONSchema(policySchema, { target: "draft-2020-12", unrepresentable: "any", metadata }));
}

/** Drops the branches that need a value which JSON cannot hold. */
function withoutFunctions(node: unknown): unknown {
  if (Array.isArray(node)) return node.filter((branch) => !needsFunction(branch)).map(withoutFunctions);
  if (node === null || typeof node !== "object") return node;
  return Object.fromEntries(Object.entries(node).map(([key, part]) => [key, withoutFunctions(part)]));
}

function needsFunction(branch: unknown): boolean {
  if (branch === null || typeof branch !== "object") return false;
  const { [onlyInTypeScript]: marked, properties } = branch as Record<string, unknown>;
  return marked === true || Object.values(properties ?? {}).some(needsFunction);
}
