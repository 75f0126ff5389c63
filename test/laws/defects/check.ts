import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repository } from "../laws.ts";
import { type Defect, defects } from "./defects.ts";

/*
 * Breaks the engine or an adapter in one place after the other, and sees that a test which cites the law turns red. A defect that stays green means that
 * the law is not tested. Says `N passed, N failed` in the end, as every run here does.
 */

const vitest = join(repository, "node_modules/vitest/vitest.mjs");

const reports = mkdtempSync(join(tmpdir(), "defects-"));

async function failuresUnder(title: string, { tests }: Defect): Promise<readonly string[]> {
  const report = join(reports, "report.json");
  rmSync(report, { force: true });
  const options = ["--config", "test/laws/defects/vitest.config.ts", "--reporter=json", `--outputFile=${report}`];
  const child = spawn(process.execPath, [vitest, "run", ...options, ...tests], {
    cwd: repository,
    env: { ...process.env, HOLDPOINT_DEFECT: title },
    stdio: ["ignore", "ignore", "inherit"],
  });
  await new Promise((resolve) => child.once("close", resolve));
  const { testResults } = JSON.parse(readFileSync(report, "utf8")) as Report;
  return testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status === "failed").map(({ title }) => title),
  );
}

interface Report {
  readonly testResults: readonly { readonly assertionResults: readonly { readonly status: string; readonly title: string }[] }[];
}

let [passed, failed] = [0, 0];
for (const [title, defect] of Object.entries(defects)) {
  const red = (await failuresUnder(title, defect)).filter((name) => name.includes(`[${defect.law}]`));
  if (red.length > 0) passed++;
  else failed++;
  console.log(red.length > 0 ? `red: ${defect.law}: ${title}` : `STAYED GREEN: ${defect.law}: ${title}: ${defect.tests.join(", ")}`);
}
rmSync(reports, { recursive: true });
console.log(`${passed} passed, ${failed} failed`);
if (failed > 0) process.exitCode = 1;
