import { v7 as uuidv7 } from 'uuid';
import { createSealer } from '../../src/sealing/sealing.ts';
import { endpointSecretContext } from '../../src/sealing/sealing-contexts.ts';
import { admitMasterKeys } from '../../src/store/db/installation.ts';
import { createPool, withTransaction } from '../../src/store/db/pool.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';
import { ClockCheck } from '../../src/worker/clock-check.ts';
import { showSlowGauges, unknownGauge } from '../../src/worker/gauges.ts';
import { resealingChores } from '../../src/worker/resealing-chore.ts';
import { uuidIn } from '../support/api/retries.ts';
import { ALL_FAILURES } from '../support/engine/recovery-scene.ts';
import type { TestEngine } from '../support/engine/test-engine.ts';
import type { useScenes } from '../support/engine/use-engine.ts';
import { playWeeks } from '../support/partitions/weeks.ts';
import { hang, ok } from '../support/receivers/receiver-behaviour.ts';
import { createTestStore } from '../support/store/test-store.ts';
import type { closedAfterEach } from '../support/use.ts';

/** Where gauges get their values. */
interface World {
  engine: TestEngine;
  scene: ReturnType<typeof useScenes>;
  /** Ends what a situation has begun, after the test. */
  closing: ReturnType<typeof closedAfterEach>;
}

/** What gives a gauge a value; nothing, where a running service has one. */
interface Situation {
  arrange?(world: World): Promise<void>;
  /** Metrics of their own that show it, where those of the service do not. */
  apart?(world: World): Promise<Metrics>;
}

