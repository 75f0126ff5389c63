import { isPathError, type Json, type JsonObject, type Path, parsePath, type ToolDefinition } from "@holdpoint/core";
import type { SimulatedCall } from "../simulated-call.ts";
import type { Facts } from "./atoms.ts";
import { absent, type Stage, type Value } from "./classes.ts";
import { exampleOf, fitsAt } from "./example-arguments.ts";

/** One tool, as the analysis plays calls to it. */
export interface Scene extends Stage {
  readonly tool: string;
  /** A call in which these values stand at these paths; `undefined` where there can be none. */
  callWith(values: ReadonlyMap<string, Value>): SimulatedCall | undefined;
}

/** Stands for every tool which no policy names: no policy can name a tool so. */
export const anyOtherTool = "*";

/** A Monday. */
const firstDay = Date.UTC(2026, 0, 5);
const dayMs = 86_400_000;

/** `named` are the tools that the policies name: a scene of `anyOtherTool` is a scene of none of them. */
export function sceneOf(tool: string, named: ReadonlySet<string>, definition?: ToolDefinition): Scene {
  const example = exampleOf(definition?.inputSchema);
  const plainName = tool === anyOtherTool ? nameBeside(named) : tool;
  const time: Facts["time"] = { hour: 12, weekday: 1, date: "2026-01-05" };
  return {
    tool,
    names: tool === anyOtherTool ? named : tool,
    factsWith(path, value) {
      const { root, steps } = pathOf(path);
      const facts: Facts = { args: {}, context: { grant: "default" }, tool: { name: plainName, server: "default" }, time };
      return { ...facts, [root]: withValue(facts[root as "args"], steps, value) ?? facts[root as "args"] };
    },
    fits(path, value) {
      const { root, steps } = pathOf(path);
      return value === absent || root !== "args" || fitsAt(definition?.inputSchema, steps, value);
    },
    callWith(values) {
      let args: Json | undefined = example;
      let context: Json | undefined = {};
      for (const [path, value] of values) {
        const { root, steps } = pathOf(path);
        if (root === "args") args = withValue(args, steps, value);
        if (root === "context") context = withValue(context, steps, value);
        if (args === undefined || context === undefined) return undefined;
      }
      const name = values.get("tool.name") ?? plainName;
      if (typeof name !== "string") return undefined;
      return { at: instantWith(values), tool: name, args, context: context as JsonObject & SimulatedCall["context"], result: "ok" };
    },
  };
}

function nameBeside(named: ReadonlySet<string>): string {
  let name = "any_other_tool";
  while (named.has(name)) name += "_";
  return name;
}

type Step = Path["steps"][number];

function pathOf(text: string): Path {
  const path = parsePath(text);
  if (isPathError(path)) throw new Error(`\`${text}\` was a path before`);
  return path;
}

/** A copy with the value at the steps; `undefined` where something else stands in the way. */
function withValue(value: Json | undefined, [step, ...rest]: readonly Step[], replacement: Value): Json | undefined {
  if (step === undefined) return replacement === absent ? undefined : replacement;
  if (step.kind === "name") {
    if (value !== undefined && (typeof value !== "object" || value === null || Array.isArray(value))) return undefined;
    const copy: Record<string, Json> = { ...(value as JsonObject | undefined) };
    const inner = Object.hasOwn(copy, step.name) ? copy[step.name] : undefined;
    if (replacement === absent && inner === undefined) return copy;
    const next = withValue(inner, rest, replacement);
    if (next === undefined && rest.length > 0) return undefined;
    if (next === undefined) delete copy[step.name];
    else Object.defineProperty(copy, step.name, { value: next, enumerable: true, configurable: true, writable: true });
    return copy;
  }
  if (step.kind === "elements" || (value !== undefined && !Array.isArray(value))) return undefined;
  const list: Json[] = [...((value as readonly Json[] | undefined) ?? [])];
  if (replacement === absent) return rest.length === 0 ? list.slice(0, step.index) : list;
  while (list.length <= step.index) list.push(null);
  const next = withValue(rest.length > 0 && list[step.index] === null ? undefined : list[step.index], rest, replacement);
  if (next === undefined) return undefined;
  list[step.index] = next;
  return list;
}

/** An instant with the hour, weekday and date that are asked for, as far as they go together. */
function instantWith(values: ReadonlyMap<string, Value>): number {
  const date = values.get("time.date");
  const weekday = values.get("time.weekday");
  const day = typeof date === "string" ? Date.parse(date) : firstDay + (typeof weekday === "number" ? weekday - 1 : 0) * dayMs;
  const hour = values.get("time.hour");
  return day + (typeof hour === "number" ? hour : 12) * 3_600_000;
}
