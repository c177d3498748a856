import { createHmac } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { Agent } from 'undici';
import type { Id } from '../../src/domain/tenancy/typed-id.ts';
import { createPool } from '../../src/store/db/pool.ts';
import { connectTemporal } from '../../src/temporal/connection.ts';
import type { delivery } from './workflow.ts';

/**
 * Bulk recovery as one would write it first: one workflow and one activity for each failed delivery of a tenant, on a
 * worker that is tuned as well as we know. A process of its own; arguments are the tenant (uuid), the URL and the
 * address of Temporal; prints when the first start was asked for and what it has cost. Ledger, claims and pacing are
 * missing, which is in its favour.
 */
const [tenantId = '', url = '', temporal = ''] = process.argv.slice(2);
const TASK_QUEUE = 'bench-naive';
const STARTS_AT_ONCE = 100;

// Without signals of its own: who interrupts it wants it gone.
Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
const { connection, client } = await connectTemporal({ address: temporal });
const pool = createPool(process.env.DATABASE_URL ?? '', { max: 16 });
const { origin, pathname: path } = new URL(url);
const agent = new Agent({ connections: 64, pipelining: 1 });
const secret = Buffer.alloc(32, 7);
let delivered = 0;

const worker = await Worker.create({
  connection,
  taskQueue: TASK_QUEUE,
  workflowBundle: await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('workflow.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
  }),
  activities: { deliver },
  maxConcurrentActivityTaskExecutions: 500,
  maxConcurrentWorkflowTaskExecutions: 500,
  maxCachedWorkflows: 5_000,
  workflowTaskPollerBehavior: { type: 'autoscaling', initial: 16, maximum: 64 },
  activityTaskPollerBehavior: { type: 'autoscaling', initial: 16, maximum: 64 },
});
await worker.runUntil(measure());
await Promise.all([connection.close(), agent.close(), pool.end()]);

async function deliver(deliveryId: string): Promise<void> {
  const { rows } = await pool.query<{ body: string }>(
    'select p.body from deliveries d join payloads p on p.event_id = d.event_id where d.id = $1',
    [deliveryId],
  );
  const [row] = rows;
  if (!row) throw new Error('a failed delivery has no payload');
  const { body } = row;
  const timestamp = String(Math.floor(Date.now() / 1_000));
  const signature = createHmac('sha256', secret)
    .update(`${deliveryId}.${timestamp}.${body}`)
    .digest('base64');
  const response = await agent.request({
    origin,
    path,
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/json',
      'webhook-id': deliveryId,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
    },
  });
  await response.body.dump();
  if (response.statusCode !== 200) throw new Error(`answered ${response.statusCode}`);
  delivered += 1;
}

async function measure(): Promise<void> {
  const { rows } = await pool.query<{ id: Id<'delivery'> }>(
    `select id from deliveries where tenant_id = $1 and state = 'failed'`,
    [tenantId],
  );
  const cpuBefore = process.cpuUsage();
  const startedAtMs = performance.timeOrigin + performance.now();
  let next = 0;
  const start = async () => {
    while (next < rows.length) {
      const { id } = rows[next++] as { id: Id<'delivery'> };
      // Eager: the first task comes with the answer, since the worker shares the connection.
      await client.workflow.start<typeof delivery>('delivery', {
        taskQueue: TASK_QUEUE,
        workflowId: `naive-${id}`,
        args: [id],
        requestEagerStart: true,
      });
    }
  };
  await Promise.all(Array.from({ length: STARTS_AT_ONCE }, start));
  while (delivered < rows.length) await delay(10);
  const { user, system } = process.cpuUsage(cpuBefore);
  console.log(JSON.stringify({ startedAtMs, cpuUs: { sender: (user + system) / rows.length } }));
}
