import type { Reporter, TestModule } from "vitest/node";

/** Ends a run with the plain line `N passed, N failed`. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    let passed = 0;
    // An error outside of any test, or a file that could not be loaded, is a failure too.
    let failed = errors.length;
    for (const module of modules) {
      failed += module.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") passed += 1;
        else if (state === "failed") failed += 1;
      }
    }
    // After the summary of the default reporter, which is written when this returns.
    process.once("exit", () => console.log(`${passed} passed, ${failed} failed`));
  }
}
