import { writeFileSync } from 'node:fs';

/** The jest reporter that ends a run with `N passed, N failed[, N skipped]`, for people and programs to read. */
export default class ClosingLine {
  onRunComplete(_contexts, results) {
    // A suite that could not even be loaded has failed no test, and must not look like one without tests.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    const counts = [`${results.numPassedTests} passed`, `${failed} failed`];
    if (skipped > 0) counts.push(`${skipped} skipped`);
    const line = counts.join(', ');
    // Whoever started jest has more to do afterwards, and says this line last.
    const file = process.env.REDRIVE_CLOSING_LINE_FILE;
    if (file === undefined) process.stdout.write(`${line}\n`);
    else writeFileSync(file, line);
  }
}
