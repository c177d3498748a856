import { readId } from '../../src/domain/tenancy/typed-id.ts';
import { bringToEnd } from '../../src/operations/close-operation.ts';
import { ReportSigner } from '../../src/proof/report-signer.ts';
import { createSealer } from '../../src/sealing/sealing.ts';
import { LiveTraffic } from '../../src/sending/live-traffic.ts';
import { withTransaction } from '../../src/store/db/pool.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import type { Figures } from '../figures.ts';
import { alternate, type Bench } from '../scenario.ts';
import { ALL_FAILURES, newScene } from '../scene.ts';

const HOUR_MS = 3_600_000;

/**
 * Closes operations of 100,000 and 1M items that have all been delivered, in this process: from the freeze of the counts
 * until the report is signed. Nothing is sent.
 */
export async function report(bench: Bench): Promise<void> {
  const { rig, size } = bench;
  await rig.setWorkers(0);
  const of = (items: number, label: string) => ({
    name: `report, ${label} items`,
    rounds: 1,
    measure: () => close(bench, size(items)),
  });
  await alternate(bench, [of(100_000, '100k'), of(1_000_000, '1M')]);
}

async function close({ rig, progress }: Bench, items: number): Promise<Figures> {
  const { pool, masterKey } = rig;
  const scene = await newScene(rig, { endpoints: 20 });
  await scene.seed(items, 100);
  const { id } = await scene.retries.start({
    ...ALL_FAILURES,
    options: { notBefore: new Date(Date.now() + HOUR_MS).toISOString() },
  });
  const operationId = readId('operation', id);
  if (!operationId) throw new Error('the operation is not there');
  // As they end after their sending, without counting one by one.
  await withTransaction(pool, async (tx) => {
    await tx.query('set local session_replication_role = replica');
    await tx.query(
      `insert into execution_records (tenant_id, delivery_id, endpoint_id, operation_id, generation, outcome, due_at, give_up_at,
         finished_at, attempts, lost_attempts, may_have_arrived)
       select tenant_id, id, endpoint_id, $1, 2, 'delivered', now(), now() + interval '1 day', now(), 1, 0, false
       from deliveries where tenant_id = $2`,
      [operationId, scene.tenantId],
    );
    await tx.query(
      `insert into attempts (execution_id, number, tenant_id, endpoint_version, started_at, duration_ms, outcome, http_status)
       select id, 1, tenant_id, 1, now(), 5, 'delivered', 200 from execution_records where operation_id = $1`,
      [operationId],
    );
    await tx.query('update operation_counts set expected = $2, delivered = $2 where operation_id = $1', [
      operationId,
      items,
    ]);
    await tx.query(`update operations set state = 'running', selected_at = now() where id = $1`, [
      operationId,
    ]);
  });
  await pool.query('vacuum analyze');
  const sending = { pool, log: createLogger({ level: 'silent' }), liveTraffic: new LiveTraffic() };
  const signer = new ReportSigner(createSealer(masterKey));
  const never = new AbortController().signal;
  const idle = heapMiB();
  let peak = 0;
  const watching = setInterval(() => {
    peak = Math.max(peak, heapMiB() - idle);
  }, 50);
  const startedAt = performance.now();
  try {
    for (let closed = false; !closed; ) {
      await bringToEnd({ sending, signer }, operationId, never);
      const { rows } = await pool.query<{ closed: boolean; hashed: number }>(
        `select closed_at is not null as closed, (select coalesce(sum(c.lines), 0)::int from ledger_chunks c
           where c.operation_id = o.id) as hashed from operations o where o.id = $1`,
        [operationId],
      );
      closed = rows[0]?.closed ?? false;
      progress.at(rows[0]?.hashed ?? 0, items);
    }
  } finally {
    clearInterval(watching);
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  const { rows } = await pool.query<{ bytes: number }>(
    'select sum(length(packed))::float8 as bytes from ledger_chunks where operation_id = $1',
    [operationId],
  );
  return {
    seconds,
    perSecond: items / seconds,
    bytesPerLine: (rows[0]?.bytes ?? 0) / items,
    peakMiB: { heap: peak },
  };
}

function heapMiB(): number {
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 2 ** 20;
}
