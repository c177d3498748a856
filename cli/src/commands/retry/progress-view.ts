import type { components } from '@redrive/client';
import { duration } from '../../core/durations.ts';
import { factLines } from '../../core/table.ts';
import { clip, percent, rate, safe, whole, width } from '../../core/text.ts';
import { clock, shownTime } from '../../core/times.ts';
import type { Style } from '../../shell/style.ts';
import { type Asked, askedFacts } from './asked-view.ts';

/** An operation as a stream shows it. */
export type Progress = components['schemas']['OperationSummary'];
type Counts = Progress['counts'];

/** The parts of the one equation, in the order in which they are read. */
const PARTS = [
  'delivered',
  'failed',
  'unknown',
  'sending',
  'queued',
  'scheduled',
  'ignored',
  'cancelled',
  'superseded',
  'excluded',
] as const;

const BAD = ['failed', 'unknown'] as const;
const GONE = ['ignored', 'cancelled', 'superseded', 'excluded'] as const;

const sum = (counts: Counts, parts: readonly (typeof PARTS)[number][]) =>
  parts.reduce((all, part) => all + counts[part], 0);

/** The equation as a bar of so many columns: delivered, bad, not to be sent, and what is left. */
export function equationBar(counts: Counts, columns: number, style: Style): string {
  const all = Math.max(1, counts.expected);
  const cells = (value: number) => (value === 0 ? 0 : Math.max(1, Math.floor((value / all) * columns)));
  // In a narrow bar failures come first.
  const bad = Math.min(columns, cells(sum(counts, BAD)));
  const gone = Math.min(columns - bad, cells(sum(counts, GONE)));
  const good = Math.min(columns - bad - gone, cells(counts.delivered));
  const left = columns - good - bad - gone;
  return `${style.green('█'.repeat(good))}${style.red('▓'.repeat(bad))}${style.dim('▒'.repeat(gone))}${style.dim('░'.repeat(left))}`;
}

/** The equation in words: `1,966 = 1,957 delivered + 9 failed`. */
export function equation(counts: Counts): string {
  const parts = PARTS.filter((part) => counts[part] > 0).map((part) => `${whole(counts[part])} ${part}`);
  return `${whole(counts.expected)} = ${parts.length === 0 ? '0' : parts.join(' + ')}`;
}

/** What it waits for, why it stands still, or what comes next: safe to be shown. */
export function nextWords(operation: Progress): string | undefined {
  const words = unsafeWords(operation);
  return words === undefined ? undefined : safe(words);
}

function unsafeWords({ state, halt, waitingFor, nextEvent, etaSeconds }: Progress): string | undefined {
  if (state === 'halted' && halt) return haltWords(halt);
  if (waitingFor.length > 0)
    return `waits for ${waitingFor
      .map(
        ({ what, until, missing }) =>
          `${what}${missing === undefined ? '' : ` (${missing} missing)`}${until === undefined ? '' : ` until ${shownTime(until)}`}`,
      )
      .join(', ')}`;
  if (etaSeconds !== null) return `${duration(etaSeconds)} to go`;
  return nextEvent ? `next: ${nextEvent.what} at ${shownTime(nextEvent.at)}` : undefined;
}

/** Why it was halted, with the numbers. */
export function haltWords(halt: NonNullable<Progress['halt']>): string {
  const { reason, step, code, endpoints = [], limitPercent } = halt;
  if (reason === 'failed_step')
    return `halted: the step ${step ?? '?'} failed${code ? ` (${safe(code)})` : ''}`;
  // A canary is told endpoint by endpoint.
  const sumOf = (member: 'attempts' | 'bad') =>
    halt[member] ?? endpoints.reduce((all, endpoint) => all + endpoint[member], 0);
  const attempts = sumOf('attempts');
  const share = attempts > 0 ? `: ${whole(sumOf('bad'))} of ${whole(attempts)} went wrong` : '';
  return `halted: ${reason}${share}${limitPercent === undefined ? '' : `, more than ${limitPercent} %`}`;
}

/** The block that is drawn again and again on a terminal: no line is wider than that, or its place would be lost. */
export function progressBlock(
  operation: Progress,
  elapsedSeconds: number,
  columns: number,
  style: Style,
): string[] {
  const { counts, id, kind, state, ratePerSecond } = operation;
  const done = counts.expected - counts.queued - counts.scheduled - counts.sending - counts.unknown;
  const share = clip(`  ${percent(done, counts.expected)} of ${whole(counts.expected)}`, columns - 1);
  const bar = Math.max(1, Math.min(50, columns - width(share)));
  const name = safe(id);
  const how = clip(`  ${safe(kind)} · ${safe(state)} · ${duration(elapsedSeconds)}`, columns - width(name));
  return [
    how === '' ? clip(name, columns) : `${style.bold(name)}${how}`,
    `${equationBar(counts, bar, style)}${share}`,
    clip(equation(counts), columns),
    clip(
      [rate(ratePerSecond), nextWords(operation)].filter((part) => part !== undefined).join(' · '),
      columns,
    ),
  ];
}

/** The same as one line, for a log. */
export function progressLine(operation: Progress, at: Date): string {
  const { state, counts, ratePerSecond } = operation;
  const next = nextWords(operation);
  return `${clock(at)}Z ${state}: ${equation(counts)} · ${rate(ratePerSecond)}${next === undefined ? '' : ` · ${next}`}`;
}

/** An operation as facts, the equation one line a part. */
export function operationLines(operation: Progress & Pick<Asked, 'select'>): string[] {
  const { counts } = operation;
  return factLines([
    ['operation', operation.id],
    ['state', operation.state],
    ...askedFacts(operation),
    ['expected', whole(counts.expected)],
    ...PARTS.filter((part) => counts[part] > 0 || part === 'delivered' || part === 'failed').map(
      (part, at) => [`${at === 0 ? '=' : '+'} ${part}`, whole(counts[part])] as const,
    ),
    ...(operation.remainder && operation.remainder.count > 0
      ? ([
          ['left', `${whole(operation.remainder.count)}: redrive retry plan --remainder-of ${operation.id}`],
        ] as const)
      : []),
    ['now', nextWords(operation)],
    ['by', operation.requestedBy],
    ['reason', operation.reason],
    ['ticket', operation.ticket],
    ['began', shownTime(operation.createdAt)],
    ['ended', shownTime(operation.closedAt)],
  ]);
}
