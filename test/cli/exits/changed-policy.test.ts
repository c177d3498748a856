import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { useApi } from '../../support/api/use-api.ts';
import { useCli } from '../../support/cli/use-cli.ts';

/** What is set as a whole undoes nothing that somebody else has set since it was read. */

const api = useApi();
const cli = useCli();

test('exit 9: the policy that was read to a file, or is named by its digest, is another by now', async () => {
  const admin = { url: api.url, key: api.adminKey };
  const policy = (...args: string[]) =>
    cli.run(admin, ['policy', ...args, '--tenant', api.tenant.handle, '-o', 'json']);
  const file = join(cli.home, 'policy.json');
  const write = (content: object) => writeFile(file, JSON.stringify(content));
  await write({ approveAbove: 100 });
  expect(await policy('set', file)).toMatchObject({ code: 0 });

  const { stdout } = await policy('get');
  const read = JSON.parse(stdout);
  await write({ ...read, policy: { ...read.policy, reasonAbove: 5 } });
  expect(await policy('set', file)).toMatchObject({ code: 0 });
  // Once more: it is there already.
  expect(await policy('set', file)).toMatchObject({ code: 0 });

  await write({ ...read, policy: { ...read.policy, reasonAbove: 6 } });
  expect(await policy('set', file)).toMatchObject({
    code: 9,
    stderr: expect.stringMatching(
      /Policy changed\. Nothing was set: key_.*\n[\s\S]*next: redrive policy get/,
    ),
  });
  await write({ reasonAbove: 7 });
  expect(await policy('set', file, '--digest', read.digest)).toMatchObject({ code: 9 });
  const kept = JSON.parse((await policy('get')).stdout);
  expect(kept.policy).toMatchObject({ approveAbove: 100, reasonAbove: 5 });
  expect(await policy('set', file, '--digest', kept.digest)).toMatchObject({ code: 0 });
});

test.each([
  ['get', 'set', { itemsPerDay: 5_000_000 }, { openOperations: 50 }],
  ['retention', 'set-retention', { payloads: 7 }, { reports: 365 }],
])(
  'exit 9: so are the ceilings, or floors, that limits %s read, and limits %s is to replace',
  async (show, set, one, other) => {
    const admin = { url: api.url, key: api.adminKey };
    const limits = (...args: string[]) => cli.run(admin, ['limits', ...args, '-o', 'json']);
    const file = join(cli.home, `${show}.json`);
    const write = (content: object) => writeFile(file, JSON.stringify(content));
    const read = JSON.parse((await limits(show)).stdout);
    await write({ ...read, ...one });
    expect(await limits(set, file)).toMatchObject({ code: 0 });
    expect(await limits(set, file)).toMatchObject({ code: 0 });

    await write({ ...read, ...other });
    expect(await limits(set, file)).toMatchObject({
      code: 9,
      stderr: expect.stringMatching(
        /Settings changed\. Nothing was set: key_.*\n[\s\S]*next: redrive limits get/,
      ),
    });
    await write(other);
    expect(await limits(set, file, '--digest', read.digest)).toMatchObject({ code: 9 });
    const kept = JSON.parse((await limits(show)).stdout);
    expect(kept).toMatchObject(one);
    expect(await limits(set, file, '--digest', kept.digest)).toMatchObject({ code: 0 });
  },
);
