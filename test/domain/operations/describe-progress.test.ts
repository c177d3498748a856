import { describe, expect, test } from '@jest/globals';
import { describeHalt, describeProgress } from '../../../src/domain/operations/describe-progress.ts';
import type { Operation } from '../../../src/domain/operations/operation.ts';
import { type Id, showId } from '../../../src/domain/tenancy/typed-id.ts';
import { anyId } from '../../support/store/any-id.ts';

const ID = '0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9f' as Id<'operation'>;
const ENDPOINT = '0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9e' as Id<'endpoint'>;
const end = showId('endpoint', ENDPOINT);

const counts: Operation['counts'] = {
  expected: 10,
  queued: 5,
  sending: 0,
  scheduled: 0,
  delivered: 5,
  failed: 0,
  unknown: 0,
  ignored: 0,
  cancelled: 0,
  superseded: 0,
  excluded: 0,
};

const running = { id: ID, kind: 'retry', state: 'running', counts } as const;
const at = '2026-11-03T02:00:00Z';
const WEEK = { do: 'wait', ms: 604_800_000, until: 'expiry' } as const;

describe('an operation in the words of the Temporal UI', () => {
  test('says what it is, what comes next, how fast, where to, and its counts', () => {
    const text = describeProgress({ ...running, ratePerSecond: 20 }, { do: 'dispatch', slices: 1 }, [
      ENDPOINT,
    ]);
    expect(text.split('\n\n')).toEqual([
      `Operation \`${showId('operation', ID)}\`, retry, running`,
      '**next:** dispatch',
      '**rate:** 20 a second at most',
      `**unsent for:** \`${end}\``,
      '- expected: 10\n- queued: 5\n- delivered: 5',
    ]);
  });

  test('says what halted it, with the numbers, and how it goes on', () => {
    const canary = describeProgress(
      {
        ...running,
        state: 'halted',
        halt: {
          reason: 'canary',
          limitPercent: 10,
          endpoints: [
            { endpointId: ENDPOINT, attempts: 5, bad: 4 },
            { endpointId: anyId(ID), attempts: 5, bad: 5 },
          ],
          at,
        },
      },
      WEEK,
      [],
    );
    expect(canary).toContain(
      `**halted:** canary at \`${end}\` and 1 others: 4 of 5 first attempts did not deliver, 10 % are allowed. \`POST /api/v1/retries/${showId('operation', ID)}/resume\``,
    );
    expect(canary).toContain('**next:** wait for a human; after 604800 s it is cancelled by itself (expiry)');
    const failing = describeProgress(
      {
        ...running,
        state: 'halted',
        halt: { reason: 'failure_rate', limitPercent: 50, attempts: 80, bad: 61, at },
      },
      WEEK,
      [],
    );
    expect(failing).toContain(
      '**halted:** failure_rate: 61 of 80 attempts of the last minute did not deliver',
    );
  });

  test('says which step failed, also where nothing else is known of it', () => {
    const halt = { reason: 'failed_step', step: 'select', code: '22008' } as const;
    const words = `**halted:** failed_step: the step \`select\` failed with \`22008\`. \`POST /api/v1/retries/${showId('operation', ID)}/resume\` tries it again, \`…/cancel\` ends it`;
    expect(describeProgress({ ...running, state: 'halted', halt: { ...halt, at } }, WEEK, [])).toContain(
      words,
    );
    expect(describeHalt(ID, halt, WEEK).split('\n\n')).toEqual([
      `Operation \`${showId('operation', ID)}\`, halted`,
      words,
      '**next:** wait for a human; after 604800 s it is cancelled by itself (expiry)',
    ]);
  });

  test('says nothing of a halt that is over, and names no more endpoints than fit', () => {
    const text = describeProgress(
      { ...running, halt: { reason: 'failure_rate', limitPercent: 50, attempts: 80, bad: 61, at } },
      { do: 'wait', ms: 4_200, until: 'due' },
      Array(6).fill(ENDPOINT),
    );
    expect(text).not.toContain('halted');
    expect(text).toContain('**next:** wait up to 5 s (due)');
    expect(text).toContain('and others');
    expect(text.split(end).length - 1).toBe(5);
    expect(text).toContain('**rate:** no limit of its own');
  });
});
