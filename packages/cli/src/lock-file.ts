import { existsSync } from "node:fs";
import { changedParts, type Pins, parsePins, type ToolDefinition } from "@holdpoint/core";
import { failureIn } from "./failure.ts";
import { parseJson } from "./json-file.ts";
import { readText } from "./policy-file.ts";

/** The lock of a project lies beside its policies. */
export const lockName = "holdpoint.lock";

/** @throws {Failure} where the file is missing or cannot be fully understood. */
export async function readLock(path: string): Promise<Pins> {
  const text = await readText(path);
  try {
    return parsePins(parseJson(path, text));
  } catch (error) {
    throw failureIn(path, error);
  }
}

export async function readLockIfThere(path: string): Promise<Pins | undefined> {
  return existsSync(path) ? readLock(path) : undefined;
}

/** One tool that is not as it was accepted. */
export interface Drift {
  readonly tool: string;
  readonly problem: string;
}

/** The tools that a server lists once, and what is to be said of each of the others: the guard denies them, since nobody can tell which one counts. */
export function apartFromRepeated<Tool extends { readonly name: string }>(
  tools: readonly Tool[],
): { readonly once: readonly Tool[]; readonly repeated: readonly Drift[] } {
  const byName = Map.groupBy(tools, ({ name }) => name);
  return {
    once: tools.filter(({ name }) => byName.get(name)?.length === 1),
    repeated: [...byName].flatMap(([tool, { length }]) =>
      length === 1 ? [] : [{ tool, problem: "is listed twice: it is not pinned, and every call of it is denied" }],
    ),
  };
}

/** How the tools of a server differ from their pins. `undefined` where the lock does not name the server. */
export function driftOf(lock: Pins, server: string, tools: readonly ToolDefinition[]): readonly Drift[] | undefined {
  const pinned = lock.servers.find((each) => each.server === server);
  if (!pinned) return undefined;
  const pins = new Map(pinned.tools.map((pin) => [pin.name, pin]));
  const { once, repeated } = apartFromRepeated(tools);
  const listed = new Map(once.map((tool) => [tool.name, tool]));
  const present = [...listed].flatMap(([name, tool]): Drift[] => {
    const pin = pins.get(name);
    if (!pin) return [{ tool: name, problem: "is new: it is not in the lock" }];
    const parts = changedParts(pin, tool);
    return parts.length > 0 ? [{ tool: name, problem: `has changed its ${parts.join(", ")}` }] : [];
  });
  const names = new Set(tools.map(({ name }) => name));
  const gone = [...pins.keys()].filter((name) => !names.has(name));
  return [...repeated, ...present, ...gone.map((tool) => ({ tool, problem: "is gone: the server lists it no more" }))];
}
