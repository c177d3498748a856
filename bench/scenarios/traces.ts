import { randomBytes } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { newId } from '../../src/domain/tenancy/typed-id.ts';
import { AttemptTraces } from '../../src/sending/attempt-traces.ts';
import { startTracing } from '../../src/telemetry/open-telemetry.ts';
import { runBulk } from '../run-bulk.ts';
import type { Bench } from '../scenario.ts';

const PAIRS = 9;
const RATIO = '0.01';
const CASES = ['bulk, traced', 'bulk, not traced'] as const;

/**
 * The cost of traces in bulk: nine pairs of the same retry, in alternating order. The traced one is the dearest there is:
 * its call was sampled, so that its steps and slices are told, and one attempt of a hundred. The collector takes and
 * forgets, in this process.
 */
export async function traces(bench: Bench): Promise<void> {
  const { rig, size, progress } = bench;
  const collector = http.createServer((request, response) => {
    request.resume().once('end', () => response.writeHead(200).end());
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const { port } = collector.address() as AddressInfo;
  const target = `http://127.0.0.1:${port}`;
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: target, OTEL_TRACES_SAMPLER_ARG: RATIO };
  // In the place of a sampled call: the API of the rig traces none.
  await rig.pool.query(`create function trace_operation() returns trigger language plpgsql as $$
    begin
      insert into operation_traces (operation_id, traceparent)
      values (new.id, '00-' || md5(new.id::text) || '-' || left(md5(new.id::text), 16) || '-01');
      return null;
    end $$`);
  await rig.pool.query(
    'create trigger trace_operation after insert on operations for each row execute function trace_operation()',
  );
  try {
    for (let round = 1; round <= PAIRS; round++)
      for (const name of round % 2 === 0 ? CASES : CASES.toReversed()) {
        const traced = name === 'bulk, traced';
        const step = progress.step(`${name} (round ${round} of ${PAIRS})`);
        await rig.pool.query(
          `alter table operations ${traced ? 'enable' : 'disable'} trigger trace_operation`,
        );
        await rig.setWorkers(0);
        await rig.setWorkers(1, { env: traced ? env : {} });
        bench.record({ name, round, figures: await runBulk(bench, { items: size(100_000) }) });
        step.end();
      }
    for (let round = 1; round <= PAIRS; round++)
      bench.record({
        name: 'traces alone',
        round,
        figures: { cpuUs: { traces: await tracesAlone(target, size(100_000)) } },
      });
  } finally {
    await rig.pool.query('drop trigger trace_operation on operations');
    await rig.pool.query('drop function trace_operation');
    await rig.setWorkers(0);
    collector.closeAllConnections();
    await new Promise((resolve) => collector.close(resolve));
  }
}

/**
 * CPU of what traces do for the attempts of one slice, in microseconds an attempt: their spans, and handing them over. That
 * of the collector is in it, which is this process, too. Whole retries differ by more than this from one to the next.
 */
async function tracesAlone(endpoint: string, attempts: number): Promise<number> {
  const tracing = startTracing({ endpoint, ratio: Number(RATIO), version: '0', role: 'worker' });
  const step = tracing.follow('step', `00-${hex(16)}-${hex(8)}-01`, {});
  const slice = step.child('slice');
  const traces = new AttemptTraces(tracing, slice, 'bulk');
  const items = Array.from({ length: attempts }, () => ({
    deliveryId: newId('delivery'),
    endpointId: newId('endpoint'),
    attempts: 0,
  }));
  const before = process.cpuUsage();
  for (const [n, item] of items.entries()) {
    traces.end(item, { outcome: 'delivered', httpStatus: 200, mayHaveArrived: false }, traces.begin(item));
    if (n % 100 === 0) await turn();
  }
  slice.end();
  step.end();
  await tracing.stop();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / attempts;
}

const hex = (bytes: number) => randomBytes(bytes).toString('hex');
