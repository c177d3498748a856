import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createLogger, type Log } from '../../src/telemetry/log.ts';

const CANARY = 'canary-7f3a';

function logging(): { log: Log; lines: () => Record<string, unknown>[]; text: () => string } {
  const written: string[] = [];
  const log = createLogger({ level: 'trace', destination: { write: (line) => void written.push(line) } });
  return { log, text: () => written.join(''), lines: () => written.map((line) => JSON.parse(line)) };
}

describe('a log line', () => {
  test('is JSON with an ISO time, the level by name, its fields and those of its logger', () => {
    const { log, lines } = logging();
    log.child({ lane: 'bulk' }).info({ deliveryId: 'dlv_1', durationMs: 12 }, 'delivery.attempted');
    expect(lines()).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        lane: 'bulk',
        deliveryId: 'dlv_1',
        durationMs: 12,
        msg: 'delivery.attempted',
      },
    ]);
  });

  test.each([
    'authorization',
    'Authorization',
    'cookie',
    'set-cookie',
    'secret',
    'signingSecret',
    'previous_secret',
    'key',
    'masterKey',
    'x-api-key',
    'signature',
    'webhook-signature',
    'payload',
    'body',
    'requestBody',
    'headers',
    'responseHeaders',
    'token',
    'leaseToken',
    'password',
    'url',
    'databaseUrl',
    'excerpt',
  ])('never holds the value of %s, at any depth, in a child or in a list', (name) => {
    const { log, text } = logging();
    log.info({ [name]: CANARY });
    log.info({ [name]: { deeper: CANARY } });
    log.info({ a: { b: { c: [{ [name]: CANARY }] } } }, 'deep');
    log.child({ [name]: CANARY }).warn('child');
    log
      .child({ a: { [name]: CANARY } })
      .child({ [name]: [CANARY] })
      .warn('grandchild');
    expect(text()).not.toContain(CANARY);
    expect(text()).toContain('[redacted]');
  });

  test('never holds the message of an error, nor what Postgres adds to it', () => {
    const { log, text, lines } = logging();
    const error = Object.assign(new Error(`Key (email)=(${CANARY})\nsecond line ${CANARY}`), {
      code: '23505',
      detail: CANARY,
      where: CANARY,
      parameters: [CANARY],
      cause: new Error(CANARY),
    });
    log.error(error);
    log.error(error, 'store.failed');
    log.error({ err: error });
    log.error({ err: error, operationId: 'op_1' }, 'operation.failed');
    log.error({ reason: error }, 'elsewhere');
    log.child({ err: error }).error('bound');
    expect(text()).not.toContain(CANARY);
    expect(lines().map(({ msg }) => msg)).toEqual([
      'Error',
      'store.failed',
      'Error',
      'operation.failed',
      'elsewhere',
      'bound',
    ]);
    expect(lines()[1]).toMatchObject({ err: { type: 'Error', code: '23505', cause: { type: 'Error' } } });
  });

  test('never holds a secret that its form gives away, wherever it stands', () => {
    const { log, text } = logging();
    const secrets = [
      'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      'rdk_live_9f8e7d6c5b4a',
      'Bearer abc.def-ghi',
      'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl',
      'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
      'postgres://redrive:hunter2@db.internal/redrive',
    ];
    for (const secret of secrets) {
      log.info(`text ${secret} text`);
      log.info('format %s', secret);
      log.info({ note: secret }, 'field');
      log.info({ notes: [{ note: `around ${secret}` }] }, 'nested');
    }
    for (const part of ['MfKQ9r8G', '9f8e7d6c', 'abc.def', 'eyJzdWIi', 'K5oZfzN9', 'hunter2']) {
      expect(text()).not.toContain(part);
    }
  });

  test('stays valid JSON whatever is logged', () => {
    fc.assert(
      fc.property(
        fc.object({ withBigInt: false, withNullPrototype: true }),
        fc.string(),
        (fields, message) => {
          const { log, lines } = logging();
          log.info(fields, message);
          expect(lines()).toHaveLength(1);
        },
      ),
    );
  });

  test('survives cycles and bytes', () => {
    const { log, lines } = logging();
    const cycle: Record<string, unknown> = { name: 'cycle' };
    cycle.self = cycle;
    log.info({ cycle, bytes: Buffer.from(CANARY) }, 'odd');
    expect(lines()).toHaveLength(1);
    expect(JSON.stringify(lines())).not.toContain(CANARY);
  });
});
