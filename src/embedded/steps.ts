import { setInterval } from 'node:timers';

/** One thing that is being done while somebody waits for it. */
export type Step = {
  /** Says what it is busy with at the moment. */
  doing(detail: string): void;
  /** How far it has come, in bytes; the total is left out where nobody knows it. */
  progress(doneBytes: number, totalBytes?: number): void;
  done(detail?: string): void;
  failed(reason: string): void;
};

/** Begins a step and shows it until it is done or has failed. */
export type Report = (title: string) => Step;

type Output = { isTTY?: boolean; columns?: number; write(text: string): unknown };
type Running = { title: string; startedAt: number; detail: string; bytes: string };

const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** Nothing is shown at all. */
export const silentReport: Report = () => ({ doing() {}, progress() {}, done() {}, failed() {} });

/**
 * Steps as a person wants to see them: one live line on a terminal, plain lines anywhere else, where a step that
 * takes long says every few seconds that it still goes on.
 */
export function createReport(output: Output, options: { stillWorkingMs?: number } = {}): Report {
  const running = new Set<Running>();
  const live = output.isTTY === true;
  let timer: NodeJS.Timeout | undefined;
  let frame = 0;

  const draw = () => {
    frame += 1;
    const parts = [...running].map((step) => describe(step, live));
    const line = `${SPINNER[frame % SPINNER.length]} ${parts.join('  ·  ')}`;
    output.write(`\r\x1b[2K${line.slice(0, (output.columns || 80) - 1)}`);
  };
  const remind = () => {
    for (const step of running) output.write(`  … ${describe(step, live)}, still working\n`);
  };
  const line = (text: string) => output.write(live ? `\r\x1b[2K${text}\n` : `${text}\n`);
  const begin = (step: Running) => {
    running.add(step);
    if (!live) line(`• ${step.title}`);
    timer ??= setInterval(live ? draw : remind, live ? 100 : (options.stillWorkingMs ?? 3_000));
    // Showing something is never a reason to keep the process alive.
    timer.unref();
  };
  const end = (step: Running, text: string) => {
    if (!running.delete(step)) return;
    line(text);
    if (running.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };

  return (title) => {
    const step: Running = { title, startedAt: performance.now(), detail: '', bytes: '' };
    begin(step);
    return {
      doing(detail) {
        step.detail = detail;
        step.bytes = '';
      },
      progress(doneBytes, totalBytes) {
        step.bytes = totalBytes === undefined ? megabytes(doneBytes) : bar(doneBytes, totalBytes);
      },
      done(detail) {
        end(step, `✔ ${title}${detail === undefined ? '' : `: ${detail}`} (${seconds(step)})`);
      },
      failed(reason) {
        end(step, `✘ ${title}: ${reason}`);
      },
    };
  };
}

function describe(step: Running, live: boolean): string {
  const title = step.detail === '' ? step.title : `${step.title}: ${step.detail}`;
  const bytes = live || step.bytes === '' ? step.bytes : step.bytes.replace(/^\[.*\] /, '');
  return [title, bytes, seconds(step)].filter((part) => part !== '').join(', ');
}

function seconds(step: Running): string {
  return `${((performance.now() - step.startedAt) / 1_000).toFixed(1)} s`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function bar(done: number, total: number): string {
  const filled = Math.round(20 * Math.min(1, done / total));
  return `[${'█'.repeat(filled)}${'░'.repeat(20 - filled)}] ${(done / 1e6).toFixed(1)} of ${megabytes(total)}`;
}
