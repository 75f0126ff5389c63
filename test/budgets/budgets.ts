/** What one package may cost those who install it. A number is raised on purpose, in the change that needs it, and lowered when a change earns it. */
export interface Budget {
  /** Direct runtime dependencies, ours included; optional peers left out. */
  readonly dependencies: number;
  /** By entry: its minified and gzipped size in bytes, its third-party dependencies included, other packages of ours and peers left out. */
  readonly bytes: Readonly<Record<string, number>>;
}

/** Measured sizes with at most about 7 % of room. */
export const budgets: Readonly<Record<string, Budget>> = {
  core: {
    dependencies: 7,
    bytes: {
      ".": 153_000,
      "./node": 10_400,
      "./otel": 1_600,
      "./risk": 17_800,
      "./import": 148_000,
      "./print-types": 2_800,
    },
  },
  mcp: { dependencies: 1, bytes: { ".": 9_300 } },
  "ai-sdk": { dependencies: 2, bytes: { ".": 4_700 } },
  langchain: { dependencies: 2, bytes: { ".": 8_100 } },
  stores: { dependencies: 1, bytes: { "./sqlite": 6_900, "./redis": 8_900, "./postgres": 9_500 } },
  testing: {
    dependencies: 1,
    bytes: {
      ".": 12_300,
      "./msw": 300,
      "./vitest": 5_200,
      "./vitest-reporter": 1_500,
      "./properties": 5_600,
      "./contracts": 8_700,
    },
  },
  cli: { dependencies: 7, bytes: { ".": 190_000 } },
};

/** Modules that Node loads for an import, dependencies included: what an import costs, without a clock. */
export const modules: Readonly<Record<string, number>> = {
  "@holdpoint/core": 200,
  "@holdpoint/core/node": 172,
  "@holdpoint/core/otel": 215,
  "@holdpoint/core/risk": 12,
  "@holdpoint/core/import": 235,
  "@holdpoint/core/print-types": 5,
  "@holdpoint/mcp": 215,
  "@holdpoint/ai-sdk": 225,
  "@holdpoint/langchain": 515,
  "@holdpoint/stores/sqlite": 210,
  "@holdpoint/stores/redis": 212,
  "@holdpoint/stores/postgres": 213,
  "@holdpoint/testing": 222,
};
