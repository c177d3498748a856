import { Readable } from 'node:stream';
import { request } from 'undici';
import { type Id, showId } from '../../src/domain/tenancy/typed-id.ts';
import type { Figures } from '../figures.ts';
import { alternate, type Bench } from '../scenario.ts';
import { newScene } from '../scene.ts';

const ENDPOINTS = 4;
const CHUNK_LINES = 200;

/**
 * An import by one request: lines of half a KiB, each with an event, a delivery and two attempts; the same file once more,
 * of which every line is a duplicate; and, of an import that was taken, a request that sends all lines again.
 */
export function imports(bench: Bench): Promise<void> {
  const { rig, size } = bench;
  const of = (count: number, label: string) => ({
    name: `import, ${label} lines`,
    rounds: 1,
    measure: () => measure(size(count, { least: 2_000 })),
  });
  return alternate(bench, [of(100_000, '100k'), of(1_000_000, '1M')]);

  async function measure(count: number): Promise<Figures> {
    await rig.setWorkers(0);
    const scene = await newScene(rig, { endpoints: ENDPOINTS });
    const tenantId = showId('tenant', scene.tenantId as Id<'tenant'>);
    const made = await rig.client.expect(201, 'POST', '/api/v1/keys', {
      body: { tenantId, name: 'import', scopes: ['write:imports'] },
    });
    const key: string = made.body.key;
    const { api, postgres } = rig.processes();
    const measured = [api, postgres];
    for (const each of measured) each.resetPeak();
    const before = measured.map((each) => each.cpuMs());
    const first = await open();
    const seconds = await take(first, { accepted: count });
    const [apiMs = 0, postgresMs = 0] = measured.map((each, n) => each.cpuMs() - (before[n] ?? 0));
    const passedOverSeconds = await take(first, { accepted: count });
    await rig.client.expect(200, 'POST', `${first}/close`, { key, body: { lines: count } });
    const second = await open();
    const duplicatesSeconds = await take(second, { duplicates: count });
    await rig.client.expect(200, 'POST', `${second}/close`, { key });
    return {
      perSecond: count / seconds,
      seconds,
      duplicatesPerSecond: count / duplicatesSeconds,
      passedOverPerSecond: count / passedOverSeconds,
      cpuUs: { api: (apiMs * 1_000) / count, postgres: (postgresMs * 1_000) / count },
      peakMiB: { api: api.peakMiB(), postgres: postgres.peakMiB() },
    };

    async function open(): Promise<string> {
      const map = Object.fromEntries(
        scene.endpointIds.map((id, n) => [`theirs-${n}`, showId('endpoint', id)]),
      );
      const opened = await rig.client.expect(201, 'POST', '/api/v1/imports', {
        key,
        body: { from: 'ndjson', map },
      });
      return opened.body.links.self;
    }

    async function take(self: string, wanted: Record<string, number>): Promise<number> {
      const startedAt = performance.now();
      const answer = await request(`${rig.url}${self}/lines`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson' },
        body: Readable.from(file(count, (sent) => bench.progress.at(sent, count))),
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      const body = (await answer.body.json()) as Record<string, number>;
      const seconds = (performance.now() - startedAt) / 1_000;
      for (const [name, number] of Object.entries(wanted))
        if (body[name] !== number) throw new Error(`not taken: ${JSON.stringify(body)}`);
      return seconds;
    }
  }
}

function* file(count: number, at: (sent: number) => void): Generator<string> {
  const fill = 'x'.repeat(200);
  for (let n = 0; n < count; n += CHUNK_LINES) {
    let chunk = '';
    for (let line = n; line < Math.min(n + CHUNK_LINES, count); line += 1)
      chunk += `{"id":"msg_${line}","type":"bench","key":"k${line % 1_000}","occurredAt":"2026-11-03T02:00:00Z","endpoint":"theirs-${line % ENDPOINTS}","payload":{"n":${line},"fill":"${fill}"},"attempts":[{"id":"a1","at":"2026-11-03T02:00:01Z","durationMs":30000,"error":"timeout"},{"id":"a2","at":"2026-11-03T02:05:01Z","durationMs":12,"status":503}]}\n`;
    at(n);
    yield chunk;
  }
}
