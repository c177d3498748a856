import { expect, test } from '@jest/globals';
import { readCheckpoints } from '../../clients/typescript/src/proof/checkpoints.ts';
import type { SealedEntry } from '../../src/domain/audit/audit-entry.ts';
import { createScene } from '../support/engine/recovery-scene.ts';
import { useEngine } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { ok } from '../support/receivers/receiver-behaviour.ts';
import { verdictOf } from '../support/store/audit.ts';
import { closedAfterEach } from '../support/use.ts';

const engine = useEngine();
const own = closedAfterEach();

test('a worker seals what was done, and its log has the end of the chain', async () => {
  const it = own(await createScene(engine, [ok]));
  await it.seed(3);
  const { id } = await it.retries.start({ select: { deliveryIds: await it.ids() }, reason: 'asked for' });
  await it.retries.ended(id);
  const headers = { 'redrive-tenant': it.tenant.handle };
  const read = (path: string) => engine.client.expect(200, 'GET', path, { headers });
  let items: SealedEntry[] = [];
  await eventually('the acts are sealed', async () => {
    ({ items } = (await read('/api/v1/audit')).body);
    return items.some(({ action, target }) => action === 'report.signed' && target === id);
  });
  expect(items.map(({ action }) => action)).toEqual([
    'tenant.made',
    'key.made',
    'endpoint.made',
    'operation.accepted',
    'report.signed',
  ]);
  expect(verdictOf(items)).toMatchObject({ ok: true, entries: 5, number: 5 });
  const { head } = (await read('/api/v1/audit/checkpoints')).body;
  expect(head).toMatchObject({ number: 5, hash: items[4]?.hash });
  await eventually(
    'a checkpoint is logged',
    () => engine.log.some((line) => line.includes('"audit.checkpoint"') && line.includes(it.tenant.id)),
    { withinMs: 30_000 },
  );
  const kept = (await read('/api/v1/audit/checkpoints')).body.items;
  expect(verdictOf(items, kept)).toMatchObject({ ok: true });
  expect(kept.length).toBe(1);
  const [line] = engine.log.filter(
    (each) => each.includes('"audit.checkpoint"') && each.includes(it.tenant.id),
  );
  const keys = (await engine.client.expect(200, 'GET', '/.well-known/redrive/jwks.json')).body;
  const verified = readCheckpoints(
    [JSON.stringify(head), JSON.stringify(kept), line ?? ''].map((text, n) => ({ name: `${n}`, text })),
    keys,
  );
  expect(verified).toMatchObject({ ok: true, signed: 3 });
});
