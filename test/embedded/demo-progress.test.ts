import { PassThrough } from 'node:stream';
import { expect, test } from '@jest/globals';
import { COUNTED_PARTS, type OperationCounts } from '../../src/domain/operations/operation-counts.ts';
import { progressLine, showProgress } from '../../src/embedded/demo/demo-progress.ts';

function counts(parts: Partial<OperationCounts>): OperationCounts {
  const none = Object.fromEntries(COUNTED_PARTS.map((part) => [part, 0])) as OperationCounts;
  return { ...none, expected: 0, ...parts };
}

test('a line tells what is done, what failed and what waits', () => {
  expect(progressLine(counts({}))).toBe('selecting');
  expect(progressLine(counts({ expected: 2_000, delivered: 999, queued: 1_001 }))).toBe(
    '49 %  999 of 2,000 delivered',
  );
  expect(progressLine(counts({ expected: 10, delivered: 7, failed: 1, scheduled: 2 }))).toBe(
    '80 %  7 of 10 delivered, 1 failed, 2 to be tried again',
  );
});

test('away from a terminal there is a line every two seconds', () => {
  const output = new PassThrough({ encoding: 'utf8' });
  let now = 0;
  const progress = showProgress(output, () => now);
  for (now = 0; now < 5_000; now += 300)
    progress.update(counts({ expected: 5_000, delivered: now, queued: 5_000 - now }));
  progress.end();
  expect(output.read()).toBe('  42 %  2,100 of 5,000 delivered\n  84 %  4,200 of 5,000 delivered\n');
});

test('on a terminal there is a bar, and the cursor is there again at the end', () => {
  const output = Object.assign(new PassThrough({ encoding: 'utf8' }), {
    isTTY: true,
    columns: 100,
    rows: 40,
  });
  const progress = showProgress(output);
  progress.update(counts({ expected: 4, delivered: 4 }));
  progress.end();
  const text = String(output.read());
  expect(text).toContain('4 of 4 delivered');
  expect(text.lastIndexOf('\x1b[?25h')).toBeGreaterThan(text.lastIndexOf('\x1b[?25l'));
});
