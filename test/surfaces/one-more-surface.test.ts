import { readdir, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { showId } from '../../src/domain/tenancy/typed-id.ts';
import { SURFACES } from '../../src/surfaces/surfaces.ts';
import { createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { useEngine } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { status } from '../support/receivers/receiver-behaviour.ts';
import { NO_ID } from '../support/store/any-id.ts';
import { createToySurface } from '../support/surfaces/toy-surface/toy-surface.ts';

const toy = createToySurface();
const engine = useEngine({ surfaces: [...SURFACES, toy] });
let scene: Scene;

beforeAll(async () => {
  scene = await createScene(engine, [status(500)], { preset: 'toy' });
});
afterAll(async () => {
  await scene.close();
});

describe('a further surface, which is one folder and one line', () => {
  test('is served, and words its errors and those of its paths by itself', async () => {
    const { key } = scene.tenant;
    const nowhere = await fetch(`${engine.service.url}/toy/nowhere`, { method: 'POST' });
    expect([nowhere.status, await nowhere.json()]).toEqual([404, { oops: 'route_not_found' }]);
    const unknown = await engine.client.call('POST', '/toy/again/dlv_01k9z3e5hbe7r9qk2m4n6p8r0s', { key });
    expect(unknown).toMatchObject({ status: 404, body: { oops: 'not_found' } });
    const document = await engine.client.call('GET', '/openapi/toy.json');
    expect(Object.keys(document.body.paths)).toEqual(['/toy/again/{delivery}']);
  });

  test('brings a preset with the headers of its wire format, and operations that carry its name', async () => {
    await scene.seed(1);
    const [deliveryId = NO_ID] = await scene.ids();
    const { body } = await engine.client.expect(200, 'POST', `/toy/again/${showId('delivery', deliveryId)}`, {
      key: scene.tenant.key,
    });
    const ended = await scene.retries.ended(body.operation);
    expect(ended).toMatchObject({ surface: 'toy', state: 'completed_with_failures', counts: { failed: 1 } });
    // One attempt: the preset's policy.
    expect(scene.receivers[0]?.requests.map(({ headers }) => headers['x-toy'])).toEqual([
      showId('delivery', deliveryId),
    ]);
  });

  test('has its chores done by the workers', async () => {
    await eventually('they are done again and again', () => toy.choresDone > 2);
  });
});

test('no surface is named outside its own folder, but in the list of surfaces', async () => {
  const names = SURFACES.filter(({ name }) => name !== 'native').flatMap(({ name, title }) => [
    ...name.split('-').filter((word) => word.length > 3),
    name.replace('-', ''),
    title.split(' ')[0] ?? title,
  ]);
  const named = new RegExp(`\\b(${[...new Set(names)].join('|')})`, 'i');
  const found: string[] = [];
  for (const file of await readdir('src', { recursive: true })) {
    // The names of earlier migrations are what they are.
    if (!file.endsWith('.ts') || file === 'surfaces/surfaces.ts' || file === 'store/db/adoption.ts') continue;
    const own = SURFACES.find(({ name }) => name !== 'native' && file.startsWith(`surfaces/${name}/`));
    const lines = (await readFile(`src/${file}`, 'utf8')).split('\n');
    if (!own)
      found.push(...lines.filter((line) => named.test(line)).map((line) => `${file}: ${line.trim()}`));
  }
  expect(found).toEqual([]);
});
