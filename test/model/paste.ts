import { isDeepStrictEqual } from "node:util";

/** Fails with a case that can be pasted into a test, where the engine and the model say different things. */
export function expectAgreement(given: Readonly<Record<string, unknown>>, engine: unknown, model: unknown): void {
  if (isDeepStrictEqual(engine, model)) return;
  const lines = Object.entries(given).map(([name, value]) => `const ${name} = ${literalOf(value)};`);
  throw new Error(
    ["the engine and the model disagree:", ...lines, `// engine: ${literalOf(engine)}`, `// model:  ${literalOf(model)}`].join("\n"),
  );
}

/** Source text of plain data, with predicates as they were written. */
export function literalOf(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (Object.is(value, -0)) return "-0";
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "undefined";
  if (Array.isArray(value)) return `[${value.map(literalOf).join(", ")}]`;
  if ("predicate" in value) return `predicate("…", ${value.predicate})`;
  const entries = Object.entries(value).map(
    ([key, part]) => `${key === "__proto__" ? '["__proto__"]' : JSON.stringify(key)}: ${literalOf(part)}`,
  );
  return `{ ${entries.join(", ")} }`;
}
