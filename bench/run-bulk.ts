import { setTimeout as delay } from 'node:timers/promises';
import { readId } from '../src/domain/tenancy/typed-id.ts';
import { connectTemporal } from '../src/temporal/connection.ts';
import type { Figures } from './figures.ts';
import type { MeasuredProcess } from './measured-process.ts';
import type { Rig } from './rig.ts';
import type { Bench } from './scenario.ts';
import { ALL_FAILURES, newScene } from './scene.ts';
import { actionsSoFar } from './temporal-actions.ts';

/** One bulk retry to be measured. */
export interface BulkCase {
  items: number;
  endpoints?: number;
  bytes?: number;
  /** The behaviour of the receiver: a path below it. */
  behaviour?: 'ok' | 'slow30' | 'slow300' | 'fail20';
  workers?: number;
}

/** The figures of a bulk retry; CPU is in microseconds an item, from the POST until the operation is closed. */
export interface BulkFigures extends Figures {
  /** Items a second, from the POST until the operation is closed. */
  perSecond: number;
  seconds: number;
  /** From the POST until selection has ended. */
  selectSeconds: number;
  cpuUs: { workers: number; postgres: number; temporal: number; api: number; receiver: number };
  peakMiB: { worker: number; postgres: number; temporal: number; api: number };
  /** Of the operation's runs together. */
  historyEvents: number;
  historyEventsPerThousand: number;
  actionsPerThousand: number;
}

/** Seeds failures, retries all of them by one operation, and measures it until it is closed and its ledger adds up. */
export async function runBulk(
  { rig, progress }: Bench,
  { items, endpoints = 20, bytes = 1_024, behaviour = 'ok', workers: wanted = 1 }: BulkCase,
): Promise<BulkFigures> {
  await rig.setWorkers(wanted);
  const scene = await newScene(rig, { behaviour, endpoints });
  await scene.seed(items, bytes);
  await rig.receiver.forget();
  const actionsBefore = await actionsSoFar(rig.temporal.metricsUrl);
  const { workers, postgres, temporal, api, receiver } = rig.processes();
  for (const each of [...workers, postgres, temporal, api]) each.resetPeak();
  const all = [...workers, postgres, temporal, api, receiver];
  const before = new Map(all.map((each) => [each.name, each.cpuMs()]));

  const startedAt = performance.now();
  const { id } = await scene.retries.start(ALL_FAILURES);
  const selectSeconds = await closed(rig, id, startedAt, (done) => progress.at(done, items));
  const seconds = (performance.now() - startedAt) / 1_000;
  const cpuUs = ({ name, cpuMs }: MeasuredProcess) => ((cpuMs() - (before.get(name) ?? 0)) * 1_000) / items;
  const cpu = {
    workers: workers.reduce((sum, each) => sum + cpuUs(each), 0),
    postgres: cpuUs(postgres),
    temporal: cpuUs(temporal),
    api: cpuUs(api),
    receiver: cpuUs(receiver),
  };

  const { counts, workflowId } = await scene.retries.ended(id);
  const ledger = await rig.receiver.ledger();
  const { expected, delivered } = counts;
  if (expected !== items || delivered !== items || ledger.delivered !== items || ledger.twice > 0)
    throw new Error(`the ledgers do not add up: ${JSON.stringify({ items, counts, ledger })}`);
  const historyEvents = await historyLength(rig, workflowId);
  return {
    perSecond: items / seconds,
    seconds,
    selectSeconds,
    requests: ledger.requests,
    cpuUs: cpu,
    peakMiB: {
      worker: Math.max(...workers.map((each) => each.peakMiB())),
      postgres: postgres.peakMiB(),
      temporal: temporal.peakMiB(),
      api: api.peakMiB(),
    },
    historyEvents,
    historyEventsPerThousand: historyEvents / (items / 1_000),
    actionsPerThousand: ((await actionsSoFar(rig.temporal.metricsUrl)) - actionsBefore) / (items / 1_000),
  };
}

/** Waits by one small statement at a time, so that looking costs next to nothing; returns when selection had ended. */
async function closed(rig: Rig, id: string, startedAt: number, at: (done: number) => void): Promise<number> {
  let selectSeconds = 0;
  for (;;) {
    await delay(50);
    const { rows } = await rig.pool.query<{ selected: boolean; closed_at: Date | null; delivered: number }>(
      `select selected_at is not null as selected, closed_at, c.delivered
      from operations o join operation_counts c on c.operation_id = o.id where o.id = $1`,
      [readId('operation', id)],
    );
    const [row] = rows;
    if (!row) throw new Error('the operation is not there');
    if (selectSeconds === 0 && row.selected) selectSeconds = (performance.now() - startedAt) / 1_000;
    at(row.delivered);
    if (row.closed_at) return selectSeconds;
  }
}

/** Events of all runs of a workflow. */
async function historyLength(rig: Rig, workflowId: string): Promise<number> {
  const { connection, client } = await connectTemporal({ address: rig.temporal.address });
  try {
    let events = 0;
    for await (const { runId } of client.workflow.list({ query: `WorkflowId = "${workflowId}"` }))
      events += Number((await client.workflow.getHandle(workflowId, runId).describe()).historyLength);
    return events;
  } finally {
    await connection.close();
  }
}
