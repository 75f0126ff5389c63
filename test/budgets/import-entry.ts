// Imports one entry in a process that has loaded nothing else, and prints how many modules that took and how long: `node import-entry.ts <entry>`.
// Without an entry it prints what an empty import takes.

import { registerHooks } from "node:module";

const [entry = "data:text/javascript,"] = process.argv.slice(2);
let modules = 0;
registerHooks({
  load(url, context, nextLoad) {
    if (!url.startsWith("node:")) modules++;
    return nextLoad(url, context);
  },
});
const started = performance.now();
await import(entry);
console.log(JSON.stringify({ modules, ms: performance.now() - started }));
