import { writeFileSync } from 'node:fs';

/** Anything still closing after the last test gets this long; anything open then was leaked by a test. */
const EXIT_WITHIN_MS = 10_000;

/** The jest reporter that ends a run with `N passed, N failed[, N skipped]`, for people and programs to read. */
export default class ClosingLine {
  onRunComplete(_contexts, results) {
    // A suite that could not even be loaded has failed no test, and must not look like one without tests.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    say(closingLine(results.numPassedTests, failed, skipped));
    const timer = setTimeout(() => {
      const open = process.getActiveResourcesInfo().join(', ');
      process.stderr.write(`The tests left something open, which counts as a failure: ${open}\n`);
      say(closingLine(results.numPassedTests, failed + 1, skipped));
      process.exit(1);
    }, EXIT_WITHIN_MS);
    // It runs only where something else keeps the process alive.
    timer.unref();
  }
}

function closingLine(passed, failed, skipped) {
  return [`${passed} passed`, `${failed} failed`, ...(skipped > 0 ? [`${skipped} skipped`] : [])].join(', ');
}

/** The process that started jest has more to do afterwards, and prints the line last. */
function say(line) {
  const file = process.env.REDRIVE_CLOSING_LINE_FILE;
  if (file === undefined) process.stdout.write(`${line}\n`);
  else writeFileSync(file, line);
}
