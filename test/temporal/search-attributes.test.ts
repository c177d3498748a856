import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { msToTs } from '@temporalio/common/lib/time.js';
import type { RunnableOperation } from '../../src/domain/operations/operation.ts';
import { errorCode } from '../../src/telemetry/error-code.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { OperationRuns } from '../../src/temporal/operation-runs.ts';
import { SEARCH_ATTRIBUTES } from '../../src/temporal/search-attributes.ts';
import { taskQueues } from '../../src/temporal/task-queues.ts';
import { TemporalHolder } from '../../src/temporal/temporal-holder.ts';
import { connectTestTemporal } from '../support/engine/temporal-client.ts';
import { eventually } from '../support/eventually.ts';
import { anyId } from '../support/store/any-id.ts';

/** Longer than a namespace is kept from those who have just asked for it. */
const WITHIN_MS = 60_000;

/** A namespace of its own, which is not there yet, and a holder that is led to it. */
function inNamespaceOfItsOwn(prefix: string) {
  const namespace = `${prefix}-${randomUUID()}`;
  process.env.TEMPORAL_ADDRESS = process.env.REDRIVE_TEST_TEMPORAL_ADDRESS;
  process.env.TEMPORAL_NAMESPACE = namespace;
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const holder = new TemporalHolder({}, createLogger({ level: 'info', destination }));
  const registered = () =>
    eventually(
      'the search attributes are there',
      async () => {
        const known = await holder.link?.connection.operatorService
          .listSearchAttributes({ namespace })
          .catch(() => undefined);
        return SEARCH_ATTRIBUTES.every((name) => known?.customAttributes[name] !== undefined);
      },
      { withinMs: WITHIN_MS, otherwise: () => lines.join('') },
    );
  const close = async () => {
    // No test has them from its environment.
    delete process.env.TEMPORAL_ADDRESS;
    delete process.env.TEMPORAL_NAMESPACE;
    await holder.close();
  };
  return { namespace, holder, lines, registered, close };
}

test('search attributes are registered in a namespace that is made after the server has answered', async () => {
  const { namespace, holder, lines, registered, close } = inNamespaceOfItsOwn('late');
  const temporal = await connectTestTemporal();
  try {
    const link = await holder.connected();
    expect(link?.namespace).toBe(namespace);
    expect(lines.join('')).toContain('could not be registered; trying on');
    await temporal.client.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: msToTs(24 * 3_600_000),
    });
    await registered();
    await eventually('it says so', () => lines.some((line) => line.includes('"registered"')));
    expect(lines.filter((line) => line.includes('trying on'))).toHaveLength(1);
  } finally {
    await close();
    await temporal.close();
  }
});

test('search attributes that a server has lost behind a link are registered again by the start that needs them', async () => {
  const { namespace, holder, lines, registered, close } = inNamespaceOfItsOwn('lost');
  const temporal = await connectTestTemporal();
  try {
    await temporal.client.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: msToTs(24 * 3_600_000),
    });
    const link = await holder.connected();
    if (!link) throw new Error('there is no link');
    await registered();
    await link.connection.operatorService.removeSearchAttributes({
      namespace,
      searchAttributes: [...SEARCH_ATTRIBUTES],
    });
    const runs = new OperationRuns(link, taskQueues(namespace));
    const operation: RunnableOperation = {
      id: anyId('01940000-0000-7000-8000-000000000001'),
      tenantId: anyId('01940000-0000-7000-8000-000000000002'),
      workflowId: 'retry/acme/lost',
      interactive: false,
      kind: 'retry',
      state: 'accepted',
      control: 'run',
      controlRevision: 0,
    };
    let refused: unknown;
    await eventually(
      'it starts',
      () =>
        runs.start(operation, 'first').then(
          () => true,
          (error: unknown) => {
            refused = error;
            return false;
          },
        ),
      { withinMs: WITHIN_MS, otherwise: () => `${refused} ${errorCode(refused)} ${lines.join('')}` },
    );
    await registered();
    expect(await runs.describe(operation.workflowId)).toBe('running');
  } finally {
    await close();
    await temporal.close();
  }
});
