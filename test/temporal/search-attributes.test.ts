import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { msToTs } from '@temporalio/common/lib/time.js';
import { createLogger } from '../../src/telemetry/log.ts';
import { SEARCH_ATTRIBUTES } from '../../src/temporal/search-attributes.ts';
import { TemporalHolder } from '../../src/temporal/temporal-holder.ts';
import { connectTestTemporal } from '../support/engine/temporal-client.ts';
import { eventually } from '../support/eventually.ts';

/** Longer than a namespace is kept from those who have just asked for it. */
const WITHIN_MS = 60_000;

test('search attributes are registered in a namespace that is made after the server has answered', async () => {
  const namespace = `late-${randomUUID()}`;
  process.env.TEMPORAL_ADDRESS = process.env.REDRIVE_TEST_TEMPORAL_ADDRESS;
  process.env.TEMPORAL_NAMESPACE = namespace;
  const temporal = await connectTestTemporal();
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const holder = new TemporalHolder({}, createLogger({ level: 'info', destination }));
  try {
    const link = await holder.connected();
    expect(link?.namespace).toBe(namespace);
    expect(lines.join('')).toContain('could not be registered; trying on');
    await temporal.client.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: msToTs(24 * 3_600_000),
    });
    await eventually(
      'they are there',
      async () => {
        const known = await link?.connection.operatorService
          .listSearchAttributes({ namespace })
          .catch(() => undefined);
        return SEARCH_ATTRIBUTES.every((name) => known?.customAttributes[name] !== undefined);
      },
      { withinMs: WITHIN_MS, otherwise: () => lines.join('') },
    );
    await eventually('it says so', () => lines.some((line) => line.includes('"registered"')));
    expect(lines.filter((line) => line.includes('trying on'))).toHaveLength(1);
  } finally {
    // No test has them from its environment.
    delete process.env.TEMPORAL_ADDRESS;
    delete process.env.TEMPORAL_NAMESPACE;
    await holder.close();
    await temporal.close();
  }
});
