import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The laws, and the areas to which each applies: an area's own tests must cite it. */
export const laws = {
  "nothing-leaves-unchecked": ["core", "mcp", "ai-sdk", "langchain"],
  "sent-is-checked": ["core", "mcp", "ai-sdk", "langchain"],
  "fail-closed": ["core", "mcp", "ai-sdk", "langchain", "stores"],
  "strict-load": ["core"],
  "deny-wins": ["core"],
  "no-over-admission": ["core", "mcp", "ai-sdk", "langchain", "stores"],
  "refused-spends-nothing": ["core", "mcp", "ai-sdk", "langchain", "stores"],
  "one-decision-one-record": ["core", "mcp", "ai-sdk", "langchain"],
  "well-formed-refusal": ["mcp", "ai-sdk", "langchain"],
  "transparent-allow": ["mcp", "ai-sdk", "langchain"],
  "decided-once": ["core", "mcp", "ai-sdk", "langchain"],
} as const satisfies Record<string, readonly Area[]>;

export type Law = keyof typeof laws;
export type Area = "core" | "mcp" | "ai-sdk" | "langchain" | "stores";

const places: Record<Area, readonly string[]> = {
  core: ["packages/core/{src,test}/**/*.test.ts", "test/laws/*.test.ts", "test/model/*.test.ts"],
  mcp: ["packages/mcp/{src,test}/**/*.test.ts", "test/mcp/**/*.test.ts"],
  "ai-sdk": ["packages/ai-sdk/{src,test}/**/*.test.ts", "test/ai-sdk/**/*.test.ts"],
  langchain: ["packages/langchain/{src,test}/**/*.test.ts", "test/langchain/**/*.test.ts"],
  stores: ["packages/stores/{src,test}/**/*.test.ts", "test/stores/**/*.test.ts", "packages/testing/src/contracts/*.ts"],
};

export const repository = fileURLToPath(new URL("../..", import.meta.url));

/** Every law id that starts a title in an area's tests. */
export function citedIn(area: Area): ReadonlySet<string> {
  const files = globSync([...places[area]], { cwd: repository, exclude: ["**/node_modules/**"] });
  return new Set(files.flatMap((file) => lawsIn(readFileSync(`${repository}/${file}`, "utf8"))));
}

/** The law ids that start titles of tests in a text. */
export function lawsIn(text: string): readonly string[] {
  return [...withoutIdleTests(text).matchAll(/["`]((?:\[[a-z-]+\] )+)/g)].flatMap(([, ids = ""]) =>
    [...ids.matchAll(/\[([a-z-]+)\]/g)].map(([, id = ""]) => id),
  );
}

/** What a file of tests says, without comments and the titles of tests that are not run or are expected to fail: those show nothing. */
export function withoutIdleTests(text: string): string {
  return text.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, "").replaceAll(/\.(?:skip|todo|fails)\b[^"`]*(["`])[^"`]*\1/g, "");
}
