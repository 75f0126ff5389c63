// Holdpoint against other engines and another place to stand, each bench in a process of its own: `npm run bench:peers`.

import { spawnSync } from "node:child_process";
import { join } from "node:path";

for (const file of ["decisions.bench.ts", "proxy.bench.ts"]) {
  const { status } = spawnSync(process.execPath, ["--conditions=@holdpoint/source", join(import.meta.dirname, file)], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}
