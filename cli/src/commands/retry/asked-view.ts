import type { components } from '@redrive/client';
import { filterWords } from '../../command/filter-flags.ts';
import { duration } from '../../core/durations.ts';
import { counted, rate } from '../../core/text.ts';
import { shownTime } from '../../core/times.ts';
import { type Select, selectionWords } from './selection.ts';

type Options = components['schemas']['OperationOptions'];

/** What somebody asked for, as a plan and an operation show it; a list shows no selection. */
export interface Asked {
  kind: 'retry' | 'replay';
  target: 'original' | 'current';
  newIdentity: boolean;
  options: Options;
  select?: Readonly<Record<string, unknown>> | undefined;
}

/** A name and what stands beside it. */
export type Fact = readonly [name: string, value: string];

const length = (ms: number) => (ms % 1_000 === 0 ? duration(ms / 1_000) : `${ms} ms`);

/** The words of each option, undefined where it changes nothing; one that has none does not compile. */
const OPTIONS: {
  [Member in keyof Required<Options>]: (said: NonNullable<Options[Member]>) => Fact | undefined;
} = {
  ratePerSecond: (said) => ['rate', `${rate(said)} at most`],
  maxConcurrency: (said) => ['concurrency', `${counted(said, 'request')} at a time at most`],
  canary: ({ count, maxFailurePercent }) => [
    'canary',
    `${count} of each endpoint first, at most ${maxFailurePercent} % of them bad`,
  ],
  ramp: ({ startPerSecond, everySeconds }) => [
    'ramp',
    `begins with ${rate(startPerSecond)}, doubles every ${duration(everySeconds)}`,
  ],
  haltAtFailurePercent: (said) => ['halts', `when more than ${said} % of the last minute goes wrong`],
  notBefore: (said) => ['not before', shownTime(said)],
  giveUpAfterMs: (said) => ['given up', `after ${length(said)}`],
  disabledPatienceMs: (said) => ['patience', `${length(said)} at an endpoint that is disabled`],
  takeOverScheduled: (said) => (said ? ['takes over', 'what is scheduled elsewhere'] : undefined),
  includeResent: (said) => (said ? ['includes', 'what its sender has sent again'] : undefined),
  onAmbiguous: (said) => ['on ambiguous', said],
  matchFilter: (said) => (said ? ['leaves out', 'what its endpoint does not want by now'] : undefined),
};

/** What was asked for as facts: what it selects, how, and every option that is set. */
export function askedFacts({ kind, target, newIdentity, options, select }: Asked): Fact[] {
  return [
    ...(select === undefined ? [] : [['selected', selectedWords(select)] as const]),
    ['kind', kindWords(kind, newIdentity)],
    ...(target === 'original' ? [['target', 'original: to where each went first'] as const] : []),
    ...(Object.keys(OPTIONS) as (keyof Options)[]).flatMap((member) => optionFacts(options, member)),
  ];
}

function optionFacts<Member extends keyof Options>(options: Options, member: Member): Fact[] {
  const said = options[member];
  const fact = said === undefined || said === null ? undefined : OPTIONS[member](said);
  return fact ? [fact] : [];
}

function kindWords(kind: Asked['kind'], newIdentity: boolean): string {
  if (kind === 'retry') return 'retry';
  return newIdentity
    ? 'replay with a new identity: each is sent as a new delivery, also what is delivered'
    : 'replay: also what is delivered is sent again, with the same webhook-id';
}

/** A selection that is shown, in words: also those that only other APIs have. */
function selectedWords({ tenants, afresh, endpoints, ...select }: Readonly<Record<string, unknown>>): string {
  const what =
    afresh === undefined
      ? selectionWords(select as Select)
      : `events matched afresh: ${filterWords({ ...(afresh as object), ...(endpoints ? { endpoints } : {}) })}`;
  if (tenants === undefined) return what;
  return `${what}, ${Array.isArray(tenants) ? `tenants ${tenants.join(' or ')}` : 'all tenants'}`;
}
