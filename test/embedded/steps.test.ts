import { expect, test } from '@jest/globals';
import { createReport } from '../../src/embedded/steps.ts';
import { eventually } from '../support/eventually.ts';

test('without a terminal a long step says in plain lines that it goes on, with bytes where they are known', async () => {
  const output = recorder();
  const step = createReport(output, { stillWorkingMs: 5 })('Temporal');
  step.doing('fetching');
  step.progress(12_300_000, 44_500_000);
  await eventually('it says so', () => output.text.includes('still working'));
  step.done('ready');
  expect(output.text).toMatch(
    /^• Temporal\n( {2}… Temporal: fetching, 12\.3 of 44\.5 MB, [\d.]+ s, still working\n)+✔ Temporal: ready \([\d.]+ s\)\n$/,
  );
});

test('on a terminal one line shows all that runs, with a progress bar, and what is done stays', async () => {
  const output = recorder({ isTTY: true });
  const report = createReport(output);
  const temporal = report('Temporal');
  const postgres = report('Postgres');
  temporal.progress(22_250_000, 44_500_000);
  await eventually('the bar is drawn', () => output.text.includes('[██████████░░░░░░░░░░] 22.3 of 44.5 MB'));
  postgres.done();
  temporal.failed('no network');
  expect(output.text).toMatch(/✔ Postgres \([\d.]+ s\)\n/);
  expect(output.text).toMatch(/✘ Temporal: no network\n$/);
});

function recorder(options: { isTTY?: boolean } = {}) {
  return {
    ...options,
    columns: 200,
    text: '',
    write(text: string) {
      this.text += text;
    },
  };
}
