import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import nodeModule from "node:module";
import { extname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { loadPolicy, type MergedPolicy, type PolicyDocument, parsePolicy } from "@holdpoint/core";
import { fromIntercept, fromPolicyLayer, type ImportNote, looksLikeIntercept, readYaml } from "@holdpoint/core/import";
import { Failure, failureIn, reasonOf } from "./failure.ts";
import { parseLooseJson } from "./json-file.ts";

export const policyFormats = ["holdpoint", "intercept", "policylayer"] as const;
export type PolicyFormat = (typeof policyFormats)[number];

/** A policy of a file, loaded strictly. */
export interface PolicyFile {
  readonly path: string;
  readonly format: PolicyFormat;
  readonly policy: PolicyDocument | MergedPolicy;
  /** What an import read more strictly than it may have been meant. */
  readonly notes: readonly ImportNote[];
}

/**
 * Reads a policy: JSON, YAML, or the default export of a `.ts` or `.js` file. Without `from`, Holdpoint's and Intercept's keys tell the two apart;
 * PolicyLayer's keys are a part of Holdpoint's, so its meaning must be asked for.
 *
 * @throws {Failure} naming the file, with every issue of a policy that does not load.
 */
export async function readPolicyFile(path: string, { from }: { readonly from?: PolicyFormat | undefined } = {}): Promise<PolicyFile> {
  const extension = extname(path).toLowerCase();
  try {
    if (/^\.[cm]?[jt]s$/.test(extension)) return await fromModule(path, from);
    const text = await readText(path);
    if (extension === ".yaml" || extension === ".yml") return readDocument(path, text, readYaml(text).value, from);
    if (extension === ".json") return readDocument(path, text, parseLooseJson(path, text), from);
  } catch (error) {
    throw failureIn(path, error);
  }
  throw new Failure(`${path}: a policy is a \`.json\`, \`.yaml\`, \`.ts\` or \`.js\` file, told by the ending of its name`);
}

/** The one document of a policy, for commands that have no use for layers. */
export function documentOf({ path, policy }: PolicyFile): PolicyDocument {
  if (!("layers" in policy)) return policy;
  throw new Failure(`${path}: this is a merge of several policies: give one of its layers`);
}

export async function readText(path: string): Promise<string> {
  try {
    return (await readFile(path, "utf8")).replace(/^\uFEFF/, "");
  } catch (error) {
    throw new Failure(`${path}: ${(error as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such file" : reasonOf(error)}`);
  }
}

/** JSON is handed on as text, so that its reader sees a key that stands twice; JSON is YAML, too. */
function readDocument(path: string, text: string, document: unknown, from: PolicyFormat | undefined): PolicyFile {
  const format = from ?? (isIntercept(document) ? "intercept" : "holdpoint");
  if (format === "intercept") return { path, format, ...fromIntercept(text) };
  const source = extname(path).toLowerCase() === ".json" ? text : document;
  if (format === "policylayer") return { path, format, ...fromPolicyLayer(source) };
  return { path, format, policy: parsePolicy(source), notes: [] };
}

/** Keys that only Intercept's policies have. */
function isIntercept(document: unknown): boolean {
  if (looksLikeIntercept(document)) return true;
  return typeof document === "object" && document !== null && ("approvals" in document || "spend" in document);
}

async function fromModule(path: string, from: PolicyFormat | undefined): Promise<PolicyFile> {
  if (from !== undefined && from !== "holdpoint") throw new Failure(`${path}: \`--from ${from}\` reads JSON and YAML, not code`);
  const exported = await defaultExport(path);
  if (exported !== null && typeof exported === "object" && "layers" in exported) {
    const layers = (exported as MergedPolicy).layers.map((layer) => loadPolicy(layer));
    return { path, format: "holdpoint", policy: { ...(exported as MergedPolicy), layers }, notes: [] };
  }
  return { path, format: "holdpoint", policy: loadPolicy(exported), notes: [] };
}

async function defaultExport(path: string): Promise<unknown> {
  if (/^\.[cm]?ts$/.test(extname(path)) && !process.features.typescript) {
    throw new Failure(
      `${path}: this Node (${process.version}) does not run TypeScript: use Node 22.18 or newer, or give the policy as JSON`,
    );
  }
  await readText(path);
  let module: { readonly default?: unknown };
  const hooks = takeModulesForModules();
  try {
    module = await import(pathToFileURL(resolve(path)).href);
  } catch (error) {
    const known = failureIn(path, error);
    throw known instanceof Failure ? known : new Failure(`${path}: the file could not be run: ${reasonOf(error)}`, { cause: error });
  } finally {
    hooks?.deregister();
  }
  if (module.default === undefined) throw new Failure(`${path}: the file has no default export: write \`export default definePolicy(…)\``);
  return module.default;
}

/**
 * `npm init` says `"type": "commonjs"`, and Node takes its word for files that import and export, which compilers and test runners do not. Node before 22.15
 * has no such hooks.
 */
function takeModulesForModules() {
  return nodeModule.registerHooks?.({
    load(url, context, nextLoad) {
      const { format } = context;
      if (!/^file:.*\.[jt]s$/.test(url) || url.includes("/node_modules/") || !format?.startsWith("commonjs")) return nextLoad(url, context);
      const isModule = /^(?:import|export)\b/m.test(readFileSync(fileURLToPath(url), "utf8"));
      return nextLoad(url, isModule ? { ...context, format: format.replace("commonjs", "module") } : context);
    },
  });
}
