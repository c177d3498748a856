import { afterEach, expect, test } from '@jest/globals';
import { readCommandLine } from '../../cli/src/command/program.ts';
import { setTenant } from '../../console/src/api/tenant.ts';
import { redriveLine } from '../../console/src/screens/recover/command-line.ts';
import { curlFor } from '../../console/src/screens/recover/curl.ts';

/** Lines to copy mean the tenant that is on the screen: a key of the installation has none of its own. */

afterEach(() => setTenant(undefined));

test('a session of a tenant names none', () => {
  expect(redriveLine(['retry', 'watch', 'op_1'])).toBe('redrive retry watch op_1');
  expect(curlFor('http://localhost', 'GET', '/api/v1/retries')).not.toContain('redrive-tenant');
});

test('a session of the installation names the tenant that it has chosen', async () => {
  setTenant('zoo');
  const line = redriveLine(['retry', 'watch', 'op_1']);
  expect(line).toBe('redrive --tenant zoo retry watch op_1');
  expect(await readCommandLine(line.split(' ').slice(1), '0', { columns: undefined })).toMatchObject({
    run: { path: ['retry', 'watch'] },
    flags: { tenant: 'zoo' },
  });
  expect(curlFor('http://localhost', 'GET', '/api/v1/retries')).toContain("-H 'redrive-tenant: zoo'");
});
