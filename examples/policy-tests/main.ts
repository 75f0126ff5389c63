import { startVitest } from "vitest/node";

// Here the packages run from their sources, which both options are for; where they are installed, `vitest run` is all it takes.
const vitest = await startVitest(
  "test",
  [],
  { root: import.meta.dirname, watch: false, configLoader: "native" },
  { ssr: { resolve: { conditions: ["@holdpoint/source"] } } },
);
await vitest.close();
