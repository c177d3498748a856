import { describe, expect, test } from '@jest/globals';
import { WEEKDAYS } from '../../../src/domain/policy/freeze-windows.ts';
import { govern } from '../../support/api/governed.ts';
import { startChildScript } from '../../support/child-script.ts';
import { ALL_FAILURES } from '../../support/engine/recovery-scene.ts';
import { useEngine, useScenes } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { ok } from '../../support/receivers/receiver-behaviour.ts';

/** Quotas and freeze windows that a policy sets, over the running service. */

const engine = useEngine({ checked: true });
const scene = useScenes(engine);

const HOUR_MS = 3_600_000;

/** A time on the clock of UTC, so many milliseconds from now. */
const clock = (inMs: number): string => new Date(Date.now() + inMs).toISOString().slice(11, 16);

test('a window of the policy holds a bulk retry; taken away, it lets it go, with nobody nudging it', async () => {
  const it = await scene([ok]);
  const by = govern(engine, it.tenant);
  await it.seed(30);
  const around = { zone: 'UTC', days: [...WEEKDAYS], from: clock(-HOUR_MS), to: clock(HOUR_MS) };
  await by.set({ freezeWindows: [around] });
  const { id } = await it.retries.start(ALL_FAILURES);
  await eventually('it rests', async () => {
    const { waitingFor } = await it.retries.show(id);
    return waitingFor.some(({ what }: { what: string }) => what === 'freeze_window');
  });
  expect(await it.retries.show(id)).toMatchObject({ counts: { delivered: 0 } });
  expect(it.sent()).toBe(0);
  await by.set({});
  expect(await it.retries.ended(id)).toMatchObject({ counts: { delivered: 30 } });
});

describe('over two API processes at once', () => {
  test.each([
    ['itemsPerDay', 6],
    ['openOperations', 3],
  ])('%s lets pass what there is room for, and exactly the others wait', async (quota, limit) => {
    const it = await scene([ok]);
    const by = govern(engine, it.tenant);
    await it.seed(12);
    const ids = await it.ids();
    await by.set({ quotas: { [quota]: limit } });
    const { log: _, masterKey, ...options } = engine.options;
    const api = startChildScript(new URL('../../support/child/service.ts', import.meta.url), {
      env: {
        SERVICE_OPTIONS: JSON.stringify({
          ...options,
          roles: { api: true, worker: false },
          masterKey: masterKey.toString('base64'),
        }),
      },
    });
    try {
      const elsewhere = (await api.firstLine).split(' ')[1];
      const start = async (n: number) => {
        const response = await fetch(`${n % 2 === 0 ? engine.service.url : elsewhere}/api/v1/retries`, {
          method: 'POST',
          headers: { authorization: `Bearer ${it.tenant.key}`, 'content-type': 'application/json' },
          body: JSON.stringify({
            select: { deliveryIds: ids.slice(2 * n, 2 * n + 2) },
            // Open for as long as the test takes.
            options: { notBefore: new Date(Date.now() + HOUR_MS).toISOString() },
          }),
        });
        expect(response.status).toBe(202);
        return (await response.json()) as { id: string; state: string };
      };
      const started = await Promise.all(Array.from({ length: 6 }, (_each, n) => start(n)));
      const waiting = started.filter(({ state }) => state === 'awaiting_approval');
      expect(waiting).toHaveLength(3);
      for (const { id } of waiting)
        expect((await it.retries.show(id)).approval).toMatchObject({ because: [quota] });
      // Approved, it goes on all the same.
      const [first] = waiting;
      if (first) await by.approve(first.id);
      for (const { id } of started) {
        await it.retries.control(id, 'cancel');
        await it.retries.ended(id);
      }
    } finally {
      api.process.kill('SIGKILL');
      await api.ended;
    }
  });
});
