import { expect, test } from '@jest/globals';
import { MAX_UNRECORDED } from '../../../src/domain/sending/slice-turn.ts';
import { ALL_FAILURES } from '../../support/engine/recovery-scene.ts';
import { useEngine, useScenes } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { ok } from '../../support/receivers/receiver-behaviour.ts';

const engine = useEngine();
const scene = useScenes(engine);

/** Requests that a slice may always have in flight, and its claim that is on its way. */
const SOCKETS = 256;
/** Looks in a row at which nothing more has come. */
const STILL = 100;

test('nothing more is claimed while outcomes cannot be written, and all of it goes on afterwards', async () => {
  const ITEMS = 4 * MAX_UNRECORDED;
  const it = await scene([ok]);
  await it.seed(ITEMS);
  const { id } = await it.retries.start(ALL_FAILURES);
  await eventually('it sends', () => it.sent() > 0);
  // What an index that is built takes: whoever records waits for it, and a claim does not.
  const lock = await engine.database.pool.connect();
  try {
    await lock.query('begin; set local idle_in_transaction_session_timeout = 0');
    await lock.query('lock table attempts in share mode');
    const before = it.sent();
    let sent = before;
    let still = 0;
    await eventually('nothing more comes', () => {
      still = it.sent() === sent ? still + 1 : 0;
      sent = it.sent();
      return still === STILL;
    });
    expect(sent).toBeLessThan(ITEMS);
    expect(sent - before).toBeLessThanOrEqual(MAX_UNRECORDED + 2 * SOCKETS);
  } finally {
    await lock.query('rollback');
    lock.release();
  }
  expect(await it.retries.ended(id)).toMatchObject({
    state: 'completed',
    counts: { expected: ITEMS, delivered: ITEMS },
  });
});
