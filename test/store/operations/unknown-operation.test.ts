import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { showId } from '../../../src/domain/tenancy/typed-id.ts';
import { lookAtOperation } from '../../../src/operations/look-at-operation.ts';
import { quietContext } from '../../support/engine/quiet-context.ts';
import { anyId } from '../../support/store/any-id.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();

test('a run whose operation is not in this database ends, and the log says so', async () => {
  const context = quietContext(store.pool);
  const operationId = anyId(randomUUID());
  expect(await lookAtOperation(context, operationId)).toEqual({ step: { do: 'end' }, unsentFor: [] });
  expect(context.lines.map((line) => JSON.parse(line))).toMatchObject([
    { level: 'warn', event: 'operation.unknown', operationId: showId('operation', operationId) },
  ]);
});
