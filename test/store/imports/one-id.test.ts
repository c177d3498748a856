import { expect, test } from '@jest/globals';
import { goodLine } from '../../support/imports/awkward-lines.ts';
import { lines, openTestImport } from '../../support/imports/take.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();

const COUNT = 20_000;

/** As many events as lines: looked up by the id alone, each batch would meet all of those before it with each of its lines. */
test('a file of one id, with a type of its own on each line, is taken like any other', async () => {
  const tenant = await store.newTenant();
  const it = await openTestImport(store, tenant, await store.newEndpoint(tenant));
  const file = lines(Array.from({ length: COUNT }, (_, n) => ({ ...goodLine('ndjson', 1), type: `t${n}` })));
  await it.send(file);
  expect(await it.now()).toMatchObject({ lines: COUNT, accepted: COUNT });
}, 120_000);
