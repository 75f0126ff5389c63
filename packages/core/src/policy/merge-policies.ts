import { jsonPointer, type PointerToken } from "../arguments/json-pointer.ts";
import { formatPath, type Path, parsePath } from "../conditions/path.ts";
import { scopesOf } from "../limits/limits.ts";
import { parseWindow, windowKey } from "../limits/window.ts";
import { differenceOf, meterOf, type PlacedLimit } from "./limit-checks.ts";
import { loadPolicy } from "./load-policy.ts";
import { intersectPaths } from "./path-sets.ts";
import { PolicyError, type PolicyIssue } from "./policy-error.ts";
import type { PolicyDocument, RuleLists } from "./policy-schema.ts";

/** Policies that all have to let a call pass. Made by `mergePolicies`. */
export interface MergedPolicy {
  readonly layers: readonly PolicyDocument[];
}

/**
 * Puts policies on top of each other: a call passes the result if and only if it passes each of them. Every layer decides by itself, and the ids of its rules
 * start with `/layers/0`, `/layers/1` and so on. What is recorded is what all layers record; what is secret in one is secret.
 *
 * Layers may share a counter where they count alike, on the same tools; the smaller `max` decides. A counter that they would charge differently is an
 * error, since then one layer would spend what the other one grants. So is what another layer leaves without effect: rules of a tool that it never
 * admits, and a recorded field that it does not record.
 *
 * @throws {PolicyError} when a layer does not load, or the layers do not go together, with every reason at once.
 *
 * @example
 * const policy = mergePolicies(companyPolicy, teamPolicy);
 */
export function mergePolicies(...policies: (PolicyDocument | MergedPolicy)[]): MergedPolicy {
  const documents = policies.flatMap((policy) => ("layers" in policy ? policy.layers : [policy]));
  if (documents.length === 0) throw new PolicyError([{ pointer: "", message: "there is no policy to merge", fix: "give at least one" }]);
  const layers = loadLayers(documents);
  const issues = [...unadmittedTools(layers), ...clashingCounters(layers), ...unrecordedFields(layers)];
  if (issues.length > 0) throw new PolicyError(issues);
  return Object.freeze({ layers: Object.freeze(layers) });
}

function loadLayers(documents: readonly PolicyDocument[]): readonly PolicyDocument[] {
  const issues: PolicyIssue[] = [];
  const layers = documents.map((document, index) => {
    try {
      return loadPolicy(document);
    } catch (error) {
      if (!PolicyError.is(error)) throw error;
      issues.push(...error.issues.map((issue) => ({ ...issue, pointer: `/layers/${index}${issue.pointer}` })));
      return document;
    }
  });
  if (issues.length > 0) throw new PolicyError(issues);
  return layers;
}

function unadmittedTools(layers: readonly PolicyDocument[]): PolicyIssue[] {
  return layers.flatMap((layer, index) =>
    Object.keys(layer.tools ?? {}).flatMap((name) => {
      const refusing = layers.findIndex((other) => !admits(other, name));
      if (refusing === -1) return [];
      const message = `\`/layers/${refusing}\` never admits \`${name}\`, so its rules can have no effect`;
      return [{ pointer: jsonPointer(["layers", index, "tools", name]), message, fix: "list the tool there, or take it out here" }];
    }),
  );
}

function admits({ default: verdict, hide = [], tools = {} }: PolicyDocument, name: string): boolean {
  if (hide === "*" || hide.some((entry) => (typeof entry === "string" ? entry : entry.name) === name)) return false;
  return verdict === "allow" || Object.hasOwn(tools, name);
}

interface Counter {
  readonly layer: number;
  readonly limits: PlacedLimit[];
}

function clashingCounters(layers: readonly PolicyDocument[]): PolicyIssue[] {
  const issues: PolicyIssue[] = [];
  const first = new Map<string, Counter>();
  for (const [layer, document] of layers.entries()) {
    for (const [key, limits] of countersOf(document)) {
      const former = first.get(key);
      if (former === undefined) first.set(key, { layer, limits });
      else issues.push(...clash(former, { layer, limits }));
    }
  }
  return issues;
}

/** The limits of a policy by what makes up a counter's key, apart from the caller. */
function countersOf(document: PolicyDocument): Map<string, PlacedLimit[]> {
  const counters = new Map<string, PlacedLimit[]>();
  const places: [at: readonly PointerToken[], rules: RuleLists][] = [[["all_tools"], document.all_tools ?? {}]];
  for (const [name, rules] of Object.entries(document.tools ?? {})) places.push([["tools", name], rules]);
  for (const [at, { limits = [] }] of places) {
    for (const [index, limit] of limits.entries()) {
      const key = JSON.stringify([limit.counter, windowKey(parseWindow(limit)), scopesOf(limit), limit.across]);
      const placed = { limit, at: [...at, "limits", index] };
      const former = counters.get(key);
      if (former === undefined) counters.set(key, [placed]);
      else former.push(placed);
    }
  }
  return counters;
}

function clash(former: Counter, next: Counter): PolicyIssue[] {
  const fix = "name one of the counters differently";
  const [one, other] = [former.limits[0], next.limits[0]] as [PlacedLimit, PlacedLimit];
  const pointer = jsonPointer(["layers", next.layer, ...other.at]);
  const elsewhere = `\`${jsonPointer(["layers", former.layer, ...one.at])}\``;
  const differing = differenceOf(one.limit, other.limit);
  if (differing !== undefined) {
    return [
      {
        pointer,
        message: `counter \`${other.limit.counter}\` has another \`${differing}\` at ${elsewhere}`,
        fix: `give both the same \`${differing}\`, or ${fix}`,
      },
    ];
  }
  if (JSON.stringify(charges(former)) === JSON.stringify(charges(next))) return [];
  return [
    {
      pointer,
      message: `counter \`${other.limit.counter}\` is charged by other tools or arguments at ${elsewhere}`,
      fix: `count the same calls in both, or ${fix}`,
    },
  ];
}

/** Which calls charge a counter, and with what. */
function charges({ limits }: Counter): readonly string[] {
  return [...new Set(limits.map(({ limit, at }) => JSON.stringify([at.slice(0, -2), meterOf(limit)])))].sort();
}

function unrecordedFields(layers: readonly PolicyDocument[]): PolicyIssue[] {
  const recorded = layers.map(recordedFields);
  return layers.flatMap((_, index) =>
    (recorded[index] ?? []).flatMap(({ path, at }) => {
      const silent = recorded.findIndex(
        (others) =>
          intersectPaths(
            [path],
            others.map((other) => other.path),
          ).length === 0,
      );
      if (silent === -1) return [];
      const message = `\`/layers/${silent}\` does not record \`${formatPath(path)}\`, so it is never recorded`;
      return [{ pointer: jsonPointer(["layers", index, ...at]), message, fix: "record it in every layer, or take it out here" }];
    }),
  );
}

function recordedFields(document: PolicyDocument): { readonly path: Path; readonly at: readonly PointerToken[] }[] {
  const audits: [at: readonly PointerToken[], audit: PolicyDocument["audit"]][] = [
    [["audit"], document.audit],
    [["all_tools", "audit"], document.all_tools?.audit],
  ];
  for (const [name, { audit }] of Object.entries(document.tools ?? {})) audits.push([["tools", name, "audit"], audit]);
  return audits.flatMap(([at, audit]) =>
    (audit?.record ?? []).map((text, index) => ({ path: parsePath(text) as Path, at: [...at, "record", index] })),
  );
}
