import { flat, median } from './figures.ts';
import type { Sample } from './scenario.ts';
import { FINISH_CASES } from './scenarios/finish.ts';

/** The goal of a figure, and the values that it reached in the rounds. */
export interface Judged {
  measure: string;
  goal: string;
  values: number[];
  median: number;
  met: boolean;
}

/** Reads a figure of a case in one round; NaN where it was not measured. */
type Read = (name: string, figure: string) => number;

interface Goal {
  measure: string;
  value(of: Read): number;
  atLeast?: number;
  atMost?: number;
}

/** The best that was measured of others on such a machine: delivered a second, divided by the rate of a raw client. */
const BEST_PEER_RATIO = 0.091;

const SELECTED_BY = ['endpoint and window', 'fault code', 'state'];

/** CPU of a delivery of a bulk retry. */
const cpuOf = (of: Read, name: string) => of(name, 'cpuUs.workers') + of(name, 'cpuUs.postgres');

const GOALS: readonly Goal[] = [
  {
    measure: 'bulk ÷ raw request',
    value: (of) => of('bulk', 'perSecond') / of('raw request', 'perSecond'),
    atLeast: 0.55,
  },
  {
    measure: 'bulk ÷ raw dispatch',
    value: (of) => of('bulk', 'perSecond') / of('raw dispatch', 'perSecond'),
  },
  {
    measure: 'bulk ÷ naive',
    value: (of) => of('bulk', 'perSecond') / of('naive', 'perSecond'),
    atLeast: 20,
  },
  {
    measure: 'bulk ÷ raw request, divided by the best peer’s',
    value: (of) => of('bulk', 'perSecond') / of('raw request', 'perSecond') / BEST_PEER_RATIO,
    atLeast: 6,
  },
  {
    measure: 'CPU a delivery: worker + Postgres ÷ raw request',
    value: (of) =>
      (of('bulk', 'cpuUs.workers') + of('bulk', 'cpuUs.postgres')) / of('raw request', 'cpuUs.sender'),
    atMost: 1.8,
  },
  {
    measure: 'bulk 64 KiB ÷ raw request 64 KiB',
    value: (of) => of('bulk, 64 KiB', 'perSecond') / of('raw request, 64 KiB', 'perSecond'),
  },
  ...[64, 512].map((connections) => ({
    measure: `bulk ÷ raw request with ${connections} connections, both at 30 ms`,
    value: (of: Read) =>
      of('bulk, answers after 30 ms', 'perSecond') /
      of(`raw request, answers after 30 ms, ${connections} connections`, 'perSecond'),
  })),
  ...[
    { ms: 30, atLeast: 0.9 },
    { ms: 300, atLeast: 0.6 },
  ].map(({ ms, atLeast }) => ({
    measure: `bulk with answers after ${ms} ms ÷ at once`,
    value: (of: Read) =>
      of(`bulk, answers after ${ms} ms`, 'perSecond') / of('bulk, 20,000 items', 'perSecond'),
    atLeast,
  })),
  {
    measure: 'bulk with 2 workers ÷ with 1',
    value: (of) => of('bulk, 2 workers', 'perSecond') / of('bulk, 20,000 items', 'perSecond'),
  },
  {
    measure: 'bulk with 1 endpoint ÷ with 20',
    value: (of) => of('bulk, 1 endpoint', 'perSecond') / of('bulk, 20,000 items', 'perSecond'),
  },
  {
    measure: 'bulk with 1,000 endpoints ÷ with 20',
    value: (of) => of('bulk, 1,000 endpoints', 'perSecond') / of('bulk, 20,000 items', 'perSecond'),
  },
  ...SELECTED_BY.flatMap((by): Goal[] => [
    {
      measure: `select by ${by}: of 10M ÷ of 1M`,
      value: (of) => of(`select 10M, ${by}`, 'seconds') / of(`select 1M, ${by}`, 'seconds'),
      atMost: 1.3,
    },
    {
      measure: `select by ${by}: seconds of 10M`,
      value: (of) => of(`select 10M, ${by}`, 'seconds'),
      atMost: 2,
    },
  ]),
  {
    measure: 'worker’s peak memory, 1M items ÷ 10k',
    value: (of) => of('memory, 1M items', 'peakMiB.worker') / of('memory, 10k items', 'peakMiB.worker'),
    atMost: 1.2,
  },
  {
    measure: 'worker’s peak memory at 1M items, MiB',
    value: (of) => of('memory, 1M items', 'peakMiB.worker'),
    atMost: 350,
  },
  {
    measure: 'redrive --version, p50, ms',
    value: (of) => of('redrive --version', 'startMs.p50'),
    atMost: 150,
  },
  {
    measure: 'redrive deliveries export: peak memory, 1M lines ÷ 100k',
    value: (of) =>
      of('redrive deliveries export, 1M', 'peakMiB') / of('redrive deliveries export, 100k', 'peakMiB'),
    atMost: 1.2,
  },
  {
    measure: 'Temporal actions per 1,000 deliveries, 10k items',
    value: (of) => of('cost, 10k items', 'actionsPerThousand'),
    atMost: 10,
  },
  {
    measure: 'Temporal actions per 1,000, 100k items ÷ 10k',
    value: (of) => of('cost, 100k items', 'actionsPerThousand') / of('cost, 10k items', 'actionsPerThousand'),
    atMost: 1,
  },
  {
    measure: 'history events per 1,000 deliveries, 10k items',
    value: (of) => of('cost, 10k items', 'historyEventsPerThousand'),
    atMost: 30,
  },
  ...[
    { of: 'p50', atMost: 25 },
    { of: 'p95', atMost: 80 },
  ].flatMap(({ of: which, atMost }): Goal[] => [
    {
      measure: `single retry to the wire, ${which}, idle, ms`,
      value: (of) => of('single, idle', `wireMs.${which}`),
      atMost,
    },
    {
      measure: `single retry to the wire, ${which}, beside a bulk operation, ms`,
      value: (of) => of('single, beside a bulk operation', `wireMs.${which}`),
      atMost: atMost * 3,
    },
  ]),
  {
    measure: 'first delivery, p95, beside a bulk operation ÷ idle',
    value: (of) => of('live, beside a bulk operation', 'wireMs.p95') / of('live, idle', 'wireMs.p95'),
    atMost: 2,
  },
  {
    measure: 'first delivery, p95, beside the making of a plan ÷ idle',
    value: (of) => of('planning, beside', 'wireMs.p95') / of('planning, idle', 'wireMs.p95'),
    atMost: 2,
  },
  {
    measure: 'time to finish: seconds outside of its range, all cases together',
    value: (of) => FINISH_CASES.reduce((sum, name) => sum + of(`finish, ${name}`, 'outsideSeconds'), 0),
    atMost: 0,
  },
  {
    measure: 'ingest, events a second, to an endpoint',
    value: (of) => of('ingest, delivered', 'perSecond'),
    atLeast: 5_000,
  },
  {
    measure: 'import of 1M lines, seconds',
    value: (of) => of('import, 1M lines', 'seconds'),
    atMost: 120,
  },
  {
    measure: 'import, the API’s peak memory, 1M lines ÷ 100k',
    value: (of) => of('import, 1M lines', 'peakMiB.api') / of('import, 100k lines', 'peakMiB.api'),
    atMost: 1.2,
  },
  {
    measure: 'ingest, events a second, wanted by nobody',
    value: (of) => of('ingest, wanted by nobody', 'perSecond'),
  },
  {
    measure: 'counting attempts: of the CPU of a delivery (worker + Postgres)',
    value: (of) =>
      (of('record, counted', 'cpuUs.record') +
        of('record, counted', 'cpuUs.fold') -
        of('record, not counted', 'cpuUs.record') -
        of('record, not counted', 'cpuUs.fold')) /
      (of('a whole delivery', 'cpuUs.workers') + of('a whole delivery', 'cpuUs.postgres')),
    atMost: 0.03,
  },
  {
    measure: 'traces, one of a hundred: more CPU of a delivery (worker + Postgres)',
    value: (of) => cpuOf(of, 'bulk, traced') / cpuOf(of, 'bulk, not traced') - 1,
    atMost: 0.02,
  },
  {
    measure: 'the same, of what traces do alone ÷ a delivery without them',
    value: (of) => of('traces alone', 'cpuUs.traces') / cpuOf(of, 'bulk, not traced'),
    atMost: 0.02,
  },
  ...[
    'count, failed',
    'count, a status that nothing has',
    'groups, endpoint and fault',
    'groups, endpoint and fault, of all states',
    'groups, type',
  ].flatMap((name) =>
    ['p95', 'cold'].map((which) => ({
      measure: `${name}: of 1M, ${which}, ms`,
      value: (of: Read) => of(name, `answerMs.${which}`),
      atMost: 500,
    })),
  ),
  {
    measure: 'console: the demo opened by its link, until it says what is broken, ms',
    value: (of) => of('console, opened', 'paintMs.meaningfulMs'),
    atMost: 1_000,
  },
  {
    measure: 'console, an operation watched: CPU of the renderer, cores',
    value: (of) => of('console, an operation watched', 'cpuShare'),
    atMost: 0.25,
  },
  {
    measure: 'console, an operation watched: commits within any second',
    value: (of) => of('console, an operation watched', 'commits.mostInASecond'),
    atMost: 10,
  },
  {
    measure: 'console, an operation watched: the longest task, ms',
    value: (of) => of('console, an operation watched', 'taskMs.wall'),
    atMost: 50,
  },
  {
    measure: 'console, 1M rows scrolled: rows in the document',
    value: (of) => of('console, 1M rows scrolled', 'rowsInDocument'),
    atMost: 100,
  },
  {
    measure: 'neighbours: deliveries a second beside endpoints that hang ÷ alone',
    value: (of) => of('neighbours, beside', 'perSecond') / of('neighbours, alone', 'perSecond'),
  },
];

/** Judges everything that was measured: ratios are those of figures of the same round. */
export function judge(samples: readonly Sample[]): Judged[] {
  const rounds = [...new Set(samples.map(({ round }) => round))];
  return GOALS.flatMap(
    ({ measure, value, atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY }) => {
      const values = rounds
        .map((round) => {
          const ofRound = new Map(
            samples
              .filter((sample) => sample.round === round)
              .map(({ name, figures }) => [name, flat(figures)]),
          );
          return value((name, figure) => ofRound.get(name)?.[figure] ?? Number.NaN);
        })
        .filter(Number.isFinite);
      if (values.length === 0) return [];
      const reached = median(values);
      const goal = Number.isFinite(atLeast)
        ? `at least ${atLeast.toLocaleString('en-US')}`
        : Number.isFinite(atMost)
          ? `at most ${atMost}`
          : '';
      return [{ measure, goal, values, median: reached, met: reached >= atLeast && reached <= atMost }];
    },
  );
}
