import type { Schema } from '../../api/client.ts';
import { chosenTenant } from '../../api/tenant.ts';
import { quoted } from './curl.ts';

type Request = Schema<'RetryRequest'>;
type Filter = Schema<'DeliveryFilter'>;
type Options = Schema<'RetryOptions'>;

/** How a value of one type is said by a flag: its words, none where it says nothing. */
type Said<Value> = (value: Value) => string[];

const each =
  (flag: string): Said<readonly (string | number)[]> =>
  (values) =>
    values.flatMap((value) => [flag, String(value)]);
const one =
  (flag: string): Said<string | number> =>
  (value) => [flag, String(value)];
const lasting =
  (flag: string): Said<number> =>
  (ms) => [flag, `${ms}ms`];
const share =
  (flag: string): Said<number> =>
  (percent) => [flag, `${percent}%`];
const on =
  (flag: string): Said<boolean> =>
  (value) =>
    value ? [flag] : [];

/** The flag of each member; one that has none does not compile. */
type Flags<Of> = { [Member in keyof Required<Of>]: Said<NonNullable<Of[Member]>> };

const FILTER: Flags<Filter> = {
  state: each('--state'),
  endpointIds: each('--endpoint'),
  eventTypes: each('--type'),
  sources: each('--source'),
  faultCodes: each('--fault'),
  httpStatus: each('--status'),
  ingestionBatchIds: each('--batch'),
  dispatchBatchIds: each('--dispatch-batch'),
  key: one('--key'),
  from: one('--since'),
  to: one('--until'),
  lastAttemptBefore: one('--last-attempt-before'),
  lastAttemptAfter: one('--last-attempt-after'),
  pendingLongerThanMs: lasting('--pending-longer-than'),
  blocking: on('--blocking'),
};

const OPTIONS: Flags<Options> = {
  ratePerSecond: one('--rate'),
  maxConcurrency: one('--concurrency'),
  canary: ({ count, maxFailurePercent }) => ['--canary', `${count}:${maxFailurePercent}%`],
  ramp: ({ startPerSecond, everySeconds }) => ['--ramp', `${startPerSecond}/${everySeconds}s`],
  haltAtFailurePercent: share('--halt-at'),
  notBefore: one('--not-before'),
  giveUpAfterMs: lasting('--give-up-after'),
  disabledPatienceMs: lasting('--disabled-patience'),
  takeOverScheduled: on('--take-over-scheduled'),
  includeResent: on('--include-resent'),
  onAmbiguous: one('--on-ambiguous'),
};

/** A command line of `redrive`, for a POSIX shell; a key of the installation says which tenant. */
export function redriveLine(words: readonly string[]): string {
  const tenant = chosenTenant();
  return ['redrive', ...(tenant === undefined ? [] : ['--tenant', tenant]), ...words].map(word).join(' ');
}

/** The words that have the same plan made by the command line. */
export function planWords({ select, mode, target, newIdentity, options, reason, ticket }: Request): string[] {
  return [
    'retry',
    'plan',
    ...selected(select),
    ...(mode === 'replay' ? ['--replay'] : []),
    ...(target === 'original' ? ['--target', 'original'] : []),
    ...(newIdentity ? ['--new-identity'] : []),
    ...said(OPTIONS, options ?? {}),
    ...(reason ? ['--reason', reason] : []),
    ...(ticket ? ['--ticket', ticket] : []),
  ];
}

function selected(select: Request['select']): string[] {
  const ids = select.deliveryIds ?? select.eventIds ?? select.executionIds;
  if (ids) return ['--ids', ids.join(',')];
  if (select.outage) return ['--outage', select.outage];
  if (select.failuresOf) return ['--failures-of', select.failuresOf];
  if (select.remainderOf) return ['--remainder-of', select.remainderOf];
  const words = said(FILTER, select.filter ?? {});
  return words.length === 0 ? ['--all-failed'] : words;
}

function said<Of extends object>(flags: Flags<Of>, values: Of): string[] {
  return (Object.keys(flags) as (keyof Of)[]).flatMap((member) => {
    const value = values[member];
    return value === undefined || value === null ? [] : flags[member](value);
  });
}

/** A text as one word of the shell, in quotes only where it needs them. */
function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : quoted(text);
}
