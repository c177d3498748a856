import http from 'node:http';
import type { AddressInfo } from 'node:net';
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
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_TRACES_SAMPLER_ARG: RATIO,
  };
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
  } finally {
    await rig.pool.query('drop trigger trace_operation on operations');
    await rig.pool.query('drop function trace_operation');
    await rig.setWorkers(0);
    collector.closeAllConnections();
    await new Promise((resolve) => collector.close(resolve));
  }
}
