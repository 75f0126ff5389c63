import type { Reporter, TestModule, TestSuite, Vitest } from "vitest/node";

/**
 * Ends a run with two plain lines that scripts can read: how many tests were left out, where any were, and `N passed, N failed`.
 *
 * A test counts as the runner judged it, so a `test.fails` that fails has passed. Failed are also a file or suite that broke outside its
 * tests, each unhandled error, each test that never finished, and a run that ends with a non-zero exit code for any other reason, such as
 * a missed coverage threshold. What was skipped is never passed.
 */
export default class CountReporter implements Reporter {
  private counts = { passed: 0, failed: 0, skipped: 0 };

  onInit(vitest: Vitest): void {
    // Only at exit has everything else been printed, and only then is the exit code known: coverage is judged after `onTestRunEnd`.
    if (!vitest.config.watch) process.once("exit", () => this.print());
  }

  onTestRunEnd(testModules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    this.counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const testModule of testModules) this.count(testModule);
  }

  private count(testModule: TestModule): void {
    for (const test of testModule.children.allTests()) {
      const { state } = test.result();
      this.counts[state === "pending" ? "failed" : state] += 1;
    }
    const scopes: (TestModule | TestSuite)[] = [testModule, ...testModule.children.allSuites()];
    this.counts.failed += scopes.filter((scope) => scope.errors().length > 0).length;
  }

  private print(): void {
    const { passed, failed, skipped } = this.counts;
    const broken = failed === 0 && Number(process.exitCode ?? 0) !== 0 ? 1 : 0;
    if (skipped > 0) process.stdout.write(`${skipped} skipped\n`);
    process.stdout.write(`${passed} passed, ${failed + broken} failed\n`);
  }
}
