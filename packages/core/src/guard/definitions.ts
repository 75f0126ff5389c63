import { contentHash } from "../arguments/canonical-json.ts";
import { compileInputSchema, type Judge } from "../arguments/input-schema.ts";
import type { Json, JsonObject } from "../arguments/json-snapshot.ts";
import { takeSnapshot } from "../arguments/json-snapshot.ts";
import { classify } from "../risk/index.ts";
import { changedParts, type Pin, type ToolDefinition } from "./pins.ts";

/** What is known of a tool when a call to it is decided. */
export type Definition =
  | { readonly state: "not_needed" }
  | {
      readonly state: "known";
      /** SHA-256 of the definition's canonical JSON, in hex. */
      readonly digest: string;
      /** Judges arguments by the server's `inputSchema`; text where that schema cannot be used, absent where there is none. */
      readonly judge: Judge | string | undefined;
      /** `tool.*` for conditions. */
      readonly facts: JsonObject;
      /** Top-level properties that the schema declares: their names may be recorded. */
      readonly declared: ReadonlySet<string>;
      readonly source: ToolDefinition;
    }
  | { readonly state: "unknown" | "unusable" | "changed" | "unpinned"; readonly problem: string };

export interface CatalogOptions {
  readonly server: string;
  /** Lists the server's tools, every page. Called when a definition is needed and none is known, and after the list has changed. */
  readonly list: () => Promise<readonly unknown[]>;
  /** The server's part of `holdpoint.lock`. A tool that is not in it, is listed twice, or differs is denied. */
  readonly pins?: readonly Pin[] | undefined;
  /** Told when a list differs from the one before, or from the pins. */
  readonly onChange?: ((change: CatalogChange) => void) | undefined;
}

export interface CatalogChange {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/** A server that changes its list more often than this while it is read gets no call through until the next one asks again. */
const mostListings = 5;

/** The tools of one server as it last listed them. A server's list is a claim and hostile input: it is copied, bounded, and judged tool by tool. */
export interface Catalog {
  /** Settles when the definitions are those of the server's newest list. Rejects when the server cannot be asked. */
  ready(): Promise<void> | undefined;
  definition(tool: string): Definition;
  /** Takes a complete list that the client saw anyway. */
  learn(tools: readonly unknown[]): void;
  /** The server said that its list changed: the next call waits for the new one. */
  invalidate(): void;
}

/**
 * @example
 * const catalog = createCatalog({ server: "files", list: async () => (await client.listTools()).tools });
 */
export function createCatalog(options: CatalogOptions): Catalog {
  let definitions: ReadonlyMap<string, Definition> | undefined;
  let before: ReadonlyMap<string, Definition> | undefined;
  let listing: Promise<void> | undefined;
  let generation = 0;

  function learn(tools: readonly unknown[]): void {
    definitions = readDefinitions(tools, options);
    generation++;
    if (before && options.onChange) report(before, definitions, options.onChange);
    before = definitions;
  }
  async function list(): Promise<void> {
    try {
      for (let attempt = 1; definitions === undefined && attempt <= mostListings; attempt++) {
        const asked = generation;
        const tools = await options.list();
        // A list that changed while it was read is not the newest one.
        if (generation === asked) learn(tools);
      }
    } finally {
      listing = undefined;
    }
  }
  function ready(): Promise<void> | undefined {
    if (definitions) return undefined;
    listing ??= list();
    return listing;
  }

  return {
    ready,
    learn,
    definition: (tool) => definitions?.get(tool) ?? { state: "unknown", problem: `the server does not list \`${tool}\`` },
    invalidate() {
      generation++;
      definitions = undefined;
    },
  };
}

function readDefinitions(tools: readonly unknown[], options: CatalogOptions): ReadonlyMap<string, Definition> {
  const pins = options.pins && new Map(options.pins.map((pin) => [pin.name, pin]));
  const definitions = new Map<string, Definition>();
  for (const candidate of tools) {
    const name = nameOf(candidate);
    if (name === undefined) continue;
    definitions.set(name, definitions.has(name) ? listedTwice(name) : readDefinition(name, candidate, options.server, pins));
  }
  return definitions;
}

function listedTwice(name: string): Definition {
  return { state: "unusable", problem: `the server lists \`${name}\` twice` };
}

function nameOf(candidate: unknown): string | undefined {
  if (candidate === null || typeof candidate !== "object") return undefined;
  const name = Object.getOwnPropertyDescriptor(candidate, "name")?.value;
  return typeof name === "string" ? name : undefined;
}

function readDefinition(name: string, candidate: unknown, server: string, pins: ReadonlyMap<string, Pin> | undefined): Definition {
  const snapshot = takeSnapshot(candidate);
  if (!snapshot.ok) return { state: "unusable", problem: `the definition of \`${name}\` cannot be read: ${snapshot.problem}` };
  const source = snapshot.value as unknown as ToolDefinition;
  if (pins) {
    const pin = pins.get(name);
    if (!pin) return { state: "unpinned", problem: `\`${name}\` is not in the lock` };
    const parts = changedParts(pin, source);
    if (parts.length > 0) return { state: "changed", problem: `\`${name}\` differs from the lock in ${parts.join(", ")}` };
  }
  let judge: Judge | string | undefined;
  let judged = false;
  return {
    state: "known",
    digest: contentHash(snapshot.value),
    get judge() {
      if (!judged) {
        judge = judgeOf(source.inputSchema);
        judged = true;
      }
      return judge;
    },
    facts: toolFacts(source, server),
    declared: declaredProperties(source.inputSchema),
    source,
  };
}

function judgeOf(inputSchema: unknown): Judge | string | undefined {
  if (inputSchema === undefined) return undefined;
  const compiled = compileInputSchema(inputSchema);
  return compiled.ok ? compiled.judge : compiled.problem;
}

function toolFacts(source: ToolDefinition, server: string): JsonObject {
  const facts: Record<string, Json> = { name: source.name, server };
  if (source.description !== undefined) facts.description = source.description;
  if (source.annotations !== undefined) facts.annotations = source.annotations as Json;
  let category: string | undefined;
  Object.defineProperty(facts, "category", {
    enumerable: true,
    get() {
      category ??= classify(source as Parameters<typeof classify>[0]).category;
      return category;
    },
  });
  return facts;
}

function declaredProperties(inputSchema: unknown): ReadonlySet<string> {
  const properties = (inputSchema as { properties?: unknown } | undefined)?.properties;
  return new Set(properties !== null && typeof properties === "object" ? Object.keys(properties) : []);
}

function report(
  before: ReadonlyMap<string, Definition>,
  after: ReadonlyMap<string, Definition>,
  onChange: (change: CatalogChange) => void,
): void {
  const added = [...after.keys()].filter((name) => !before.has(name));
  const removed = [...before.keys()].filter((name) => !after.has(name));
  const changed = [...after.keys()].filter((name) => before.has(name) && digestOf(before.get(name)) !== digestOf(after.get(name)));
  if (added.length + removed.length + changed.length > 0) onChange({ added, removed, changed });
}

function digestOf(definition: Definition | undefined): string {
  return definition?.state === "known" ? definition.digest : (definition?.state ?? "");
}
