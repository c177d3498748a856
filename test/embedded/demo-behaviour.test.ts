import { expect, test } from '@jest/globals';
import { answerOf, type DemoPhase } from '../../src/embedded/demo/demo-behaviour.ts';
import { DEMO_ENDPOINTS, DEMO_HANDLES, demoUrl } from '../../src/embedded/demo/demo-endpoints.ts';

const IDS = Array.from({ length: 1_000 }, (_, index) => `dlv_01m819hqgdfxmbsac2ne1g${index}`);

function statuses(phase: DemoPhase, handle: string, attempt: number, body = '{}'): number[] {
  return IDS.map((webhookId) => answerOf(phase, { path: `/${handle}`, webhookId, attempt, body }).status);
}

function share(found: number[], status: number): number {
  return found.filter((one) => one === status).length / found.length;
}

test('in the outage one answers 503, one 429 with a time to wait, one mostly 500, one nothing in time', () => {
  expect(share(statuses('outage', 'search', 1), 503)).toBe(1);
  expect(share(statuses('outage', 'audit', 1), 200)).toBe(1);
  expect(share(statuses('outage', 'chat', 1), 500)).toBeGreaterThan(0.7);
  expect(share(statuses('outage', 'chat', 1), 500)).toBeLessThan(0.9);
  const request = { webhookId: 'dlv_1', attempt: 1, body: '{}' };
  expect(answerOf('outage', { ...request, path: '/builds' })).toMatchObject({
    status: 429,
    retryAfterSeconds: 1,
  });
  const { afterMs } = answerOf('outage', { ...request, path: '/reports' });
  expect(afterMs).toBeGreaterThan(2 * DEMO_ENDPOINTS.reports.timeoutMs);
});

test('since they are back a few first attempts fail, and no second one does', () => {
  for (const handle of DEMO_HANDLES) {
    expect(share(statuses('back', handle, 1), 200)).toBeGreaterThan(0.85);
    expect(share(statuses('back', handle, 2), 200)).toBe(1);
  }
  expect(share(statuses('back', 'chat', 1), 500)).toBeGreaterThan(0.05);
});

test('since they are back all answer within the time limit of their endpoint', () => {
  for (const handle of DEMO_HANDLES)
    for (const webhookId of IDS) {
      const { afterMs } = answerOf('back', { path: `/${handle}`, webhookId, attempt: 1, body: '{}' });
      expect(afterMs).toBeLessThan(DEMO_ENDPOINTS[handle].timeoutMs / 2 + 1);
    }
});

test('a changed wiki is refused for good, whatever the attempt', () => {
  for (const attempt of [1, 2])
    expect(share(statuses('back', 'search', attempt, '{"pages":[{"title":"Home"}]}'), 422)).toBe(1);
});

test('a path without a receiver is not found', () => {
  expect(answerOf('back', { path: '/', webhookId: '', attempt: 1, body: '' }).status).toBe(404);
});

test('the receiver that is down has a port of its own', () => {
  expect(demoUrl('warehouse', 20_000)).toBe('http://127.0.0.1:20001/warehouse');
  expect(demoUrl('search', 20_000)).toBe('http://127.0.0.1:20000/search');
});
