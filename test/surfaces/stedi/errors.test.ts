import { describe, expect, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';
import { startStediWorld, useStediWorld } from '../../support/surfaces/stedi-world.ts';

const world = useStediWorld();

describe('errors are {message, code?}', () => {
  const raw = async (method: string, path: string, init: RequestInit = {}) => {
    const response = await fetch(`${world.api.url}${path}`, {
      method,
      ...init,
      headers: { authorization: world.api.key, ...(init.headers as Record<string, string>) },
    });
    return { status: response.status, headers: response.headers, body: await response.json() };
  };

  test.each(['/executions/a/b/c', '/polling', '/polling/x', '/events', '/2023-08-01', '/2023-08-01/nothing'])(
    'an unknown path below a prefix: %s',
    async (path) => {
      expect(await raw('GET', path)).toMatchObject({
        status: 404,
        body: { message: expect.any(String), code: 'ROUTE_NOT_FOUND' },
      });
    },
  );

  test('another method is not there, either, and says which is', async () => {
    const answer = await raw('DELETE', '/executions/retry');
    expect(answer).toMatchObject({ status: 404, body: { code: 'METHOD_NOT_ALLOWED' } });
    expect(answer.headers.get('allow')).toContain('POST');
  });

  test('a path that is not encoded correctly', async () => {
    expect((await raw('GET', '/executions/%E0%A4%A')).status).toBe(400);
  });

  test('429 says when to come back', async () => {
    const other = await startStediWorld({ rateLimit: { requests: 1, windowSeconds: 86_400 } });
    try {
      expect((await other.call('GET', '/executions')).status).toBe(200);
      const answer = await other.call('GET', '/executions');
      expect(answer).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } });
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    } finally {
      await other.api.close();
    }
  });

  test('500 adds exceptionCause and tells nothing', async () => {
    const other = await startStediWorld();
    try {
      await other.rows('alter table executions rename column due_at to secret_column');
      await other.rows('alter table endpoints rename column handle to secret_handle');
      const answer = await other.call('GET', '/executions');
      expect(answer.status).toBe(500);
      expect(answer.body).toEqual({
        message: 'An unexpected error occurred.',
        code: 'INTERNAL',
        exceptionCause: answer.headers.get('request-id'),
      });
    } finally {
      await other.api.close();
    }
  });

  test('503 says when to come back', async () => {
    const other = await startStediWorld();
    await other.api.database.pool.end();
    const response = await fetch(`${other.api.url}/executions`, { headers: { authorization: 'rdk_x' } });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('2');
    expect(Object.keys((await response.json()) as object)).toEqual(['message', 'code']);
    await other.api.close();
  });

  test('an answer ends what it began: HEAD has no body', async () => {
    await eventually('HEAD is answered', async () => {
      const response = await fetch(`${world.api.url}/executions`, {
        method: 'HEAD',
        headers: { authorization: world.api.key },
      });
      return response.status === 200 && (await response.text()) === '';
    });
  });
});
