import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { startChildScript } from '../support/child-script.ts';
import { startReceiver } from '../support/receivers/receiver.ts';
import { ok } from '../support/receivers/receiver-behaviour.ts';
import { createSelfSignedCertificate } from '../support/receivers/self-signed-certificate.ts';
import { inTemporaryDirectory } from '../support/temporary-directory.ts';

test('an endpoint whose certificate is from a private authority is reached with NODE_EXTRA_CA_CERTS, and not without', async () => {
  const tls = createSelfSignedCertificate();
  const receiver = await startReceiver(ok, { tls });
  const attempted = async (env: Record<string, string>) => {
    const script = new URL('../support/child/attempt.ts', import.meta.url);
    return JSON.parse(await startChildScript(script, { args: [receiver.url()], env }).firstLine);
  };
  try {
    await inTemporaryDirectory(async (directory) => {
      const file = join(directory, 'private-ca.pem');
      await writeFile(file, tls.cert);
      expect(await attempted({ NODE_EXTRA_CA_CERTS: file })).toEqual({ status: 200 });
      expect(await attempted({})).toMatchObject({ fault: 'tls_failure', mayHaveArrived: false });
    });
  } finally {
    await receiver.close();
  }
});
