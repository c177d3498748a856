import cliProgress from 'cli-progress';
import { type OperationCounts, openItems } from '../../domain/operations/operation-counts.ts';
import { count } from './demo-report.ts';

/** Where the demo writes. */
export type DemoOutput = NodeJS.WritableStream & { isTTY?: boolean };

/** Shows how far an operation has come, until `end`. */
export type Progress = { update(counts: OperationCounts): void; end(): void };

const LINE_EVERY_MS = 2_000;

/** A bar on a terminal, a line every other second elsewhere. */
export function showProgress(output: DemoOutput, nowMs: () => number = () => performance.now()): Progress {
  return output.isTTY === true ? bar(output) : lines(output, nowMs);
}

function bar(output: DemoOutput): Progress {
  const shown = new cliProgress.SingleBar({
    stream: output,
    format: '  [{bar}] {percentage} %  {parts}',
    barsize: 28,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    // Signals are the service's own business.
    gracefulExit: false,
  });
  shown.start(1, 0, { parts: 'selecting' });
  return {
    update(counts) {
      shown.setTotal(Math.max(1, counts.expected));
      shown.update(finished(counts), { parts: partsOf(counts) });
    },
    end: () => shown.stop(),
  };
}

function lines(output: DemoOutput, nowMs: () => number): Progress {
  let nextAtMs = nowMs() + LINE_EVERY_MS;
  return {
    update(counts) {
      if (nowMs() < nextAtMs) return;
      nextAtMs = nowMs() + LINE_EVERY_MS;
      output.write(`  ${progressLine(counts)}\n`);
    },
    end() {},
  };
}

/** The state of an operation in one line. */
export function progressLine(counts: OperationCounts): string {
  if (counts.expected === 0) return 'selecting';
  const percent = Math.floor((100 * finished(counts)) / counts.expected);
  return `${percent} %  ${partsOf(counts)}`;
}

function finished(counts: OperationCounts): number {
  return counts.expected - openItems(counts);
}

function partsOf(counts: OperationCounts): string {
  const waiting = counts.scheduled === 0 ? '' : `, ${count(counts.scheduled)} to be tried again`;
  const failed = counts.failed === 0 ? '' : `, ${count(counts.failed)} failed`;
  return `${count(counts.delivered)} of ${count(counts.expected)} delivered${failed}${waiting}`;
}