/** For each gauge a situation in which it is above 0 for some seconds. */
export const SITUATIONS: Readonly<Record<string, Situation>> = {
  redrive_build_info: {},
  redrive_workers: {},
  redrive_temporal_connected: {},
  redrive_gauges_read_timestamp_seconds: {},
  redrive_pool_connections: {},
  redrive_endpoints: {
    async arrange({ scene }) {
      await scene([ok]);
    },
  },
  redrive_in_flight: {
    async arrange({ engine, scene }) {
      const it = await scene([hang]);
      const body = { type: 'gauge.wanted', payload: {} };
      await engine.client.expect(202, 'POST', '/api/v1/events', { key: it.tenant.key, body });
    },
  },
  redrive_operations: { arrange: standing },
  redrive_operation_items: {},
  redrive_queue_depth: {},
  redrive_unknown_waiting: {
    // A worker that has just counted on a busy machine does not count again for a minute.
    async apart({ engine, scene }) {
      const it = await scene([ok]);
      await it.seed(1);
      await engine.database.pool.query(`update deliveries set state = 'unknown' where tenant_id = $1`, [
        uuidIn('tenant', it.tenant.id),
      ]);
      const metrics = createMetrics();
      await unknownGauge(metrics, engine.database.pool, () => true)();
      return metrics;
    },
  },
  redrive_outages_open: {
    async arrange({ engine, scene }) {
      const it = await scene([ok]);
      await engine.database.pool.query(
        // Nobody looks at it, and so nobody ends it.
        `insert into outages (tenant_id, endpoint_id, cause, began_at, reaches_back_to, look_at)
         values ($1, $2, 'circuit_open', now(), now(), 'infinity')`,
        [uuidIn('tenant', it.tenant.id), uuidIn('endpoint', it.endpoints[0].id)],
      );
    },
  },
  redrive_queue_oldest_age_seconds: {
    async arrange({ engine, scene, closing }) {
      const { pool } = engine.database;
      const it = await scene([ok]);
      await it.seed(1);
      // By its time, in which its attempts find their place: it is sent once nobody holds it.
      const id = uuidv7();
      // Due in a moment: until then nobody claims it, and afterwards nobody can.
      await pool.query(
        `insert into executions (id, tenant_id, delivery_id, endpoint_id, state, due_at, give_up_at)
         select $1, tenant_id, id, endpoint_id, 'scheduled', clock_timestamp() + interval '1 second', 'infinity'
         from deliveries where endpoint_id = $2`,
        [id, uuidIn('endpoint', it.endpoints[0].id)],
      );
      closing(await locked(engine, 'select from queue where execution_id = $1 for update', id));
    },
  },
  redrive_clock_ahead_seconds: {
    // The Postgres of the tests has the clock of this machine.
    async apart() {
      const metrics = createMetrics();
      const anHourAgo = Date.now() - 3_600_000;
      new ClockCheck({ log: createLogger({ level: 'silent' }), metrics }).compare({
        askedAt: Date.now(),
        answeredAt: Date.now(),
        other: anHourAgo,
      });
      return metrics;
    },
  },
  redrive_retention_lag_seconds: {
    async arrange({ engine, scene, closing }) {
      const { pool } = engine.database;
      const it = await scene([ok]);
      await it.seed(1);
      const tenant = uuidIn('tenant', it.tenant.id);
      await pool.query('insert into payload_sweeps (tenant_id) values ($1) on conflict do nothing', [tenant]);
      closing(await locked(engine, 'select from payload_sweeps where tenant_id = $1 for update', tenant));
      await pool.query(`update events set accepted_at = now() - interval '2 days' where tenant_id = $1`, [
        tenant,
      ]);
      await pool.query(
        `update tenants set settings = settings || '{"payloadRetentionDays": 1}' where id = $1`,
        [tenant],
      );
    },
  },
  redrive_retention_held_seconds: {
    async arrange({ engine, scene, closing }) {
      const { pool } = engine.database;
      const it = await scene([ok]);
      await it.seed(1);
      const tenant = uuidIn('tenant', it.tenant.id);
      await pool.query(
        `insert into event_sweep_held (tenant_id, event_id, accepted_at, kept_for)
         select tenant_id, id, now() - interval '200 days', 'open' from events where tenant_id = $1`,
        [tenant],
      );
      await pool.query('insert into event_sweeps (tenant_id) values ($1)', [tenant]);
      // Held here, so that no removal finds that nothing keeps it.
      closing(await locked(engine, 'select from event_sweeps where tenant_id = $1 for update', tenant));
      await pool.query(`update tenants set settings = '{"eventRetentionDays": 90}' where id = $1`, [tenant]);
    },
  },
  redrive_partition_weeks_ahead: {},
  redrive_partition_oldest_age_seconds: {
    // No worker drops partitions there.
    async apart({ closing }) {
      const store = closing(await createTestStore());
      await playWeeks(store);
      const metrics = createMetrics();
      await showSlowGauges(metrics, store.pool);
      return metrics;
    },
  },
  redrive_audit_unsealed_age_seconds: {
    async arrange({ engine, scene, closing }) {
      const it = await scene([ok]);
      const tenant = uuidIn('tenant', it.tenant.id);
      await engine.database.pool.query(
        'insert into audit_heads (tenant_id) values ($1) on conflict do nothing',
        [tenant],
      );
      closing(await locked(engine, 'select from audit_heads where tenant_id = $1 for update', tenant));
      await engine.client.newEndpoint(it.tenant.key, { url: it.receivers[0]?.url('/hook') });
    },
  },
  redrive_audit_unsigned_age_seconds: {
    async arrange({ engine, scene }) {
      const it = await scene([ok]);
      // Its checkpoint was just made: the next one comes in an hour.
      await engine.database.pool.query(
        `insert into audit_heads (tenant_id, checkpoint_at) values ($1, now())
         on conflict (tenant_id) do update set checkpoint_at = now()`,
        [uuidIn('tenant', it.tenant.id)],
      );
      await engine.client.newEndpoint(it.tenant.key, { url: it.receivers[0]?.url('/hook') });
    },
  },
  redrive_pool_waiting: {
    async apart({ engine, closing }) {
      const pool = createPool(engine.database.url, { max: 1 });
      const used = await pool.connect();
      // It gives up after some seconds.
      const waiting = pool.connect().catch(() => undefined);
      closing({
        async close() {
          used.release();
          (await waiting)?.release();
          await pool.end();
        },
      });
      return createMetrics(new Map([['full', pool]]));
    },
  },
  redrive_sealed_under_other_key: {
    async apart({ closing }) {
      const store = closing(await createTestStore());
      const [before, after] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
      const old = createSealer(before);
      const leading = createSealer(after, { otherMasterKey: before });
      await withTransaction(store.pool, (tx) => admitMasterKeys(tx, { present: old.masterKeyCheck }));
      const endpointId = await store.newEndpoint(await store.newTenant());
      await store.rows('insert into endpoint_secrets (endpoint_id, sealed) values ($1, $2)', [
        endpointId,
        old.seal('whsec_ours', endpointSecretContext(endpointId)),
      ]);
      await withTransaction(store.pool, (tx) =>
        admitMasterKeys(tx, { present: leading.masterKeyCheck, other: old.masterKeyCheck }),
      );
      const metrics = createMetrics();
      const deps = {
        pool: store.pool,
        // It is about to end, and seals nothing any more.
        stop: AbortSignal.abort(),
        count: () => {},
        wakeLiveLanes: async () => {},
        attempt: (_part: string, work: () => Promise<void>) => work(),
      };
      const log = createLogger({ level: 'error' });
      for (const chore of resealingChores(deps, { sealer: leading, metrics, log })) await chore.run();
      return metrics;
    },
  },
  // The last: nobody's outcome is written any more, for which others would wait.
  redrive_outcomes_waiting: {
    async arrange({ engine, scene, closing }) {
      const it = await scene([ok]);
      closing(await locked(engine, 'lock table attempts in share mode'));
      const body = { type: 'gauge.wanted', payload: {} };
      await engine.client.expect(202, 'POST', '/api/v1/events', { key: it.tenant.key, body });
    },
  },
};

/** An operation whose first item is on the wire, and whose others wait for its turn. */
async function standing({ scene }: World): Promise<void> {
  const it = await scene([hang]);
  await it.seed(5);
  await it.retries.start({ ...ALL_FAILURES, options: { maxConcurrency: 1 } });
}

/** Holds the lock that a statement takes: who would work on that row passes it over. */
async function locked({ database }: TestEngine, statement: string, id?: string) {
  const holder = await database.pool.connect();
  await holder.query('begin');
  await holder.query('set local idle_in_transaction_session_timeout = 0');
  await holder.query(statement, id === undefined ? [] : [id]);
  return {
    async close() {
      await holder.query('rollback');
      holder.release();
    },
  };
}
