import type { MigrationProgress } from './store/db/batches.ts';
import type { MigrationResult } from './store/db/migrate.ts';

const FIRST_AFTER_MS = 2_000;
const EVERY_MS = 5_000;

/**
 * Tells how far a migration has come, in a line for people and by itself: nothing of one that takes a moment, and one line
 * in five seconds of any other.
 */
export function tellsProgress(
  say: (line: string, progress: MigrationProgress) => void,
): (progress: MigrationProgress) => void {
  const startedAt = performance.now();
  let dueAt = startedAt + FIRST_AFTER_MS;
  let first: { passed: number; at: number } | undefined;
  return (progress) => {
    const at = performance.now();
    if ('before' in progress) first ??= { passed: progress.passed, at };
    if (at < dueAt) return;
    dueAt = at + EVERY_MS;
    const perSecond =
      'before' in progress && first !== undefined
        ? (1_000 * (progress.passed - first.passed)) / (at - first.at)
        : 0;
    say(describeProgress(progress, perSecond), progress);
  };
}

/** The progress of a migration in words: the time that is left where the speed and the whole are known. */
export function describeProgress(progress: MigrationProgress, perSecond: number): string {
  if ('waitsFor' in progress)
    return `${progress.waitsFor}: waits for a moment in which nobody uses what it changes.`;
  const { before, passed, expected } = progress;
  const left = expected - passed;
  const words = [
    `Before ${before}: ${count(passed)}${left > 0 ? ` of about ${count(expected)}` : ''} rows are passed`,
    ...(perSecond >= 1 ? [`${count(perSecond)} a second`] : []),
    ...(perSecond >= 1 && left > 0 ? [`about ${minutes(left / perSecond)} left`] : []),
  ];
  return `${words.join(', ')}.`;
}

/** The result of a migration in words. */
export function describeMigration({ applied, prepared }: Extract<MigrationResult, { ok: true }>): string {
  const words = applied.length > 0 ? [`Applied ${applied.join(', ')}.`] : [];
  if (prepared !== undefined)
    words.push(
      `Everything is prepared for ${prepared}: run \`migrate\` when this version is to take over, which then takes a moment.`,
    );
  return words.length > 0 ? words.join(' ') : 'The schema is up to date.';
}

function count(rows: number): string {
  return Math.round(rows).toLocaleString('en-US');
}

function minutes(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}
