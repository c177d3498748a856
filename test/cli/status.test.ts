import { expect, test } from '@jest/globals';
import { createPool } from '../../src/store/db/pool.ts';
import { startTestApi } from '../support/api/test-api.ts';
import { useApiWorld } from '../support/api/use-api.ts';
import { useCli } from '../support/cli/use-cli.ts';

/** What is shown of lists that are longer than what is shown, and by whom they were asked for. */

const world = useApiWorld();
const cli = useCli();

const as = (key: string) => ({ url: world.api.url, key });

/** A key of our tenant that stands for somebody. */
async function keyOf(actor: string): Promise<string> {
  const made = await fetch(`${world.api.url}/api/v1/keys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${world.ours.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      name: actor,
      actor,
      scopes: ['write:deliveries', 'read:deliveries'],
    }),
  });
  const { key } = (await made.json()) as { key: string };
  return key;
}

test('status says where there are more than it shows, names plans apart, and retry list finds them by a bare name', async () => {
  const alice = as(await keyOf('alice'));
  const plan = () => cli.run(alice, ['api', 'POST', '/api/v1/retries/plans', '--file', '-'], { input: BODY });
  const BODY = JSON.stringify({ select: { filter: { state: ['failed'] } } });
  const first = await plan();
  expect(first).toMatchObject({ code: 0 });
  const { operationId } = JSON.parse(first.stdout);

  const few = await cli.run(alice, ['status']);
  expect(few.stdout).toMatch(/Plans that nobody has executed: \d\n/);
  expect(few.stderr).not.toContain('More plans');

  for (const name of ['alice', 'actor:alice']) {
    const { stdout } = await cli.run(alice, ['retry', 'list', '--actor', name, '-o', 'json']);
    expect(JSON.parse(stdout)).toMatchObject([{ id: operationId, requestedBy: 'actor:alice' }]);
  }

  await Promise.all(
    Array.from({ length: 51 }, () =>
      fetch(`${world.api.url}/api/v1/retries/plans`, {
        method: 'POST',
        headers: { authorization: `Bearer ${alice.key}`, 'content-type': 'application/json' },
        body: BODY,
      }),
    ),
  );
  const many = await cli.run(alice, ['status']);
  expect(many.stdout).toContain('Plans that nobody has executed: 50+\n');
  expect(many.stderr).toContain('More plans: redrive retry list --state planned --limit all');
  const json = await cli.run(alice, ['status', '-o', 'json']);
  const { plans, operations, more } = JSON.parse(json.stdout);
  expect(plans).toHaveLength(50);
  expect(operations.every(({ state }: { state: string }) => state !== 'planned')).toBe(true);
  expect(more).toEqual({ operations: false, plans: true, outages: false });
});

test('exit 1: status says which parts are ready before anything is known of the rest, and that it is not known', async () => {
  const nobody = createPool('postgres://nobody@127.0.0.1:1/nowhere');
  const away = await startTestApi({
    pool: nobody,
    readiness: async () => [
      { name: 'postgres', ready: false, state: 'does not answer' },
      { name: 'temporal', ready: true, state: 'connected' },
    ],
  });
  try {
    const there = { url: away.url, key: away.key };
    const { code, stdout, stderr } = await cli.run(there, ['status']);
    expect({ code, stderr }).toMatchObject({ code: 1 });
    expect(stdout).toMatch(/postgres +NOT READY: does not answer\n/);
    expect(stdout).toMatch(/temporal +ready: connected\n/);
    expect(stdout).toMatch(/pending +not known\n/);
    expect(stdout).toContain('Open operations: not known\n');
    const json = await cli.run(there, ['status', '-o', 'json']);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({
      ready: false,
      deliveries: { pending: null },
      operations: null,
      outages: null,
    });
  } finally {
    await away.close();
    await nobody.end();
  }
});
