import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { useApi } from '../support/api/use-api.ts';
import { seedEndpoint, seedFailedDeliveries } from '../support/engine/failed-deliveries.ts';
import { patient } from '../support/patience.ts';
import { pythonWith } from '../support/python.ts';
import { newSealer } from '../support/store/audit.ts';
import { closeOperation, newSigner } from '../support/store/close-operation.ts';
import { sendItems } from '../support/store/send-items.ts';
import { inTemporaryDirectory } from '../support/temporary-directory.ts';

const execute = promisify(execFile);
const api = useApi();

/** The blocks of a language of docs/verifying.md, in their order. */
async function blocks(language: string): Promise<string[]> {
  const text = await readFile('docs/verifying.md', 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(
    ([, block = '']) => block,
  );
}

/** An operation of three items that has closed, with its acts and a checkpoint behind it in the chain. */
async function closedOperation(): Promise<{ id: string; deliveryId: string }> {
  const endpointId = await seedEndpoint(api);
  const seeded = await seedFailedDeliveries(api, 3);
  const ids = seeded.map(({ deliveryId }) => deliveryId);
  const { body } = await api.call('POST', '/api/v1/retries', { body: { select: { deliveryIds: ids } } });
  const { pool } = api.database;
  const signer = newSigner(api.sealer);
  await newSealer(pool).sealer.seal();
  await sendItems(pool, [api.uuid(endpointId)], (_, n) => (n === 0 ? 404 : 200));
  await closeOperation(pool, api.uuid(body.id), { signer });
  const { sealer } = newSealer(pool, 0, signer);
  await sealer.seal();
  await sealer.checkpoint();
  return { id: body.id, deliveryId: ids[1] ?? '' };
}

test(
  'what docs/verifying.md writes down verifies a report, a line and the chain, and nothing that was changed',
  async () => {
    const { id, deliveryId } = await closedOperation();
    const [fetching = '', verifying = '', chain = '', ...others] = await blocks('sh');
    expect(others).toEqual([]);
    expect(verifying.trimEnd().split('\n')).toHaveLength(10);
    await inTemporaryDirectory(async (directory) => {
      const env = {
        ...process.env,
        REDRIVE: api.url,
        KEY: api.key,
        OP: id,
        DLV: deliveryId,
        PATH: `${join(process.cwd(), 'node_modules', '.bin')}${delimiter}${process.env.PATH}`,
      };
      const shell = (script: string) => execute('bash', ['-euc', script], { cwd: directory, env });
      const change = async (name: string, from: string | RegExp, to: string) => {
        const file = join(directory, name);
        const text = await readFile(file, 'utf8');
        expect(text).toMatch(from);
        await writeFile(file, text.replace(from, to));
        return () => writeFile(file, text);
      };
      await shell(fetching);
      expect((await shell(verifying)).stdout).toContain('Signature Verified Successfully');
      expect(JSON.parse((await shell(chain)).stdout)).toMatchObject({
        verified: true,
        checkpoints: 3,
        signed: 3,
      });
      const lines = (await readFile(join(directory, 'audit.ndjson'), 'utf8')).split('\n');
      const uncut = await change('audit.ndjson', lines.slice(1).join('\n'), '');
      await expect(shell(chain)).rejects.toMatchObject({ stdout: expect.stringContaining('"until"') });
      await uncut();

      const python = await pythonWith('PyJWT==2.15.1', 'joserfc==1.8.0', 'cryptography');
      const inside = (script: string) =>
        python?.run(`import os; os.chdir(${JSON.stringify(directory)})\n${script}`);
      const scripts = await blocks('python');
      expect(scripts).toHaveLength(5);
      try {
        for (const script of scripts) await inside(script);
        const restore = [
          await change('ledger.ndjson', /"state":"(delivered|failed)"/, '"state":"unknown"'),
          await change('proof.json', /attempts\\":1/, 'attempts\\":2'),
        ];
        if (python)
          for (const script of scripts.slice(2))
            await expect(inside(script)).rejects.toThrow('AssertionError');
        for (const undo of restore) await undo();
        await change('report.json', /"signature":"./, '"signature":"-');
        await expect(shell(verifying)).rejects.toThrow();
        if (python) for (const script of scripts.slice(0, 2)) await expect(inside(script)).rejects.toThrow();
        await expect(shell(chain)).rejects.toMatchObject({
          stdout: expect.stringContaining('bad_signature'),
        });
      } finally {
        await python?.close();
      }
    });
  },
  patient(60_000),
);
