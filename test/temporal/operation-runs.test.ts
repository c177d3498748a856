import { expect, test } from '@jest/globals';
import { useEngine, useScenes } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { ok } from '../support/receivers/receiver-behaviour.ts';

const UI = 'https://temporal.example/ui';
const engine = useEngine({ temporalUiUrl: UI });
const createScene = useScenes(engine);

test('the run of an operation is shown as Temporal tells it, while it waits and when it has ended', async () => {
  const it = await createScene([ok]);
  await it.seed(3);
  const notBefore = new Date(Date.now() + 3_600_000).toISOString();
  const { id } = await it.retries.start({
    select: { filter: { state: ['failed'] } },
    options: { notBefore },
  });
  const headers = { 'redrive-tenant': it.tenant.handle };
  const shown = async () =>
    (await engine.client.expect(200, 'GET', `/api/v1/retries/${id}/workflow`, { headers })).body;
  await eventually('it waits', async () => {
    const { run } = await shown();
    return run?.progress?.step === 'wait' && run.pendingActivities.length === 0;
  });
  const waiting = await shown();
  const workflow = encodeURIComponent(waiting.workflowId);
  expect(waiting).toMatchObject({
    answers: true,
    workflowId: expect.stringContaining(it.tenant.handle),
    run: {
      page: `${UI}/namespaces/default/workflows/${workflow}/${waiting.run.runId}/history`,
      status: 'running',
      taskQueue: expect.stringContaining('bulk'),
      closedAt: null,
      progress: { state: 'running', step: 'wait', until: 'due' },
    },
  });
  await it.retries.control(id, 'cancel');
  await it.retries.ended(id);
  await eventually('it has ended', async () => (await shown()).run?.status === 'completed');
  expect((await shown()).run).toMatchObject({ progress: null, closedAt: expect.any(String) });
});
