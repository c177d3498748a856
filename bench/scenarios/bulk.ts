import { setTimeout as delay } from 'node:timers/promises';
import { readId } from '../../src/domain/typed-id.ts';
import { connectTemporal } from '../../src/temporal/connection.ts';
import { seedFailures } from '../../test/support/seed-failures.ts';
import type { MeasuredProcess } from '../measured-process.ts';
import type { Rig } from '../rig.ts';
import { actionsSoFar } from '../temporal-actions.ts';

/** One bulk retry to be measured. */
export interface BulkCase {
  items: number;
  endpoints: number;
  bytes: number;
  /** What the receiver does: a path below it. */
  behaviour: 'ok' | 'slow30' | 'fail20';
  workers: number;
}

/** What a bulk retry came to. */
export interface BulkFigures {
  /** Items a second, from the POST until the operation is closed. */
  perSecond: number;
  seconds: number;
  /** From the POST until selection has ended. */
  selectSeconds: number;
  /** CPU microseconds an item. */
  cpuUs: { workers: number; postgres: number; temporal: number; api: number; receiver: number };
  peakMiB: { worker: number; postgres: number; temporal: number; api: number };
  /** Of the operation's runs together. */
  historyEvents: number;
  actionsPerThousand: number;
}

let tenants = 0;

/** A tenant with endpoints of its own, at one behaviour of the receiver. */
export async function newScene(rig: Rig, behaviour: string, endpoints: number) {
  tenants += 1;
  const tenant = await rig.client.newTenant(`bench-${tenants}`);
  const ids: string[] = [];
  for (let n = 0; n < endpoints; n++) {
    const made = await rig.client.newEndpoint(tenant.key, {
      url: rig.receiver.urlOf(`/${behaviour}/${tenants}/${n}`),
      retry: { maxAttempts: 8, initialMs: 100, factor: 1, capMs: 100 },
    });
    ids.push(readId('endpoint', made.id) ?? '');
  }
  return { tenant, tenantId: readId('tenant', tenant.id) ?? '', endpointIds: ids };
}

/** Seeds failures, retries all of them by one operation, and measures it until it is closed and its ledger adds up. */
export async function runBulk(rig: Rig, bulk: BulkCase): Promise<BulkFigures> {
  await rig.setWorkers(bulk.workers);
  const scene = await newScene(rig, bulk.behaviour, bulk.endpoints);
  for (let left = bulk.items; left > 0; left -= 100_000)
    await seedFailures(rig.pool, {
      ...scene,
      count: Math.min(left, 100_000),
      bodyBytes: Math.max(0, bulk.bytes - 20),
    });
  await rig.pool.query('checkpoint');
  await rig.receiver.forget();
  const { workers, postgres, temporal, api, receiver } = rig.processes();
  for (const each of [...workers, postgres, temporal, api]) each.resetPeak();
  const cpuOf = (each: MeasuredProcess) => each.cpuMs();
  const all = [...workers, postgres, temporal, api, receiver];
  const before = new Map(all.map((each) => [each.name, cpuOf(each)]));
  const actionsBefore = await actionsSoFar(rig.temporal.metricsUrl);

  const startedAt = performance.now();
  const { key } = scene.tenant;
  const { body: accepted } = await rig.client.expect(202, 'POST', '/api/v1/retries', {
    key,
    headers: { 'idempotency-key': `bulk-${tenants}` },
    body: { select: { filter: { state: ['failed'] } } },
  });
  let shown = accepted;
  let selectSeconds = 0;
  while (!shown.closedAt) {
    await delay(50);
    const { rows } = await rig.pool.query(
      'select selected_at is not null as selected, closed_at from operations where id = $1',
      [readId('operation', accepted.id)],
    );
    if (selectSeconds === 0 && rows[0].selected) selectSeconds = (performance.now() - startedAt) / 1_000;
    if (!rows[0].closed_at) continue;
    shown = (await rig.client.expect(200, 'GET', `/api/v1/retries/${accepted.id}`, { key })).body;
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  const cpuUs = (each: MeasuredProcess) =>
    ((cpuOf(each) - (before.get(each.name) ?? 0)) * 1_000) / bulk.items;

  const ledger = await rig.receiver.ledger();
  const { expected, delivered } = shown.counts;
  if (
    expected !== bulk.items ||
    delivered !== bulk.items ||
    ledger.delivered !== bulk.items ||
    ledger.twice > 0
  )
    throw new Error(`the ledgers do not add up: ${JSON.stringify({ counts: shown.counts, ledger })}`);
  const link = await connectTemporal({ address: rig.temporal.address });
  const description = await link.client.workflow.getHandle(shown.workflowId).describe();
  await link.connection.close();
  return {
    perSecond: bulk.items / seconds,
    seconds,
    selectSeconds,
    cpuUs: {
      workers: workers.reduce((sum, each) => sum + cpuUs(each), 0),
      postgres: cpuUs(postgres),
      temporal: cpuUs(temporal),
      api: cpuUs(api),
      receiver: cpuUs(receiver),
    },
    peakMiB: {
      worker: Math.max(...workers.map((each) => each.peakMiB())),
      postgres: postgres.peakMiB(),
      temporal: temporal.peakMiB(),
      api: api.peakMiB(),
    },
    historyEvents: Number(description.historyLength),
    actionsPerThousand:
      ((await actionsSoFar(rig.temporal.metricsUrl)) - actionsBefore) / (bulk.items / 1_000),
  };
}
